//! Services in Consul: what it is told of them, and what it finds their checks to be.

use std::sync::Arc;
use std::time::Duration;

use caravan_model::{Service, ServiceCheck};
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::Access;
use super::checks::{RestartWatch, Subject};
use super::results::{CheckResult, FAILURE, SUCCESS};
use crate::alloc::health::counts_for_health;
use crate::clock;
use crate::consul::escaped;
use crate::handle::Runner;
use crate::task::env::address;

/// How often Consul is asked how checks stand.
const LOOK: Duration = Duration::from_millis(500);
/// A script check that is not heard of for so many intervals is critical.
const SILENCE: i64 = 3;

/// An instance and where it is reached.
pub(super) struct Instance<'a> {
    pub(super) id: &'a str,
    pub(super) service: &'a Service,
    pub(super) address: &'a str,
    pub(super) port: i64,
    pub(super) canary: bool,
    /// Of each check, in their order; `None`: it has none.
    pub(super) targets: &'a [Option<(String, i64)>],
}

/// The id of a check.
pub(super) fn check_id(service: &str, number: usize) -> String {
    format!("_nomad-check-{service}-{number}")
}

impl Instance<'_> {
    /// What the agent is told.
    pub(super) fn registration(&self) -> Value {
        let service = self.service;
        let or = |canary: bool, own: &Value, other: &Value| {
            if canary { own.clone() } else { other.clone() }
        };
        let tags = or(
            self.canary && !service.canary_tags.is_empty(),
            &json!(service.canary_tags),
            &json!(service.tags),
        );
        let mut meta = if self.canary && !service.canary_meta.is_empty() {
            service.canary_meta.clone()
        } else {
            service.meta.clone()
        };
        meta.insert("external-source".into(), "nomad".into());
        let checks = service.checks.iter().zip(self.targets).enumerate();
        let checks: Vec<Value> = checks
            .map(|(number, (check, target))| self.check(number, check, target.as_ref()))
            .collect();
        let mut out = json!({
            "ID": self.id, "Name": service.name, "Tags": tags, "Address": self.address, "Port": self.port,
            "Meta": meta, "EnableTagOverride": service.enable_tag_override, "Checks": checks,
        });
        if !service.tagged_addresses.is_empty() {
            let tagged = service.tagged_addresses.iter();
            let tagged = tagged.map(|(tag, address)| {
                let place = json!({"Address": address, "Port": self.port});
                (tag.clone(), place)
            });
            out["TaggedAddresses"] = Value::Object(tagged.collect());
        }
        if let Some(weights) = &service.weights {
            out["Weights"] = json!({"Passing": weights.passing, "Warning": weights.warning});
        }
        out
    }

    fn check(&self, number: usize, check: &ServiceCheck, target: Option<&(String, i64)>) -> Value {
        let name = if check.name.is_empty() {
            format!("service: {:?} check", self.service.name)
        } else {
            check.name.clone()
        };
        let interval = check.interval.to_string();
        let mut out = json!({
            "CheckID": check_id(self.id, number), "Name": name, "Status": check.initial_status,
            "SuccessBeforePassing": check.success_before_passing, "FailuresBeforeCritical": check.failures_before_critical,
            "FailuresBeforeWarning": check.failures_before_warning, "Notes": check.notes,
        });
        let place = target
            .map(|(host, port)| address(host, *port))
            .unwrap_or_default();
        let probed: &[(&str, Value)] = match check.r#type.as_str() {
            "http" => {
                let scheme = if check.protocol.is_empty() {
                    "http"
                } else {
                    &check.protocol
                };
                let path = check.path.trim_start_matches('/');
                &[
                    ("HTTP", format!("{scheme}://{place}/{path}").into()),
                    ("Method", check.method.clone().into()),
                    ("Header", json!(check.header)),
                    ("Body", check.body.clone().into()),
                    ("TLSServerName", check.tls_server_name.clone().into()),
                    ("TLSSkipVerify", check.tls_skip_verify.into()),
                ]
            }
            "tcp" => &[("TCP", place.into())],
            "grpc" => {
                let service = if check.grpc_service.is_empty() {
                    String::new()
                } else {
                    format!("/{}", check.grpc_service)
                };
                &[
                    ("GRPC", format!("{place}{service}").into()),
                    ("GRPCUseTLS", check.grpc_use_tls.into()),
                    ("TLSServerName", check.tls_server_name.clone().into()),
                    ("TLSSkipVerify", check.tls_skip_verify.into()),
                ]
            }
            _ => {
                out["TTL"] = caravan_model::Duration(check.interval.0.saturating_mul(SILENCE))
                    .to_string()
                    .into();
                return out;
            }
        };
        for (key, value) in probed {
            out[*key] = value.clone();
        }
        out["Interval"] = interval.into();
        out["Timeout"] = check.timeout.to_string().into();
        out
    }
}

