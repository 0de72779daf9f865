//! What the node does for tasks, shown by the job files of `examples/`.

use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Agent, no_agent, no_docker, shell_job, skipped, until};

/// What ended is looked at, however full this machine's disk is.
const KEEP: &str = "client { gc_disk_usage_threshold = 100 }";

fn example(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name)
        .display()
        .to_string()
}

fn id(alloc: &serde_json::Value) -> String {
    alloc["ID"].as_str().expect("an id").to_owned()
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn tasks_around_a_main_task() {
    if skipped("tasks_around_a_main_task", no_agent()) {
        return;
    }
    let agent = Agent::start(KEEP);
    agent.ok(&["job", "run", &example("lifecycle.nomad")]);
    let alloc = id(&agent.until_allocations("lifecycle", "complete", 1)[0]);
    let order = agent.ok(&["alloc", "logs", &alloc, "main"]);
    let mut lines: Vec<&str> = order.lines().collect();
    assert_eq!(lines.last(), Some(&"greet"), "{order}");
    lines.sort_unstable();
    assert_eq!(lines, ["beside", "greet", "main", "prepare"]);
    let shared = agent.ok(&["alloc", "fs", &alloc, "alloc/data/order"]);
    assert_eq!(shared.lines().last(), Some("tidy"));
}

/// From the cluster's variables, and from a program that the operator added.
#[test]
fn secrets_before_the_start() {
    if skipped("secrets_before_the_start", no_agent()) {
        return;
    }
    let mut agent = Agent::prepare(KEEP);
    let plugins = agent.path("data/common_plugins/secrets");
    std::fs::create_dir_all(&plugins).expect("made");
    let program = plugins.join("safe");
    let script = r#"#!/bin/sh
case $1 in
fingerprint) echo '{"type":"secrets","version":"0.1.0"}';;
fetch) echo "{\"result\":{\"user\":\"bob\",\"password\":\"of $2\"}}";;
esac
"#;
    std::fs::write(&program, script).expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).expect("set");
    agent.launch();
    agent.wait_ready();
    agent.ok(&[
        "var",
        "put",
        "nomad/jobs/secret",
        "user=ada",
        "password=lovelace",
    ]);
    let run = |provider: &str| {
        let provider = format!("provider={provider}");
        agent.ok(&["job", "run", "-var", &provider, &example("secret.nomad")]);
        let alloc = id(&agent.until_allocations("secret", "complete", 1)[0]);
        let said = agent.ok(&["alloc", "logs", &alloc]);
        agent.ok(&["job", "stop", "-purge", "secret"]);
        until("it is forgotten", || {
            agent
                .allocations("secret", "complete")
                .is_empty()
                .then_some(())
        });
        said
    };
    assert_eq!(run("nomad"), "ada:lovelace\nuser=ada");
    assert_eq!(run("safe"), "bob:of nomad/jobs/secret\nuser=bob");
}

#[test]
fn a_file_from_variables() {
    if skipped("a_file_from_variables", no_agent()) {
        return;
    }
    let agent = Agent::start(KEEP);
    agent.ok(&["job", "run", "-detach", &example("template.nomad")]);
    until("it says what it waits for", || {
        let all = agent.get("/v1/job/template/allocations").ok()?;
        all.to_string()
            .contains("Missing: nomad.var.block(nomad/jobs/template@default.global)")
            .then_some(())
    });
    agent.ok(&["var", "put", "nomad/jobs/template", "who=ada"]);
    let alloc = id(&agent.until_allocations("template", "running", 1)[0]);
    let said = |text: &str| {
        agent
            .ok(&["alloc", "logs", &alloc])
            .contains(text)
            .then_some(())
    };
    until("the first greeting", || said("hello ada on tested"));
    agent.ok(&["var", "put", "-force", "nomad/jobs/template", "who=grace"]);
    until("the second greeting", || said("hello grace on tested"));
    let token = agent.path(&format!("data/alloc/{alloc}/show/secrets/nomad_token"));
    let token = std::fs::read_to_string(token).expect("an identity");
    assert_eq!(token.split('.').count(), 3, "a signed token: {token}");
    agent.ok(&["job", "stop", "-purge", "template"]);
}

