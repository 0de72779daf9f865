//! Law 3: the same log gives the same state, byte for byte, wherever it is applied and however often it went
//! through a dump. With it: a refused command changes nothing, and what is derived agrees with what it is derived from.

use caravan_model::*;
use caravan_state::{AllocStop, Command, JobKey, JobRemoval, PlanApply, State};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A command in small: numbers choose which of a few nodes, jobs, evaluations and allocations it is about. An
/// evaluation or allocation stays with its job and node for life.
#[derive(Clone, Debug)]
enum Small {
    Node(u8, u8),
    NodeStatus(u8, u8),
    NodeRemoved(u8),
    Job(u8, u8, u8),
    JobStopped(u8, bool),
    Eval(u8, u8),
    Placed(u8, bool),
    Stopped(u8),
    Told(u8, u8, u8),
    Wish(u8),
    Promoted(u8),
    Collected(u8, u8),
    Recounted,
}

fn small() -> impl Strategy<Value = Small> {
    prop_oneof![
        (0..4_u8, 0..3_u8).prop_map(|(a, b)| Small::Node(a, b)),
        (0..4_u8, 0..4_u8).prop_map(|(a, b)| Small::NodeStatus(a, b)),
        (0..4_u8).prop_map(Small::NodeRemoved),
        (0..3_u8, 0..4_u8, 0..3_u8).prop_map(|(a, b, c)| Small::Job(a, b, c)),
        (0..3_u8, any::<bool>()).prop_map(|(a, b)| Small::JobStopped(a, b)),
        (0..6_u8, 0..5_u8).prop_map(|(a, b)| Small::Eval(a, b)),
        (0..12_u8, any::<bool>()).prop_map(|(a, b)| Small::Placed(a, b)),
        (0..12_u8).prop_map(Small::Stopped),
        (0..12_u8, 0..6_u8, 0..3_u8).prop_map(|(a, b, c)| Small::Told(a, b, c)),
        (0..12_u8).prop_map(Small::Wish),
        (0..3_u8).prop_map(Small::Promoted),
        (0..6_u8, 0..12_u8).prop_map(|(a, b)| Small::Collected(a, b)),
        Just(Small::Recounted),
    ]
}

fn node_id(number: u8) -> NodeId {
    NodeId::from_u128(u128::from(number) + 1)
}

fn alloc_id(number: u8) -> AllocId {
    AllocId::from_u128(u128::from(number) + 1)
}

fn eval_id(number: u8) -> EvalId {
    EvalId::from_u128(u128::from(number) + 1)
}

fn deployment_id(job: u8) -> DeploymentId {
    DeploymentId::from_u128(u128::from(job) + 1)
}

fn name(job: u8) -> String {
    format!("job-{job}")
}

fn key(job: u8) -> JobKey {
    JobKey::new("default", name(job).as_str())
}

fn client_status(number: u8) -> ClientStatus {
    [
        ClientStatus::Pending,
        ClientStatus::Running,
        ClientStatus::Complete,
        ClientStatus::Failed,
        ClientStatus::Lost,
        ClientStatus::Unknown,
    ][usize::from(number) % 6]
}

fn job(number: u8, count: u8, kind: u8) -> Job {
    let kinds = [job_type::SERVICE, job_type::BATCH, job_type::SYSTEM];
    Job {
        id: name(number).as_str().into(),
        name: name(number),
        namespace: "default".into(),
        node_pool: "default".to_owned(),
        r#type: kinds[usize::from(kind) % 3].to_owned(),
        priority: 50,
        task_groups: vec![TaskGroup {
            name: "g".to_owned(),
            count: i64::from(count),
            ..TaskGroup::default()
        }],
        ..Job::default()
    }
}

fn deployment(state: &State, number: u8) -> Deployment {
    let version = state.job(&key(number)).map_or(0, |job| job.version);
    let group = DeploymentState {
        desired_total: 2,
        progress_deadline: Duration::from_secs(600),
        ..DeploymentState::default()
    };
    Deployment {
        id: deployment_id(number),
        namespace: "default".into(),
        job_id: name(number).as_str().into(),
        job_version: version,
        status: DeploymentStatus::Running,
        task_groups: [("g".to_owned(), group)].into(),
        ..Deployment::default()
    }
}

