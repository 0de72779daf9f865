//! The task group of an allocation, read where its job holds it: a node has thousands of allocations, and jobs are
//! large.

use std::ops::Deref;
use std::sync::Arc;

use caravan_model::{Allocation, Job, Task, TaskGroup};

/// The task group of an allocation. Cloning it shares the job.
#[derive(Clone)]
pub(crate) struct Group {
    job: Arc<Job>,
    at: usize,
}

impl Group {
    /// None when the allocation came without its job, or the job does not have the group.
    pub(crate) fn of(alloc: &Allocation) -> Option<Self> {
        let job = Arc::clone(alloc.job.as_ref()?);
        let at = job
            .task_groups
            .iter()
            .position(|group| group.name == alloc.task_group)?;
        Some(Self { job, at })
    }

    /// None when the group has no such task.
    pub(crate) fn task(&self, name: &str) -> Option<GroupTask> {
        let at = self.tasks.iter().position(|task| task.name == name)?;
        let group = self.clone();
        Some(GroupTask { group, at })
    }
}

impl Deref for Group {
    type Target = TaskGroup;

    fn deref(&self) -> &TaskGroup {
        &self.job.task_groups[self.at]
    }
}

/// A task of the group. Cloning it shares the job, too.
#[derive(Clone)]
pub(crate) struct GroupTask {
    group: Group,
    at: usize,
}

impl Deref for GroupTask {
    type Target = Task;

    fn deref(&self) -> &Task {
        &self.group.tasks[self.at]
    }
}
