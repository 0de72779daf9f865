//! The output of a container, from the engine into the task's log files, without a process of its own.
//!
//! The engine keeps the output, so nothing is lost while no agent runs. A cursor file says how far the log files
//! got, for each of the two streams: the engine's time of the last message, how many messages of that time were
//! taken, and where the file ended. The streams are apart since the engine stamps and stores them apart: what came
//! later in one may stand before what came earlier in the other. The cursor is written after the files; whatever a
//! killed agent wrote beyond it is taken back and written again, so no byte is lost and none is doubled.

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
/// Stands for the time where nothing was taken yet; less than any time, as text.
const NOTHING: &str = "-";

/// How far one stream was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// As the engine writes it: RFC 3339 with nine digits, so that text order is time order.
    time: String,
    /// Messages of exactly that time.
    count: u64,
    /// The log file, and how long it was.
    file: (u64, u64),
}

impl Place {
    fn encode(&self) -> String {
        let Self { time, count, file } = self;
        format!("{time} {count} {} {}", file.0, file.1)
    }

    fn decode<'t>(parts: &mut impl Iterator<Item = &'t str>) -> Option<Self> {
        let time = parts.next()?.to_owned();
        let mut number = || parts.next()?.parse::<u64>().ok();
        Some(Self {
            time,
            count: number()?,
            file: (number()?, number()?),
        })
    }
}

/// One stream on its way into its log file.
struct Output {
    log: Rotator,
    place: Place,
    /// Messages at or before the place are passed over until one is not; holds how many of its very time were.
    passing: Option<u64>,
    /// Not written yet.
    taken: Vec<u8>,
}

impl Output {
    fn new(mut log: Rotator, known: Option<Place>) -> Self {
        if let Some(place) = &known {
            log.rewind(place.file.0, place.file.1);
        }
        let file = log.position();
        Self {
            log,
            place: known.unwrap_or(Place {
                time: NOTHING.to_owned(),
                count: 0,
                file,
            }),
            passing: None,
            taken: Vec::new(),
        }
    }

    fn take(&mut self, time: &str, bytes: &[u8]) {
        if let Some(seen) = &mut self.passing {
            if time < self.place.time.as_str() {
                return;
            }
            if time == self.place.time && *seen < self.place.count {
                *seen += 1;
                return;
            }
            self.passing = None;
        }
        self.taken.extend_from_slice(bytes);
        if self.place.time == time {
            self.place.count += 1;
        } else {
            time.clone_into(&mut self.place.time);
            self.place.count = 1;
        }
    }

    fn store(&mut self) {
        if !self.taken.is_empty() {
            self.log.append(&self.taken);
            self.taken.clear();
        }
        self.place.file = self.log.position();
    }
}

pub(crate) struct Collector {
    container: String,
    /// The output is one stream without frames.
    tty: bool,
    stdout: Output,
    stderr: Output,
    file: Option<File>,
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
        let path = cursor_path(config);
        let (stdout, stderr) = std::fs::read_to_string(&path)
            .ok()
            .and_then(|text| places_of(container, &text))
            .unzip();
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        if let Err(err) = &file {
            tracing::warn!(path = %path.display(), %err, "a restart of the agent may repeat log lines");
        }
        let collector = Self {
            container: container.to_owned(),
            tty,
            stdout: Output::new(open("stdout"), stdout),
            stderr: Output::new(open("stderr"), stderr),
            file: file.ok(),
        };
        // Known from the first byte on, so that the first bytes can be taken back too.
        collector.save();
        collector
    }

    /// Follows the output until the container has ended and everything was taken. A stream may end before its
    /// container (when the engine restarts), so only one that began after the container's end is the last.
    pub(crate) async fn run(mut self, docker: Docker) {
        let mut last = false;
        loop {
            self.stdout.passing = Some(0);
            self.stderr.passing = Some(0);
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
            .since(self.since())
            .build();
        let stream = docker
            .logs(&self.container, Some(options))
            .ready_chunks(BATCH);
        tokio::pin!(stream);
        while let Some(batch) = stream.next().await {
            let mut whole = true;
            for message in batch {
                match message {
                    Ok(message) => self.take(&message),
                    Err(_) => whole = false,
                }
            }
            self.store();
            if !whole {
                return false;
            }
        }
        true
    }

    /// Whole seconds for the engine's filter, which has no finer ones here. One less than the last message of either
    /// stream: what the other said just before may be stored just after.
    fn since(&self) -> i32 {
        let last = self.stdout.place.time.as_str().max(&self.stderr.place.time);
        last.parse::<jiff::Timestamp>()
            .ok()
            .and_then(|time| i32::try_from(time.as_second() - 1).ok())
            .unwrap_or(0)
    }

    fn take(&mut self, message: &LogOutput) {
        let (bytes, output) = match message {
            LogOutput::StdOut { message } => (message, &mut self.stdout),
            LogOutput::Console { message } if self.tty => (message, &mut self.stdout),
            LogOutput::StdErr { message } => (message, &mut self.stderr),
            // The beginning of a frame whose rest was lost with the connection: it comes again.
            LogOutput::Console { .. } | LogOutput::StdIn { .. } => return,
        };
        let Some(space) = bytes.iter().position(|byte| *byte == b' ') else {
            return;
        };
        if let Ok(time) = std::str::from_utf8(&bytes[..space]) {
            output.take(time, &bytes[space + 1..]);
        }
    }

    fn store(&mut self) {
        self.stdout.store();
        self.stderr.store();
        self.save();
    }

    fn save(&self) {
        if let Some(file) = &self.file {
            let (stdout, stderr) = (self.stdout.place.encode(), self.stderr.place.encode());
            let cursor = format!("{} {stdout} {stderr}", self.container);
            let line = format!("{cursor:<LINE$}\n");
            // Without it a restart repeats lines; nothing better can be done on a disk that takes no more.
            let _ = file.write_all_at(line.as_bytes(), 0);
        }
    }
}

/// What the cursor file says of this container, stdout first.
fn places_of(container: &str, text: &str) -> Option<(Place, Place)> {
    let mut parts = text.split_whitespace();
    if parts.next()? != container {
        return None;
    }
    Some((Place::decode(&mut parts)?, Place::decode(&mut parts)?))
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

    fn stamped(second: u32, text: &str) -> String {
        format!("2026-01-01T00:00:{second:02}.000000000Z {text}\n")
    }

    fn message(second: u32, text: &str) -> LogOutput {
        LogOutput::StdOut {
            message: stamped(second, text).into(),
        }
    }

    fn give(collector: &mut Collector, messages: &[LogOutput]) {
        for message in messages {
            collector.take(message);
        }
        collector.store();
    }

    fn pass_what_is_known(collector: &mut Collector) {
        collector.stdout.passing = Some(0);
        collector.stderr.passing = Some(0);
    }

    #[test]
    fn streams_that_are_stored_out_of_order_are_not_doubled() {
        let dir = tempfile::tempdir().expect("dir");
        let error = LogOutput::StdErr {
            message: stamped(2, "err").into(),
        };
        let all = [message(1, "a"), message(3, "b"), message(4, "c"), error];
        let mut collector = collector(dir.path());
        for _ in 0..2 {
            pass_what_is_known(&mut collector);
            give(&mut collector, &all);
        }
        let log = |kind: &str| {
            std::fs::read_to_string(dir.path().join(format!("t.{kind}.0"))).expect("read")
        };
        assert_eq!(log("stdout"), "a\nb\nc\n");
        assert_eq!(log("stderr"), "err\n");
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
        pass_what_is_known(&mut later);
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
