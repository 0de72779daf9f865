//! Whatever happened to a cluster: once a controller's wishes are carried out, it wants nothing more.

use super::*;
use crate::cluster::*;
use crate::drain::drain_update;
use caravan_model::*;
use caravan_state::{Command, JobRemoval, PlanApply};
use proptest::prelude::*;

const JOBS: [&str; 3] = ["web", "sum", "report"];
const NODES: u128 = 3;

/// Something that happens to a cluster.
#[derive(Debug, Clone)]
enum Happening {
    Pass(i64),
    Register {
        job: usize,
        priority: i64,
        prohibit_overlap: bool,
    },
    Stop(usize),
    MarkStable(usize),
    Deploy {
        job: usize,
        canaries: i64,
        auto: bool,
        deadline: bool,
    },
    Place {
        job: usize,
        node: u128,
        canary: bool,
    },
    Tell {
        alloc: usize,
        status: ClientStatus,
        healthy: Option<bool>,
    },
    FinishEvals(usize),
    Drain {
        node: u128,
        deadline: i64,
        ignore_system_jobs: bool,
    },
    CallOff(u128),
    NodeDown(u128),
    Settle(usize),
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    let job = || prop_oneof![2 => Just(0_usize), 1 => 0..JOBS.len()];
    let node = || 1..=NODES;
    let status = prop_oneof![
        3 => Just(ClientStatus::Running),
        1 => Just(ClientStatus::Complete),
        1 => Just(ClientStatus::Failed),
    ];
    let healthy = prop_oneof![Just(None), Just(Some(true)), Just(Some(false))];
    prop_oneof![
        3 => prop_oneof![0..90_i64, 0..50_000_i64].prop_map(Pass),
        1 => (job(), 1..100_i64, any::<bool>()).prop_map(|(job, priority, prohibit_overlap)| {
            Register { job, priority, prohibit_overlap }
        }),
        1 => job().prop_map(Stop),
        1 => job().prop_map(MarkStable),
        2 => (job(), 0..3_i64, any::<bool>(), any::<bool>()).prop_map(|(job, canaries, auto, deadline)| {
            Deploy { job, canaries, auto, deadline }
        }),
        6 => (job(), node(), any::<bool>()).prop_map(|(job, node, canary)| Place { job, node, canary }),
        6 => (0..40_usize, status, healthy).prop_map(|(alloc, status, healthy)| {
            Tell { alloc, status, healthy }
        }),
        2 => job().prop_map(FinishEvals),
        1 => (node(), -1..600_i64, any::<bool>()).prop_map(|(node, deadline, ignore_system_jobs)| {
            Drain { node, deadline, ignore_system_jobs }
        }),
        1 => node().prop_map(CallOff),
        1 => node().prop_map(NodeDown),
        4 => (0..4_usize).prop_map(Settle),
    ]
}

struct World {
    cluster: Cluster,
    controllers: Vec<Box<dyn Controller>>,
    placed: u128,
    deployed: u128,
}

impl World {
    fn new() -> Self {
        let mut cluster = Cluster::new();
        for node in 1..=NODES {
            cluster.add_node(node);
        }
        for id in JOBS {
            cluster.register(registered(id, 50, false));
        }
        Self {
            cluster,
            controllers: controllers(&Settings::default()),
            placed: 0,
            deployed: 0,
        }
    }

    fn live_job(&self, job: usize) -> Option<Job> {
        let job = self.cluster.state.job(&key(JOBS[job]))?;
        (!job.stop).then(|| Job::clone(job))
    }

