//! The output of a task: its rotated files as one stream.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use caravan_http::{Answer, ApiError, ApiRequest, content_type};
use caravan_model::{Allocation, TaskPhase};
use rustix::fs::OFlags;

use super::contained;
use super::files::{Wish, read_some};
use super::frames::{Gone, HEARTBEAT, POLL, Sink};
use crate::handle::Runner;
use crate::shared::Shared;

#[cfg(test)]
mod tests;

pub(super) async fn logs(shared: &Arc<Shared>, request: &ApiRequest) -> Result<Answer, ApiError> {
    let root = super::files::root(shared, request)?;
    let query = &request.query;
    let task = query.get("task").unwrap_or_default().to_owned();
    if task.is_empty() {
        return Err(ApiError::bad_request("must provide task name"));
    }
    let kind = query.get("type").unwrap_or_default().to_owned();
    if kind != "stdout" && kind != "stderr" {
        return Err(ApiError::bad_request(
            "must provide log type (stdout/stderr)",
        ));
    }
    let wish = Wish::parse(request, false)?;
    let id = request.param("id");
    let runner = id.parse().ok().and_then(|id| shared.runner(id));
    let runner = runner.ok_or_else(|| {
        ApiError::not_found(format!("state for allocation {id} not found on client"))
    })?;
    let view = runner.view();
    let Some(state) = view.states.get(&task) else {
        return Err(ApiError::bad_request(format!("unknown task name {task:?}")));
    };
    let started = !state.started_at.is_zero();
    let log = Log { root, task, kind };
    // What is there is shown, also before an agent that starts has taken the task up again.
    let Some(start) = log.start(wish.offset, wish.from_end) else {
        let (task, kind) = (&log.task, &log.kind);
        if !started {
            let text = format!("task {task:?} not started yet. No logs available");
            return Err(ApiError::not_found(text));
        }
        let elsewhere = output_elsewhere(shared, &view.alloc, task);
        let why = elsewhere.map_or_else(String::new, |who| format!(": its output goes to {who}"));
        let text = format!("log entry for task {task:?} and log type {kind:?} not found{why}");
        return Err(ApiError::not_found(text));
    };
    let (sink, answer) = Sink::answer(wish.plain, content_type::JSON);
    let shutdown = shared.shutdown.clone();
    tokio::spawn(async move {
        let ended = || is_dead(&runner, &log.task);
        tokio::select! {
            _ = log.send(&sink, start, wish.follow, &ended) => {}
            () = shutdown.cancelled() => {}
        }
    });
    Ok(answer)
}

/// Who has the output of a task, where its driver does not collect it.
fn output_elsewhere(shared: &Shared, alloc: &Allocation, task: &str) -> Option<String> {
    let group = alloc.job.as_ref()?.lookup_task_group(&alloc.task_group)?;
    let task = group.lookup_task(task)?;
    let driver = shared.drivers.get(&task.driver)?;
    driver.output_elsewhere(&serde_json::Value::Object(task.config.clone()))
}

fn is_dead(runner: &Runner, task: &str) -> bool {
    runner
        .view()
        .states
        .get(task)
        .is_none_or(|state| state.state == TaskPhase::Dead)
}

/// One stream of one task.
struct Log {
    root: PathBuf,
    task: String,
    kind: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    index: u64,
    offset: u64,
}

impl Log {
    fn name(&self, index: u64) -> String {
        format!("alloc/logs/{}.{}.{index}", self.task, self.kind)
    }

    fn open(&self, index: u64) -> Option<File> {
        contained::open(&self.root, Path::new(&self.name(index)), OFlags::RDONLY).ok()
    }

    /// The files there are, with their sizes, in order.
    fn files(&self) -> Vec<(u64, u64)> {
        let prefix = format!("{}.{}.", self.task, self.kind);
        let Ok(entries) = std::fs::read_dir(self.root.join("alloc/logs")) else {
            return Vec::new();
        };
        let number = |entry: std::fs::DirEntry| {
            let index = entry
                .file_name()
                .to_str()?
                .strip_prefix(&prefix)?
                .parse()
                .ok()?;
            Some((index, entry.metadata().ok()?.len()))
        };
        let mut found: Vec<(u64, u64)> = entries.flatten().filter_map(number).collect();
        found.sort_unstable();
        found
    }

    /// Where to begin: so many bytes from the start, or before the end.
    fn start(&self, offset: u64, from_end: bool) -> Option<Place> {
        let files = self.files();
        let total: u64 = files.iter().map(|(_, size)| size).sum();
        let mut skip = if from_end {
            total.saturating_sub(offset)
        } else {
            offset.min(total)
        };
        for (index, size) in &files {
            if skip < *size {
                return Some(Place {
                    index: *index,
                    offset: skip,
                });
            }
            skip -= size;
        }
        files.last().map(|(index, size)| Place {
            index: *index,
            offset: *size,
        })
    }

    async fn send(
        &self,
        sink: &Sink,
        start: Place,
        follow: bool,
        ended: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), Gone> {
        let last = self.files().last().map_or(start.index, |(index, _)| *index);
        let mut at = start;
        let mut quiet = Duration::ZERO;
        loop {
            let Some(file) = self.open(at.index) else {
                // It was rotated away: go on with the oldest that is left.
                match self.after(at.index) {
                    Some(next) => {
                        at = Place {
                            index: next,
                            offset: 0,
                        }
                    }
                    None => {
                        return sink
                            .event(&self.name(at.index), at.offset, "file deleted")
                            .await;
                    }
                }
                continue;
            };
            let (file, name) = (Arc::new(file), self.name(at.index));
            let mut seen = None;
            loop {
                let data = match read_some(&file, at.offset, sink.most()).await {
                    Ok(data) => data,
                    Err(error) => {
                        sink.fail(error.to_string()).await;
                        return Ok(());
                    }
                };
                if !data.is_empty() {
                    at.offset += data.len() as u64;
                    (quiet, seen) = (Duration::ZERO, None);
                    sink.data(&name, at.offset, data).await?;
                    continue;
                }
                // Looked at before the last reading: what was written before was read then.
                let Some((over, next)) = seen.take() else {
                    seen = Some((ended(), self.after(at.index)));
                    continue;
                };
                match next {
                    Some(next) if follow || next <= last => {
                        at = Place {
                            index: next,
                            offset: 0,
                        };
                        break;
                    }
                    _ if !follow || over => return Ok(()),
                    _ => {}
                }
                tokio::time::sleep(POLL).await;
                quiet += POLL;
                if quiet >= HEARTBEAT {
                    quiet = Duration::ZERO;
                    sink.heartbeat().await?;
                }
            }
        }
    }

    fn after(&self, index: u64) -> Option<u64> {
        let direct = index + 1;
        if self.root.join(self.name(direct)).exists() {
            return Some(direct);
        }
        self.files()
            .into_iter()
            .map(|(found, _)| found)
            .find(|found| *found > index)
    }
}
