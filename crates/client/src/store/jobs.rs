//! Which stored allocations run which version of a job: that is stored once for all of them, as long as there are any.

use std::collections::BTreeMap;
use std::sync::Arc;

use caravan_model::{AllocId, Job};

/// The row of one version of a job.
pub(super) type Key = Arc<str>;

pub(super) fn key(job: &Job) -> Key {
    let Job {
        namespace,
        id,
        version,
        job_modify_index,
        ..
    } = job;
    format!("{namespace}\0{id}\0{version}\0{job_modify_index}").into()
}

#[derive(Debug, Default)]
pub(super) struct Jobs {
    users: BTreeMap<Key, usize>,
    of: BTreeMap<AllocId, Key>,
}

/// What is to happen to rows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    /// It was not stored until now.
    pub(super) new: Option<Key>,
    /// Nobody runs it any more.
    pub(super) unused: Option<Key>,
}

impl Jobs {
    /// An allocation runs this job from now on; none: the allocation is forgotten.
    pub(super) fn set(&mut self, alloc: AllocId, job: Option<Key>) -> Moved {
        let before = match &job {
            Some(key) => self.of.insert(alloc, Arc::clone(key)),
            None => self.of.remove(&alloc),
        };
        if before == job {
            return Moved::default();
        }
        let new = job.filter(|key| {
            let users = self.users.entry(Arc::clone(key)).or_default();
            *users += 1;
            *users == 1
        });
        let unused = before.filter(|key| match self.users.get_mut(key) {
            Some(users) if *users > 1 => {
                *users -= 1;
                false
            }
            _ => self.users.remove(key).is_some(),
        });
        Moved { new, unused }
    }

    pub(super) fn is_used(&self, key: &str) -> bool {
        self.users.contains_key(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_stored_as_long_as_an_allocation_runs_it() {
        let (mut jobs, first, second) = (Jobs::default(), Key::from("1"), Key::from("2"));
        let alloc = AllocId::from_u128;
        let mut set = |bits, key: Option<&Key>| {
            let Moved { new, unused } = jobs.set(alloc(bits), key.cloned());
            (new, unused)
        };
        assert_eq!(set(1, Some(&first)), (Some(first.clone()), None));
        assert_eq!(set(1, Some(&first)), (None, None));
        assert_eq!(set(2, Some(&first)), (None, None));
        assert_eq!(set(1, Some(&second)), (Some(second.clone()), None));
        assert_eq!(set(2, Some(&second)), (None, Some(first.clone())));
        assert_eq!(set(1, None), (None, None));
        assert_eq!(set(2, None), (None, Some(second)));
        assert_eq!(set(2, None), (None, None));
        assert!(!jobs.is_used(&first));
    }
}