    fn settle(&mut self, which: usize) {
        let controller = self.controllers[which].as_mut();
        let (commands, wake) = self.cluster.settle(controller);
        let now = self.cluster.now;
        assert!(
            wake.is_none_or(|at| at > now),
            "{} wants to wake at {wake:?}, now {now:?}",
            controller.name()
        );
        let still = |command: &Command| matches!(command, Command::UpsertEvals { evals, .. } if evals.is_empty());
        assert!(
            !commands.iter().any(still),
            "an empty command of {}",
            controller.name()
        );
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Pass(seconds) => self.cluster.pass(seconds),
            Happening::Register {
                job,
                priority,
                prohibit_overlap,
            } => {
                let job = registered(JOBS[job], priority, prohibit_overlap);
                self.cluster.register(job);
            }
            Happening::Stop(job) => {
                if self.live_job(job).is_some() {
                    let job = key(JOBS[job]);
                    let jobs = vec![JobRemoval {
                        job,
                        purge: false,
                        no_shutdown_delay: false,
                        only_if_dead: false,
                    }];
                    let now = self.cluster.now;
                    self.cluster.apply(Command::DeregisterJobs {
                        jobs,
                        evals: Vec::new(),
                        now,
                    });
                }
            }
            Happening::MarkStable(job) => {
                if let Some(job) = self.live_job(job) {
                    let key = key(job.id.as_str());
                    self.cluster.apply(Command::SetJobStability {
                        job: key,
                        version: job.version,
                        stable: true,
                    });
                }
            }
            Happening::Deploy {
                job,
                canaries,
                auto,
                deadline,
            } => self.deploy(job, canaries, auto, deadline),
            Happening::Place { job, node, canary } => self.place(job, node, canary),
            Happening::Tell {
                alloc,
                status,
                healthy,
            } => {
                let number = u128::try_from(alloc).unwrap_or_default() % self.placed.max(1);
                let id = alloc_id(number + 1);
                if self
                    .cluster
                    .state
                    .alloc(&id)
                    .is_some_and(|alloc| !alloc.client_terminal())
                {
                    self.cluster.tell(id, status, healthy);
                }
            }
            Happening::FinishEvals(job) => {
                self.cluster.finish_evals(JOBS[job]);
            }
            Happening::Drain {
                node,
                deadline,
                ignore_system_jobs,
            } => {
                let spec = DrainSpec {
                    deadline: Duration::from_secs(deadline),
                    ignore_system_jobs,
                };
                self.drain(node, Some(spec));
            }
            Happening::CallOff(node) => self.drain(node, None),
            Happening::NodeDown(node) => {
                let (node, now) = (node_id(node), self.cluster.now);
                if self.cluster.state.node(&node).is_some() {
                    let status = NodeStatus::Down;
                    self.cluster.apply(Command::UpdateNodeStatus {
                        node,
                        status,
                        event: None,
                        evals: Vec::new(),
                        now,
                    });
                }
            }
            Happening::Settle(which) => self.settle(which),
        }
    }

    fn deploy(&mut self, job: usize, canaries: i64, auto: bool, deadline: bool) {
        let Some(job) = self.live_job(job) else {
            return;
        };
        self.deployed += 1;
        let group = DeploymentState {
            auto_revert: auto,
            auto_promote: auto,
            desired_canaries: canaries,
            desired_total: 2,
            progress_deadline: Duration::from_secs(if deadline { 60 } else { 0 }),
            ..DeploymentState::default()
        };
        let deployment = Deployment {
            id: deployment_id(self.deployed),
            namespace: job.namespace.clone(),
            job_id: job.id.clone(),
            job_version: job.version,
            job_create_index: job.create_index,
            task_groups: [("web".to_owned(), group)].into(),
            ..Deployment::default()
        };
        self.cluster.plan(PlanApply {
            deployment: Some(Box::new(deployment)),
            ..PlanApply::default()
        });
    }

    fn place(&mut self, job: usize, node: u128, canary: bool) {
        let Some(job) = self.live_job(job) else {
            return;
        };
        let deployment = self
            .cluster
            .state
            .latest_deployment(&key(job.id.as_str()))
            .filter(|row| row.is_active());
        let deployment = deployment.map_or(DeploymentId::NIL, |row| row.id);
        self.placed += 1;
        self.cluster.place(self.placed, &job, |alloc| {
            alloc.node_id = node_id(node);
            alloc.deployment_id = deployment;
            alloc.deployment_status = canary.then(|| AllocDeploymentStatus {
                canary,
                ..AllocDeploymentStatus::default()
            });
        });
    }

    fn drain(&mut self, node: u128, spec: Option<DrainSpec>) {
        let Some(node) = self.cluster.state.node(&node_id(node)).cloned() else {
            return;
        };
        let (update, evals) = self.cluster.with_ids(|state, now, ids| {
            drain_update(
                state,
                &node,
                spec.as_ref(),
                true,
                StringMap::new(),
                now,
                ids,
            )
        });
        let now = self.cluster.now;
        self.cluster.apply(Command::UpdateNodeDrains {
            updates: [(node.id, update)].into(),
            evals,
            now,
        });
    }
}

/// `web` is a service, `sum` a batch job whose failures are final, `report` a periodic one.
fn registered(id: &str, priority: i64, prohibit_overlap: bool) -> Job {
    let mut job = Job {
        priority,
        ..service(id, 2)
    };
    if id != "web" {
        job.r#type = job_type::BATCH.to_owned();
        job.task_groups[0].reschedule_policy = Some(ReschedulePolicy::default());
    }
    if id == "report" {
        job.periodic = Some(PeriodicConfig {
            enabled: true,
            specs: vec!["*/5 * * * *".to_owned()],
            prohibit_overlap,
            ..PeriodicConfig::default()
        });
    }
    job
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_wanted_is_wanted_once(happenings in prop::collection::vec(happening(), 1..60)) {
        let mut world = World::new();
        for happening in happenings {
            world.happen(happening);
        }
        for which in 0..world.controllers.len() {
            world.settle(which);
        }
        // A new leader wants nothing that is not already done, but for launches that it makes up.
        world.controllers = controllers(&Settings::default());
        for which in 0..world.controllers.len() {
            world.settle(which);
        }
    }
}
