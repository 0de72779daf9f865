//! The life of an allocation as a state machine over its tasks: which may start, which must end, how it does.
//!
//! Reads no clock and does nothing itself: [`AllocMachine::handle`] answers with effects for the runner, and
//! [`AllocMachine::wake_at`] says when it wants [`Event::Tick`].

use std::sync::Arc;

use caravan_model::task_event as event;
use caravan_model::{
    AllocDeploymentStatus, Allocation, ClientStatus, Duration, RestartPolicy, Task, TaskEvent,
    TaskGroup, TaskStates, Timestamp, UnixNanos,
};

use super::health::{CheckState, Health, Verdict};
use super::status::client_status;
use crate::clock::after;
use crate::task::machine::{Action, Input, Stage, TaskMachine};

#[cfg(test)]
mod tests;

/// Something that happened.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The alloc-wide hooks are to run.
    Begin,
    SetUp(Result<(), String>),
    Task(String, Input),
    /// It is to end. `all`: at once, tasks of stage poststop included.
    Stop {
        no_delay: bool,
        all: bool,
    },
    /// A user, template or check asks for restarts: of one task, of those that run, or of all.
    Restart {
        which: Which,
        failure: bool,
        reason: String,
    },
    Checks(Vec<CheckState>),
    /// The servers changed it.
    Update(Arc<Allocation>),
    /// The client is connected again.
    Reconnected,
    Tick,
}

/// The tasks a restart is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Task(String),
    Running,
    All,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    SetUp,
    Task(String, Action),
    /// Announce the services of the group.
    Announce,
    Withdraw,
    TearDown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    New,
    SettingUp,
    Running,
    Done,
}

#[derive(Clone, Copy, Debug)]
struct Stopping {
    no_delay: bool,
    /// Tasks are told to end from then on: the group's own shutdown delay.
    from: UnixNanos,
}

/// Limits of the node that apply to tasks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_kill_timeout: Duration,
    /// Checks in Consul count for health.
    pub(crate) consul: bool,
}

/// One allocation.
#[derive(Clone, Debug)]
pub(crate) struct AllocMachine {
    tasks: Vec<TaskMachine>,
    phase: Phase,
    stopping: Option<Stopping>,
    announced: bool,
    group_delay: Duration,
    /// When the first of its tasks started.
    began: Option<UnixNanos>,
    /// From `began` on.
    max_run: Option<Duration>,
    over_time: bool,
    health: Health,
    deployment_status: Option<AllocDeploymentStatus>,
    deployment: caravan_model::DeploymentId,
    limits: Limits,
}

pub(crate) fn stage_of_task(task: &TaskMachine) -> Stage {
    task.stage
}

fn max_run(group: &TaskGroup) -> Option<Duration> {
    group.max_run_duration.filter(|most| most.0 > 0)
}

fn policy_of(group: &TaskGroup, task: &Task) -> RestartPolicy {
    if task.restart_policy.mode.is_empty() {
        group.restart_policy.clone()
    } else {
        task.restart_policy.clone()
    }
}

impl AllocMachine {
    /// An allocation that was just received. Its job holds its group: the caller has checked.
    pub(crate) fn new(
        alloc: &Allocation,
        group: &TaskGroup,
        limits: Limits,
        now: UnixNanos,
    ) -> Self {
        let batch = alloc.job.as_ref().is_some_and(|job| job.is_batch_like());
        let (seed, _) = alloc.id.0.as_u64_pair();
        let new_task = |(number, task): (usize, &Task)| {
            let seed = seed.wrapping_add(number as u64 * 2);
            TaskMachine::new(
                task,
                policy_of(group, task),
                batch,
                limits.max_kill_timeout,
                now,
                seed,
            )
        };
        Self {
            tasks: group.tasks.iter().enumerate().map(new_task).collect(),
            phase: Phase::New,
            stopping: None,
            announced: false,
            group_delay: group.shutdown_delay.unwrap_or_default(),
            began: None,
            max_run: max_run(group),
            over_time: false,
            health: Health::new(alloc, limits.consul),
            deployment_status: alloc.deployment_status,
            deployment: alloc.deployment_id,
            limits,
        }
    }

