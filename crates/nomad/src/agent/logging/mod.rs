//! The agent's log: lines on standard output and in a file, at the level of the configuration, and whoever follows
//! the log over the API, each at a level of its own.

mod file;
mod record;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use file::LogFile;
pub(crate) use record::{Form, Record};
use tokio::sync::broadcast;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::Registry;

use crate::config::Settings;

/// Lines that a follower may be behind before it misses some.
const BEHIND: usize = 512;
/// The agent's own crates. Libraries speak only when something is wrong, unless the configuration asks for everything;
/// to followers they never say more, for sending a line would make them say the next.
const OWN: &str = "caravan_";
/// Warnings.
const WRONG: usize = 2;

/// Where log lines go.
pub(crate) struct Log {
    /// Verbosity of standard output and file: 0 is off, 5 is trace.
    shown: AtomicUsize,
    /// What followers want to see, one for each.
    wanted: Mutex<Vec<usize>>,
    form: Form,
    file: Mutex<Option<LogFile>>,
    followers: broadcast::Sender<Arc<Record>>,
}

/// Starts logging as configured.
pub(super) fn start(settings: &Settings) -> Result<Arc<Log>, String> {
    let file = match settings.log_file.as_os_str().is_empty() {
        true => None,
        false => Some(LogFile::open(settings)?),
    };
    let log = Arc::new(Log {
        shown: AtomicUsize::new(verbosity(&settings.log_level).unwrap_or(3)),
        wanted: Mutex::default(),
        form: Form {
            json: settings.log_json,
            location: settings.log_include_location,
        },
        file: Mutex::new(file),
        followers: broadcast::Sender::new(BEHIND),
    });
    // A second agent in one process (tests) keeps the first one's log.
    let _ =
        tracing::subscriber::set_global_default(Registry::default().with(Lines(Arc::clone(&log))));
    Ok(log)
}

/// The number of a level by its name.
pub(crate) fn verbosity(level: &str) -> Option<usize> {
    Some(match level.to_lowercase().as_str() {
        "off" => 0,
        "err" | "error" => 1,
        "warn" => 2,
        "info" => 3,
        "debug" => 4,
        "trace" => 5,
        _ => return None,
    })
}

fn number(level: &Level) -> usize {
    match *level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

impl Log {
    /// Shows lines of this level and above from now on.
    pub(super) fn show(&self, level: &str) {
        self.shown
            .store(verbosity(level).unwrap_or(3), Ordering::Relaxed);
        tracing::callsite::rebuild_interest_cache();
    }

    /// The file that lines are added to, if there is one.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.as_ref().map(|file| file.path().to_owned())
    }

    /// Follows the log at a level of its own.
    pub(crate) fn follow(self: &Arc<Self>, verbosity: usize) -> Follower {
        let lines = self.followers.subscribe();
        self.change_wanted(|wanted| wanted.push(verbosity));
        Follower {
            log: Arc::clone(self),
            verbosity,
            lines,
        }
    }

    fn change_wanted(&self, change: impl FnOnce(&mut Vec<usize>)) {
        change(&mut self.wanted.lock().unwrap_or_else(PoisonError::into_inner));
        tracing::callsite::rebuild_interest_cache();
    }

    /// The most that anybody wants to see.
    fn most(&self) -> usize {
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = wanted.iter().copied().max().unwrap_or(0);
        wanted.max(self.shown.load(Ordering::Relaxed))
    }

    fn takes(&self, metadata: &Metadata<'_>, most: usize) -> bool {
        let limit = match metadata.target().starts_with(OWN) {
            true => most,
            false if self.shown.load(Ordering::Relaxed) >= 5 => 5,
            false => most.min(WRONG),
        };
        number(metadata.level()) <= limit
    }

    fn write(&self, record: Record) {
        if number(&record.level) <= self.shown.load(Ordering::Relaxed) {
            let line = record.line(self.form);
            // Where nobody reads the log there is nobody to tell.
            let indent = if self.form.json { "" } else { "    " };
            let _ = writeln!(std::io::stdout().lock(), "{indent}{line}");
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(file) = file.as_mut() {
                file.write(&line);
            }
        }
        // Without followers it goes nowhere.
        let _ = self.followers.send(Arc::new(record));
    }
}

/// Somebody who follows the log.
pub(crate) struct Follower {
    log: Arc<Log>,
    verbosity: usize,
    lines: broadcast::Receiver<Arc<Record>>,
}

impl Follower {
    fn wants(&self, record: &Record) -> bool {
        let level = number(&record.level);
        level <= self.verbosity && (record.own || level <= WRONG)
    }

    /// The next line; `None` when the log has ended. Lines that came too fast are missing.
    pub(crate) async fn next(&mut self) -> Option<Arc<Record>> {
        loop {
            match self.lines.recv().await {
                Ok(record) if self.wants(&record) => return Some(record),
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let own = self.verbosity;
        self.log.change_wanted(|wanted| {
            if let Some(at) = wanted.iter().position(|one| *one == own) {
                wanted.swap_remove(at);
            }
        });
    }
}

/// Hands events to the log.
struct Lines(Arc<Log>);

impl<S: Subscriber> Layer<S> for Lines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match self.0.takes(metadata, self.0.most()) {
            true => Interest::always(),
            false => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.0.takes(metadata, self.0.most())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match self.0.most() {
            0 => LevelFilter::OFF,
            1 => LevelFilter::ERROR,
            2 => LevelFilter::WARN,
            3 => LevelFilter::INFO,
            4 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        })
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.0.write(Record::of(event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_follower_sees_its_own_level() {
        let log = Arc::new(Log {
            shown: AtomicUsize::new(2),
            wanted: Mutex::default(),
            form: Form::default(),
            file: Mutex::new(None),
            followers: broadcast::Sender::new(BEHIND),
        });
        assert_eq!(log.most(), 2);
        let mut follower = log.follow(4);
        assert_eq!(log.most(), 4);
        let subscriber = Registry::default().with(Lines(Arc::clone(&log)));
        tracing::subscriber::with_default(subscriber, || {
            tracing::trace!("too much");
            tracing::debug!(job = "a b", count = 3, "placed");
        });
        let record = follower.next().await.expect("a line");
        let line = record.line(Form::default());
        assert!(
            line.ends_with("[DEBUG] nomad.agent.logging.tests: placed: job=\"a b\" count=3"),
            "{line}"
        );
        drop(follower);
        assert_eq!(log.most(), 2);
    }
}
