//! What follows from a client's word about its allocations (server sheet §7.1).

use crate::node_update::NewId;
use caravan_model::*;
use caravan_state::{JobKey, State};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Why an evaluation that waited for an allocation is canceled.
const CAME_BACK: &str = "canceled because the allocation that it waits for came back";

/// The evaluations that updates call for, one a job (a job that is gone, a failure that may be rescheduled, an
/// allocation that came back), and those that they make needless, canceled.
pub fn follow_ups(
    state: &State,
    updates: &[Allocation],
    new_id: NewId<'_>,
    now: UnixNanos,
) -> Vec<Evaluation> {
    let mut evals: BTreeMap<JobKey, Evaluation> = BTreeMap::new();
    for update in updates {
        let Some(stored) = state.alloc(&update.id) else {
            continue;
        };
        let Some(reason) = reason(state, stored, update, now) else {
            continue;
        };
        let key = JobKey::new(stored.namespace.clone(), stored.job_id.clone());
        let job = state.job(&key).or(stored.job.as_ref());
        let eval = evals.entry(key.clone()).or_insert_with(|| Evaluation {
            id: new_id(),
            namespace: key.namespace.clone(),
            job_id: key.id.clone(),
            r#type: job.map_or_else(|| job_type::SERVICE.to_owned(), |job| job.r#type.clone()),
            priority: job.map_or(50, |job| job.priority),
            status: EvalStatus::Pending,
            create_time: now,
            modify_time: now,
            ..Evaluation::default()
        });
        if eval.triggered_by.is_empty() || reason == trigger::RECONNECT {
            reason.clone_into(&mut eval.triggered_by);
        }
    }
    let moot = moot_evals(state, updates, now);
    evals.into_values().chain(moot).collect()
}

fn reason(
    state: &State,
    stored: &Allocation,
    update: &Allocation,
    now: UnixNanos,
) -> Option<&'static str> {
    if !update.client_status.is_terminal() && stored.client_status != ClientStatus::Unknown {
        return None;
    }
    let key = JobKey::new(stored.namespace.clone(), stored.job_id.clone());
    let Some(job) = state.job(&key) else {
        return Some(trigger::JOB_DEREGISTER);
    };
    if stored.client_status == ClientStatus::Unknown
        && update.client_status != ClientStatus::Unknown
    {
        return Some(trigger::RECONNECT);
    }
    let failed_now = update.client_status == ClientStatus::Failed
        && stored.client_status != ClientStatus::Failed;
    let waits = !stored.followup_eval_id.is_nil();
    let group = job.lookup_task_group(&stored.task_group)?;
    let failed = Some(update.last_event_time()).filter(|time| !time.is_zero());
    let tracker = stored.reschedule_tracker.as_deref();
    let may = group
        .reschedule_policy
        .as_ref()
        .is_some_and(|policy| policy.allows(tracker, failed.unwrap_or(now)));
    (failed_now && !waits && may).then_some(trigger::ALLOC_FAILURE)
}