    /// Takes stored task states over, and when the first of them started.
    pub(crate) fn restore(
        &mut self,
        states: &TaskStates,
        status: Option<AllocDeploymentStatus>,
        began: Option<UnixNanos>,
    ) {
        for task in &mut self.tasks {
            if let Some(state) = states.get(&task.name) {
                task.restore(state.clone());
            }
        }
        // Earlier agents did not keep it.
        let ran = self.tasks.iter().filter(|task| task.has_run());
        self.began = began.or_else(|| ran.map(TaskMachine::running_since).min());
        if status.is_some() {
            self.deployment_status = status;
        }
    }

    pub(crate) fn task(&self, name: &str) -> Option<&TaskMachine> {
        self.tasks.iter().find(|task| task.name == name)
    }

    pub(crate) fn task_states(&self) -> TaskStates {
        self.tasks
            .iter()
            .map(|task| (task.name.clone(), task.state.clone()))
            .collect()
    }

    pub(crate) fn client_status(&self) -> (ClientStatus, &'static str) {
        client_status(self.tasks.iter().map(|task| &task.state))
    }

    /// When the first of its tasks started.
    pub(crate) fn began(&self) -> Option<UnixNanos> {
        self.began
    }

    pub(crate) fn deployment_status(&self) -> Option<AllocDeploymentStatus> {
        self.deployment_status
    }

    /// Whether all is over and cleaned up.
    pub(crate) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    pub(crate) fn wake_at(&self) -> Option<UnixNanos> {
        let tasks = self.tasks.iter().filter_map(TaskMachine::wake_at);
        let stop = self
            .stopping
            .map(|stopping| stopping.from)
            .filter(|_| !self.kills_told());
        let health = self
            .health
            .wake_at(&self.tasks)
            .filter(|_| self.phase == Phase::Running);
        let limit = self
            .run_until()
            .filter(|_| self.stopping.is_none() && !self.over_time);
        tasks.chain(stop).chain(health).chain(limit).min()
    }

    /// Until when it may run.
    fn run_until(&self) -> Option<UnixNanos> {
        Some(after(self.began?, self.max_run?))
    }

    fn kills_told(&self) -> bool {
        self.tasks
            .iter()
            .all(|task| task.is_dead() || task.is_killed() || task.stage == Stage::Poststop)
    }

    /// The clock was set: every deadline moves along.
    pub(crate) fn shift(&mut self, by: Duration) {
        for task in &mut self.tasks {
            task.shift(by);
        }
        self.health.shift(by);
        if let Some(stopping) = &mut self.stopping {
            stopping.from = after(stopping.from, by);
        }
        if let Some(began) = &mut self.began {
            *began = after(*began, by);
        }
    }

    pub(crate) fn handle(&mut self, event: Event, now: UnixNanos) -> Vec<Effect> {
        let mut out = Vec::new();
        match event {
            // One that had ended before the agent restarted needs nothing but a tidy end.
            Event::Begin if self.phase == Phase::New && !self.has_ended() => {
                self.phase = Phase::SettingUp;
                out.push(Effect::SetUp);
            }
            Event::Begin => {}
            Event::SetUp(result) => self.set_up(result, now),
            Event::Task(name, input) => self.tell(&name, input, now, &mut out),
            Event::Stop { no_delay, all } => self.stop(no_delay, all, now, &mut out),
            Event::Restart {
                which,
                failure,
                reason,
            } => self.restart(&which, failure, &reason, now, &mut out),
            Event::Checks(checks) => self.health.set_checks(checks, now),
            Event::Update(alloc) => self.update(&alloc),
            Event::Reconnected => self.note_all(|| TaskEvent::new(event::RECONNECTED, now)),
            Event::Tick => {
                let names: Vec<String> = self.tasks.iter().map(|task| task.name.clone()).collect();
                for name in names {
                    self.tell(&name, Input::Tick, now, &mut out);
                }
            }
        }
        self.advance(now, &mut out);
        out
    }

    fn note_all(&mut self, make: impl Fn() -> TaskEvent) {
        for task in &mut self.tasks {
            task.state.add_event(make());
        }
    }

    fn tell(&mut self, name: &str, input: Input, now: UnixNanos, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.iter_mut().find(|task| task.name == name) else {
            return;
        };
        let actions = task.handle(input, now);
        out.extend(
            actions
                .into_iter()
                .map(|action| Effect::Task(name.to_owned(), action)),
        );
    }

