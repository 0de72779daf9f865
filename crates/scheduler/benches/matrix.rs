//! One evaluation of a service job on an empty cluster: nodes × racks × allocations, with and without spread.
//!
//! `cargo bench -p caravan-scheduler` measures the corners; `MATRIX=all` measures all 120 cases and prints them as
//! `nodes racks allocations no_spread_ms spread_ms`, the columns of the reference's table.

use caravan_model::*;
use caravan_scheduler::{Settings, schedule};
use caravan_state::{Command, State};
use criterion::{BenchmarkId, Criterion};
use std::sync::Arc;
use std::time::Instant;

const EPOCH: UnixNanos = UnixNanos(1_700_000_000_000_000_000);

fn node(number: usize, racks: usize) -> Node {
    let mut node = Node {
        id: NodeId::from_u128(
            (number as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) | 1,
        ),
        name: "foobar".into(),
        datacenter: if number.is_multiple_of(2) {
            "dc-1"
        } else {
            "dc-2"
        }
        .into(),
        node_class: "linux-medium-pci".into(),
        node_pool: "default".into(),
        status: NodeStatus::Ready,
        node_resources: Some(NodeResources {
            cpu: NodeCpuResources {
                cpu_shares: 14_000,
                total_cpu_cores: 4,
                reservable_cpu_cores: vec![],
            },
            memory: NodeMemoryResources { memory_mb: 32_000 },
            disk: NodeDiskResources { disk_mb: 102_400 },
            ..NodeResources::default()
        }),
        reserved_resources: Some(NodeReservedResources {
            cpu: NodeReservedCpuResources {
                cpu_shares: 100,
                reserved_cpu_cores: vec![],
            },
            memory: NodeMemoryResources { memory_mb: 256 },
            disk: NodeDiskResources { disk_mb: 4096 },
            networks: NodeReservedNetworkResources {
                reserved_host_ports: "22".into(),
            },
        }),
        ..Node::default()
    };
    for (key, value) in [
        ("kernel.name", "linux"),
        ("arch", "x86"),
        ("nomad.version", "0.5.0"),
        ("driver.exec", "1"),
        ("driver.mock_driver", "1"),
        ("consul.version", "1.11.4"),
    ] {
        node.attributes.insert(key.into(), value.into());
    }
    let address = format!("192.168.{}.{}", number % 10, number % 120);
    node.attributes
        .insert("unique.advertise.address".into(), address);
    for driver in ["exec", "mock_driver"] {
        let info = DriverInfo {
            detected: true,
            healthy: true,
            ..DriverInfo::default()
        };
        node.drivers.insert(driver.into(), info);
    }
    node.meta
        .insert("rack".into(), format!("r{}", number % racks));
    node.computed_class = caravan_scheduler::computed_class(&node);
    node
}

fn constraint(left: &str, operand: &str, right: &str) -> Constraint {
    Constraint {
        l_target: left.into(),
        operand: operand.into(),
        r_target: right.into(),
    }
}

fn job(racks: usize, count: i64, spread: bool) -> Job {
    let eligible: Vec<String> = (0..racks / 2).map(|rack| format!("r{rack}")).collect();
    let semver = constraint("${attr.consul.version}", "semver", ">= 1.8.0");
    let task = Task {
        name: "web".into(),
        driver: "exec".into(),
        constraints: vec![semver.clone()],
        resources: Resources {
            cpu: 6000,
            memory_mb: 6000,
            ..Resources::default()
        },
        ..Task::default()
    };
    let group = TaskGroup {
        name: "web".into(),
        count,
        constraints: vec![semver],
        tasks: vec![task],
        ephemeral_disk: EphemeralDisk {
            size_mb: 150,
            ..EphemeralDisk::default()
        },
        ..TaskGroup::default()
    };
    let spreads = spread.then(|| Spread {
        attribute: "${meta.rack}".into(),
        ..Spread::default()
    });
    Job {
        id: "bench".into(),
        name: "bench".into(),
        namespace: "default".into(),
        r#type: "service".into(),
        priority: 50,
        datacenters: vec!["dc-1".into(), "dc-2".into()],
        node_pool: "default".into(),
        constraints: vec![constraint(
            "${meta.rack}",
            "set_contains_any",
            &eligible.join(","),
        )],
        spreads: spreads.into_iter().collect(),
        task_groups: vec![group],
        ..Job::default()
    }
}

