//! What one server does in a second, with its log on disk and simulated nodes.
//!
//! `cargo xtask bench server-throughput`, or `cargo bench -p caravan-server --bench throughput -- [placements] [crowd]
//! [collect]`; without a word, all. Each number is a line `name value unit`.

#[path = "../tests/it/support/mod.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod support;

use caravan_model::*;
use caravan_server::{Proposer, Server, ServerConfig};
use caravan_state::{Command, JobKey, JobRemoval, State};
use futures::stream::{self, StreamExt};
use std::sync::Arc;
use std::time::Instant;
use support::{evaluation, node, service, start};

const NODES: u32 = 10_000;
const JOBS: usize = 1000;
const COUNT: i64 = 100;

fn now() -> UnixNanos {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    UnixNanos(i64::try_from(since.as_nanos()).unwrap_or(0))
}

fn tell(name: &str, value: f64, unit: &str) {
    println!("{name} {value:.1} {unit}");
}

/// Memory that the process holds, in MiB, after what was freed is given back, as an agent does now and then.
fn resident() -> f64 {
    caravan_host::give_memory_back();
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = text
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or(0.0);
    pages * 4096.0 / 1_048_576.0
}

/// Proposes commands, many at a time.
async fn propose_all(proposer: &Proposer, commands: impl Iterator<Item = Command>) {
    let proposals = commands.map(|command| {
        let proposer = proposer.clone();
        async move {
            proposer
                .propose(&command)
                .await
                .expect("the state takes the command")
        }
    });
    stream::iter(proposals)
        .buffer_unordered(256)
        .for_each(|_| async {})
        .await;
}

async fn until(server: &Server, done: impl Fn(&State) -> bool) {
    let mut moved = server.store().index();
    while !done(&server.store().snapshot()) {
        moved.changed().await.expect("the server lives");
    }
}

fn registration(number: usize, job: Job) -> Command {
    let eval = Some(evaluation(number as u128 + 1, &job, trigger::JOB_REGISTER));
    Command::RegisterJob {
        job: Arc::new(job),
        submission: None,
        eval,
        policy_ids: Vec::new(),
        now: now(),
    }
}

fn arrival(number: u32) -> Command {
    Command::RegisterNode {
        node: Box::new(node(number)),
        create_pool: false,
        evals: Vec::new(),
        now: now(),
    }
}

async fn placements(server: &Server) {
    let proposer = server.proposer();
    propose_all(proposer, (0..NODES).map(arrival)).await;
    tell("idle-memory-of-10000-nodes", resident(), "MiB");
    let total = JOBS * usize::try_from(COUNT).unwrap_or(0);
    let start = Instant::now();
    let jobs =
        (0..JOBS).map(|number| registration(number, service(&format!("job-{number}"), COUNT)));
    propose_all(proposer, jobs).await;
    until(server, |state| state.alloc_count() >= total).await;
    let seconds = start.elapsed().as_secs_f64();
    tell("placements", total as f64 / seconds, "1/s");
    until(server, |state| state.evals().all(|eval| eval.is_terminal())).await;
    tell("memory-of-100000-allocations", resident(), "MiB");
}

/// Has the clients say that every allocation runs.
async fn running(server: &Server) {
    let since = now();
    let mut task = TaskState {
        state: TaskPhase::Running,
        started_at: Timestamp::from(since),
        ..TaskState::default()
    };
    for what in [
        task_event::RECEIVED,
        task_event::TASK_SETUP,
        task_event::STARTED,
    ] {
        task.add_event(TaskEvent::new(what, since));
    }
    let states = TaskStates::from([("t".to_owned(), task)]);
    let started = |id| Allocation {
        id,
        client_status: ClientStatus::Running,
        client_description: client_description::RUNNING.into(),
        task_states: states.clone(),
        ..Allocation::default()
    };
    tell_all(server, started).await;
    tell("memory-of-100000-running-allocations", resident(), "MiB");
}

