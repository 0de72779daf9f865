//! A small cluster without agents: a state, a clock that only moves when told, and a worker that runs evaluations.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its part of the cluster"
)]

pub mod drains;
pub mod render;
pub mod script;
pub mod settings;

use caravan_model::*;
use caravan_scheduler::{EvalRun, Settings, Step, schedule, to_command, verify, without};
use caravan_state::{Command, DrainUpdate, JobKey, JobRemoval, PlanApply, State, capacity};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The cluster.
pub struct World {
    pub state: State,
    pub now: UnixNanos,
    seed: u64,
    queue: Vec<Evaluation>,
    pub delayed: Vec<Evaluation>,
    pub blocked: BTreeMap<JobKey, Evaluation>,
    pub plans: usize,
    /// What was decided, one line each.
    pub log: Vec<String>,
    /// A node whose part of the next plans is refused, as if somebody else had been faster, and of how many.
    pub refuse: Option<(NodeId, u64)>,
}

pub fn node(number: usize) -> Node {
    let mut node = Node {
        id: NodeId::from_u128(0x1000 + number as u128),
        name: format!("n{number}"),
        datacenter: "dc1".into(),
        node_pool: "default".into(),
        node_class: "small".into(),
        status: NodeStatus::Ready,
        node_resources: Some(NodeResources {
            cpu: NodeCpuResources {
                cpu_shares: 4000,
                total_cpu_cores: 4,
                reservable_cpu_cores: vec![0, 1, 2, 3],
            },
            memory: NodeMemoryResources { memory_mb: 4096 },
            disk: NodeDiskResources { disk_mb: 10_000 },
            node_networks: vec![NodeNetworkResource {
                mode: "host".into(),
                device: "eth0".into(),
                addresses: vec![NodeNetworkAddress {
                    family: "ipv4".into(),
                    alias: "default".into(),
                    address: format!("10.0.0.{number}"),
                    ..NodeNetworkAddress::default()
                }],
                ..NodeNetworkResource::default()
            }],
            networks: vec![NetworkResource {
                mode: "host".into(),
                device: "eth0".into(),
                ip: format!("10.0.0.{number}"),
                ..NetworkResource::default()
            }],
            ..NodeResources::default()
        }),
        ..Node::default()
    };
    node.attributes.insert("driver.mock".into(), "1".into());
    node.attributes.insert("kernel.name".into(), "linux".into());
    node.meta.insert("rack".into(), format!("r{}", number % 3));
    node.computed_class = caravan_model::computed_class(&node);
    node
}

pub fn job(id: &str, kind: &str, count: i64) -> Job {
    let task = Task {
        name: "t".into(),
        driver: "mock".into(),
        resources: Resources {
            cpu: 500,
            memory_mb: 256,
            ..Resources::default()
        },
        ..Task::default()
    };
    let group = TaskGroup {
        name: "g".into(),
        count,
        tasks: vec![task],
        ephemeral_disk: EphemeralDisk {
            size_mb: 100,
            ..EphemeralDisk::default()
        },
        ..TaskGroup::default()
    };
    Job {
        id: id.into(),
        name: id.into(),
        namespace: "default".into(),
        r#type: kind.into(),
        priority: 50,
        datacenters: vec!["*".into()],
        node_pool: "default".into(),
        task_groups: vec![group],
        ..Job::default()
    }
}

/// Only nodes of which this is so.
pub fn equal(what: &str, value: &str) -> Constraint {
    Constraint {
        l_target: what.into(),
        operand: operand::EQUAL.into(),
        r_target: value.into(),
    }
}

/// No two on one node.
pub fn distinct_hosts() -> Constraint {
    Constraint {
        operand: operand::DISTINCT_HOSTS.into(),
        ..Constraint::default()
    }
}

pub fn rolling(max_parallel: i64, canary: i64) -> UpdateStrategy {
    UpdateStrategy {
        max_parallel,
        canary,
        health_check: "checks".into(),
        progress_deadline: Duration::from_secs(600),
        ..UpdateStrategy::default()
    }
}

