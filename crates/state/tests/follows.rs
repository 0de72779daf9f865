//! What follows from a command: a job's versions (server sheet §4.3), status (§4.4) and counts (§4.5), and the counters
//! of its deployment (§7.1).

use caravan_model::*;
use caravan_state::{AllocStop, Command, JobKey, PlanApply, State};
use std::sync::Arc;

const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);

fn apply(state: &mut State, command: Command) {
    let index = state.index() + 1;
    state
        .apply(index, command)
        .expect("the state takes the command");
}

fn register(r#type: &str, stop: bool) -> State {
    let mut state = State::initial();
    let group = TaskGroup {
        name: "g".into(),
        count: 1,
        ..TaskGroup::default()
    };
    let job = Arc::new(Job {
        id: "web".into(),
        namespace: "default".into(),
        r#type: r#type.into(),
        stop,
        task_groups: vec![group],
        ..Job::default()
    });
    apply(
        &mut state,
        Command::RegisterJob {
            job,
            submission: None,
            eval: None,
            policy_ids: vec![],
            now: NOW,
        },
    );
    state
}

fn status(state: &State) -> &str {
    let job = state.job(&JobKey::new("default", "web"));
    &job.expect("the job").status
}

fn evaluation(number: u128, status: EvalStatus) -> Command {
    let eval = Evaluation {
        id: EvalId::from_u128(number),
        namespace: "default".into(),
        job_id: "web".into(),
        status,
        ..Evaluation::default()
    };
    Command::UpsertEvals {
        evals: vec![eval],
        now: NOW,
    }
}

fn plan(deployment: Option<DeploymentStatus>, alloc: Option<ClientStatus>) -> Command {
    let deployment = deployment.map(|status| {
        Box::new(Deployment {
            id: DeploymentId::from_u128(5),
            namespace: "default".into(),
            job_id: "web".into(),
            status,
            ..Deployment::default()
        })
    });
    let alloc = alloc.map(|client_status| Allocation {
        id: AllocId::from_u128(7),
        namespace: "default".into(),
        job_id: "web".into(),
        task_group: "g".into(),
        job: Some(Arc::new(Job::default())),
        client_status,
        ..Allocation::default()
    });
    Command::ApplyPlan(Box::new(PlanApply {
        eval: EvalId::from_u128(1),
        deployment,
        allocs: alloc.into_iter().collect(),
        now: NOW,
        ..PlanApply::default()
    }))
}

fn finished() -> Command {
    let alloc = Allocation {
        id: AllocId::from_u128(7),
        client_status: ClientStatus::Complete,
        ..Allocation::default()
    };
    Command::UpdateAllocsFromClient {
        allocs: vec![alloc],
        evals: vec![],
        now: NOW,
    }
}

#[test]
fn types_that_only_end_when_stopped_run_from_the_start() {
    assert_eq!(status(&register(job_type::SYSTEM, false)), "running");
    assert_eq!(status(&register(job_type::SYSTEM, true)), "dead");
    assert_eq!(status(&register(job_type::SERVICE, false)), "pending");
    assert_eq!(status(&register(job_type::SERVICE, true)), "dead");
}

#[test]
fn an_open_evaluation_a_live_allocation_and_the_end_of_both() {
    let mut state = register(job_type::SERVICE, false);
    apply(&mut state, evaluation(1, EvalStatus::Pending));
    assert_eq!(status(&state), "pending");
    apply(&mut state, plan(None, Some(ClientStatus::Pending)));
    assert_eq!(status(&state), "running");
    apply(&mut state, evaluation(1, EvalStatus::Complete));
    assert_eq!(status(&state), "running");
    apply(&mut state, finished());
    assert_eq!(status(&state), "dead");
    apply(&mut state, evaluation(2, EvalStatus::Blocked));
    assert_eq!(status(&state), "pending");
}

#[test]
fn an_active_deployment_counts_once_an_evaluation_is_written() {
    let mut state = register(job_type::SERVICE, false);
    apply(&mut state, evaluation(1, EvalStatus::Blocked));
    apply(&mut state, plan(Some(DeploymentStatus::Running), None));
    assert_eq!(
        status(&state),
        "pending",
        "it waits for room, with nothing of it anywhere"
    );
    apply(&mut state, evaluation(1, EvalStatus::Complete));
    assert_eq!(status(&state), "running");
    apply(&mut state, plan(Some(DeploymentStatus::Failed), None));
    apply(&mut state, evaluation(2, EvalStatus::Complete));
    assert_eq!(status(&state), "dead");
}

/// Registers the job once more, as a new version.
fn version(state: &mut State, priority: i64) {
    let mut job = Job::clone(state.job(&JobKey::new("default", "web")).expect("the job"));
    job.priority = priority;
    job.stable = false;
    job.version_tag = None;
    apply(
        state,
        Command::RegisterJob {
            job: Arc::new(job),
            submission: None,
            eval: None,
            policy_ids: vec![],
            now: NOW,
        },
    );
}

