//! All names and what was told under them.

use crate::Labels;
use crate::series::{Aggregate, Kind, Series};
use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long numbers are summed up when nobody said.
const INTERVAL: Duration = Duration::from_secs(10);
/// How many series with labels are kept at most: idle ones make room for new ones, which else are not summed up.
const LABELLED: usize = 4096;

type Shared = Arc<(Kind, Mutex<Series>)>;
type Key = (&'static str, Vec<(&'static str, String)>);

/// Series with labels.
#[derive(Debug, Default)]
struct Labelled {
    series: BTreeMap<Key, Shared>,
    /// The interval in which idle ones last made room: there are no more of them before the next.
    swept: u64,
}

impl Labelled {
    /// Whether there is room for one more.
    fn has_room(&mut self, now: u64) -> bool {
        if self.series.len() >= LABELLED && self.swept != now {
            self.swept = now;
            self.series.retain(|_, series| {
                let mut series = lock(&series.1);
                series.of(now, now);
                !series.is_idle()
            });
        }
        self.series.len() < LABELLED
    }
}

/// What was told, as it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Whether something happened or was measured.
    pub kind: Kind,
    /// What it is called.
    pub name: &'static str,
    /// What it belongs to.
    pub labels: Vec<(&'static str, String)>,
    /// The number.
    pub value: f64,
}

/// What is known under one name and its labels.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Whether it is counted or measured.
    pub kind: Kind,
    /// Its name.
    pub name: &'static str,
    /// What it belongs to, by name.
    pub labels: BTreeMap<String, String>,
    /// The last whole interval; the running one while there is no other.
    pub interval: Aggregate,
    /// Everything since the start.
    pub total: Aggregate,
    /// Of a sample's newest numbers: the median, and what 90 % and 99 % do not pass.
    pub quantiles: [Option<f64>; 3],
}

/// What an agent was told.
#[derive(Debug, Default)]
pub struct Registry {
    plain: RwLock<HashMap<&'static str, Shared>>,
    labelled: Mutex<Labelled>,
    /// How long numbers are summed up, and the first interval.
    began: OnceLock<(Duration, u64)>,
    listener: OnceLock<SyncSender<Event>>,
}

/// Which interval of this length it is.
fn number(interval: Duration) -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.as_secs() / interval.as_secs().max(1)
}

/// A panic while it was held leaves plain numbers behind, which stay usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn series(kind: Kind) -> Shared {
    Arc::new((kind, Mutex::default()))
}

impl Registry {
    /// Only the first beginning counts.
    pub(crate) fn begin(&self, interval: Duration) {
        let _ = self.began.set((interval, number(interval)));
    }