/// Allocations of a silent node are waited for, and nothing takes their place meanwhile.
pub fn waiting() -> DisconnectStrategy {
    DisconnectStrategy {
        lost_after: Duration::from_secs(3600),
        replace: Some(false),
        ..DisconnectStrategy::default()
    }
}

impl World {
    pub fn new(nodes: usize) -> Self {
        let mut world = Self {
            state: State::initial(),
            now: UnixNanos(1_700_000_000_000_000_000),
            seed: 1,
            queue: Vec::new(),
            delayed: Vec::new(),
            blocked: BTreeMap::new(),
            plans: 0,
            log: Vec::new(),
            refuse: None,
        };
        for number in 0..nodes {
            world.add_node(node(number));
        }
        world
    }

    pub fn apply(&mut self, command: Command) {
        let index = self.state.index() + 1;
        self.state
            .apply(index, command)
            .expect("the state takes the command");
    }

    pub fn add_node(&mut self, node: Node) {
        let now = self.now;
        let (id, status) = (node.id, node.status);
        self.apply(Command::RegisterNode {
            node: Box::new(node),
            create_pool: false,
            evals: vec![],
            now,
        });
        self.set_node_status(id, status);
    }

    pub fn set_node_status(&mut self, node: NodeId, status: NodeStatus) {
        let now = self.now;
        self.apply(Command::UpdateNodeStatus {
            node,
            status,
            event: None,
            evals: vec![],
            now,
        });
    }

    /// Lets services take the place of what has a lower priority.
    pub fn evict_for_services(&mut self) {
        let mut config = SchedulerConfiguration::initial();
        config.preemption_config.service_scheduler_enabled = true;
        self.apply(Command::SetSchedulerConfig {
            config: Box::new(config),
            check_index: None,
        });
    }

    pub fn drain(&mut self, node: NodeId) {
        let update = DrainUpdate {
            strategy: Some(DrainStrategy::default()),
            ..DrainUpdate::default()
        };
        let now = self.now;
        self.apply(Command::UpdateNodeDrains {
            updates: [(node, update)].into(),
            evals: vec![],
            now,
        });
    }

    pub fn key(id: &str) -> JobKey {
        JobKey::new("default", id)
    }

    pub fn register(&mut self, job: Job) {
        let id = job.id.clone();
        let known = self.state.job(&Self::key(id.as_str()));
        if known.is_some_and(|known| !known.stop && known.same_spec(&job)) {
            self.evaluate(id.as_str(), trigger::JOB_REGISTER);
            return;
        }
        self.store(job);
        self.evaluate(id.as_str(), trigger::JOB_REGISTER);
    }

    /// A job that nobody looks at yet.
    pub fn store(&mut self, job: Job) {
        let policy_ids = vec![String::from("p"); job.task_groups.len()];
        self.apply(Command::RegisterJob {
            job: Arc::new(job),
            submission: None,
            eval: None,
            policy_ids,
            now: self.now,
        });
    }

    /// With what an evaluation is looked at that is not carried out.
    pub fn settings(&self) -> Settings {
        Settings {
            now: self.now,
            seed: 1,
            ..Settings::default()
        }
    }

    /// What this evaluation would do now.
    pub fn plan(&self, eval: &Evaluation) -> Plan {
        schedule(&self.state, eval, &self.settings()).plan
    }

    pub fn deregister(&mut self, id: &str) {
        let removal = JobRemoval {
            job: Self::key(id),
            purge: false,
            no_shutdown_delay: false,
            only_if_dead: false,
        };
        let now = self.now;
        self.apply(Command::DeregisterJobs {
            jobs: vec![removal],
            evals: vec![],
            now,
        });
        self.evaluate(id, trigger::JOB_DEREGISTER);
    }