fn versions(state: &State) -> Vec<u64> {
    let all = state.job_versions(&JobKey::new("default", "web"));
    all.map(|job| job.version).collect()
}

fn key() -> JobKey {
    JobKey::new("default", "web")
}

#[test]
fn six_versions_are_kept_and_the_newest_stable_one_and_those_with_a_name() {
    let mut state = register(job_type::SERVICE, false);
    apply(
        &mut state,
        Command::SetJobStability {
            job: key(),
            version: 0,
            stable: true,
        },
    );
    for priority in 1..=7 {
        version(&mut state, priority);
    }
    assert_eq!(
        versions(&state),
        [7, 6, 5, 4, 3, 0],
        "the stable one is kept instead of the second oldest"
    );
    let tag = JobVersionTag {
        name: "golden".to_owned(),
        ..JobVersionTag::default()
    };
    apply(
        &mut state,
        Command::TagJobVersion {
            job: key(),
            version: 3,
            tag: Some(tag),
            name: String::new(),
        },
    );
    apply(
        &mut state,
        Command::SetJobStability {
            job: key(),
            version: 7,
            stable: true,
        },
    );
    for priority in 8..=14 {
        version(&mut state, priority);
    }
    assert_eq!(
        versions(&state),
        [14, 13, 12, 11, 10, 7, 3],
        "one with a name does not count"
    );
}

/// `starting running failed complete lost unknown queued`, as far as they are not zero.
fn counts(state: &State) -> String {
    let summary = state.job_summary(&key()).expect("a summary");
    let group = &summary.summary["g"];
    let all = [
        ("queued", group.queued),
        ("starting", group.starting),
        ("running", group.running),
        ("failed", group.failed),
        ("complete", group.complete),
        ("lost", group.lost),
        ("unknown", group.unknown),
    ];
    let some = all.iter().filter(|(_, count)| *count != 0);
    let some: Vec<String> = some
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    some.join(" ")
}

fn client_says(state: &mut State, client_status: ClientStatus) {
    let alloc = Allocation {
        id: AllocId::from_u128(7),
        client_status,
        ..Allocation::default()
    };
    apply(
        state,
        Command::UpdateAllocsFromClient {
            allocs: vec![alloc],
            evals: vec![],
            now: NOW,
        },
    );
}

#[test]
fn an_allocation_is_counted_where_it_is_and_what_ended_stays_counted() {
    let mut state = register(job_type::SERVICE, false);
    let eval = Evaluation {
        id: EvalId::from_u128(1),
        namespace: "default".into(),
        job_id: "web".into(),
        queued_allocations: [("g".to_owned(), 2)].into(),
        ..Evaluation::default()
    };
    apply(
        &mut state,
        Command::UpsertEvals {
            evals: vec![eval],
            now: NOW,
        },
    );
    assert_eq!(counts(&state), "2 queued");
    let job = state.job(&key()).cloned();
    let alloc = Allocation {
        id: AllocId::from_u128(7),
        namespace: "default".into(),
        job_id: "web".into(),
        task_group: "g".into(),
        job,
        ..Allocation::default()
    };
    apply(
        &mut state,
        Command::ApplyPlan(Box::new(PlanApply {
            allocs: vec![alloc],
            now: NOW,
            ..PlanApply::default()
        })),
    );
    assert_eq!(counts(&state), "1 queued 1 starting");
    for (status, told) in [
        (ClientStatus::Running, "1 queued 1 running"),
        (ClientStatus::Unknown, "1 queued 1 unknown"),
        (ClientStatus::Running, "1 queued 1 running"),
        (ClientStatus::Failed, "1 queued 1 failed"),
        // It was restarted by hand.
        (ClientStatus::Running, "1 queued 1 running 1 failed"),
        (ClientStatus::Complete, "1 queued 1 failed 1 complete"),
    ] {
        client_says(&mut state, status);
        assert_eq!(counts(&state), told);
    }
    apply(&mut state, Command::ReconcileSummaries);
    assert_eq!(counts(&state), "2 queued 1 complete");
}