fn placement(state: &State, alloc: u8, number: u8, node: u8, rolled_out: bool) -> Command {
    let row = state.job(&key(number)).cloned();
    let deployment_of = rolled_out.then(|| deployment(state, number));
    Command::ApplyPlan(Box::new(PlanApply {
        eval: eval_id(number),
        job: row,
        allocs: vec![Allocation {
            id: alloc_id(alloc),
            namespace: "default".into(),
            job_id: name(number).as_str().into(),
            eval_id: eval_id(number),
            node_id: node_id(node),
            name: Allocation::make_name(&name(number), "g", usize::from(alloc)),
            task_group: "g".to_owned(),
            deployment_id: deployment_of
                .as_ref()
                .map_or(DeploymentId::NIL, |row| row.id),
            ..Allocation::default()
        }],
        deployment: deployment_of.map(Box::new),
        ..PlanApply::default()
    }))
}

/// What a small command is on a state: commands are made by looking at one, as servers do.
fn command(state: &State, small: &Small, now: UnixNanos) -> Command {
    match *small {
        Small::Node(number, class) => Command::RegisterNode {
            node: Box::new(Node {
                id: node_id(number),
                name: format!("node-{number}"),
                secret_id: format!("secret-{number}"),
                datacenter: "dc1".to_owned(),
                node_pool: "default".to_owned(),
                node_class: format!("class-{class}"),
                status: NodeStatus::Ready,
                ..Node::default()
            }),
            create_pool: true,
            evals: Vec::new(),
            now,
        },
        Small::NodeStatus(number, status) => Command::UpdateNodeStatus {
            node: node_id(number),
            status: [
                NodeStatus::Initializing,
                NodeStatus::Ready,
                NodeStatus::Down,
                NodeStatus::Disconnected,
            ][usize::from(status) % 4],
            event: None,
            evals: Vec::new(),
            now,
        },
        Small::NodeRemoved(number) => Command::DeregisterNodes {
            nodes: vec![node_id(number)],
            evals: Vec::new(),
        },
        Small::Job(number, count, kind) => Command::RegisterJob {
            job: Arc::new(job(number, count, kind)),
            submission: None,
            eval: None,
            policy_ids: Vec::new(),
            now,
        },
        Small::JobStopped(number, purge) => Command::DeregisterJobs {
            jobs: vec![JobRemoval {
                job: key(number),
                purge,
                no_shutdown_delay: false,
                only_if_dead: false,
            }],
            evals: Vec::new(),
            now,
        },
        Small::Eval(number, status) => Command::UpsertEvals {
            evals: vec![Evaluation {
                id: eval_id(number),
                namespace: "default".into(),
                job_id: name(number % 3).as_str().into(),
                r#type: job_type::SERVICE.to_owned(),
                status: [
                    EvalStatus::Pending,
                    EvalStatus::Blocked,
                    EvalStatus::Complete,
                    EvalStatus::Failed,
                    EvalStatus::Canceled,
                ][usize::from(status) % 5],
                queued_allocations: [("g".to_owned(), i64::from(status))].into(),
                ..Evaluation::default()
            }],
            now,
        },
        Small::Placed(alloc, rolled_out) => {
            placement(state, alloc, alloc % 3, alloc % 4, rolled_out)
        }
        Small::Stopped(alloc) => Command::ApplyPlan(Box::new(PlanApply {
            stops: vec![AllocStop {
                id: alloc_id(alloc),
                desired_status: DesiredStatus::Stop,
                ..AllocStop::default()
            }],
            now,
            ..PlanApply::default()
        })),
        Small::Told(number, status, verdict) => {
            let mut alloc = Allocation {
                id: alloc_id(number),
                client_status: client_status(status),
                ..Allocation::default()
            };
            if verdict > 0 {
                let told = alloc.deployment_status.get_or_insert_default();
                told.healthy = Some(verdict == 1);
                told.timestamp = now.into();
            }
            Command::UpdateAllocsFromClient {
                allocs: vec![alloc],
                evals: Vec::new(),
                now,
            }
        }
        Small::Wish(number) => Command::UpdateDesiredTransitions {
            transitions: BTreeMap::from([(
                alloc_id(number),
                DesiredTransition {
                    migrate: Some(true),
                    ..DesiredTransition::default()
                },
            )]),
            evals: Vec::new(),
            now,
        },
        Small::Promoted(number) => Command::PromoteDeployment {
            deployment: deployment_id(number),
            groups: Vec::new(),
            eval: None,
            now,
        },
        Small::Collected(eval, alloc) => Command::DeleteEvals {
            evals: vec![eval_id(eval)],
            allocs: vec![alloc_id(alloc)],
            user_initiated: false,
        },
        Small::Recounted => Command::ReconcileSummaries,
    }
}