    pub fn evaluate(&mut self, id: &str, why: &str) {
        let job = self
            .state
            .job(&Self::key(id))
            .cloned()
            .expect("the job is registered");
        self.seed += 1;
        let eval = Evaluation {
            id: EvalId::from_u128(0xe000_0000 + u128::from(self.seed)),
            namespace: job.namespace.clone(),
            job_id: job.id.clone(),
            priority: job.priority,
            r#type: job.r#type.clone(),
            triggered_by: why.into(),
            job_modify_index: job.job_modify_index,
            status: EvalStatus::Pending,
            create_time: self.now,
            ..Evaluation::default()
        };
        self.queue.push(eval);
        self.run();
    }

    /// Takes in evaluations that somebody else created, and runs what is due.
    pub fn evaluate_all(&mut self, evals: Vec<Evaluation>) {
        self.queue.extend(evals);
        self.run();
    }

    /// Runs evaluations until none is due.
    pub fn run(&mut self) {
        while !self.queue.is_empty() {
            let eval = self.queue.remove(0);
            self.write(vec![eval.clone()]);
            self.process(eval);
        }
    }

    fn process(&mut self, eval: Evaluation) {
        let mut run = EvalRun::new(Arc::new(eval));
        for _ in 0..20 {
            self.seed += 1;
            let settings = Settings {
                now: self.now,
                seed: self.seed,
                ..Settings::default()
            };
            match run.step(&self.state, &settings) {
                Step::Submit { plan, create } => {
                    self.log.extend(render::end(&create, self.now));
                    self.take_in(create);
                    let refused = self.refused_now();
                    let result = verify_refusing(&self.state, &plan, refused);
                    self.plans += 1;
                    self.log.extend(render::plan(&self.state, &plan, &result));
                    if !result.is_no_op() {
                        let command = to_command(&plan, &result, &self.state, self.seed, self.now);
                        for eval in &command.preemption_evals {
                            self.queue.push(eval.clone());
                        }
                        self.apply(Command::ApplyPlan(Box::new(command)));
                    }
                    run.submitted(&result);
                }
                Step::Done(done) => {
                    self.log.extend(render::end(&done.evals, self.now));
                    self.take_in(done.evals);
                    if let Some(eval) = done.reblock {
                        self.blocked.insert(
                            JobKey::new(eval.namespace.clone(), eval.job_id.clone()),
                            eval,
                        );
                    }
                    return;
                }
            }
        }
        panic!("an evaluation never ended");
    }

    fn refused_now(&mut self) -> Option<NodeId> {
        let (node, left) = self.refuse?;
        self.refuse = (left > 1).then_some((node, left - 1));
        Some(node)
    }

    fn take_in(&mut self, evals: Vec<Evaluation>) {
        for eval in &evals {
            let key = JobKey::new(eval.namespace.clone(), eval.job_id.clone());
            if eval.status == EvalStatus::Blocked {
                self.blocked.insert(key, eval.clone());
            } else if eval.status == EvalStatus::Pending {
                self.delayed.push(eval.clone());
            }
        }
        self.write(evals);
    }

    fn write(&mut self, evals: Vec<Evaluation>) {
        if !evals.is_empty() {
            let now = self.now;
            self.apply(Command::UpsertEvals { evals, now });
        }
    }

    /// Moves the clock and runs what is due.
    pub fn pass(&mut self, seconds: i64) {
        self.now = self.now + Duration::from_secs(seconds);
        let now = self.now;
        let (due, later) = std::mem::take(&mut self.delayed)
            .into_iter()
            .partition(|eval: &Evaluation| UnixNanos::from(eval.wait_until) <= now);
        self.delayed = later;
        self.queue.extend::<Vec<_>>(due);
        self.run();
    }

    /// Wakes what waits for room.
    pub fn unblock(&mut self) {
        self.queue
            .extend(std::mem::take(&mut self.blocked).into_values());
        self.run();
    }

    pub fn allocs(&self, id: &str) -> Vec<Arc<Allocation>> {
        self.state.allocs_of_job(&Self::key(id)).cloned().collect()
    }