    /// How long numbers are summed up before they are shown.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.began.get().map_or(INTERVAL, |(interval, _)| *interval)
    }

    fn now(&self) -> u64 {
        number(self.interval())
    }

    pub(crate) fn declare(&self, kind: Kind, names: &[&'static str]) {
        let mut plain = self.plain.write().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            plain.entry(name).or_insert_with(|| series(kind));
        }
    }

    /// Has everything that is told from now on handed to somebody. What does not fit the channel is dropped: nobody
    /// waits for a listener. Only the first one is heard.
    pub fn listen(&self, listener: SyncSender<Event>) {
        let _ = self.listener.set(listener);
    }

    pub(crate) fn tell(&self, kind: Kind, name: &'static str, labels: Labels<'_>, value: f64) {
        let series = if labels.is_empty() {
            Some(self.plain(kind, name))
        } else {
            self.labelled(kind, name, labels)
        };
        if let Some(series) = series {
            lock(&series.1).add(kind, value, self.now());
        }
        if let Some(listener) = self.listener.get() {
            // A full channel: the listener is slow or gone.
            let _ = listener.try_send(Event {
                kind,
                name,
                labels: owned(labels),
                value,
            });
        }
    }

    fn plain(&self, kind: Kind, name: &'static str) -> Shared {
        if let Some(known) = self
            .plain
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
        {
            return Arc::clone(known);
        }
        let mut plain = self.plain.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(plain.entry(name).or_insert_with(|| series(kind)))
    }

    fn labelled(&self, kind: Kind, name: &'static str, labels: Labels<'_>) -> Option<Shared> {
        let mut known = lock(&self.labelled);
        let key = (name, owned(labels));
        if let Some(series) = known.series.get(&key) {
            return Some(Arc::clone(series));
        }
        known
            .has_room(self.now())
            .then(|| Arc::clone(known.series.entry(key).or_insert_with(|| series(kind))))
    }

    /// Everything that is known, by name.
    #[must_use]
    pub fn read(&self) -> Vec<Reading> {
        let now = self.now();
        let first = self.began.get().map_or(now, |(_, first)| *first);
        let wanted = if now > first { now - 1 } else { now };
        let read = |name: &'static str, labels: &[(&'static str, String)], series: &Shared| {
            let mut inner = lock(&series.1);
            let interval = inner.of(wanted, now);
            Reading {
                kind: series.0,
                name,
                labels: labels
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone()))
                    .collect(),
                interval,
                total: inner.total,
                quantiles: inner.quantiles([0.5, 0.9, 0.99]),
            }
        };
        let plain = self.plain.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Reading> = plain
            .iter()
            .map(|(name, series)| read(name, &[], series))
            .collect();
        drop(plain);
        let labelled = lock(&self.labelled);
        all.extend(
            labelled
                .series
                .iter()
                .map(|((name, labels), series)| read(name, labels, series)),
        );
        drop(labelled);
        all.sort_by(|a, b| (a.name, &a.labels).cmp(&(b.name, &b.labels)));
        all
    }
}

fn owned(labels: Labels<'_>) -> Vec<(&'static str, String)> {
    let mut labels: Vec<(&'static str, String)> = labels
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    labels.sort_unstable();
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_declared_is_there_before_anything_happened() {
        let registry = Registry::default();
        registry.declare(Kind::Count, &["b"]);
        registry.declare(Kind::Sample, &["a"]);
        let read = registry.read();
        let names: Vec<_> = read
            .iter()
            .map(|one| (one.name, one.kind, one.interval.count))
            .collect();
        assert_eq!(names, [("a", Kind::Sample, 0), ("b", Kind::Count, 0)]);
    }

    #[test]
    fn labels_tell_series_apart_whatever_their_order() {
        let registry = Registry::default();
        registry.tell(Kind::Count, "n", &[("job", "web"), ("group", "g")], 1.0);
        registry.tell(Kind::Count, "n", &[("group", "g"), ("job", "web")], 1.0);
        registry.tell(Kind::Count, "n", &[("group", "h"), ("job", "web")], 1.0);
        let counts: Vec<u64> = registry.read().iter().map(|one| one.total.count).collect();
        assert_eq!(counts, [2, 1]);
    }

    #[test]
    fn more_labels_than_anybody_needs_are_not_kept() {
        let registry = Registry::default();
        for number in 0..LABELLED + 10 {
            let number = number.to_string();
            registry.tell(Kind::Count, "n", &[("job", number.as_str())], 1.0);
        }
        registry.tell(Kind::Count, "n", &[("job", "0")], 1.0);
        let read = registry.read();
        assert_eq!(read.len(), LABELLED);
        assert_eq!(read[0].total.count, 2, "what is known goes on");
    }

    #[test]
    fn a_listener_hears_everything_and_holds_nobody_up() {
        let registry = Registry::default();
        let (sender, heard) = std::sync::mpsc::sync_channel(2);
        registry.listen(sender);
        for value in [1.0, 2.0, 3.0] {
            registry.tell(Kind::Sample, "t", &[], value);
        }
        assert_eq!(
            heard
                .try_iter()
                .map(|event| event.value)
                .collect::<Vec<_>>(),
            [1.0, 2.0]
        );
        assert_eq!(registry.read()[0].total.count, 3);
    }
}
