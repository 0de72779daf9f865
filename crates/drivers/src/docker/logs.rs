//! The output of a container, from the engine into the task's log files, without a process of its own.
//!
//! The engine keeps the output, so nothing is lost while no agent runs. A cursor file says how far the log files
//! got: the engine's time of the last message, how many messages of that time were taken, and where both files
//! ended. It is written after the files; whatever a killed agent wrote beyond the cursor is taken back and
//! written again, so no byte is lost and none is doubled.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use caravan_driver::TaskConfig;
use caravan_host::Rotator;
use futures::StreamExt;
use std::time::Duration;

const RETRY: Duration = Duration::from_millis(300);
/// The engine tells of an exit a moment after the output ended.
const SHORT_RETRY: Duration = Duration::from_millis(20);
/// A cursor line, padded so that each write replaces the one before.
const LINE: usize = 320;
const BATCH: usize = 512;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Cursor {
    container: String,
    /// As the engine writes it: RFC 3339 with nine digits, so that text order is time order.
    time: String,
    /// Messages of exactly that time.
    count: u64,
    stdout: (u64, u64),
    stderr: (u64, u64),
}

impl Cursor {
    fn encode(&self) -> String {
        let Self {
            container,
            time,
            count,
            stdout,
            stderr,
        } = self;
        format!(
            "{container} {time} {count} {} {} {} {}",
            stdout.0, stdout.1, stderr.0, stderr.1
        )
    }

    fn decode(text: &str) -> Option<Self> {
        let mut parts = text.split_whitespace();
        let (container, time) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        let mut number = || parts.next()?.parse::<u64>().ok();
        Some(Self {
            container,
            time,
            count: number()?,
            stdout: (number()?, number()?),
            stderr: (number()?, number()?),
        })
    }

    /// Whole seconds for the engine's filter, which has no finer ones here.
    fn since(&self) -> i32 {
        self.time
            .parse::<jiff::Timestamp>()
            .ok()
            .and_then(|t| i32::try_from(t.as_second()).ok())
            .unwrap_or(0)
    }
}

pub(crate) struct Collector {
    container: String,
    /// The output is one stream without frames.
    tty: bool,
    stdout: Rotator,
    stderr: Rotator,
    cursor: Cursor,
    file: Option<File>,
    /// Messages at or before the cursor are passed over until one is not; holds how many of its very time were.
    passing: Option<u64>,
}

