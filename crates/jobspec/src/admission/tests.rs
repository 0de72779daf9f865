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