    pub fn live(&self, id: &str) -> Vec<Arc<Allocation>> {
        let mut allocs = self.allocs(id);
        allocs.retain(|alloc| !alloc.terminal_status());
        allocs.sort_by_key(|alloc| alloc.index());
        allocs
    }

    /// Clients say how allocations do: those stopped are complete, the others as given.
    pub fn clients(&mut self, id: &str, status: ClientStatus) {
        self.clients_of(id, status, None);
    }

    /// The same of a job that may not be registered.
    pub fn clients_if_any(&mut self, id: &str, status: ClientStatus) {
        if self.state.job(&Self::key(id)).is_some() {
            self.clients(id, status);
        }
    }

    /// Asks for the live allocation of this number to move.
    pub fn migrate(&mut self, id: &str, number: usize) {
        let wish = DesiredTransition {
            migrate: Some(true),
            ..DesiredTransition::default()
        };
        let live = self.live(id);
        let chosen = live.iter().filter(|alloc| alloc.index() == Some(number));
        let transitions = chosen.map(|alloc| (alloc.id, wish)).collect();
        let now = self.now;
        self.apply(Command::UpdateDesiredTransitions {
            transitions,
            evals: vec![],
            now,
        });
        self.evaluate(id, trigger::NODE_DRAIN);
    }

    /// Clients find every allocation of a job healthy, or only one, whether or not a deployment waits for that.
    pub fn judged(&mut self, id: &str, only: Option<usize>) {
        let mut changed = Vec::new();
        let live = self.live(id);
        for alloc in live
            .iter()
            .filter(|alloc| only.is_none() || alloc.index() == only)
        {
            let mut alloc = Allocation::clone(alloc);
            let verdict = alloc.deployment_status.get_or_insert_default();
            (verdict.healthy, verdict.timestamp) = (Some(true), self.now.into());
            changed.push(alloc);
        }
        let now = self.now;
        self.apply(Command::UpdateAllocsFromClient {
            allocs: changed,
            evals: vec![],
            now,
        });
    }

    /// The same of one allocation.
    pub fn clients_of(&mut self, id: &str, status: ClientStatus, only: Option<usize>) {
        let mut changed = Vec::new();
        for alloc in self.allocs(id) {
            let mut alloc = Allocation::clone(&alloc);
            if only.is_some() && alloc.index() != only {
                continue;
            }
            if alloc.server_terminal() && !alloc.client_terminal() {
                alloc.client_status = ClientStatus::Complete;
            } else if !alloc.terminal_status() {
                alloc.client_status = status;
                alloc
                    .task_states
                    .insert("t".to_owned(), task_state(status, self.now));
            } else {
                continue;
            }
            changed.push(alloc);
        }
        let now = self.now;
        self.apply(Command::UpdateAllocsFromClient {
            allocs: changed,
            evals: vec![],
            now,
        });
    }

    /// The newest deployment's allocations are unhealthy.
    pub fn unhealthy(&mut self, id: &str) {
        let latest = self.state.latest_deployment(&Self::key(id));
        let Some(deployment) = latest.filter(|d| d.is_active()).map(|d| d.id) else {
            return;
        };
        let live = self.live(id);
        let unhealthy = live
            .iter()
            .filter(|alloc| alloc.deployment_id == deployment);
        let unhealthy = unhealthy.map(|alloc| alloc.id).collect();
        let now = self.now;
        self.apply(Command::SetAllocHealth {
            deployment,
            healthy: vec![],
            unhealthy,
            update: None,
            job: None,
            eval: None,
            now,
        });
        self.evaluate(id, trigger::DEPLOYMENT_WATCHER);
    }

    /// The newest deployment fails.
    pub fn fail_deployment(&mut self, id: &str) {
        self.set_deployment(id, DeploymentStatus::Failed);
    }