/// Why there can be no networks of their own here.
fn no_bridge() -> Option<&'static str> {
    let plugins = Path::new("/usr/lib/cni/bridge").exists();
    let iptables = Command::new("iptables")
        .args(["-t", "nat", "-L", "-n"])
        .output()
        .is_ok_and(|output| output.status.success());
    (!is_root() || !plugins || !iptables)
        .then_some("root, iptables and the CNI plugins in /usr/lib/cni are needed")
}

/// A bridge that a test uses, which goes with it.
struct Bridge {
    name: &'static str,
    subnet: &'static str,
}

impl Bridge {
    fn config(&self) -> String {
        format!(
            "client {{ gc_disk_usage_threshold = 100\nbridge_network_name = \"{}\"\nbridge_network_subnet = \"{}\" }}",
            self.name, self.subnet
        )
    }

    /// Waits until no allocation of the agent has a namespace any more.
    fn until_left(&self, agent: &Agent) {
        let names = |dir: &Path| -> Vec<String> {
            let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
            let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
            names.collect()
        };
        until("their namespaces are gone", || {
            let ids = names(Path::new("/var/run/netns"));
            let mut own = names(&agent.path("data/alloc")).into_iter();
            own.all(|id| !ids.contains(&id)).then_some(())
        });
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let rule = ["-D", "NOMAD-ADMIN", "-o", self.name, "-d", self.subnet];
        for (program, args) in [
            ("ip", vec!["link", "del", self.name]),
            ("iptables", [rule.as_slice(), &["-j", "ACCEPT"]].concat()),
        ] {
            drop(Command::new(program).args(args).output());
        }
    }
}

#[test]
fn a_network_of_its_own() {
    if skipped("a_network_of_its_own", no_agent().or_else(no_bridge)) {
        return;
    }
    let bridge = Bridge {
        name: "caravantest1",
        subnet: "172.26.253.0/24",
    };
    let agent = Agent::start(&bridge.config());
    agent.ok(&["job", "run", &example("bridge.nomad")]);
    agent.until_allocations("bridge", "running", 1);
    let service = until("the service is registered", || {
        let found = agent.get("/v1/service/page").ok()?;
        found.as_array()?.first().cloned()
    });
    let place = (
        service["Address"].as_str().expect("an address").to_owned(),
        service["Port"]
            .as_u64()
            .and_then(|port| u16::try_from(port).ok())
            .expect("a port"),
    );
    let page = until("the page answers at the host's port", || {
        let mut stream = std::net::TcpStream::connect((place.0.as_str(), place.1)).ok()?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.contains("inside 172.26.253.").then_some(answer)
    });
    assert!(page.contains(":8080"), "{page}");
    agent.ok(&["job", "stop", "-purge", "bridge"]);
    bridge.until_left(&agent);
}

