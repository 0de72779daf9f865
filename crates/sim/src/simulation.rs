//! One run: trouble first, then peace, then the question whether all work is done.

use crate::clients::{Client, set_status};
use crate::plans::Queue;
use crate::workers::Worker;
use crate::world::World;
use crate::{faults, invariants, shapes};
use caravan_control::liveness::status_of_silent;
use caravan_control::{Controller, Ids, Settings, controllers};
use caravan_model::*;
use caravan_state::{Command, State};
use std::fmt;

/// How large a run is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// How many nodes there are.
    pub nodes: usize,
    /// How many jobs there are at first.
    pub jobs: usize,
    /// The highest count of a group.
    pub most: i64,
    /// For how many rounds things go wrong.
    pub trouble: usize,
}

impl Size {
    /// A handful of nodes and jobs.
    pub const SMALL: Self = Self {
        nodes: 5,
        jobs: 4,
        most: 4,
        trouble: 80,
    };
    /// Thousands of nodes.
    pub const BIG: Self = Self {
        nodes: 2000,
        jobs: 20,
        most: 60,
        trouble: 30,
    };
}

/// Why a run failed. Shown, it tells the seed and the last things that happened.
pub struct Failure {
    /// What repeats it.
    pub seed: u64,
    /// What did not hold.
    pub what: String,
    story: Vec<String>,
}

impl fmt::Debug for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.story {
            writeln!(out, "  {line}")?;
        }
        write!(out, "seed {}: {}", self.seed, self.what)
    }
}

/// What a run came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Report {
    /// How many rounds it took.
    pub rounds: usize,
    /// The last index of the log.
    pub commands: u64,
    /// How many allocations there were at the end.
    pub allocs: usize,
    /// How many evaluations were woken by room that came free.
    pub woken: u64,
}

/// A cluster on its way.
pub struct Simulation {
    size: Size,
    world: World,
    clients: Vec<Client>,
    workers: Vec<Worker>,
    plans: Queue,
    duties: Vec<Duty>,
    /// When evaluations that lost too many races for room are tried again.
    losers_try_at: UnixNanos,
}

struct Duty {
    controller: Box<dyn Controller>,
    wake_at: Option<UnixNanos>,
    seen: u64,
}

/// How often those are tried again that lost too many races for room.
const LOSERS_WAIT: Duration = Duration::from_secs(60);
/// A duty that is to be done before this has passed is not over.
const SOON: Duration = Duration::from_secs(2);
/// How many workers there are.
const WORKERS: usize = 3;
/// The longest that a cluster may take to come to rest once the trouble is over.
const PATIENCE: Duration = Duration::from_secs(3600);

fn duties() -> Vec<Duty> {
    let fresh = |controller| Duty {
        controller,
        wake_at: None,
        seen: 0,
    };
    controllers(&Settings::default())
        .into_iter()
        .map(fresh)
        .collect()
}

impl Simulation {
    /// Runs a cluster of this size from trouble to rest.
    ///
    /// # Errors
    /// What did not hold, with the seed.
    pub fn run(seed: u64, size: Size) -> Result<Report, Failure> {
        let mut run = Self::begin(seed, size);
        run.go().map_err(|what| {
            let mut story = std::mem::take(&mut run.world.story);
            story.extend(invariants::all_told(&run.world.state));
            Failure { seed, what, story }
        })
    }

    fn begin(seed: u64, size: Size) -> Self {
        let mut world = World::new(seed);
        let mut clients = Vec::with_capacity(size.nodes);
        for number in 0..size.nodes {
            let node = shapes::node(number, &mut world.random);
            clients.push(Client::new(node.id));
            let now = world.now;
            world.apply(Command::RegisterNode {
                node: Box::new(node),
                create_pool: false,
                evals: Vec::new(),
                now,
            });
        }
        for number in 0..size.jobs {
            let job = shapes::job(number, size.most, &mut world.random);
            world.register(job);
        }
        Self {
            size,
            world,
            clients,
            workers: (0..WORKERS).map(|_| Worker::default()).collect(),
            plans: Queue::default(),
            duties: duties(),
            losers_try_at: UnixNanos(0),
        }
    }

    fn go(&mut self) -> Result<Report, String> {
        let mut rounds = 0;
        for _ in 0..self.size.trouble {
            rounds += 1;
            if self.world.random.chance(300) {
                faults::strike(&mut self.world, &mut self.clients, self.size.most);
            }
            if self.world.random.chance(10) {
                self.change_leader();
            }
            if self.world.random.chance(15) {
                self.lose_a_worker();
            }
            self.round(100, 30)?;
        }
        self.world.tell(|| "the trouble is over".to_owned());
        faults::mend(&mut self.world, &mut self.clients);
        let end = self.world.now + PATIENCE;
        while !self.is_at_rest() {
            if self.world.now > end {
                let open = self.still_open();
                return Err(format!("the cluster does not come to rest: {open}"));
            }
            rounds += 1;
            self.round(0, 0)?;
        }
        invariants::check_at_rest(&self.world)?;
        self.dump_is_faithful()?;
        Ok(Report {
            rounds,
            commands: self.world.state.index(),
            allocs: self.world.state.alloc_count(),
            woken: self.world.queues.blocked.stats().woken,
        })
    }

