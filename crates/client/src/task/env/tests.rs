//! The worked examples of the runtime sheet.

use super::*;
use caravan_model::{
    AllocNetworkStatus, AllocatedPort, AllocatedResources, AllocatedSharedResources,
    AllocatedTaskResources, Port,
};

fn env(
    given: AllocatedResources,
    task: Task,
    network: Option<&DriverNetwork>,
) -> BTreeMap<String, String> {
    let alloc = Allocation {
        name: "web.api[3]".into(),
        allocated_resources: Some(Arc::new(given)),
        network_status: Some(Box::new(AllocNetworkStatus {
            interface_name: "eth0".into(),
            address: "172.26.64.7".into(),
            ..AllocNetworkStatus::default()
        })),
        ..Allocation::default()
    };
    let job = Job::default();
    let group = TaskGroup {
        name: "api".into(),
        tasks: vec![task.clone()],
        ..TaskGroup::default()
    };
    let node = Arc::new(Node {
        datacenter: "dc1".into(),
        ..Node::default()
    });
    let source = Source {
        alloc: &alloc,
        job: &job,
        group: &group,
        task: &task,
        node: &node,
        region: "global",
        dirs: Dirs::default(),
        host: &BTreeMap::from([
            ("PATH".into(), "/bin".into()),
            ("NOMAD_DC".into(), "host".into()),
        ]),
        hooks: BTreeMap::new(),
        templates: BTreeMap::new(),
        secrets: BTreeMap::new(),
        network,
        cgroup_parent: "",
    };
    BTreeMap::clone(&TaskEnv::build(&source).vars)
}

fn group_port(value: i64, to: i64, mode: &str) -> AllocatedResources {
    AllocatedResources {
        shared: AllocatedSharedResources {
            networks: vec![NetworkResource {
                mode: mode.into(),
                ..NetworkResource::default()
            }],
            ports: vec![AllocatedPort {
                label: "http".into(),
                value,
                to,
                host_ip: "10.0.0.5".into(),
                ..AllocatedPort::default()
            }],
            ..AllocatedSharedResources::default()
        },
        ..AllocatedResources::default()
    }
}

fn check(env: &BTreeMap<String, String>, port: &str, host_port: &str, alloc_port: Option<&str>) {
    assert_eq!(env["NOMAD_PORT_http"], port);
    assert_eq!(env["NOMAD_ADDR_http"], "10.0.0.5:23456");
    assert_eq!(env["NOMAD_HOST_PORT_http"], host_port);
    assert_eq!(
        env.get("NOMAD_ALLOC_PORT_http").map(String::as_str),
        alloc_port
    );
}

#[test]
fn ports_of_groups() {
    check(
        &env(group_port(23456, 0, ""), Task::default(), None),
        "23456",
        "23456",
        Some("23456"),
    );
    let docker = Task {
        config: serde_json::from_value(serde_json::json!({"ports": ["http"]})).unwrap(),
        ..Task::default()
    };
    check(
        &env(group_port(23456, 80, ""), docker, None),
        "80",
        "23456",
        Some("80"),
    );
    let bridged = env(group_port(23456, 8080, "bridge"), Task::default(), None);
    check(&bridged, "8080", "23456", Some("8080"));
    assert_eq!(bridged["NOMAD_ALLOC_ADDR_http"], "172.26.64.7:8080");
    assert_eq!(bridged["NOMAD_ALLOC_INTERFACE_http"], "eth0");
}

#[test]
fn ports_of_tasks() {
    let port = Port {
        label: "http".into(),
        value: 23456,
        ..Port::default()
    };
    let network = NetworkResource {
        ip: "10.0.0.5".into(),
        dynamic_ports: vec![port],
        ..NetworkResource::default()
    };
    let given = AllocatedTaskResources {
        networks: vec![network],
        ..AllocatedTaskResources::default()
    };
    let mut resources = AllocatedResources::default();
    resources.tasks.insert("me".into(), given.clone());
    resources.tasks.insert("it".into(), given);
    let me = Task {
        name: "me".into(),
        ..Task::default()
    };
    let plain = env(resources.clone(), me.clone(), None);
    check(&plain, "23456", "23456", None);
    assert_eq!(plain["NOMAD_PORT_it_http"], "23456");
    let driver = DriverNetwork {
        port_map: BTreeMap::from([("http".into(), 6379)]),
        ..DriverNetwork::default()
    };
    check(&env(resources, me, Some(&driver)), "6379", "23456", None);
}

#[test]
fn later_sources_win_but_the_host_never_does() {
    let own =
        serde_json::json!({"WHERE": "${NOMAD_DC}-${node.datacenter}", "NOMAD_REGION": "mine"});
    let task = Task {
        env: serde_json::from_value(own).unwrap(),
        ..Task::default()
    };
    let env = env(AllocatedResources::default(), task, None);
    assert_eq!(env["WHERE"], "dc1-dc1");
    assert_eq!(env["NOMAD_REGION"], "mine");
    assert_eq!(env["NOMAD_DC"], "dc1");
    assert_eq!(env["PATH"], "/bin");
    assert_eq!(env["NOMAD_ALLOC_INDEX"], "3");
}
