//! Whether an allocation is healthy, for deployments and drains (runtime sheet §J). Decides from task states,
//! check results and the time; says when it wants to look again.

use caravan_model::{
    Allocation, Duration, MigrateStrategy, Service, ServiceCheck, TaskEvent, TaskPhase, UnixNanos,
    health_check, on_update, task_event,
};

use super::machine::stage_of_task;
use crate::clock::after;
use crate::task::machine::{Stage, TaskMachine};

/// How one check of the allocation stands, as far as health is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CheckState {
    pub(crate) service: String,
    pub(crate) passing: bool,
}

#[derive(Clone, Debug)]
struct Settings {
    min_healthy_time: Duration,
    healthy_deadline: Duration,
    /// How many checks must pass; `None`: checks do not matter.
    checks: Option<usize>,
}

/// Watches for the verdict; it falls once.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    settings: Option<Settings>,
    /// Checks in Consul count.
    consul: bool,
    began: Option<UnixNanos>,
    checks: Vec<CheckState>,
    checks_since: Option<UnixNanos>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) healthy: bool,
    /// Why not, by task.
    pub(crate) reasons: Vec<(String, String)>,
}

impl Verdict {
    /// The event that tells a task's reason.
    pub(crate) fn event(reason: &str, now: UnixNanos) -> TaskEvent {
        TaskEvent::new(task_event::ALLOC_UNHEALTHY, now).message(reason)
    }
}

fn settings_of(alloc: &Allocation, consul: bool) -> Option<Settings> {
    let job = alloc.job.as_ref()?;
    if job.is_batch_like()
        || alloc
            .deployment_status
            .is_some_and(|status| status.healthy.is_some())
    {
        return None;
    }
    let group = job.lookup_task_group(&alloc.task_group)?;
    let (kind, min_healthy_time, healthy_deadline) = if alloc.deployment_id.is_nil() {
        if job.is_system_like() {
            return None;
        }
        let migrate = group.migrate.clone().unwrap_or(MigrateStrategy {
            max_parallel: 1,
            health_check: health_check::CHECKS.into(),
            min_healthy_time: Duration::from_secs(10),
            healthy_deadline: Duration::from_secs(300),
        });
        (
            migrate.health_check,
            migrate.min_healthy_time,
            migrate.healthy_deadline,
        )
    } else {
        let update = group.update.clone()?;
        (
            update.health_check,
            update.min_healthy_time,
            update.healthy_deadline,
        )
    };
    if kind == health_check::MANUAL {
        return None;
    }
    let counted = || {
        let services = group
            .all_services()
            .filter(|service| service.is_nomad() || consul && service.is_consul());
        let checks =
            services.flat_map(|service| service.checks.iter().map(move |check| (service, check)));
        checks
            .filter(|(service, check)| counts_for_health(service, check))
            .count()
    };
    let checks = (kind != health_check::TASK_STATES)
        .then(counted)
        .filter(|count| *count > 0);
    Some(Settings {
        min_healthy_time,
        healthy_deadline,
        checks,
    })
}

enum Tasks {
    Failed(String, &'static str),
    NotYet,
    /// All run since then.
    Since(UnixNanos),
}

fn look_at(tasks: &[TaskMachine]) -> Tasks {
    let mut latest = 0;
    let mut all = true;
    for task in tasks
        .iter()
        .filter(|task| stage_of_task(task) != Stage::Poststop)
    {
        let state = &task.state;
        if state.failed {
            return Tasks::Failed(task.name.clone(), "Unhealthy because of failed task");
        }
        let passing_by = stage_of_task(task) != Stage::Main && !task.sidecar;
        match state.state {
            TaskPhase::Dead if passing_by => {}
            TaskPhase::Dead => {
                return Tasks::Failed(task.name.clone(), "Unhealthy because of dead task");
            }
            TaskPhase::Running if passing_by && stage_of_task(task) == Stage::Prestart => {
                all = false
            }
            TaskPhase::Running => latest = latest.max(task.running_since().0),
            TaskPhase::Pending => all = false,
        }
    }
    if all {
        Tasks::Since(UnixNanos(latest))
    } else {
        Tasks::NotYet
    }
}

impl Health {
    pub(crate) fn new(alloc: &Allocation, consul: bool) -> Self {
        Self {
            settings: settings_of(alloc, consul),
            consul,
            began: None,
            checks: Vec::new(),
            checks_since: None,
        }
    }

    /// Takes over what the servers now say; a new deployment is watched from now on.
    pub(crate) fn update(&mut self, alloc: &Allocation, same_deployment: bool) {
        let settings = settings_of(alloc, self.consul);
        if !same_deployment {
            self.began = None;
            self.settings = settings;
        } else if settings.is_none() {
            self.settings = None;
        }
    }