    /// A moment passes, in which everybody does something, in an order that chance decides.
    fn round(&mut self, refused: usize, failing: usize) -> Result<(), String> {
        let moment = Duration::from_millis(self.world.random.between(50, 2000));
        self.world.pass(moment);
        let mut turns: Vec<usize> = (0..6).collect();
        for last in (1..turns.len()).rev() {
            let other = self.world.random.below(last + 1);
            turns.swap(last, other);
        }
        for turn in turns {
            match turn {
                0 => self.world.listen(),
                1 => self.work()?,
                2 => self.plans.verify(&mut self.world, refused),
                3 => self.plans.commit(&mut self.world, &mut self.workers),
                4 => self.clients_step(failing)?,
                _ => self.lead(),
            }
            invariants::check(&mut self.world, &self.workers)?;
        }
        Ok(())
    }

    fn work(&mut self) -> Result<(), String> {
        for _ in 0..WORKERS * 2 {
            let number = self.world.random.below(WORKERS);
            self.workers[number].step(number, &mut self.world, &mut self.plans);
            invariants::check(&mut self.world, &self.workers)?;
        }
        Ok(())
    }

    fn clients_step(&mut self, failing: usize) -> Result<(), String> {
        // In a large cluster not everybody has something to say at the same moment.
        let share = 1000 * 50 / self.clients.len().max(50);
        for client in &mut self.clients {
            if self.world.random.chance(share) || client.is_due(self.world.now) {
                client.step(&mut self.world, failing);
            }
        }
        invariants::check(&mut self.world, &self.workers)
    }

    /// The leader's duties beside scheduling.
    fn lead(&mut self) {
        let world = &mut self.world;
        let (state, now) = (world.state.clone(), world.now);
        world.queues.tick(&state, now);
        self.try_losers_again();
        self.cancel_superfluous();
        self.give_up_undeliverable();
        self.mark_silent();
        for duty in &mut self.duties {
            let world = &mut self.world;
            let due = duty.wake_at.is_none_or(|at| at <= world.now);
            if !due && duty.seen == world.state.index() {
                continue;
            }
            duty.seen = world.state.index();
            let state = world.state.clone();
            let random = &mut world.random;
            let mut fresh = || random.id();
            let step = duty
                .controller
                .step(&state, world.now, &mut Ids(&mut fresh));
            duty.wake_at = step.wake_at;
            for command in step.commands {
                let name = duty.controller.name();
                world.tell(|| format!("{name}: {}", command.event_type()));
                world.apply(command);
            }
        }
    }

    /// Who lost too many races for room gets another try now and then.
    fn try_losers_again(&mut self) {
        let world = &mut self.world;
        if world.now < self.losers_try_at {
            return;
        }
        self.losers_try_at = world.now + LOSERS_WAIT;
        for eval in world.queues.blocked.unblock_failed() {
            world.queues.broker.enqueue(eval, None, world.now);
        }
    }

    fn cancel_superfluous(&mut self) {
        let world = &mut self.world;
        let mut gone = world.queues.broker.take_cancelable(100);
        gone.extend(world.queues.blocked.take_duplicates(100));
        let evals: Vec<Evaluation> = gone
            .iter()
            .map(|eval| Evaluation {
                status: EvalStatus::Canceled,
                ..Evaluation::clone(eval)
            })
            .collect();
        if !evals.is_empty() {
            let now = world.now;
            world.apply(Command::UpsertEvals { evals, now });
        }
    }

    fn give_up_undeliverable(&mut self) {
        let world = &mut self.world;
        let token = world.random.bits().to_string();
        while let Some(eval) = world.queues.broker.dequeue_failed(token.clone(), world.now) {
            let job = world
                .state
                .job(&caravan_state::JobKey::new(
                    eval.namespace.clone(),
                    eval.job_id.clone(),
                ))
                .cloned();
            let given_up = Evaluation {
                status: EvalStatus::Failed,
                ..Evaluation::clone(&eval)
            };
            let mut evals = vec![given_up];
            if let Some(job) = job {
                evals.push(Evaluation {
                    wait: Duration::from_secs(60),
                    previous_eval: eval.id,
                    ..world.evaluation(&job, trigger::FAILED_FOLLOW_UP)
                });
            }
            let now = world.now;
            world.apply(Command::UpsertEvals { evals, now });
            let state = world.state.clone();
            // It was taken a line above.
            let _ = world.queues.ack(eval.id, &token, None, &state, now);
        }
    }

