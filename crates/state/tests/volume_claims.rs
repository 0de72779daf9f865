//! Claims on sticky host volumes: who makes them, who takes them over, and when they are forgotten.

use caravan_model::*;
use caravan_state::{Command, JobKey, JobRemoval, PlanApply, ScopedKey, State};
use std::sync::Arc;

const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);
const VOLUME: &str = "5364b51c-f770-84e1-3459-54af14b6ff6c";

fn apply(state: &mut State, command: Command) {
    let index = state.index() + 1;
    state
        .apply(index, command)
        .expect("the state takes the command");
}

fn node() -> NodeId {
    NodeId::from_u128(1)
}

/// A node that shows a dynamic volume, and a job with a group that wants to keep to it.
fn cluster() -> State {
    let mut state = State::initial();
    let mut node = Node {
        id: node(),
        name: "n".into(),
        node_pool: "default".into(),
        ..Node::default()
    };
    let shown = HostVolumeInfo {
        name: "data".into(),
        id: VOLUME.into(),
        ..HostVolumeInfo::default()
    };
    node.host_volumes.insert("data".to_owned(), shown);
    let volume = HostVolume {
        namespace: "default".into(),
        id: VOLUME.into(),
        name: "data".into(),
        node_id: node.id,
        ..HostVolume::default()
    };
    apply(
        &mut state,
        Command::RegisterNode {
            node: Box::new(node),
            create_pool: false,
            evals: vec![],
            now: NOW,
        },
    );
    apply(
        &mut state,
        Command::UpsertHostVolumes {
            volumes: vec![volume],
        },
    );
    let request = VolumeRequest {
        source: "data".into(),
        sticky: true,
        ..VolumeRequest::default()
    };
    let group = TaskGroup {
        name: "g".into(),
        count: 1,
        volumes: [("d".to_owned(), request)].into(),
        ..TaskGroup::default()
    };
    let job = Job {
        id: "web".into(),
        namespace: "default".into(),
        r#type: job_type::SERVICE.into(),
        task_groups: vec![group],
        ..Job::default()
    };
    let job = Arc::new(job);
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

fn place(state: &mut State, number: u128) {
    let alloc = Allocation {
        id: AllocId::from_u128(number),
        namespace: "default".into(),
        job_id: "web".into(),
        task_group: "g".into(),
        name: "web.g[0]".into(),
        node_id: node(),
        ..Allocation::default()
    };
    let job = state.job(&JobKey::new("default", "web")).cloned();
    let plan = PlanApply {
        job,
        allocs: vec![alloc],
        now: NOW,
        ..PlanApply::default()
    };
    apply(state, Command::ApplyPlan(Box::new(plan)));
}

fn claims(state: &State) -> Vec<TaskGroupHostVolumeClaim> {
    state
        .volume_claims()
        .map(|claim| TaskGroupHostVolumeClaim::clone(claim))
        .collect()
}

#[test]
fn a_claim_goes_over_to_whoever_comes_next() {
    let mut state = cluster();
    place(&mut state, 7);
    let first = claims(&state);
    place(&mut state, 8);
    let second = claims(&state);
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].volume_id, VOLUME);
    assert_eq!(second.len(), 1, "one claim of the group");
    assert_eq!(second[0].id, first[0].id);
    assert_eq!(second[0].create_index, first[0].create_index);
    assert_eq!(second[0].alloc_id, AllocId::from_u128(8));
    let restored = State::restore(&state.dump()).expect("a dump");
    assert_eq!(claims(&restored), second);
}

#[test]
fn a_claim_is_forgotten_with_its_job_its_volume_or_by_an_operator() {
    let job = JobKey::new("default", "web");
    let purge = JobRemoval {
        job,
        purge: true,
        no_shutdown_delay: false,
        only_if_dead: false,
    };
    let mut placed = cluster();
    place(&mut placed, 7);
    let id = claims(&placed)[0].id.clone();
    let commands = [
        Command::DeregisterJobs {
            jobs: vec![purge],
            evals: vec![],
            now: NOW,
        },
        Command::DeleteHostVolumes {
            volumes: vec![ScopedKey::new("default", VOLUME)],
        },
        Command::DeleteVolumeClaims { ids: vec![id] },
    ];
    for command in commands {
        let mut state = placed.clone();
        apply(&mut state, command.clone());
        assert_eq!(claims(&state), [], "{command:?}");
    }
}