/// What the agent says of a check.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Standing {
    #[serde(rename = "CheckID")]
    id: String,
    status: String,
    #[serde(default)]
    output: String,
}

impl Standing {
    /// Whether it counts against the task.
    fn restarts(&self, check: &ServiceCheck) -> bool {
        let lenient = check.check_restart.as_ref();
        let lenient = lenient.is_some_and(|wanted| wanted.ignore_warnings);
        self.status == "critical" || self.status == "warning" && !lenient
    }
}

/// Follows the checks of one instance.
pub(super) struct Follower {
    pub(super) access: Arc<Access>,
    pub(super) runner: Arc<Runner>,
    pub(super) id: String,
    pub(super) service: Service,
    pub(super) alloc_name: String,
    pub(super) task: String,
}

impl Follower {
    /// Follows until it is aborted.
    pub(super) async fn run(self) {
        let filter = escaped(&format!("ServiceID == {:?}", self.id)).replace('/', "%2F");
        let path = format!("/v1/agent/checks?filter={filter}");
        let checks = self.service.checks.iter();
        let mut restarts: Vec<_> = checks.map(RestartWatch::of).collect();
        loop {
            let found: Result<Option<std::collections::BTreeMap<String, Standing>>, _> =
                self.access.json(&path).await;
            match found {
                Ok(found) => {
                    for standing in found.unwrap_or_default().into_values() {
                        self.take(&standing, &mut restarts);
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, service = self.id, "Consul does not say how checks stand")
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn take(&self, standing: &Standing, restarts: &mut [Option<RestartWatch>]) {
        let checks = self.service.checks.iter().zip(restarts).enumerate();
        let mut own = checks.filter(|(number, _)| check_id(&self.id, *number) == standing.id);
        let Some((_, (check, restart))) = own.next() else {
            return;
        };
        if let Some(watch) = restart {
            let whose = Subject {
                runner: &self.runner,
                service: &self.service,
                check,
                task: &self.task,
            };
            watch.see(&whose, !standing.restarts(check));
        }
        let lenient = check.on_update == caravan_model::on_update::IGNORE_WARNINGS
            || self.service.on_update == caravan_model::on_update::IGNORE_WARNINGS;
        let good = standing.status == "passing" || lenient && standing.status == "warning";
        let counts = counts_for_health(&self.service, check);
        self.runner.check_stands(CheckResult {
            id: standing.id.clone(),
            check: check.name.clone(),
            group: self.alloc_name.clone(),
            mode: if counts { "healthiness" } else { "readiness" },
            output: standing.output.clone(),
            service: self.service.name.clone(),
            task: self.task.clone(),
            status: if good { SUCCESS } else { FAILURE },
            status_code: 0,
            timestamp: clock::now().seconds(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_agent_is_told() {
        let check = |kind: &str| ServiceCheck {
            name: kind.into(),
            r#type: kind.into(),
            path: "/ok".into(),
            interval: caravan_model::Duration::from_secs(10),
            timeout: caravan_model::Duration::from_secs(2),
            ..ServiceCheck::default()
        };
        let service = Service {
            name: "web".into(),
            tags: vec!["a".into()],
            canary_tags: vec!["c".into()],
            tagged_addresses: [("wan".to_owned(), "203.0.113.7".to_owned())].into(),
            checks: ["http", "tcp", "grpc", "script"].map(check).to_vec(),
            ..Service::default()
        };
        let target = Some(("10.0.0.5".to_owned(), 80));
        let targets = vec![target; 4];
        let instance = Instance {
            id: "_nomad-task-x",
            service: &service,
            address: "10.0.0.5",
            port: 80,
            canary: true,
            targets: &targets,
        };
        let told = instance.registration();
        assert_eq!(told["Tags"], json!(["c"]));
        assert_eq!(told["Meta"]["external-source"], "nomad");
        let wan = json!({"Address": "203.0.113.7", "Port": 80});
        assert_eq!(told["TaggedAddresses"], json!({"wan": wan}));
        assert_eq!(told["Checks"][0]["HTTP"], "http://10.0.0.5:80/ok");
        assert_eq!(told["Checks"][0]["Interval"], "10s");
        assert_eq!(told["Checks"][1]["TCP"], "10.0.0.5:80");
        assert_eq!(told["Checks"][2]["GRPC"], "10.0.0.5:80");
        assert_eq!(told["Checks"][3]["TTL"], "30s");
        assert!(told["Checks"][3].get("Interval").is_none());
    }
}