    /// The clock was set: what was measured by it moves along.
    pub(crate) fn shift(&mut self, by: Duration) {
        for time in [&mut self.began, &mut self.checks_since]
            .into_iter()
            .flatten()
        {
            *time = after(*time, by);
        }
    }

    pub(crate) fn set_checks(&mut self, checks: Vec<CheckState>, now: UnixNanos) {
        let wanted = self
            .settings
            .as_ref()
            .and_then(|settings| settings.checks)
            .unwrap_or(0);
        let passing = checks.len() >= wanted && checks.iter().all(|check| check.passing);
        self.checks = checks;
        self.checks_since = if passing {
            self.checks_since.or(Some(now))
        } else {
            None
        };
    }

    /// Looks at how things stand; gives the verdict when it falls.
    pub(crate) fn step(&mut self, tasks: &[TaskMachine], now: UnixNanos) -> Option<Verdict> {
        let settings = self.settings.clone()?;
        let began = *self.began.get_or_insert(now);
        let since = match look_at(tasks) {
            Tasks::Failed(task, why) => return self.verdict(false, vec![(task, why.to_owned())]),
            Tasks::Since(at) => self.healthy_since(&settings, at),
            Tasks::NotYet => None,
        };
        if since.is_some_and(|since| now >= after(since, settings.min_healthy_time)) {
            return self.verdict(true, Vec::new());
        }
        if now >= after(began, settings.healthy_deadline) {
            let reasons = self.reasons(&settings, tasks);
            return self.verdict(false, reasons);
        }
        None
    }

    fn verdict(&mut self, healthy: bool, reasons: Vec<(String, String)>) -> Option<Verdict> {
        self.settings = None;
        Some(Verdict { healthy, reasons })
    }

    fn healthy_since(&self, settings: &Settings, tasks_since: UnixNanos) -> Option<UnixNanos> {
        match settings.checks {
            None => Some(tasks_since),
            Some(_) => self
                .checks_since
                .map(|since| UnixNanos(since.0.max(tasks_since.0))),
        }
    }

    pub(crate) fn wake_at(&self, tasks: &[TaskMachine]) -> Option<UnixNanos> {
        let settings = self.settings.as_ref()?;
        let deadline = after(self.began?, settings.healthy_deadline);
        let good = match look_at(tasks) {
            Tasks::Since(at) => self
                .healthy_since(settings, at)
                .map(|since| after(since, settings.min_healthy_time)),
            Tasks::NotYet | Tasks::Failed(..) => None,
        };
        Some(good.map_or(deadline, |good| UnixNanos(good.0.min(deadline.0))))
    }

    fn reasons(&self, settings: &Settings, tasks: &[TaskMachine]) -> Vec<(String, String)> {
        let deadline = settings.healthy_deadline;
        let watched = tasks
            .iter()
            .filter(|task| stage_of_task(task) == Stage::Main || task.sidecar);
        let mut reasons = Vec::new();
        for task in watched.clone().filter(|task| !task.is_running()) {
            reasons.push((
                task.name.clone(),
                format!("Task not running by healthy_deadline of {deadline}"),
            ));
        }
        if !reasons.is_empty() {
            return reasons;
        }
        let text = match settings.checks {
            Some(_) if self.checks.is_empty() => "Service checks not registered".to_owned(),
            Some(wanted) if self.checks_since.is_none() => self.check_reason(wanted),
            _ => format!(
                "Task not running for min_healthy_time of {} by healthy_deadline of {deadline}",
                settings.min_healthy_time
            ),
        };
        watched
            .map(|task| (task.name.clone(), text.clone()))
            .collect()
    }

    fn check_reason(&self, wanted: usize) -> String {
        let passing = self.checks.iter().filter(|check| check.passing).count();
        let mut failing: Vec<&str> = self
            .checks
            .iter()
            .filter(|check| !check.passing)
            .map(|check| &*check.service)
            .collect();
        failing.sort_unstable();
        failing.dedup();
        if failing.is_empty() {
            format!("Only {passing} out of {wanted} checks registered and passing")
        } else {
            format!("Services not healthy by deadline: {}", failing.join(", "))
        }
    }
}

/// Whether a check decides on health.
pub(crate) fn counts_for_health(service: &Service, check: &ServiceCheck) -> bool {
    let mode = if check.on_update.is_empty() {
        &service.on_update
    } else {
        &check.on_update
    };
    mode != on_update::IGNORE
}