fn apply(state: &mut State, command: Command) {
    let index = state.index() + 1;
    state
        .apply(index, command)
        .expect("the state takes the command");
}

fn cluster(nodes: usize, racks: usize) -> State {
    let mut state = State::initial();
    for number in 0..nodes {
        let node = node(number, racks);
        let id = node.id;
        let node = Box::new(node);
        apply(
            &mut state,
            Command::RegisterNode {
                node,
                create_pool: false,
                evals: vec![],
                now: EPOCH,
            },
        );
        let status = NodeStatus::Ready;
        let update = Command::UpdateNodeStatus {
            node: id,
            status,
            event: None,
            evals: vec![],
            now: EPOCH,
        };
        apply(&mut state, update);
    }
    state
}

fn with_job(state: &State, job: Job) -> (State, Evaluation) {
    let mut state = state.clone();
    let job = Arc::new(job);
    let register = Command::RegisterJob {
        job,
        submission: None,
        eval: None,
        policy_ids: vec![],
        now: EPOCH,
    };
    apply(&mut state, register);
    let eval = Evaluation {
        id: EvalId::from_u128(7),
        namespace: "default".into(),
        job_id: "bench".into(),
        priority: 50,
        r#type: "service".into(),
        triggered_by: trigger::JOB_REGISTER.into(),
        ..Evaluation::default()
    };
    (state, eval)
}

fn run(state: &State, eval: &Evaluation) -> usize {
    let decision = schedule(
        state,
        eval,
        &Settings {
            now: EPOCH,
            seed: 1,
        },
    );
    decision.plan.node_allocation.values().map(Vec::len).sum()
}

/// The same answers as any correct scheduler: how many are placed, and how evenly.
fn check(state: &State, eval: &Evaluation, nodes: usize, racks: usize, count: usize, spread: bool) {
    let decision = schedule(
        state,
        eval,
        &Settings {
            now: EPOCH,
            seed: 1,
        },
    );
    let eligible = (0..nodes)
        .filter(|number| number % racks < racks / 2)
        .count();
    let placed: usize = decision.plan.node_allocation.values().map(Vec::len).sum();
    assert_eq!(placed, count.min(eligible * 2));
    assert!(
        decision
            .plan
            .node_allocation
            .values()
            .all(|allocs| allocs.len() <= 2)
    );
    if spread && count <= eligible {
        let mut by_rack = std::collections::BTreeMap::new();
        for (node, allocs) in &decision.plan.node_allocation {
            let rack = state.node(node).expect("a node").meta["rack"].clone();
            *by_rack.entry(rack).or_insert(0) += allocs.len();
        }
        let (min, max) = (by_rack.values().min(), by_rack.values().max());
        assert!(
            max.expect("placed") - min.expect("placed") <= 1,
            "{by_rack:?}"
        );
    }
}

fn best_ms(state: &State, eval: &Evaluation) -> f64 {
    let time = |_| {
        let start = Instant::now();
        std::hint::black_box(run(state, eval));
        start.elapsed().as_secs_f64() * 1000.0
    };
    (0..3).map(time).fold(f64::INFINITY, f64::min)
}

fn print_matrix() {
    println!("nodes\tracks\tallocations\tno_spread_ms\tspread_ms");
    for nodes in [500, 1000, 5000, 10_000] {
        for racks in [25, 50, 75] {
            let cluster = cluster(nodes, racks);
            for count in [50, 300, 600, 900, 1200] {
                let ms = [false, true].map(|spread| {
                    let (state, eval) = with_job(&cluster, job(racks, count as i64, spread));
                    check(&state, &eval, nodes, racks, count, spread);
                    best_ms(&state, &eval)
                });
                println!("{nodes}\t{racks}\t{count}\t{:.2}\t{:.2}", ms[0], ms[1]);
            }
        }
    }
}

fn main() {
    if std::env::var_os("MATRIX").is_some() {
        print_matrix();
        return;
    }
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    for (nodes, racks, count) in [(500, 25, 50), (5000, 50, 1200), (10_000, 75, 1200)] {
        let cluster = cluster(nodes, racks);
        for spread in [false, true] {
            let (state, eval) = with_job(&cluster, job(racks, count, spread));
            let name = if spread { "spread" } else { "no spread" };
            let id = BenchmarkId::new(name, format!("{nodes} nodes {racks} racks {count} allocs"));
            criterion.bench_function(&id.to_string(), |bench| bench.iter(|| run(&state, &eval)));
        }
    }
    criterion.final_summary();
}
