//! Runs the checks of services on this node, keeps their last results and restarts tasks that stay unhealthy.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use caravan_model::{Service, ServiceCheck, UnixNanos};
use serde::Serialize;

use super::probe;
use crate::alloc::health::CheckState;
use crate::alloc::machine::{Event, Which};
use crate::clock;
use crate::consul::{Consul, escaped};
use crate::runner::Runner;

/// The last result of a check, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CheckResult {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    pub(crate) check: String,
    /// The allocation's name.
    pub(crate) group: String,
    pub(crate) mode: &'static str,
    pub(crate) output: String,
    pub(crate) service: String,
    pub(crate) task: String,
    pub(crate) status: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) status_code: u16,
    /// Seconds.
    pub(crate) timestamp: i64,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the shape serde asks for"
)]
fn is_zero(code: &u16) -> bool {
    *code == 0
}

pub(super) const SUCCESS: &str = "success";
pub(super) const FAILURE: &str = "failure";
const PENDING: &str = "pending";

/// The results of one allocation, by check id.
#[derive(Default)]
pub(crate) struct Results {
    all: Mutex<BTreeMap<String, CheckResult>>,
}

impl Results {
    pub(crate) fn all(&self) -> BTreeMap<String, CheckResult> {
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Stores a result; says whether the check now stands differently.
    pub(crate) fn put(&self, result: CheckResult) -> bool {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let status = result.status;
        all.insert(result.id.clone(), result)
            .is_none_or(|old| old.status != status)
    }

    /// Drops the results of a task; of the group when it is empty.
    pub(super) fn forget(&self, task: &str) {
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, result| result.task != task);
    }

    /// How those checks stand that decide on health.
    pub(crate) fn for_health(&self) -> Vec<CheckState> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = all.values().filter(|result| result.mode == "healthiness");
        counted
            .map(|result| CheckState {
                service: result.service.clone(),
                passing: result.status == SUCCESS,
            })
            .collect()
    }
}

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
    pub(super) told_to: Option<(Arc<Consul>, String)>,
}

/// What a probe found.
pub(super) struct Outcome {
    pub(super) success: bool,
    pub(super) output: String,
    pub(super) status_code: u16,
}

impl Job {
    /// Runs until it is aborted.
    pub(super) async fn run(self) {
        self.report(PENDING, "nomad: waiting to run".into(), 0);
        let interval = self.check.interval.to_std().max(Duration::from_millis(100));
        let mut restart = self.restart_watch();
        loop {
            let outcome = self.probe().await;
            let status = if outcome.success { SUCCESS } else { FAILURE };
            self.tell(&outcome).await;
            self.report(status, outcome.output, outcome.status_code);
            if let Some(watch) = &mut restart
                && watch.due(outcome.success, clock::steady())
            {
                self.restart_task();
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
                return probe::script(&self.runner, self.script_task(), &self.check, timeout).await;
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

    fn script_task(&self) -> &str {
        [&self.check.task_name, &self.service.task_name, &self.task]
            .into_iter()
            .find(|name| !name.is_empty())
            .map_or("", |name| name)
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
        let Some((consul, id)) = &self.told_to else {
            return;
        };
        let status = if outcome.success {
            "passing"
        } else {
            "critical"
        };
        let body = serde_json::json!({"Status": status, "Output": outcome.output});
        let path = format!("/v1/agent/check/update/{}", escaped(id));
        if let Err(error) = consul.put(&path, &body).await {
            tracing::debug!(%error, check = id, "Consul cannot be told of a check");
        }
    }

    fn restart_watch(&self) -> Option<RestartWatch> {
        let wanted = self
            .check
            .check_restart
            .as_ref()
            .filter(|wanted| wanted.limit > 0)?;
        let patience = self.check.interval.0.saturating_mul(wanted.limit - 1);
        let begin = clock::after(clock::steady(), wanted.grace);
        Some(RestartWatch {
            begin,
            patience,
            failing_since: None,
        })
    }

    fn restart_task(&self) {
        let reason = format!("healthcheck: check {:?} unhealthy", self.check.name);
        let which = match self.script_task() {
            "" => Which::Running,
            task => Which::Task(task.to_owned()),
        };
        self.runner.send(Event::Restart {
            which,
            failure: true,
            reason,
        });
    }
}

/// Decides when a failing check restarts its task.
struct RestartWatch {
    /// Failures before this are forgiven.
    begin: UnixNanos,
    /// Nanoseconds.
    patience: i64,
    failing_since: Option<UnixNanos>,
}

impl RestartWatch {
    fn due(&mut self, success: bool, now: UnixNanos) -> bool {
        if success || now < self.begin {
            self.failing_since = None;
            return false;
        }
        let since = *self.failing_since.get_or_insert(now);
        let due = now.0 - since.0 >= self.patience;
        if due {
            // The task starts afresh; so does its grace.
            self.failing_since = None;
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
            begin: UnixNanos(100),
            patience: 20,
            failing_since: None,
        };
        assert!(!watch.due(false, UnixNanos(90)));
        assert!(!watch.due(false, UnixNanos(100)));
        assert!(!watch.due(true, UnixNanos(110)));
        assert!(!watch.due(false, UnixNanos(120)));
        assert!(watch.due(false, UnixNanos(140)));
        let mut at_once = RestartWatch {
            begin: UnixNanos(0),
            patience: 0,
            failing_since: None,
        };
        assert!(at_once.due(false, UnixNanos(1)));
    }
}