    /// The newest deployment goes on so.
    pub fn set_deployment(&mut self, id: &str, status: DeploymentStatus) {
        let deployment = self.state.latest_deployment(&Self::key(id));
        let now = self.now;
        let update = DeploymentStatusUpdate {
            deployment_id: deployment.expect("there is a deployment").id,
            status,
            status_description: status.as_str().to_owned(),
            updated_at: now,
        };
        self.apply(Command::UpdateDeploymentStatus {
            update,
            job: None,
            eval: None,
            now,
        });
        self.evaluate(id, trigger::DEPLOYMENT_WATCHER);
    }

    /// All that is there runs and proves healthy.
    pub fn run_healthy(&mut self, id: &str) {
        self.clients(id, ClientStatus::Running);
        self.healthy(id);
    }

    /// The newest deployment's allocations are healthy.
    pub fn healthy(&mut self, id: &str) {
        let deployment = self
            .state
            .latest_deployment(&Self::key(id))
            .filter(|d| d.is_active());
        let Some(deployment) = deployment.map(|d| d.id) else {
            return;
        };
        let healthy = self
            .live(id)
            .iter()
            .filter(|alloc| alloc.deployment_id == deployment && !alloc.is_healthy())
            .map(|alloc| alloc.id)
            .collect();
        let now = self.now;
        self.apply(Command::SetAllocHealth {
            deployment,
            healthy,
            unhealthy: vec![],
            update: None,
            job: None,
            eval: None,
            now,
        });
        self.evaluate(id, trigger::DEPLOYMENT_WATCHER);
    }

    /// Whether the newest deployment only waits for its promotion.
    pub fn may_promote(&self, id: &str) -> bool {
        let latest = self.state.latest_deployment(&Self::key(id));
        latest.is_some_and(|latest| {
            let groups = latest.task_groups.values();
            let healthy = |group: &DeploymentState| {
                let canaries = group.placed_canaries.iter();
                let canaries = canaries.filter_map(|id| self.state.alloc(id));
                let standing =
                    |alloc: &&Arc<Allocation>| alloc.is_healthy() && !alloc.terminal_status();
                canaries.filter(standing).count() as i64 >= group.desired_canaries
            };
            latest.is_active()
                && latest.requires_promotion()
                && groups
                    .filter(|group| group.desired_canaries > 0)
                    .all(healthy)
        })
    }

    /// What the watcher of deployments does about failures: they may be replaced.
    pub fn reschedule_failed(&mut self, id: &str) {
        let wish = DesiredTransition {
            reschedule: Some(true),
            ..DesiredTransition::default()
        };
        let failed = |alloc: &Arc<Allocation>| {
            alloc.client_status == ClientStatus::Failed
                && alloc.desired_status == DesiredStatus::Run
                && alloc.next_allocation.is_nil()
                && !alloc.deployment_id.is_nil()
                && !alloc.desired_transition.should_reschedule()
        };
        let failed = self.allocs(id).into_iter().filter(failed);
        let transitions: BTreeMap<_, _> = failed.map(|alloc| (alloc.id, wish)).collect();
        if transitions.is_empty() {
            return;
        }
        let now = self.now;
        self.apply(Command::UpdateDesiredTransitions {
            transitions,
            evals: vec![],
            now,
        });
        self.evaluate(id, trigger::DEPLOYMENT_WATCHER);
    }

    /// What failed may be replaced whatever its policy says.
    pub fn force_reschedule(&mut self, id: &str) {
        let wish = DesiredTransition {
            force_reschedule: Some(true),
            ..DesiredTransition::default()
        };
        let failed = self.allocs(id).into_iter();
        let failed = failed.filter(|alloc| {
            alloc.client_status == ClientStatus::Failed && alloc.next_allocation.is_nil()
        });
        let transitions = failed.map(|alloc| (alloc.id, wish)).collect();
        let now = self.now;
        self.apply(Command::UpdateDesiredTransitions {
            transitions,
            evals: vec![],
            now,
        });
        self.evaluate(id, trigger::JOB_REGISTER);
    }

