//! Admission does nothing to what it admitted.

use super::{Cluster, NoCluster, admit};
use crate::{Inputs, Source, parse};
use caravan_model::api::ApiJob;
use caravan_model::{Job, Namespace};

struct WithConsul;

impl Cluster for WithConsul {
    fn namespace(&self, name: &str) -> Option<Namespace> {
        NoCluster.namespace(name)
    }
    fn has_node_pool(&self, _name: &str) -> bool {
        true
    }
    fn has_consul(&self) -> bool {
        true
    }
}

fn parsed(text: &str) -> ApiJob {
    let source = Source::new("test.hcl", text);
    parse(&source, &Inputs::default())
        .expect("the test's job")
        .job
}

const SERVICES: &str = r#"
job "web" {
  group "g" {
    network {
      mode = "bridge"
      port "http" {}
    }
    service {
      port = "http"
      connect {
        sidecar_service {}
      }
    }
    task "t" {
      driver = "raw_exec"
      service {
        name = "${BASE}-x"
        port = "http"
        check {
          type     = "tcp"
          interval = "10s"
          timeout  = "2s"
        }
      }
    }
  }
}
"#;

fn again(job: &Job) -> ApiJob {
    let json = serde_json::to_value(job).expect("jobs are JSON");
    serde_json::from_value(json).expect("stored jobs can be sent")
}

#[test]
fn admitting_again_changes_nothing() {
    for cluster in [&NoCluster as &dyn Cluster, &WithConsul] {
        let first = admit(parsed(SERVICES), cluster);
        assert!(first.errors.is_empty(), "{:?}", first.errors);
        let second = admit(again(&first.job), cluster);
        assert_eq!(first.job, second.job);
    }
}

#[test]
fn a_sidecar_alone_in_its_group_stays_what_it_is() {
    let text = "job \"j\" {\n  group \"g\" {\n    network {\n      mode = \"bridge\"\n    }\n    service {\n      port = \
                \"80\"\n      connect {\n        sidecar_service {}\n      }\n    }\n  }\n}\n";
    let first = admit(parsed(text), &NoCluster).job;
    let second = admit(again(&first), &NoCluster).job;
    assert_eq!(first.task_groups[0].tasks[0].driver, "docker");
    assert_eq!(first, second);
    let stored = admit(
        parsed(
            "job \"j\" {\n  type = \"sysbatch\"\n  group \"g\" {\n    task \"t\" {\n      driver = \
                               \"x\"\n    }\n  }\n}\n",
        ),
        &NoCluster,
    )
    .job;
    let again = admit(again(&stored), &NoCluster);
    assert_eq!(again.errors, Vec::<String>::new());
    assert_eq!(again.job, stored);
}

#[test]
fn a_service_without_a_provider_goes_where_there_is_a_catalogue() {
    let provider = |cluster: &dyn Cluster| {
        let job = admit(parsed(SERVICES), cluster).job;
        let service = &job.task_groups[0].tasks[0].services[0];
        (
            service.provider.clone(),
            service.name.clone(),
            service.checks[0].name.clone(),
        )
    };
    let (with, name, check) = provider(&WithConsul);
    assert_eq!(with, "consul");
    assert_eq!(name, "web-g-t-x");
    assert_eq!(check, "service: \"web-g-t-x\" check");
    assert_eq!(provider(&NoCluster).0, "nomad");
}

#[test]
fn no_job_waits_for_a_catalogue_that_nobody_set_up() {
    let explicit = SERVICES.replace(
        "name = \"${BASE}-x\"",
        "name = \"x\"\n provider = \"consul\"",
    );
    let job = admit(parsed(&explicit), &NoCluster).job;
    let all = serde_json::to_string(&job.task_groups[0].constraints).expect("JSON");
    assert!(!all.contains("consul"), "{all}");
    assert!(job.task_groups[0].tasks[0].constraints.is_empty());
}

#[test]
fn a_native_service_belongs_to_the_only_task() {
    let text = "job \"j\" {\n  group \"g\" {\n    service {\n      name = \"s\"\n      port = \"80\"\n      connect {\n        \
                native = true\n      }\n    }\n    task \"t\" {\n      driver = \"x\"\n    }\n  }\n}\n";
    let first = admit(parsed(text), &WithConsul);
    assert_eq!(first.errors, Vec::<String>::new());
    let group = &first.job.task_groups[0];
    assert_eq!(group.services[0].task_name, "t");
    assert_eq!(group.tasks[0].kind, "connect-native:s");
    let two = text.replace(
        "    task",
        "    task \"u\" {\n      driver = \"x\"\n    }\n    task",
    );
    let errors = admit(parsed(&two), &WithConsul).errors;
    assert!(
        errors[0].contains("requires setting the task"),
        "{errors:?}"
    );
}

