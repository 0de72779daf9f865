//! The cluster and the job that are measured, literal by literal.

use caravan_model::*;
use caravan_scheduler::{EvalRun, Settings, Step};
use caravan_state::{Command, State};
use std::sync::Arc;

pub(crate) const EPOCH: UnixNanos = UnixNanos(1_700_000_000_000_000_000);

/// A node: 4 cores of 3500 MHz and 32 GB, in one of two datacenters and one of `racks` racks.
pub(crate) fn node(number: usize, racks: usize) -> Node {
    let mut node = Node {
        id: NodeId::from_u128(
            (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) | 1,
        ),
        name: "foobar".into(),
        datacenter: format!("dc-{}", 1 + number % 2),
        node_class: "linux-medium-pci".into(),
        node_pool: "default".into(),
        status: NodeStatus::Ready,
        node_resources: Some(resources()),
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
    node.links.insert("consul".into(), "foobar.dc1".into());
    node.meta
        .insert("rack".into(), format!("r{}", number % racks));
    node.computed_class = computed_class(&node);
    node
}

fn resources() -> NodeResources {
    let core = |id| CpuCore {
        id,
        grade: true,
        base_speed: 3500,
        ..CpuCore::default()
    };
    NodeResources {
        cpu: NodeCpuResources {
            cpu_shares: 14_000,
            total_cpu_cores: 4,
            reservable_cpu_cores: vec![],
        },
        processors: NodeProcessorResources {
            topology: Some(CpuTopology {
                cores: (0..4).map(core).collect(),
                nodes: vec![0],
                ..CpuTopology::default()
            }),
        },
        memory: NodeMemoryResources { memory_mb: 32_000 },
        disk: NodeDiskResources { disk_mb: 102_400 },
        networks: vec![NetworkResource {
            mode: "host".into(),
            device: "eth0".into(),
            cidr: "192.168.0.100/32".into(),
            m_bits: 1000,
            ..NetworkResource::default()
        }],
        ..NodeResources::default()
    }
}

pub(crate) fn constraint(left: &str, operand: &str, right: &str) -> Constraint {
    Constraint {
        l_target: left.into(),
        operand: operand.into(),
        r_target: right.into(),
    }
}

/// The job: `count` times 6000 MHz and 6000 MB on the first half of the racks.
pub(crate) fn job(racks: usize, count: i64, spread: bool) -> Job {
    let eligible: Vec<String> = (0..racks / 2).map(|rack| format!("r{rack}")).collect();
    let semver = constraint("${attr.consul.version}", "semver", ">= 1.8.0");
    let task = Task {
        name: "web".into(),
        driver: "exec".into(),
        env: [("FOO".to_owned(), "bar".to_owned())].into(),
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
        reschedule_policy: Some(ReschedulePolicy {
            attempts: 2,
            interval: Duration::from_secs(600),
            delay: Duration::from_secs(5),
            delay_function: delay_function::CONSTANT.into(),
            ..ReschedulePolicy::default()
        }),
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
        r#type: job_type::SERVICE.into(),
        priority: 50,
        datacenters: vec!["dc-1".into(), "dc-2".into()],
        node_pool: "default".into(),
        constraints: vec![constraint(
            "${meta.rack}",
            operand::SET_CONTAINS_ANY,
            &eligible.join(","),
        )],
        spreads: spreads.into_iter().collect(),
        task_groups: vec![group],
        ..Job::default()
    }
}

/// Applies a command at the next index.
pub(crate) fn apply(state: &mut State, command: Command) {
    let index = state.index() + 1;
    state
        .apply(index, command)
        .expect("the state takes the command");
}

/// A state with these nodes, ready.
pub(crate) fn with_nodes(nodes: impl IntoIterator<Item = Node>) -> State {
    let mut state = State::initial();
    for node in nodes {
        let (id, node) = (node.id, Box::new(node));
        let register = Command::RegisterNode {
            node,
            create_pool: false,
            evals: vec![],
            now: EPOCH,
        };
        apply(&mut state, register);
        set_status(&mut state, id, NodeStatus::Ready);
    }
    state
}

pub(crate) fn set_status(state: &mut State, node: NodeId, status: NodeStatus) {
    let update = Command::UpdateNodeStatus {
        node,
        status,
        event: None,
        evals: vec![],
        now: EPOCH,
    };
    apply(state, update);
}

pub(crate) fn register(state: &mut State, job: Job) {
    let policy_ids = job.task_groups.iter().map(|_| String::from("p")).collect();
    let register = Command::RegisterJob {
        job: Arc::new(job),
        submission: None,
        eval: None,
        policy_ids,
        now: EPOCH,
    };
    apply(state, register);
}

/// An evaluation of a registered job.
pub(crate) fn eval(state: &State, id: &str, number: u128) -> Arc<Evaluation> {
    let key = caravan_state::JobKey::new("default", id);
    let job = state.job(&key).expect("the job is registered");
    Arc::new(Evaluation {
        id: EvalId::from_u128(number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) | 7),
        namespace: job.namespace.clone(),
        job_id: job.id.clone(),
        priority: job.priority,
        r#type: job.r#type.clone(),
        triggered_by: trigger::JOB_REGISTER.into(),
        status: EvalStatus::Pending,
        create_time: EPOCH,
        ..Evaluation::default()
    })
}

/// Takes an evaluation to its end; every plan is accepted whole and none written. What was accepted.
pub(crate) fn process(state: &State, eval: &Arc<Evaluation>, seed: u64) -> Vec<PlanResult> {
    let settings = Settings {
        now: EPOCH,
        seed,
        ..Settings::default()
    };
    let mut run = EvalRun::new(Arc::clone(eval));
    let mut results = Vec::new();
    loop {
        match run.step(state, &settings) {
            Step::Submit { plan, .. } => {
                let result = PlanResult {
                    node_update: plan.node_update,
                    node_allocation: plan.node_allocation,
                    node_preemptions: plan.node_preemptions,
                    deployment: plan.deployment,
                    deployment_updates: plan.deployment_updates,
                    ..PlanResult::default()
                };
                run.submitted(&result);
                results.push(result);
            }
            Step::Done(_) => return results,
        }
    }
}

/// Takes an evaluation to its end and writes its plans.
pub(crate) fn settle(state: &mut State, eval: &Arc<Evaluation>) {
    for result in process(state, eval, 1) {
        commit(state, eval, &result);
    }
}

/// Writes what was accepted of an evaluation's plan.
pub(crate) fn commit(state: &mut State, eval: &Evaluation, result: &PlanResult) {
    let key = caravan_state::JobKey::new(eval.namespace.clone(), eval.job_id.clone());
    let plan = Plan {
        eval_id: eval.id,
        job: state.job(&key).cloned(),
        ..Plan::default()
    };
    let command = caravan_scheduler::to_command(&plan, result, state, 1, EPOCH);
    apply(state, Command::ApplyPlan(Box::new(command)));
}

/// Clients say that everything runs.
pub(crate) fn all_run(state: &mut State, id: &str) {
    let key = caravan_state::JobKey::new("default", id);
    let running = |alloc: &Arc<Allocation>| Allocation {
        client_status: ClientStatus::Running,
        ..Allocation::clone(alloc)
    };
    let allocs = state.allocs_of_job(&key).map(running).collect();
    let update = Command::UpdateAllocsFromClient {
        allocs,
        evals: vec![],
        now: EPOCH,
    };
    apply(state, update);
}