/// What clients say of every allocation, a thousand at a time: what is measured is not the callers' memory.
async fn tell_all(server: &Server, said: impl Fn(AllocId) -> Allocation) {
    let state = server.store().snapshot();
    let ids: Vec<AllocId> = state.allocs().map(|alloc| alloc.id).collect();
    drop(state);
    for ids in ids.chunks(1000) {
        let update = Command::UpdateAllocsFromClient {
            allocs: ids.iter().copied().map(&said).collect(),
            evals: Vec::new(),
            now: now(),
        };
        propose_all(server.proposer(), [update].into_iter()).await;
    }
}

/// Stops everything, has the clients say that it ended, and collects it (W13).
async fn collect(server: &Server) {
    let proposer = server.proposer();
    let state = server.store().snapshot();
    let keys: Vec<JobKey> = state
        .jobs()
        .map(|job| JobKey::new(job.namespace.clone(), job.id.clone()))
        .collect();
    let removal = |job| JobRemoval {
        job,
        purge: false,
        no_shutdown_delay: false,
        only_if_dead: false,
    };
    let jobs = keys.into_iter().map(removal).collect();
    propose_all(
        proposer,
        [Command::DeregisterJobs {
            jobs,
            evals: Vec::new(),
            now: now(),
        }]
        .into_iter(),
    )
    .await;
    drop(state);
    let ended = |id| Allocation {
        id,
        client_status: ClientStatus::Complete,
        ..Allocation::default()
    };
    tell_all(server, ended).await;
    let start = Instant::now();
    let later = now() + Duration::from_secs(60);
    for command in caravan_control::gc::force_gc(&server.store().snapshot(), later) {
        proposer
            .propose(&command)
            .await
            .expect("the state takes the command");
    }
    tell(
        "collecting-100000-allocations",
        start.elapsed().as_secs_f64() * 1000.0,
        "ms",
    );
    assert_eq!(
        server.store().snapshot().alloc_count(),
        0,
        "everything was collected"
    );
    tell("memory-after-collecting", resident(), "MiB");
}

/// Twenty thousand jobs wait, and nodes come one by one (W11).
async fn crowd() {
    const WAITING: usize = 20_000;
    const ARRIVALS: u32 = 200;
    let server = start(ServerConfig::default()).await;
    let proposer = server.proposer();
    let mut shape = service("shape", 1);
    shape.task_groups[0].tasks[0].resources.memory_mb = 1024;
    let jobs = (0..WAITING).map(|number| {
        let mut job = shape.clone();
        job.id = format!("waits-{number}").into();
        registration(number, job)
    });
    propose_all(proposer, jobs).await;
    let waiting = |state: &State| {
        state
            .evals()
            .filter(|eval| eval.status == EvalStatus::Blocked)
            .count()
    };
    until(&server, |state| {
        state.evals().all(|eval| eval.status != EvalStatus::Pending)
    })
    .await;
    tell(
        "crowd-waiting",
        waiting(&server.store().snapshot()) as f64,
        "evaluations",
    );
    let start = Instant::now();
    for number in 0..ARRIVALS {
        proposer
            .propose(&arrival(number))
            .await
            .expect("the state takes the command");
    }
    let room = usize::try_from(ARRIVALS).unwrap_or(0) * 8;
    until(&server, |state| state.alloc_count() >= room).await;
    tell(
        "crowd-placed",
        room as f64 / start.elapsed().as_secs_f64(),
        "1/s",
    );
    tell(
        "crowd-woken-for-each-placement",
        server.woken() as f64 / room as f64,
        "evaluations",
    );
    server.shutdown().await;
}

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        if wanted("placements") || wanted("collect") {
            let folder = std::env::temp_dir().join(format!("caravan-bench-{}", std::process::id()));
            let config = ServerConfig {
                data_dir: Some(folder.clone()),
                ..ServerConfig::default()
            };
            let server = start(config).await;
            placements(&server).await;
            running(&server).await;
            if wanted("collect") {
                collect(&server).await;
            }
            server.shutdown().await;
            let _ = std::fs::remove_dir_all(folder);
        }
        if wanted("crowd") {
            crowd().await;
        }
    });
}