    fn set_up(&mut self, result: Result<(), String>, now: UnixNanos) {
        if self.phase != Phase::SettingUp {
            return;
        }
        self.phase = Phase::Running;
        if let Err(why) = result {
            for task in self.tasks.iter_mut().filter(|task| !task.is_dead()) {
                task.fail_setup(&why, now);
            }
        }
    }

    fn stop(&mut self, no_delay: bool, all: bool, now: UnixNanos, out: &mut Vec<Effect>) {
        if self.stopping.is_none() {
            out.push(Effect::Withdraw);
            let begun = matches!(self.phase, Phase::Running)
                && self.tasks.iter().any(TaskMachine::is_running);
            let delay = if no_delay || !begun {
                Duration::ZERO
            } else {
                self.group_delay
            };
            self.stopping = Some(Stopping {
                no_delay,
                from: after(now, delay),
            });
        } else if no_delay {
            self.stopping = Some(Stopping {
                no_delay,
                from: now,
            });
        }
        let early = matches!(self.phase, Phase::New | Phase::SettingUp);
        if all || early {
            let names: Vec<String> = self.tasks.iter().map(|task| task.name.clone()).collect();
            for name in names {
                self.tell(
                    &name,
                    Input::Kill {
                        why: None,
                        no_delay,
                    },
                    now,
                    out,
                );
            }
        }
    }

    fn restart(
        &mut self,
        which: &Which,
        failure: bool,
        reason: &str,
        now: UnixNanos,
        out: &mut Vec<Effect>,
    ) {
        if self.stopping.is_some() {
            return;
        }
        let wanted = |task: &TaskMachine| match which {
            Which::Task(name) => task.name == *name,
            Which::Running => task.is_running(),
            Which::All => true,
        };
        let names: Vec<String> = self
            .tasks
            .iter()
            .filter(|task| wanted(task))
            .map(|t| t.name.clone())
            .collect();
        for name in names {
            let why = TaskEvent::new(event::RESTART_SIGNAL, now).restart_reason(reason);
            let dead_too = *which == Which::All;
            self.tell(
                &name,
                Input::Restart {
                    why,
                    failure,
                    dead_too,
                },
                now,
                out,
            );
        }
    }

    fn update(&mut self, alloc: &Allocation) {
        let same = alloc.deployment_id == self.deployment;
        if !same {
            self.deployment = alloc.deployment_id;
            self.deployment_status = alloc.deployment_status;
        }
        self.health.update(alloc, same);
        let Some(job) = &alloc.job else { return };
        let Some(group) = job.lookup_task_group(&alloc.task_group) else {
            return;
        };
        self.group_delay = group.shutdown_delay.unwrap_or_default();
        self.max_run = max_run(group);
        for task in &mut self.tasks {
            if let Some(new) = group.lookup_task(&task.name) {
                task.update(new, policy_of(group, new), self.limits.max_kill_timeout);
            }
        }
    }

    /// Everything that follows from how the tasks stand now.
    fn advance(&mut self, now: UnixNanos, out: &mut Vec<Effect>) {
        if self.phase != Phase::Running {
            return self.finish_early(out);
        }
        if self.began.is_none() && self.tasks.iter().any(TaskMachine::has_run) {
            self.began = Some(now);
        }
        self.over_time |=
            self.stopping.is_none() && self.run_until().is_some_and(|until| now >= until);
        self.end_tasks(now, out);
        self.start_ready(now, out);
        self.judge(now);
        if !self.announced
            && self
                .tasks
                .iter()
                .any(|task| task.stage == Stage::Main && task.is_running())
        {
            self.announced = true;
            out.push(Effect::Announce);
        }
        if self.has_ended() {
            self.phase = Phase::Done;
            out.push(Effect::TearDown);
        }
    }

    fn has_ended(&self) -> bool {
        self.tasks.iter().all(TaskMachine::is_dead)
    }

    fn finish_early(&mut self, out: &mut Vec<Effect>) {
        if self.has_ended() && matches!(self.phase, Phase::New | Phase::SettingUp) {
            self.phase = Phase::Done;
            out.push(Effect::TearDown);
        }
    }

