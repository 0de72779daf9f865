//! Scaling a group: what is allowed, and the job and the record that it gives (server sheet §4.7).

use caravan_model::*;

/// What a request to scale comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaled {
    /// The job with its new count; none when the count stays or only a message was left.
    pub job: Option<Job>,
    /// What to remember; the evaluation is filled in by whoever makes it.
    pub event: ScalingEvent,
}

/// Why a request to scale was refused; each is a bad request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScaleError {
    /// The count is below zero.
    #[error("scaling action count can't be negative")]
    Negative,
    /// An error of the scaler does not scale.
    #[error("scaling action should not contain count if error is true")]
    CountWithError,
    /// No such group.
    #[error("task group {0:?} specified for scaling does not exist in job")]
    NoGroup(String),
    /// A rollout goes on.
    #[error("job scaling blocked due to active deployment")]
    Deploying,
    /// Below what the group's policy allows.
    #[error("group count was less than scaling policy minimum: {count} < {min}")]
    BelowMinimum {
        /// What was asked.
        count: i64,
        /// What is allowed.
        min: i64,
    },
    /// Above what the group's policy allows.
    #[error("group count was greater than scaling policy maximum: {count} > {max}")]
    AboveMaximum {
        /// What was asked.
        count: i64,
        /// What is allowed.
        max: i64,
    },
    /// A system job runs at most once on each node.
    #[error("jobs of type {0:?} can only be scaled between 0 and 1")]
    SystemJob(String),
}

/// Scales a group of a job. `deploying` says whether a deployment of it goes on.
///
/// # Errors
/// What is not allowed.
pub fn apply(
    job: &Job,
    request: &ScalingRequest,
    deploying: bool,
    now: UnixNanos,
) -> Result<Scaled, ScaleError> {
    let name = request.target.get("Group").map_or("", String::as_str);
    if request.count.is_some_and(|count| count < 0) {
        return Err(ScaleError::Negative);
    }
    if request.error && request.count.is_some() {
        return Err(ScaleError::CountWithError);
    }
    let group = job
        .lookup_task_group(name)
        .ok_or_else(|| ScaleError::NoGroup(name.to_owned()))?;
    let event = ScalingEvent {
        time: now,
        count: request.count,
        previous_count: group.count,
        message: request.message.clone(),
        error: request.error,
        meta: request.meta.clone(),
        eval_id: None,
        create_index: 0,
    };
    let Some(count) = request.count else {
        return Ok(Scaled { job: None, event });
    };
    check_count(job, group, count)?;
    if deploying {
        return Err(ScaleError::Deploying);
    }
    let scaled = (count != group.count).then(|| {
        let mut job = job.clone();
        if let Some(group) = job.lookup_task_group_mut(name) {
            group.count = count;
        }
        // A name and a good record belong to the version that earned them.
        job.version_tag = None;
        job.stable = false;
        job
    });
    Ok(Scaled { job: scaled, event })
}

fn check_count(job: &Job, group: &TaskGroup, count: i64) -> Result<(), ScaleError> {
    if job.r#type == job_type::SYSTEM && count > 1 {
        return Err(ScaleError::SystemJob(job.r#type.clone()));
    }
    match &group.scaling {
        Some(policy) if count < policy.min => Err(ScaleError::BelowMinimum {
            count,
            min: policy.min,
        }),
        Some(policy) if count > policy.max => Err(ScaleError::AboveMaximum {
            count,
            max: policy.max,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        let scaling = ScalingPolicy {
            min: 1,
            max: 3,
            ..ScalingPolicy::default()
        };
        let limited = TaskGroup {
            name: "a".to_owned(),
            count: 1,
            scaling: Some(scaling),
            ..TaskGroup::default()
        };
        let free = TaskGroup {
            name: "b".to_owned(),
            count: 1,
            ..TaskGroup::default()
        };
        Job {
            id: "two".into(),
            task_groups: vec![limited, free],
            ..Job::default()
        }
    }

    fn request(group: &str, count: Option<i64>) -> ScalingRequest {
        let target = [("Group".to_owned(), group.to_owned())].into();
        ScalingRequest {
            count,
            target,
            message: "because".to_owned(),
            ..ScalingRequest::default()
        }
    }

    fn refused(request: &ScalingRequest, deploying: bool) -> String {
        apply(&job(), request, deploying, UnixNanos(9))
            .map(|_| ())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_new_count_is_a_new_version_with_a_record() {
        let scaled = apply(&job(), &request("a", Some(2)), false, UnixNanos(9)).expect("allowed");
        let group = |job: &Job| job.lookup_task_group("a").map(|group| group.count);
        assert_eq!(scaled.job.as_ref().and_then(group), Some(2));
        assert_eq!(
            (
                scaled.event.count,
                scaled.event.previous_count,
                scaled.event.time
            ),
            (Some(2), 1, UnixNanos(9))
        );
        assert_eq!(scaled.event.message, "because");
    }

    #[test]
    fn the_bounds_of_a_policy_are_allowed() {
        for count in [1, 3] {
            let request = request("a", Some(count));
            assert!(apply(&job(), &request, false, UnixNanos(9)).is_ok());
        }
    }

    #[test]
    fn what_changes_nothing_leaves_only_a_record() {
        for count in [Some(1), None] {
            let scaled = apply(&job(), &request("a", count), false, UnixNanos(9)).expect("allowed");
            assert_eq!((scaled.job, scaled.event.count), (None, count));
        }
        // A message may be left during a rollout.
        assert!(apply(&job(), &request("a", None), true, UnixNanos(9)).is_ok());
    }

    #[test]
    fn refusals() {
        let table = [
            (
                request("a", Some(-1)),
                false,
                "scaling action count can't be negative",
            ),
            (
                request("c", Some(1)),
                false,
                "task group \"c\" specified for scaling does not exist in job",
            ),
            (
                request("a", Some(2)),
                true,
                "job scaling blocked due to active deployment",
            ),
            (
                request("a", Some(0)),
                false,
                "group count was less than scaling policy minimum: 0 < 1",
            ),
            (
                request("a", Some(5)),
                false,
                "group count was greater than scaling policy maximum: 5 > 3",
            ),
        ];
        for (request, deploying, text) in table {
            assert_eq!(refused(&request, deploying), text);
        }
        let failed = ScalingRequest {
            error: true,
            ..request("a", Some(2))
        };
        assert_eq!(
            refused(&failed, false),
            "scaling action should not contain count if error is true"
        );
        let system = Job {
            r#type: job_type::SYSTEM.to_owned(),
            ..job()
        };
        let error = apply(&system, &request("b", Some(2)), false, UnixNanos(9))
            .map(|_| ())
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "jobs of type \"system\" can only be scaled between 0 and 1"
        );
    }
}
