//! The output of a task: its rotated files as one stream.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caravan_http::{Answer, ApiError, ApiRequest, content_type};
use caravan_model::{Allocation, TaskPhase};
use rustix::fs::OFlags;

use super::contained;
use super::frames::Sink;
use super::wish::Wish;
use crate::handle::Runner;
use crate::shared::Shared;

mod sending;
#[cfg(test)]
mod tests;

use sending::Sending;

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
            _ = Sending::new(&log, &sink, start, wish.follow, &ended).run() => {}
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

/// How often the files are listed at most until one of them is still there when it is looked at.
const LISTINGS: usize = 100;

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
        for _ in 0..LISTINGS {
            let listed = self.listed();
            let size = |index| {
                let path = self.root.join(self.name(index));
                Some((index, std::fs::symlink_metadata(path).ok()?.len()))
            };
            let found: Vec<(u64, u64)> = listed.iter().copied().filter_map(size).collect();
            // A task that says gigabytes a second has rotated all of them away between the two looks.
            if listed.is_empty() || !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }

    /// The numbers of the files, in order.
    fn listed(&self) -> Vec<u64> {
        let prefix = format!("{}.{}.", self.task, self.kind);
        let entries = std::fs::read_dir(self.root.join("alloc/logs"));
        let names = entries.into_iter().flatten().flatten();
        let mut numbers: Vec<u64> = names
            .filter_map(|entry| {
                entry
                    .file_name()
                    .to_str()?
                    .strip_prefix(&prefix)?
                    .parse()
                    .ok()
            })
            .collect();
        numbers.sort_unstable();
        numbers
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

    fn after(&self, index: u64) -> Option<u64> {
        let direct = index + 1;
        if self.root.join(self.name(direct)).exists() {
            return Some(direct);
        }
        self.listed().into_iter().find(|found| *found > index)
    }
}
