//! Runs the checks of services on this node, and restarts tasks that stay unhealthy.

use std::sync::Arc;
use std::time::Duration;

use caravan_model::{Service, ServiceCheck, UnixNanos};

use super::access::Access;
use super::probe::{self, Outcome};
use super::results::{CheckResult, FAILURE, PENDING, SUCCESS};
use crate::alloc::machine::{Event, Which};
use crate::clock;
use crate::consul::escaped;
use crate::handle::Runner;

/// One check to run.
pub(super) struct Job {
    pub(super) runner: Arc<Runner>,
    pub(super) service: Service,
    pub(super) check: ServiceCheck,
    pub(super) alloc_name: String,
    pub(super) task: String,
    pub(super) id: String,
    pub(super) counts: bool,
    pub(super) target: Result<(String, i64), String>,
    /// Who else is told what came out, and under which name.
    pub(super) told_to: Option<(Arc<Access>, String)>,
}

impl Job {
    /// Runs until it is aborted.
    pub(super) async fn run(self) {
        self.report(PENDING, "nomad: waiting to run".into(), 0);
        let interval = self.check.interval.to_std().max(Duration::from_millis(100));
        // How those that Consul knows stand is for Consul to say.
        let mut restart = match self.told_to {
            None => RestartWatch::of(&self.check),
            Some(_) => None,
        };
        loop {
            let outcome = self.probe().await;
            let status = if outcome.success { SUCCESS } else { FAILURE };
            self.tell(&outcome).await;
            self.report(status, outcome.output, outcome.status_code);
            if let Some(watch) = &mut restart {
                let whose = Subject {
                    runner: &self.runner,
                    service: &self.service,
                    check: &self.check,
                    task: &self.task,
                };
                watch.see(&whose, outcome.success);
            }
            tokio::time::sleep(interval).await;
        }
    }

    async fn probe(&self) -> Outcome {
        let timeout = self
            .check
            .timeout
            .to_std()
            .clamp(Duration::from_millis(1), Duration::from_secs(600));
        let failed = |output: String| Outcome {
            success: false,
            output,
            status_code: 0,
        };
        let run = async {
            if self.check.r#type == "script" {
                let task = task_of(&self.service, &self.check, &self.task);
                return probe::script(&self.runner, task, &self.check, timeout).await;
            }
            let (address, port) = match &self.target {
                Ok(target) => target,
                Err(why) => return failed(format!("nomad: {why}")),
            };
            match self.check.r#type.as_str() {
                "tcp" => probe::tcp(address, *port).await,
                "http" => probe::http(&self.check, address, *port).await,
                other => failed(format!("nomad: unknown check type {other:?}")),
            }
        };
        match tokio::time::timeout(timeout, run).await {
            Ok(outcome) => outcome,
            Err(_) => failed(format!(
                "nomad: the check took longer than {}",
                self.check.timeout
            )),
        }
    }

    fn report(&self, status: &'static str, output: String, status_code: u16) {
        let result = CheckResult {
            id: self.id.clone(),
            check: self.check.name.clone(),
            group: self.alloc_name.clone(),
            mode: if self.counts {
                "healthiness"
            } else {
                "readiness"
            },
            output,
            service: self.service.name.clone(),
            task: self.task.clone(),
            status,
            status_code,
            timestamp: clock::now().seconds(),
        };
        if self.told_to.is_none() {
            self.runner.check_stands(result);
        }
    }

    /// Tells Consul of a check that it cannot run itself.
    async fn tell(&self, outcome: &Outcome) {
        let Some((access, id)) = &self.told_to else {
            return;
        };
        let status = if outcome.success {
            "passing"
        } else {
            "critical"
        };
        let body = serde_json::json!({"Status": status, "Output": outcome.output});
        let path = format!("/v1/agent/check/update/{}", escaped(id));
        if let Err(error) = access.put(&path, &body).await {
            tracing::debug!(%error, check = id, "Consul cannot be told of a check");
        }
    }
}

