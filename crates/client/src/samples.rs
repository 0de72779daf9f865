//! What the tasks of an allocation used when they were last measured.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use caravan_driver::TaskUsage;
use caravan_model::SmallMap;

/// A task that ran this long was measured at least once.
const MEASURED_AFTER: Duration = Duration::from_secs(1);

/// The last sample of each task.
#[derive(Default)]
pub(crate) struct Samples(Mutex<SmallMap<String, Sample>>);

enum Sample {
    /// Runs, and nothing is known yet.
    Since(Instant),
    Taken(TaskUsage),
}

impl Samples {
    fn lock(&self) -> MutexGuard<'_, SmallMap<String, Sample>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A task starts; `measured` says that its driver has a first, empty, sample at once.
    pub(crate) fn began(&self, task: &str, measured: bool) {
        let first = match measured {
            true => Sample::Taken(TaskUsage::default()),
            false => Sample::Since(Instant::now()),
        };
        let mut all = self.lock();
        if !matches!(all.get(task), Some(Sample::Taken(_))) {
            all.insert(task.to_owned(), first);
        }
    }

    /// A task ended. One that nobody looked at in time used nothing that is known of.
    pub(crate) fn ended(&self, task: &str) {
        let mut all = self.lock();
        let unseen = |sample: &&mut Sample| matches!(sample, Sample::Since(began) if began.elapsed() >= MEASURED_AFTER);
        if let Some(sample) = all.get_mut(task).filter(unseen) {
            *sample = Sample::Taken(TaskUsage::default());
        }
    }

    /// What a task used just now.
    pub(crate) fn take(&self, task: String, usage: TaskUsage) {
        self.lock().insert(task, Sample::Taken(usage));
    }

    /// The last sample of each task that has one.
    pub(crate) fn taken(&self) -> Vec<(String, TaskUsage)> {
        let all = self.lock();
        let taken = all.iter().filter_map(|(name, sample)| match sample {
            Sample::Taken(usage) => Some((name.clone(), usage.clone())),
            Sample::Since(_) => None,
        });
        taken.collect()
    }
}