    /// A second allocation beside the first of the job, of the same name, as two servers that both led could have made.
    pub fn duplicate(&mut self, id: &str) {
        let mut twin = Allocation::clone(&self.live(id)[0]);
        self.seed += 1;
        twin.id = AllocId::from_u128(0xdb1e_0000 + u128::from(self.seed));
        twin.create_index = 0;
        let plan = PlanApply {
            job: twin.job.clone(),
            allocs: vec![twin],
            now: self.now,
            ..PlanApply::default()
        };
        self.apply(Command::ApplyPlan(Box::new(plan)));
    }

    pub fn promote(&mut self, id: &str) {
        let deployment = self
            .state
            .latest_deployment(&Self::key(id))
            .expect("there is a deployment")
            .id;
        let now = self.now;
        self.apply(Command::PromoteDeployment {
            deployment,
            groups: vec![],
            eval: None,
            now,
        });
        self.evaluate(id, trigger::DEPLOYMENT_WATCHER);
    }

    /// Versions of live allocations with how many have them.
    pub fn versions(&self, id: &str) -> BTreeMap<u64, usize> {
        let mut versions = BTreeMap::new();
        for alloc in self.live(id) {
            *versions.entry(alloc.job_version()).or_default() += 1;
        }
        versions
    }

    pub fn names(&self, id: &str) -> Vec<String> {
        self.live(id)
            .iter()
            .map(|alloc| alloc.name.clone())
            .collect()
    }

    pub fn last_eval(&self, id: &str) -> Arc<Evaluation> {
        let evals = self.state.evals_of_job(&Self::key(id));
        evals
            .filter(|eval| eval.is_terminal())
            .max_by_key(|eval| (eval.modify_index, eval.id))
            .cloned()
            .expect("an evaluation is over")
    }

    /// No node has more on it than it holds, and no port, core or device is given twice.
    pub fn check_nodes(&self) {
        for node in self.state.nodes() {
            let room = capacity(node);
            let mut used = caravan_state::Amount::default();
            let mut once = std::collections::BTreeSet::new();
            let live = self.state.allocs_of_node(&node.id);
            for alloc in live.filter(|alloc| !alloc.terminal_status()) {
                let given = alloc
                    .allocated_resources
                    .as_ref()
                    .expect("placed with resources");
                used.add(caravan_state::Amount::of(given));
                for port in given
                    .shared
                    .ports
                    .iter()
                    .filter(|port| !port.ignore_collision)
                {
                    let port = format!("port {}:{}", port.host_ip, port.value);
                    assert!(once.insert(port.clone()), "{port} twice");
                }
                for (_, task) in &given.tasks {
                    for core in &task.cpu.reserved_cores {
                        assert!(once.insert(format!("core {core}")), "core {core} twice");
                    }
                    for id in task.devices.iter().flat_map(|device| &device.device_ids) {
                        assert!(once.insert(format!("device {id}")), "device {id} twice");
                    }
                }
            }
            let lacks = room.lacks(used);
            assert_eq!(lacks, None, "{} has {used:?} given of {room:?}", node.name);
        }
    }
}

/// Only a part that places something can be refused: what merely stops always fits.
fn verify_refusing(state: &State, plan: &Plan, refused: Option<NodeId>) -> PlanResult {
    let refused = refused.filter(|node| plan.node_allocation.contains_key(node));
    let Some(node) = refused else {
        return verify(state, plan);
    };
    let mut result = verify(state, &without(state, plan, &[node].into()));
    result.rejected_nodes.push(node);
    result.refresh_index = state.index().max(1);
    result
}

fn task_state(status: ClientStatus, now: UnixNanos) -> TaskState {
    let over = status.is_terminal();
    TaskState {
        state: if over {
            TaskPhase::Dead
        } else {
            TaskPhase::Running
        },
        failed: status == ClientStatus::Failed,
        started_at: now.into(),
        finished_at: if over { now.into() } else { Timestamp::ZERO },
        ..TaskState::default()
    }
}