/// Delayed evaluations that have nothing left to do because all the allocations that they wait for came back or ended:
/// to be canceled.
fn moot_evals(state: &State, updates: &[Allocation], now: UnixNanos) -> Vec<Evaluation> {
    let back: BTreeMap<AllocId, &Arc<Allocation>> = updates
        .iter()
        .filter(|update| {
            matches!(
                update.client_status,
                ClientStatus::Running | ClientStatus::Complete | ClientStatus::Failed
            )
        })
        .filter_map(|update| Some((update.id, state.alloc(&update.id)?)))
        .filter(|(_, stored)| stored.client_status == ClientStatus::Unknown)
        .collect();
    let evals: BTreeSet<EvalId> = back.values().map(|alloc| alloc.followup_eval_id).collect();
    let waiting = evals.iter().filter_map(|id| state.eval(id));
    let moot = waiting.filter(|eval| {
        let key = JobKey::new(eval.namespace.clone(), eval.job_id.clone());
        // One evaluation may look at what was on several nodes, of which others are still silent.
        let awaited = state.allocs_of_job(&key).any(|alloc| {
            let waits = matches!(
                alloc.client_status,
                ClientStatus::Unknown | ClientStatus::Failed | ClientStatus::Lost
            );
            waits && alloc.followup_eval_id == eval.id && !back.contains_key(&alloc.id)
        });
        eval.status == EvalStatus::Pending && !awaited
    });
    moot.map(|eval| Evaluation {
        status: EvalStatus::Canceled,
        status_description: CAME_BACK.to_owned(),
        modify_time: now,
        ..Evaluation::clone(eval)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::*;

    /// What follows when a client says this of an allocation that is stored so.
    fn told(
        policy: Option<ReschedulePolicy>,
        stored: impl FnOnce(&mut Allocation),
        status: ClientStatus,
    ) -> Vec<String> {
        let mut cluster = Cluster::new();
        cluster.add_node(1);
        let mut job = service("web", 1);
        job.task_groups[0].reschedule_policy = policy;
        let job = cluster.register(job);
        let waiting = Evaluation {
            id: EvalId::from_u128(5),
            namespace: "default".into(),
            job_id: "web".into(),
            ..Evaluation::default()
        };
        cluster.upsert_eval(waiting);
        let id = cluster.place(1, &job, stored);
        let update = Allocation {
            id,
            client_status: status,
            ..Allocation::default()
        };
        follow(&mut cluster, &[update])
    }

    fn follow(cluster: &mut Cluster, updates: &[Allocation]) -> Vec<String> {
        let evals = cluster.with_ids(|state, now, ids| {
            let mut fresh = || ids.eval();
            follow_ups(state, updates, &mut fresh, now)
        });
        let shown = |eval: &Evaluation| match eval.status {
            EvalStatus::Pending => eval.triggered_by.clone(),
            status => status.as_str().to_owned(),
        };
        evals.iter().map(shown).collect()
    }

    fn unlimited() -> Option<ReschedulePolicy> {
        Some(ReschedulePolicy {
            unlimited: true,
            ..ReschedulePolicy::default()
        })
    }

    fn once() -> Option<ReschedulePolicy> {
        Some(ReschedulePolicy {
            attempts: 1,
            interval: Duration::from_secs(3600),
            delay: Duration::from_secs(5),
            ..ReschedulePolicy::default()
        })
    }

    #[test]
    fn a_failure_is_looked_at_while_its_policy_allows_another_attempt() {
        let failed = ClientStatus::Failed;
        let tried = |alloc: &mut Allocation| {
            alloc.reschedule_tracker.get_or_insert_default().events = vec![RescheduleEvent {
                reschedule_time: at(0),
                ..RescheduleEvent::default()
            }];
        };
        let waits = |alloc: &mut Allocation| alloc.followup_eval_id = EvalId::from_u128(5);
        let none: Vec<String> = Vec::new();
        assert_eq!(told(unlimited(), |_| {}, failed), ["alloc-failure"]);
        assert_eq!(told(once(), |_| {}, failed), ["alloc-failure"]);
        assert_eq!(told(once(), tried, failed), none, "its one attempt is over");
        assert_eq!(told(unlimited(), tried, failed), ["alloc-failure"]);
        assert_eq!(told(None, |_| {}, failed), none, "there is no policy");
        assert_eq!(told(unlimited(), waits, failed), none, "one waits already");
        let again = |alloc: &mut Allocation| alloc.client_status = failed;
        assert_eq!(told(unlimited(), again, failed), none, "it was told before");
        assert_eq!(told(unlimited(), |_| {}, ClientStatus::Complete), none);
        assert_eq!(told(unlimited(), |_| {}, ClientStatus::Running), none);
    }

    #[test]
    fn what_comes_back_is_looked_at_and_what_waited_for_it_is_canceled() {
        let unknown = |alloc: &mut Allocation| {
            alloc.client_status = ClientStatus::Unknown;
            alloc.followup_eval_id = EvalId::from_u128(5);
        };
        for status in [
            ClientStatus::Running,
            ClientStatus::Complete,
            ClientStatus::Failed,
        ] {
            assert_eq!(told(once(), unknown, status), ["reconnect", "canceled"]);
        }
    }

    /// One evaluation looks at all whose time is over together.
    #[test]
    fn an_evaluation_that_others_still_wait_for_is_not_canceled() {
        let mut cluster = Cluster::new();
        cluster.add_node(1);
        let job = cluster.register(service("web", 2));
        cluster.upsert_eval(Evaluation {
            id: EvalId::from_u128(5),
            namespace: "default".into(),
            job_id: "web".into(),
            ..Evaluation::default()
        });
        let back = [1, 2].map(|number| Allocation {
            id: cluster.place(number, &job, |alloc| {
                alloc.client_status = ClientStatus::Unknown;
                alloc.followup_eval_id = EvalId::from_u128(5);
            }),
            client_status: ClientStatus::Running,
            ..Allocation::default()
        });
        assert_eq!(follow(&mut cluster, &back[..1]), ["reconnect"]);
        assert_eq!(follow(&mut cluster, &back), ["reconnect", "canceled"]);
        cluster.tell(back[0].id, ClientStatus::Running, None);
        assert_eq!(
            follow(&mut cluster, &back[1..]),
            ["reconnect", "canceled"],
            "the other one is back already"
        );
    }

    #[test]
    fn what_is_left_of_a_job_that_is_gone_is_stopped() {
        let mut cluster = Cluster::new();
        cluster.add_node(1);
        let job = cluster.register(service("web", 1));
        let id = cluster.place(1, &job, |_| {});
        let mut update = Allocation::clone(cluster.state.alloc(&id).expect("placed"));
        update.client_status = ClientStatus::Complete;
        let mut other = update.clone();
        other.id = alloc_id(99);
        assert_eq!(follow(&mut cluster, &[other]), Vec::<String>::new());
        cluster.apply(caravan_state::Command::DeregisterJobs {
            jobs: vec![caravan_state::JobRemoval {
                job: key("web"),
                purge: true,
                no_shutdown_delay: false,
                only_if_dead: false,
            }],
            evals: Vec::new(),
            now: cluster.now,
        });
        // With its job an allocation is forgotten, too: there is nothing to look at.
        assert_eq!(follow(&mut cluster, &[update]), Vec::<String>::new());
    }

    /// Attempts are counted back from the failure, however late the servers hear of it.
    #[test]
    fn a_failure_counts_when_it_happened() {
        let mut cluster = Cluster::new();
        cluster.add_node(1);
        let mut job = service("web", 1);
        job.task_groups[0].reschedule_policy = once();
        let job = cluster.register(job);
        let id = cluster.place(1, &job, |alloc| {
            alloc.reschedule_tracker.get_or_insert_default().events = vec![RescheduleEvent {
                reschedule_time: at(0),
                ..RescheduleEvent::default()
            }];
        });
        let mut update = Allocation::clone(cluster.state.alloc(&id).expect("placed"));
        update.client_status = ClientStatus::Failed;
        let task = TaskState {
            state: TaskPhase::Dead,
            failed: true,
            finished_at: at(10).into(),
            ..TaskState::default()
        };
        update.task_states.insert("t".to_owned(), task);
        cluster.pass(4000);
        assert_eq!(follow(&mut cluster, &[update]), Vec::<String>::new());
    }

    #[test]
    fn several_updates_of_a_job_are_looked_at_once() {
        let mut cluster = Cluster::new();
        cluster.add_node(1);
        let job = cluster.register(service("web", 2));
        let mut updates = Vec::new();
        for number in [1, 2] {
            let id = cluster.place(number, &job, |_| {});
            let mut update = Allocation::clone(cluster.state.alloc(&id).expect("placed"));
            update.client_status = ClientStatus::Failed;
            updates.push(update);
        }
        assert_eq!(follow(&mut cluster, &updates), ["alloc-failure"]);
    }

    #[test]
    fn one_that_comes_back_is_the_reason_whatever_else_of_its_job_failed() {
        let mut cluster = Cluster::new();
        cluster.add_node(1);
        let job = cluster.register(service("web", 2));
        let failed = cluster.place(1, &job, |_| {});
        let back = cluster.place(2, &job, |alloc| {
            alloc.client_status = ClientStatus::Unknown;
        });
        let update = |id: AllocId, status| Allocation {
            id,
            client_status: status,
            ..Allocation::default()
        };
        let updates = [
            update(failed, ClientStatus::Failed),
            update(back, ClientStatus::Running),
        ];
        assert_eq!(follow(&mut cluster, &updates), ["reconnect"]);
    }
}