#[test]
fn a_deployment_counts_what_is_placed_and_judged_and_moves_its_deadline() {
    let mut state = register(job_type::SERVICE, false);
    let group = DeploymentState {
        desired_total: 1,
        progress_deadline: Duration::from_secs(600),
        ..DeploymentState::default()
    };
    let deployment = Deployment {
        id: DeploymentId::from_u128(5),
        namespace: "default".into(),
        job_id: "web".into(),
        status: DeploymentStatus::Running,
        task_groups: [("g".to_owned(), group)].into(),
        ..Deployment::default()
    };
    let job = state.job(&key()).cloned();
    let alloc = Allocation {
        id: AllocId::from_u128(7),
        namespace: "default".into(),
        job_id: "web".into(),
        task_group: "g".into(),
        job,
        deployment_id: deployment.id,
        deployment_status: Some(AllocDeploymentStatus {
            canary: true,
            ..AllocDeploymentStatus::default()
        }),
        ..Allocation::default()
    };
    apply(
        &mut state,
        Command::ApplyPlan(Box::new(PlanApply {
            deployment: Some(Box::new(deployment.clone())),
            allocs: vec![alloc.clone()],
            now: NOW,
            ..PlanApply::default()
        })),
    );
    let told = |state: &State| {
        let row = state.deployment(&deployment.id).expect("a deployment");
        let group = row.task_groups["g"].clone();
        (
            group.placed_allocs,
            group.healthy_allocs,
            group.unhealthy_allocs,
            group.require_progress_by,
        )
    };
    let after = |seconds| Timestamp::from(NOW) + Duration::from_secs(seconds);
    assert_eq!(told(&state), (1, 0, 0, after(600)));
    let canaries = &state.deployment(&deployment.id).expect("it").task_groups["g"];
    assert_eq!(canaries.placed_canaries, [alloc.id]);
    for (at, healthy, expected) in [
        (30, true, (1, 1, 0, after(630))),
        // The same word again changes nothing.
        (60, true, (1, 1, 0, after(630))),
        (90, false, (1, 0, 1, after(630))),
    ] {
        let mut update = alloc.clone();
        update.client_status = ClientStatus::Running;
        update.deployment_status = Some(AllocDeploymentStatus {
            healthy: Some(healthy),
            timestamp: after(at),
            ..AllocDeploymentStatus::default()
        });
        apply(
            &mut state,
            Command::UpdateAllocsFromClient {
                allocs: vec![update],
                evals: vec![],
                now: NOW,
            },
        );
        assert_eq!(told(&state), expected, "{at} {healthy}");
    }
    let alloc = state.alloc(&alloc.id).expect("placed");
    assert!(alloc.is_canary(), "a client's word leaves the mark");
}

/// A plan may be on its way while users and the leader go on deciding.
#[test]
fn what_ended_while_a_plan_was_on_its_way_stays_ended() {
    let mut state = register(job_type::SERVICE, false);
    apply(&mut state, plan(Some(DeploymentStatus::Failed), None));
    let update = DeploymentStatusUpdate {
        deployment_id: DeploymentId::from_u128(5),
        status: DeploymentStatus::Successful,
        ..DeploymentStatusUpdate::default()
    };
    let concludes = Command::ApplyPlan(Box::new(PlanApply {
        deployment_updates: vec![update],
        now: NOW,
        ..PlanApply::default()
    }));
    apply(&mut state, concludes);
    let row = state.deployment(&DeploymentId::from_u128(5));
    assert_eq!(row.expect("it").status, DeploymentStatus::Failed);
    assert!(!state.job(&key()).expect("the job").stable);
}

/// Its node fell silent right after it had told of the end.
#[test]
fn what_ended_on_its_client_while_a_plan_was_on_its_way_is_neither_lost_nor_silent() {
    let id = AllocId::from_u128(7);
    let lost = AllocStop {
        id,
        desired_status: DesiredStatus::Stop,
        client_status: Some(ClientStatus::Lost),
        ..AllocStop::default()
    };
    let silent = |known: &Allocation| {
        let mut alloc = known.clone();
        alloc.client_status = ClientStatus::Unknown;
        alloc.push_client_state(ClientStatus::Unknown, NOW.into());
        alloc
    };
    for is_lost in [true, false] {
        let mut state = register(job_type::BATCH, false);
        apply(&mut state, plan(None, Some(ClientStatus::Running)));
        let known = state.alloc(&id).expect("placed");
        let late = match is_lost {
            true => PlanApply {
                stops: vec![lost.clone()],
                ..PlanApply::default()
            },
            false => PlanApply {
                allocs: vec![silent(known)],
                ..PlanApply::default()
            },
        };
        apply(&mut state, finished());
        apply(&mut state, Command::ApplyPlan(Box::new(late)));
        let alloc = state.alloc(&id).expect("placed");
        assert_eq!(alloc.client_status, ClientStatus::Complete, "{is_lost}");
        assert_eq!(alloc.alloc_states, [], "{is_lost}");
    }
}

#[test]
fn what_was_forgotten_while_a_plan_was_on_its_way_does_not_come_back() {
    let mut state = register(job_type::SERVICE, false);
    apply(&mut state, plan(None, Some(ClientStatus::Running)));
    let id = AllocId::from_u128(7);
    let known = Allocation::clone(state.alloc(&id).expect("placed"));
    let writes = Command::ApplyPlan(Box::new(PlanApply {
        allocs: vec![known],
        now: NOW,
        ..PlanApply::default()
    }));
    apply(
        &mut state,
        Command::DeleteEvals {
            evals: vec![],
            allocs: vec![id],
            user_initiated: false,
        },
    );
    apply(&mut state, writes);
    assert!(state.alloc(&id).is_none());
}