/// The task that a check is of; empty: of the group. `task` is the one whose service it is.
fn task_of<'a>(service: &'a Service, check: &'a ServiceCheck, task: &'a str) -> &'a str {
    [check.task_name.as_str(), &service.task_name, task]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_default()
}

/// Whom a check that stays unhealthy restarts.
pub(super) struct Subject<'a> {
    pub(super) runner: &'a Runner,
    pub(super) service: &'a Service,
    pub(super) check: &'a ServiceCheck,
    /// The task of the service; empty for services of groups.
    pub(super) task: &'a str,
}

impl Subject<'_> {
    fn runs(&self) -> bool {
        match task_of(self.service, self.check, self.task) {
            "" => !self.runner.live_tasks().is_empty(),
            task => self.runner.live(task).is_some(),
        }
    }

    fn restart(&self) {
        let which = match task_of(self.service, self.check, self.task) {
            "" => Which::Running,
            task => Which::Task(task.to_owned()),
        };
        self.runner.send(Event::Restart {
            which,
            failure: true,
            reason: format!("healthcheck: check {:?} unhealthy", self.check.name),
        });
    }
}

/// Decides when a failing check restarts its task.
pub(super) struct RestartWatch {
    grace: caravan_model::Duration,
    /// Failures before this are forgiven.
    begin: UnixNanos,
    /// Nanoseconds.
    patience: i64,
    failing_since: Option<UnixNanos>,
}

impl RestartWatch {
    /// From now on; `None`: the check restarts nothing.
    pub(super) fn of(check: &ServiceCheck) -> Option<Self> {
        let wanted = check.check_restart.as_ref();
        let wanted = wanted.filter(|wanted| wanted.limit > 0)?;
        Some(Self {
            grace: wanted.grace,
            begin: clock::after(clock::steady(), wanted.grace),
            patience: check.interval.0.saturating_mul(wanted.limit - 1),
            failing_since: None,
        })
    }

    /// Takes in how the check stands, and restarts whom it is about when that is due.
    pub(super) fn see(&mut self, whose: &Subject<'_>, success: bool) {
        if self.due(whose.runs(), success, clock::steady()) {
            whose.restart();
        }
    }

    /// `runs`: whether what would be restarted runs; its grace begins with its start.
    fn due(&mut self, runs: bool, success: bool, now: UnixNanos) -> bool {
        if !runs {
            self.begin = clock::after(now, self.grace);
        }
        if !runs || success || now < self.begin {
            self.failing_since = None;
            return false;
        }
        let since = *self.failing_since.get_or_insert(now);
        let due = now.0 - since.0 >= self.patience;
        if due {
            // The task starts afresh; so does its grace.
            self.failing_since = None;
            self.begin = clock::after(now, self.grace);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_due_once_it_failed_long_enough() {
        let mut watch = RestartWatch {
            grace: caravan_model::Duration(50),
            begin: UnixNanos(100),
            patience: 20,
            failing_since: None,
        };
        assert!(!watch.due(true, false, UnixNanos(90)));
        assert!(!watch.due(true, false, UnixNanos(100)));
        assert!(!watch.due(true, true, UnixNanos(110)));
        assert!(!watch.due(true, false, UnixNanos(120)));
        assert!(watch.due(true, false, UnixNanos(140)));
        assert!(!watch.due(true, false, UnixNanos(189)));
        assert!(!watch.due(true, false, UnixNanos(190)));
        assert!(watch.due(true, false, UnixNanos(210)));
        for down in [220, 300] {
            assert!(!watch.due(false, false, UnixNanos(down)), "it starts anew");
        }
        assert!(!watch.due(true, false, UnixNanos(349)));
        assert!(!watch.due(true, false, UnixNanos(350)));
        assert!(watch.due(true, false, UnixNanos(370)));
        let mut at_once = RestartWatch {
            grace: caravan_model::Duration(0),
            begin: UnixNanos(0),
            patience: 0,
            failing_since: None,
        };
        assert!(!at_once.due(false, false, UnixNanos(1)));
        assert!(at_once.due(true, false, UnixNanos(2)));
    }
}