    fn end_tasks(&mut self, now: UnixNanos, out: &mut Vec<Effect>) {
        if let Some(why) = self.own_end(now) {
            self.kill_in_order(Some(&why), now, out);
        }
        if self.stopping.is_some_and(|stopping| now >= stopping.from) {
            self.kill_in_order(None, now, out);
        }
    }

    /// Why tasks are to end without anybody's asking: at this point, those that are left.
    fn own_end(&self, now: UnixNanos) -> Option<TaskEvent> {
        if self.over_time {
            let most = self.max_run.unwrap_or_default();
            return Some(TaskEvent::over_time(most, now));
        }
        let mut working = self
            .tasks
            .iter()
            .filter(|task| task.stage != Stage::Poststop);
        if let Some(failed) = working.find(|task| task.is_dead() && task.state.failed) {
            return Some(TaskEvent::new(event::SIBLING_FAILED, now).failed_sibling(&failed.name));
        }
        if self.tasks.iter().any(|task| task.leader && task.is_dead()) {
            return Some(TaskEvent::new(event::LEADER_DEAD, now));
        }
        let work = |task: &&TaskMachine| {
            task.stage == Stage::Main || task.stage == Stage::Poststart && !task.sidecar
        };
        let has_main = self.tasks.iter().any(|task| task.stage == Stage::Main);
        let done = has_main && self.tasks.iter().filter(work).all(TaskMachine::is_dead);
        done.then(|| TaskEvent::new(event::MAIN_DEAD, now))
    }

    /// Ends the leader first, then the other tasks, then those that run beside them.
    fn kill_in_order(&mut self, why: Option<&TaskEvent>, now: UnixNanos, out: &mut Vec<Effect>) {
        let no_delay = self.stopping.is_some_and(|stopping| stopping.no_delay);
        let order: [fn(&TaskMachine) -> bool; 3] = [
            |task| task.leader,
            |task| task.stage != Stage::Poststop && !task.sidecar,
            |task| task.stage != Stage::Poststop,
        ];
        for wanted in order {
            let open = |task: &&TaskMachine| wanted(task) && !task.is_dead();
            let names: Vec<String> = self
                .tasks
                .iter()
                .filter(open)
                .map(|task| task.name.clone())
                .collect();
            for name in &names {
                let why = why.cloned();
                self.tell(name, Input::Kill { why, no_delay }, now, out);
            }
            if self.tasks.iter().any(|task| open(&task)) {
                return;
            }
        }
    }

    fn start_ready(&mut self, now: UnixNanos, out: &mut Vec<Effect>) {
        let ready: Vec<String> = self
            .tasks
            .iter()
            .filter(|task| task.is_waiting() && !task.is_killed() && self.may_start(task))
            .map(|task| task.name.clone())
            .collect();
        for name in ready {
            self.tell(&name, Input::Go, now, out);
        }
    }

    fn may_start(&self, task: &TaskMachine) -> bool {
        let of = |stage: Stage| self.tasks.iter().filter(move |task| task.stage == stage);
        let stopping = self.stopping.is_some();
        match task.stage {
            Stage::Prestart => !stopping,
            Stage::Main => {
                !stopping
                    && of(Stage::Prestart).all(|before| {
                        if before.sidecar {
                            before.has_run()
                        } else {
                            before.is_dead() && before.state.successful()
                        }
                    })
            }
            Stage::Poststart => !stopping && of(Stage::Main).all(TaskMachine::has_run),
            Stage::Poststop => self
                .tasks
                .iter()
                .all(|other| other.stage == Stage::Poststop || other.is_dead()),
        }
    }

    fn judge(&mut self, now: UnixNanos) {
        if self.stopping.is_some() {
            return;
        }
        let Some(verdict) = self.health.step(&self.tasks, now) else {
            return;
        };
        let status = self.deployment_status.get_or_insert_default();
        status.healthy = Some(verdict.healthy);
        status.timestamp = Timestamp(now.0);
        for (name, reason) in &verdict.reasons {
            if let Some(task) = self.tasks.iter_mut().find(|task| task.name == *name) {
                task.state.add_event(Verdict::event(reason, now));
            }
        }
    }
}