const EXPOSED: &str = r#"
job "j" {
  group "g" {
    network {
      mode = "bridge"
    }
    service {
      name = "api"
      port = "9001"
      connect {
        sidecar_service {}
      }
      check {
        expose   = true
        name     = "health"
        type     = "http"
        path     = "/health"
        interval = "10s"
        timeout  = "3s"
      }
    }
    task "t" {
      driver = "x"
    }
  }
}
"#;

#[test]
fn an_exposed_check_has_a_path_through_the_proxy_and_a_port() {
    let first = admit(parsed(EXPOSED), &WithConsul);
    assert_eq!(first.errors, Vec::<String>::new());
    let group = &first.job.task_groups[0];
    let label = &group.services[0].checks[0].port_label;
    assert!(label.starts_with("svc_api_ck_"), "{label}");
    let port = group.networks[0].ports().find(|port| port.label == *label);
    assert_eq!(port.map(|port| port.to), Some(-1));
    let connect = group.services[0].connect.as_ref();
    let proxy = connect.and_then(|it| it.sidecar_service.as_ref()?.proxy.as_ref());
    let paths = &proxy
        .and_then(|it| it.expose.as_ref())
        .expect("exposed")
        .paths;
    assert_eq!(
        (
            paths[0].path.as_str(),
            paths[0].local_path_port,
            &paths[0].listener_port
        ),
        ("/health", 9001, label)
    );
    let second = admit(again(&first.job), &WithConsul);
    assert_eq!(first.job, second.job);
    assert_eq!(admit(parsed(EXPOSED), &WithConsul).job, first.job);
}

#[test]
fn only_a_check_behind_a_proxy_can_be_exposed() {
    let text = EXPOSED.replace("sidecar_service {}", "native = true");
    let errors = admit(parsed(&text), &WithConsul).errors;
    assert_eq!(
        errors,
        ["exposed service check g->api->health requires use of sidecar_proxy"]
    );
}

const GATEWAY: &str = r#"
job "j" {
  group "g" {
    network {
      mode = "bridge"
    }
    service {
      name = "in"
      port = "8080"
      connect {
        gateway {
          ingress {
            listener {
              port = 8080
              service {
                name = "api"
              }
            }
          }
        }
      }
    }
  }
}
"#;

#[test]
fn a_gateway_in_a_network_of_its_own_listens_on_all_of_it() {
    let proxy = |text: &str| {
        let first = admit(parsed(text), &WithConsul);
        assert_eq!(first.errors, Vec::<String>::new());
        assert_eq!(admit(again(&first.job), &WithConsul).job, first.job);
        let group = &first.job.task_groups[0];
        let connect = group.services[0].connect.clone().expect("a gateway");
        let proxy = connect.gateway.and_then(|it| it.proxy).unwrap_or_default();
        let bound: Vec<(String, i64)> = proxy
            .envoy_gateway_bind_addresses
            .iter()
            .map(|(name, to)| (name.clone(), to.port))
            .collect();
        let ports = group.networks.iter().flat_map(|it| it.ports());
        let ports: Vec<String> = ports.map(|port| port.label.clone()).collect();
        let mode = group.tasks[0].config.get("network_mode").cloned();
        (bound, proxy.envoy_gateway_no_default_bind, ports, mode)
    };
    let (bound, alone, ports, mode) = proxy(GATEWAY);
    assert_eq!(bound, [("api".to_owned(), 8080)]);
    assert!(alone && ports.is_empty() && mode.is_none());
    let terminating = GATEWAY
        .replace("ingress", "terminating")
        .replace("listener {", "");
    let terminating = terminating
        .replace("              port = 8080\n", "")
        .replacen("              }\n", "", 1)
        .replace("      port = \"8080\"\n", "");
    let (bound, _, ports, _) = proxy(&terminating);
    assert_eq!(bound, [("default".to_owned(), -1)]);
    assert_eq!(ports, ["connect-terminating-in"]);
    let (bound, alone, _, mode) = proxy(&GATEWAY.replace("\"bridge\"", "\"host\""));
    assert!(bound.is_empty() && !alone);
    assert_eq!(mode, Some(serde_json::json!("host")));
}

struct WithIdentities;

impl Cluster for WithIdentities {
    fn namespace(&self, name: &str) -> Option<Namespace> {
        NoCluster.namespace(name)
    }
    fn has_node_pool(&self, _name: &str) -> bool {
        true
    }
    fn has_vault(&self, _cluster: &str) -> bool {
        true
    }
    fn vault_identity(&self, cluster: &str) -> Option<caravan_model::Identity> {
        identity_for(cluster, "vault.io")
    }
    fn has_consul(&self) -> bool {
        true
    }
    fn consul_service_identity(&self, cluster: &str) -> Option<caravan_model::Identity> {
        identity_for(cluster, "consul.io")
    }
}