/// What tasks in their group's network know of names: a container, though its engine takes no such settings there, and one
/// in a root that is the host's and cannot be written.
#[test]
fn tasks_in_a_network_of_their_own_know_names() {
    let test = "tasks_in_a_network_of_their_own_know_names";
    if skipped(test, no_agent().or_else(no_bridge).or_else(no_docker)) {
        return;
    }
    let bridge = Bridge {
        name: "caravantest2",
        subnet: "172.26.252.0/24",
    };
    let agent = Agent::start(&bridge.config());
    let mut job = shell_job("names", "batch", 1, "");
    job["TaskGroups"][0]["Networks"] = json!([{"Mode": "bridge", "Hostname": "inside",
        "DNS": {"Servers": ["192.0.2.53"], "Searches": ["example.org"], "Options": ["ndots:2"]}}]);
    let task = &mut job["TaskGroups"][0]["Tasks"][0];
    task["Driver"] = json!("docker");
    task["Config"] = json!({"image": "redis:4.0", "command": "sh", "args": ["-c", "hostname; cat /etc/resolv.conf /etc/hosts"],
        "extra_hosts": ["db.example:10.1.2.3", "machine:host-gateway"]});
    // Beside it: settings of its own, which the group has none of.
    let mut other = job.clone();
    other["ID"] = json!("own-names");
    other["TaskGroups"][0]["Networks"][0]["DNS"] = Value::Null;
    let config = &mut other["TaskGroups"][0]["Tasks"][0]["Config"];
    config["dns_servers"] = json!(["192.0.2.54"]);
    let said = |job: &Value| {
        agent.register(job).expect("registered");
        let name = job["ID"].as_str().expect("an id");
        let alloc = id(&agent.until_allocations(name, "complete", 1)[0]);
        agent.ok(&["alloc", "logs", &alloc])
    };
    let shown = said(&job);
    let head = "inside\nsearch example.org\nnameserver 192.0.2.53\noptions ndots:2\n";
    assert!(shown.starts_with(head), "{shown}");
    assert!(shown.contains("\n10.1.2.3 db.example\n"), "{shown}");
    for (name, address) in [("inside", "172.26.252."), ("machine", "")] {
        let known = |line: &str| line.starts_with(address) && line.ends_with(&format!(" {name}"));
        assert!(shown.lines().any(known), "{name}: {shown}");
    }
    let shown = said(&other);
    assert!(shown.contains("\nnameserver 192.0.2.54\n"), "{shown}");
    assert!(!shown.contains("192.0.2.53"), "{shown}");
    // And in a root of its own, with and without settings of the group.
    let nodes = agent.get("/v1/nodes").expect("nodes");
    let exec = nodes[0]["Drivers"]["exec"]["Healthy"] == true;
    if !skipped(test, (!exec).then_some("the driver exec needs cgroups")) {
        for (name, of) in [("rooted", &job), ("rooted-plain", &other)] {
            let mut job = of.clone();
            job["ID"] = json!(name);
            let task = &mut job["TaskGroups"][0]["Tasks"][0];
            task["Driver"] = json!("exec");
            task["Config"] = json!({"command": "/bin/sh", "args": ["-c", "hostname; cat /etc/resolv.conf /etc/hosts"]});
            let shown = said(&job);
            let servers = name == "rooted";
            assert_eq!(shown.starts_with(head), servers, "{shown}");
            let known = |line: &str| line.starts_with("172.26.252.") && line.ends_with(" inside");
            assert!(shown.lines().any(known), "{shown}");
        }
    }
    for name in ["names", "own-names", "rooted", "rooted-plain"] {
        drop(agent.nomad(&["job", "stop", "-purge", "-detach", name]));
    }
    // Their engine's, too.
    let node = nodes[0]["ID"].as_str().expect("an id");
    let label = format!("label=com.hashicorp.nomad.node_id={node}");
    until("no container is left", || {
        let found = Command::new("docker")
            .args(["ps", "-aq", "--filter", &label])
            .output()
            .ok()?;
        (found.status.success() && found.stdout.is_empty()).then_some(())
    });
    bridge.until_left(&agent);
}

#[test]
fn a_volume_outlives_its_jobs() {
    let missing = (!is_root()).then_some("exec tasks need root");
    if skipped("a_volume_outlives_its_jobs", no_agent().or(missing)) {
        return;
    }
    let mut agent = Agent::start(KEEP);
    agent.ok(&["volume", "create", &example("volume.hcl")]);
    let run = |agent: &Agent, count: usize| {
        agent.ok(&["job", "run", &example("volume.nomad")]);
        let alloc = id(&agent.until_allocations("volume", "complete", 1)[0]);
        assert_eq!(
            agent.ok(&["alloc", "logs", &alloc]).trim(),
            count.to_string()
        );
        agent.ok(&["job", "stop", "-purge", "volume"]);
        until("the allocation is forgotten", || {
            agent
                .allocations("volume", "complete")
                .is_empty()
                .then_some(())
        });
    };
    run(&agent, 1);
    agent.kill();
    agent.launch();
    agent.wait_ready();
    until("the node has its volume again", || {
        let node = agent.get("/v1/nodes").ok()?[0]["ID"].as_str()?.to_owned();
        let node = agent.get(&format!("/v1/node/{node}")).ok()?;
        node["HostVolumes"]["counter"]["Path"]
            .as_str()
            .map(str::to_owned)
    });
    run(&agent, 2);
}