    fn mark_silent(&mut self) {
        let world = &mut self.world;
        let (silent, _) = world.liveness.tick(world.now);
        for id in silent {
            let Some(node) = world.state.node(&id).cloned() else {
                continue;
            };
            let status = status_of_silent(&world.state, &node, world.now);
            set_status(world, &node, status);
            if status == NodeStatus::Disconnected {
                world.liveness.beat(id, world.now, 0.0);
            }
        }
    }

    fn change_leader(&mut self) {
        self.world.tell(|| "another leader takes over".to_owned());
        for worker in &mut self.workers {
            worker.vanish();
        }
        self.plans.clear();
        self.duties = duties();
        self.world.change_leader();
    }

    fn lose_a_worker(&mut self) {
        let number = self.world.random.below(WORKERS);
        if !self.workers[number].awaits_plan() {
            self.world.tell(|| format!("worker {number} is lost"));
            self.workers[number].vanish();
        }
    }

    fn is_at_rest(&self) -> bool {
        let now = self.world.now.into();
        let idle = self.workers.iter().all(|worker| worker.holds().is_none());
        let quiet = |eval: &Evaluation| {
            eval.is_terminal() || eval.status == EvalStatus::Blocked || eval.wait_until > now
        };
        idle && self.plans.is_empty()
            && self.world.has_heard_all()
            && !self.clients.iter().any(Client::is_busy)
            && self.world.state.evals().all(|eval| quiet(eval))
            && self.nothing_is_queued()
            && self.duties_are_done()
            && !self.a_loser_has_room()
            && self
                .world
                .state
                .deployments()
                .all(|row| !row.is_active() || self.is_stuck(row))
            && self.world.state.nodes().all(|node| node.is_ready())
            && self.world.state.allocs().all(|alloc| {
                alloc.terminal_status() || alloc.client_status != ClientStatus::Pending
            })
    }

    /// Whether the broker has nothing to hand out but what waits for its own time: a blocked evaluation that was woken
    /// is blocked in the state until it is done, be its worker lost or its next delivery delayed.
    fn nothing_is_queued(&self) -> bool {
        let (broker, now) = (&self.world.queues.broker, self.world.now.into());
        let queued = |eval: &Evaluation| eval.wait_until <= now && broker.knows(eval.id);
        broker.stats().cancelable == 0 && !self.world.state.evals().any(|eval| queued(eval))
    }

    /// Whether every duty has looked at the state as it is, and wants nothing of it before long: one that gathers news
    /// has work to do.
    fn duties_are_done(&self) -> bool {
        let soon = self.world.now + SOON;
        self.duties.iter().all(|duty| {
            duty.seen == self.world.state.index() && duty.wake_at.is_none_or(|at| at > soon)
        })
    }

    /// Whether an evaluation that lost too many races would find room now: it is tried again within a minute.
    fn a_loser_has_room(&self) -> bool {
        self.world.state.evals().any(|eval| {
            eval.status == EvalStatus::Blocked
                && eval.triggered_by == trigger::MAX_PLANS
                && invariants::blocked_for_a_reason(&self.world, eval).is_err()
        })
    }

    /// A rollout that waits for room has nothing else to do.
    fn is_stuck(&self, row: &Deployment) -> bool {
        let key = caravan_state::JobKey::new(row.namespace.clone(), row.job_id.clone());
        self.world
            .state
            .open_evals_of_job(&key)
            .any(|eval| eval.status == EvalStatus::Blocked)
    }

    fn still_open(&self) -> String {
        let state = &self.world.state;
        let evals = state
            .evals()
            .filter(|eval| !eval.is_terminal())
            .map(|eval| format!("{} of {} {}", eval.id, eval.job_id, eval.status));
        let rollouts = state
            .deployments()
            .filter(|row| row.is_active())
            .map(|row| {
                format!(
                    "rollout of {} v{} {:?}",
                    row.job_id, row.job_version, row.task_groups
                )
            });
        let nodes = state
            .nodes()
            .filter(|node| !node.is_ready())
            .map(|node| format!("{} {}", node.name, node.status));
        let versions = state
            .jobs()
            .map(|job| format!("{} is at v{}, stopped: {}", job.id, job.version, job.stop));
        evals
            .chain(rollouts)
            .chain(nodes)
            .chain(versions)
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// The state survives its dump, byte for byte.
    fn dump_is_faithful(&self) -> Result<(), String> {
        if self.size.nodes > 100 {
            return Ok(());
        }
        let dump = self.world.state.dump();
        let restored = State::restore(&dump).map_err(|error| error.to_string())?;
        if restored.dump() == dump {
            Ok(())
        } else {
            Err("a dump of the restored dump differs".to_owned())
        }
    }
}