fn identity_for(cluster: &str, audience: &str) -> Option<caravan_model::Identity> {
    (cluster == "default").then(|| caravan_model::Identity {
        audience: vec![audience.to_owned()],
        ..caravan_model::Identity::default()
    })
}

#[test]
fn tasks_that_use_vault_get_the_identity_for_it() {
    let text = |identity: &str| {
        format!(
            "job \"j\" {{\n  group \"g\" {{\n    task \"t\" {{\n      driver = \"raw_exec\"\n      vault {{}}\n{identity}    }}\n    task \"u\" {{\n      driver = \"raw_exec\"\n    }}\n  }}\n}}\n"
        )
    };
    let first = admit(parsed(&text("")), &WithIdentities);
    assert!(first.errors.is_empty(), "{:?}", first.errors);
    let tasks = &first.job.task_groups[0].tasks;
    let given = &tasks[0].identities[0];
    assert_eq!(
        (given.name.as_str(), given.audience.as_slice()),
        ("vault_default", ["vault.io".to_owned()].as_slice())
    );
    assert!(tasks[1].identities.is_empty());
    // Nodes have to know of such identities.
    let constraints = &first.job.task_groups[0].constraints;
    assert!(
        constraints.iter().any(|it| it.r_target == ">= 1.7.0-a"),
        "{constraints:?}"
    );
    assert_eq!(first.job, admit(again(&first.job), &WithIdentities).job);

    let own = "      identity {\n        name = \"vault_default\"\n        aud  = [\"mine\"]\n        ttl  = \"1h\"\n      }\n";
    let own = admit(parsed(&text(own)), &WithIdentities).job;
    let identities = &own.task_groups[0].tasks[0].identities;
    assert_eq!(identities.len(), 1);
    assert_eq!(identities[0].audience, ["mine"]);
    let none = admit(parsed(&text("")), &NoCluster).job;
    assert!(none.task_groups[0].tasks[0].identities.is_empty());
}

#[test]
fn services_in_consul_get_the_identity_for_it() {
    let text = |service: &str| {
        format!(
            "job \"j\" {{\n  group \"g\" {{\n    network {{\n      port \"http\" {{}}\n    }}\n    service {{\n      name = \"api\"\n      port = \"http\"\n{service}    }}\n    task \"t\" {{\n      driver = \"raw_exec\"\n      service {{\n        name = \"${{BASE}}-x\"\n{service}      }}\n    }}\n  }}\n}}\n"
        )
    };
    let names = |job: &Job| -> Vec<(String, String, Vec<String>)> {
        let identities = job.task_groups[0].all_services();
        let identities = identities.filter_map(|service| service.identity.clone());
        identities
            .map(|it| (it.name, it.service_name, it.audience))
            .collect()
    };
    let wanted = |audience: &str| {
        [
            ("consul-service_api-http", "api"),
            ("consul-service_t-j-g-t-x", "j-g-t-x"),
        ]
        .map(|(name, of)| (name.into(), of.into(), vec![audience.to_owned()]))
    };
    let first = admit(parsed(&text("")), &WithIdentities);
    assert_eq!(first.errors, Vec::<String>::new());
    assert_eq!(names(&first.job), wanted("consul.io"));
    let constraints = &first.job.task_groups[0].constraints;
    assert!(constraints.iter().any(|it| it.r_target == ">= 1.7.0-a"));
    let second = admit(again(&first.job), &WithIdentities);
    assert_eq!(first.job, second.job);

    let own = text("identity {\n  aud = [\"mine\"]\n}\n");
    let own = admit(parsed(&own), &WithIdentities).job;
    assert_eq!(names(&own), wanted("mine"));
    let nomad = text("provider = \"nomad\"\n");
    assert!(names(&admit(parsed(&nomad), &WithIdentities).job).is_empty());
    assert!(names(&admit(parsed(&text("")), &WithConsul).job).is_empty());
}

struct WithoutVault;

impl Cluster for WithoutVault {
    fn namespace(&self, name: &str) -> Option<Namespace> {
        NoCluster.namespace(name)
    }
    fn has_node_pool(&self, _name: &str) -> bool {
        true
    }
}

#[test]
fn what_a_job_wants_of_a_vault_counts_where_there_is_one() {
    let text = "job \"j\" {\n  group \"g\" {\n    task \"t\" {\n      driver = \"x\"\n      vault {\n        namespace =                 \"n\"\n      }\n    }\n  }\n}\n";
    assert_eq!(
        admit(parsed(text), &WithoutVault).errors,
        ["Vault \"default\" not enabled but used in the job"]
    );
    assert_eq!(
        admit(parsed(text), &NoCluster).errors,
        ["multiple Vault namespaces requires Nomad Enterprise, Namespaces: n"]
    );
}