fn time(index: u64) -> UnixNanos {
    UnixNanos(1_800_000_000_000_000_000 + i64::try_from(index).expect("few"))
}

/// Applies a log and returns the commands that it came to.
fn apply(state: &mut State, log: &[Small]) -> Vec<(u64, Command)> {
    let mut commands = Vec::new();
    for small in log {
        let index = state.index().max(10) + 1;
        let made = command(state, small, time(index));
        let before = state.clone();
        if state.apply(index, made.clone()).is_err() {
            let mut untouched = before;
            untouched.advance(index);
            assert_eq!(untouched.dump(), state.dump(), "{small:?} was refused");
        }
        commands.push((index, made));
    }
    commands
}

/// Counters agree with what they count.
fn check_derived(state: &State) {
    for job in state.jobs() {
        let key = JobKey::new(job.namespace.clone(), job.id.clone());
        let live = state
            .allocs_of_job(&key)
            .filter(|alloc| !alloc.terminal_status())
            .count();
        assert_eq!(live, state.live_alloc_count(&key), "{}", job.id);
        let open = state
            .evals_of_job(&key)
            .filter(|eval| !eval.is_terminal())
            .count();
        assert_eq!(open, state.open_evals_of_job(&key).count(), "{}", job.id);
    }
    for alloc in state.allocs() {
        assert!(
            state
                .allocs_of_node(&alloc.node_id)
                .any(|other| other.id == alloc.id)
        );
        assert!(
            state
                .allocs_of_eval(&alloc.eval_id)
                .any(|other| other.id == alloc.id)
        );
    }
    for deployment in state.deployments() {
        let placed = state.allocs_of_deployment(&deployment.id).count();
        assert!(
            placed == 0
                || state
                    .job(&JobKey::new(
                        deployment.namespace.clone(),
                        deployment.job_id.clone()
                    ))
                    .is_some(),
            "a deployment of a purged job keeps allocations"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_log_is_the_same_state(log in proptest::collection::vec(small(), 1..60), cut in 0..60_usize) {
        let mut one = State::initial();
        let commands = apply(&mut one, &log);
        check_derived(&one);

        let mut other = State::initial();
        let mut restored = None;
        for (at, (index, command)) in commands.into_iter().enumerate() {
            if at == cut {
                let dump = other.dump();
                let again = State::restore(&dump).expect("a dump can be restored");
                prop_assert_eq!(&again.dump(), &dump, "a dump survives being restored");
                restored = Some(again);
            }
            if let Some(restored) = &mut restored {
                let _ = restored.apply(index, command.clone());
            }
            let _ = other.apply(index, command);
        }
        prop_assert_eq!(one.dump(), other.dump());
        if let Some(restored) = restored {
            prop_assert_eq!(restored.dump(), other.dump(), "a restored server goes on as the others do");
            check_derived(&restored);
        }
    }

    #[test]
    fn a_snapshot_does_not_move(log in proptest::collection::vec(small(), 2..40)) {
        let mut state = State::initial();
        let (early, late) = log.split_at(log.len() / 2);
        apply(&mut state, early);
        let snapshot = state.clone();
        let dump = snapshot.dump();
        apply(&mut state, late);
        prop_assert_eq!(snapshot.dump(), dump);
    }
}