impl Collector {
    pub(crate) fn new(config: &TaskConfig, container: &str, tty: bool) -> Self {
        let logs = &config.logs;
        let open = |kind: &str| {
            let prefix = format!("{}.{kind}", config.name);
            Rotator::open(
                logs.dir.clone(),
                prefix,
                logs.max_files,
                logs.max_file_size_mb.saturating_mul(1 << 20),
            )
        };
        let (mut stdout, mut stderr) = (open("stdout"), open("stderr"));
        let path = cursor_path(config);
        let known = std::fs::read_to_string(&path)
            .ok()
            .and_then(|text| Cursor::decode(&text))
            .filter(|cursor| cursor.container == container);
        if let Some(cursor) = &known {
            stdout.rewind(cursor.stdout.0, cursor.stdout.1);
            stderr.rewind(cursor.stderr.0, cursor.stderr.1);
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        if let Err(err) = &file {
            tracing::warn!(path = %path.display(), %err, "a restart of the agent may repeat log lines");
        }
        let mut collector = Self {
            container: container.to_owned(),
            tty,
            stdout,
            stderr,
            passing: None,
            cursor: known.unwrap_or_default(),
            file: file.ok(),
        };
        collector.cursor.container = container.to_owned();
        if collector.cursor.time.is_empty() {
            // Known from the first byte on, so that the first bytes can be taken back too.
            collector.cursor.time = "-".into();
            collector.save();
        }
        collector
    }

    /// Follows the output until the container has ended and everything was taken. A stream may end before its
    /// container (when the engine restarts), so only one that began after the container's end is the last.
    pub(crate) async fn run(mut self, docker: Docker) {
        let mut last = false;
        loop {
            self.passing = (self.cursor.time != "-").then_some(0);
            let whole = self.follow(&docker).await;
            if last && whole {
                return;
            }
            let pause = match docker.inspect_container(&self.container, None).await {
                Ok(found) => {
                    last = !found.state.and_then(|state| state.running).unwrap_or(false);
                    match (last, whole) {
                        (true, true) => continue,
                        (false, true) => SHORT_RETRY,
                        (_, false) => RETRY,
                    }
                }
                Err(bollard::errors::Error::DockerResponseServerError {
                    status_code: 404, ..
                }) => return,
                Err(_) => RETRY,
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn follow(&mut self, docker: &Docker) -> bool {
        let options = LogsOptionsBuilder::new()
            .follow(true)
            .stdout(true)
            .stderr(true)
            .timestamps(true)
            .since(self.cursor.since())
            .build();
        let stream = docker
            .logs(&self.container, Some(options))
            .ready_chunks(BATCH);
        tokio::pin!(stream);
        while let Some(batch) = stream.next().await {
            let mut whole = true;
            let mut taken = (Vec::new(), Vec::new());
            for message in batch {
                match message {
                    Ok(message) => self.take(&message, &mut taken),
                    Err(_) => whole = false,
                }
            }
            self.store(&taken);
            if !whole {
                return false;
            }
        }
        true
    }

    fn take(&mut self, message: &LogOutput, into: &mut (Vec<u8>, Vec<u8>)) {
        let (bytes, target) = match message {
            LogOutput::StdOut { message } => (message, &mut into.0),
            LogOutput::Console { message } if self.tty => (message, &mut into.0),
            LogOutput::StdErr { message } => (message, &mut into.1),
            // The beginning of a frame whose rest was lost with the connection: it comes again.
            LogOutput::Console { .. } | LogOutput::StdIn { .. } => return,
        };
        let Some(space) = bytes.iter().position(|byte| *byte == b' ') else {
            return;
        };
        let Ok(time) = std::str::from_utf8(&bytes[..space]) else {
            return;
        };
        if let Some(seen) = &mut self.passing {
            if time < self.cursor.time.as_str() {
                return;
            }
            if time == self.cursor.time && *seen < self.cursor.count {
                *seen += 1;
                return;
            }
            self.passing = None;
        }
        target.extend_from_slice(&bytes[space + 1..]);
        if self.cursor.time == time {
            self.cursor.count += 1;
        } else {
            time.clone_into(&mut self.cursor.time);
            self.cursor.count = 1;
        }
    }

    fn store(&mut self, taken: &(Vec<u8>, Vec<u8>)) {
        if !taken.0.is_empty() {
            self.stdout.append(&taken.0);
        }
        if !taken.1.is_empty() {
            self.stderr.append(&taken.1);
        }
        self.save();
    }

    fn save(&mut self) {
        self.cursor.stdout = self.stdout.position();
        self.cursor.stderr = self.stderr.position();
        if let Some(file) = &self.file {
            let line = format!("{:<width$}\n", self.cursor.encode(), width = LINE);
            // Without it a restart repeats lines; nothing better can be done on a disk that takes no more.
            let _ = file.write_all_at(line.as_bytes(), 0);
        }
    }
}

fn cursor_path(config: &TaskConfig) -> PathBuf {
    let private = &config.dirs.private;
    let base = if private.as_os_str().is_empty() {
        &config.dirs.task
    } else {
        private
    };
    base.join("docker-logs.cursor")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collector(dir: &std::path::Path) -> Collector {
        let mut config = TaskConfig {
            name: "t".into(),
            ..TaskConfig::default()
        };
        config.logs.dir = dir.to_owned();
        config.dirs.private = dir.to_owned();
        Collector::new(&config, "c1", false)
    }

    fn message(second: u32, text: &str) -> LogOutput {
        LogOutput::StdOut {
            message: format!("2026-01-01T00:00:{second:02}.000000000Z {text}\n").into(),
        }
    }

    fn give(collector: &mut Collector, messages: &[LogOutput]) {
        let mut taken = (Vec::new(), Vec::new());
        for message in messages {
            collector.take(message, &mut taken);
        }
        collector.store(&taken);
    }

    #[test]
    fn a_killed_agent_neither_loses_nor_doubles_a_line() {
        let dir = tempfile::tempdir().expect("dir");
        let all = [
            message(1, "a"),
            message(1, "b"),
            message(1, "c"),
            message(2, "d"),
        ];
        give(&mut collector(dir.path()), &all[..2]);
        // Written, but the agent was killed before it moved the cursor.
        std::fs::OpenOptions::new()
            .append(true)
            .open(dir.path().join("t.stdout.0"))
            .and_then(|mut file| std::io::Write::write_all(&mut file, b"c\n"))
            .expect("written");
        let mut later = collector(dir.path());
        later.passing = Some(0);
        // The engine gives the whole second again.
        give(&mut later, &all);
        assert_eq!(
            std::fs::read_to_string(dir.path().join("t.stdout.0")).expect("read"),
            "a\nb\nc\nd\n"
        );
    }

    #[test]
    fn a_cursor_of_another_container_is_ignored() {
        let dir = tempfile::tempdir().expect("dir");
        give(&mut collector(dir.path()), &[message(9, "old")]);
        let mut config = TaskConfig {
            name: "t".into(),
            ..TaskConfig::default()
        };
        config.logs.dir = dir.path().to_owned();
        config.dirs.private = dir.path().to_owned();
        let mut next = Collector::new(&config, "c2", false);
        give(&mut next, &[message(1, "new")]);
        assert_eq!(
            std::fs::read_to_string(dir.path().join("t.stdout.0")).expect("read"),
            "old\nnew\n"
        );
    }
}
