//! Dynamic host volumes from end to end: who gets which, who waits, and what an operator can do about it.

use serde_json::{Value, json};

use crate::separate::{client, server};
use crate::support::{Agent, no_agent, shell_job, skipped, until};

/// Creates a volume; what more its specification says is in `extra`.
fn create(agent: &Agent, name: &str, extra: &str) -> String {
    let file = format!("{}.hcl", name.replace(['[', ']'], "-"));
    let spec = format!("name = \"{name}\"\ntype = \"host\"\nplugin_id = \"mkdir\"\n{extra}\n");
    std::fs::write(agent.path(&file), spec).expect("written");
    let said = agent.ok(&["volume", "create", "-detach", &file]);
    let id = said.trim().rsplit(' ').next().expect("an id").to_owned();
    until("the volume is ready", || {
        let volume = agent.get(&format!("/v1/volume/host/{id}")).ok()?;
        (volume["State"] == "ready").then_some(())
    });
    id
}

fn capability(mode: &str) -> String {
    format!("capability {{ access_mode = \"{mode}\" attachment_mode = \"file-system\" }}\n")
}

/// A service whose group asks for a volume.
fn with_volume(id: &str, count: i64, mut volume: Value) -> Value {
    let mut job = shell_job(id, "service", count, "exec sleep 1000");
    volume["Name"] = "v".into();
    volume["Type"] = "host".into();
    job["TaskGroups"][0]["Volumes"] = json!({ "v": volume });
    job
}

/// Why a job's work waits, once it does.
fn waits(agent: &Agent, job: &str) -> String {
    until(&format!("{job} waits"), || {
        let evals = agent.get(&format!("/v1/job/{job}/evaluations")).ok()?;
        let blocked = evals.as_array()?.iter();
        let mut blocked = blocked.filter(|eval| eval["Status"] == "blocked");
        Some(blocked.next()?["FailedTGAllocs"]["g"]["ConstraintFiltered"].to_string())
    })
}

const NOT_THERE: &str = "missing compatible host volumes";

fn node_of(agent: &Agent, job: &str) -> String {
    let alloc = agent.until_allocations(job, "running", 1).remove(0);
    alloc["NodeName"].as_str().expect("a name").to_owned()
}

#[test]
fn a_group_keeps_to_the_sticky_volume_that_it_has_claimed() {
    if skipped(
        "a_group_keeps_to_the_sticky_volume_that_it_has_claimed",
        no_agent(),
    ) {
        return;
    }
    let mut agent = server("s", 1, &[], "");
    let clients = ["left", "right"].map(|name| client(name, &[agent.ports[1]], ""));
    agent.wait_ready();
    let nodes = until("both nodes are ready", || {
        let nodes = agent.get("/v1/nodes").ok()?;
        let ready = nodes.as_array()?.iter();
        let ready: Vec<Value> = ready
            .filter(|node| node["Status"] == "ready")
            .cloned()
            .collect();
        (ready.len() == clients.len()).then_some(ready)
    });
    let id_of = |name: &str| {
        let node = nodes.iter().find(|node| node["Name"] == name);
        node.expect("a node")["ID"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    for name in ["left", "right"] {
        create(&agent, "data", &format!("node_id = \"{}\"", id_of(name)));
    }
    let mut job = with_volume("db", 1, json!({"Source": "data", "Sticky": true}));
    agent.register(&job).expect("registered");
    let home = node_of(&agent, "db");
    let claims = agent.get("/v1/volumes/claims").expect("claims");
    assert_eq!(claims.as_array().map(Vec::len), Some(1), "{claims}");

    // A new version stays where its data is.
    job["TaskGroups"][0]["Tasks"][0]["Env"] = json!({"VERSION": "2"});
    agent.register(&job).expect("registered");
    until("the new version runs", || {
        let running = agent.allocations("db", "running");
        (running.len() == 1 && running[0]["JobVersion"] == 1).then_some(())
    });
    assert_eq!(node_of(&agent, "db"), home);

    // So it does while its node takes nothing: rather none than without the data.
    agent.ok(&["node", "eligibility", "-disable", &id_of(&home)]);
    let alloc = agent.until_allocations("db", "running", 1).remove(0);
    let alloc = alloc["ID"].as_str().expect("an id").to_owned();
    agent.ok(&["alloc", "stop", "-detach", &alloc]);
    assert!(waits(&agent, "db").contains(NOT_THERE));
    let told = agent.ok(&["job", "explain", "db"]);
    assert!(told.contains(&format!("{home}: ineligible")), "{told}");
    assert!(told.contains("\"data\""), "{told}");
    agent.ok(&["node", "eligibility", "-enable", &id_of(&home)]);
    assert_eq!(node_of(&agent, "db"), home);

    // An operator who gives the claim up lets it go elsewhere.
    agent.ok(&["node", "eligibility", "-disable", &id_of(&home)]);
    let alloc = agent.until_allocations("db", "running", 1).remove(0);
    let alloc = alloc["ID"].as_str().expect("an id").to_owned();
    agent.ok(&["alloc", "stop", "-detach", &alloc]);
    waits(&agent, "db");
    let claims = agent.get("/v1/volumes/claims").expect("claims");
    let claim = claims[0]["ID"].as_str().expect("an id").to_owned();
    agent.ok(&["volume", "claim", "delete", "-y", &claim]);
    agent.ok(&["job", "eval", "-detach", "db"]);
    assert_ne!(node_of(&agent, "db"), home);

    // With the job its claims go.
    agent.ok(&["job", "stop", "-purge", "-detach", "db"]);
    until("no claim is left", || {
        let claims = agent.get("/v1/volumes/claims").ok()?;
        claims.as_array()?.is_empty().then_some(())
    });
}

#[test]
fn each_allocation_has_a_volume_of_its_own() {
    if skipped("each_allocation_has_a_volume_of_its_own", no_agent()) {
        return;
    }
    let agent = Agent::start("");
    for name in ["data[0]", "data[1]"] {
        create(&agent, name, "");
    }
    let job = with_volume("shards", 3, json!({"Source": "data", "PerAlloc": true}));
    agent.register(&job).expect("registered");
    agent.until_allocations("shards", "running", 2);
    assert!(waits(&agent, "shards").contains(NOT_THERE));
    create(&agent, "data[2]", "");
    let running = agent.until_allocations("shards", "running", 3);
    let mut names: Vec<&str> = running
        .iter()
        .filter_map(|alloc| alloc["Name"].as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["shards.g[0]", "shards.g[1]", "shards.g[2]"]);
}

#[test]
fn access_modes_say_who_may_share_a_volume() {
    if skipped("access_modes_say_who_may_share_a_volume", no_agent()) {
        return;
    }
    let agent = Agent::start("");
    let modes = ["single-node-single-writer", "single-node-reader-only"].map(capability);
    let volume = create(&agent, "data", &modes.concat());
    let writer = json!({"Source": "data", "AccessMode": "single-node-single-writer",
        "AttachmentMode": "file-system"});
    let reader = json!({"Source": "data", "ReadOnly": true});
    agent
        .register(&with_volume("first", 1, writer.clone()))
        .expect("registered");
    agent.until_allocations("first", "running", 1);
    agent
        .register(&with_volume("second", 1, writer))
        .expect("registered");
    assert!(waits(&agent, "second").contains(NOT_THERE));
    agent
        .register(&with_volume("reader", 2, reader))
        .expect("registered");
    agent.until_allocations("reader", "running", 2);
    // A mode that the volume does not have.
    agent
        .register(&with_volume("other", 1, json!({"Source": "data"})))
        .expect("registered");
    assert!(waits(&agent, "other").contains(NOT_THERE));

    let refused = agent.nomad(&["volume", "delete", "-type", "host", &volume]);
    assert!(!refused.status.success(), "it is in use");
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("in use by allocations"), "{why}");

    agent.ok(&["job", "stop", "-detach", "first"]);
    agent.until_allocations("second", "running", 1);
}

/// A plugin that makes a directory and says that it is 1 MiB large, or larger where that is asked for.
const PLUGIN: &str = r#"#!/bin/sh
case "$1" in
fingerprint) echo '{"version": "1.0.0"}' ;;
create)
  path="$DHV_VOLUMES_DIR/$DHV_VOLUME_ID"
  mkdir -p "$path"
  bytes=1048576
  [ "$DHV_CAPACITY_MIN_BYTES" -gt "$bytes" ] && bytes=$DHV_CAPACITY_MIN_BYTES
  echo "{\"path\": \"$path\", \"bytes\": $bytes}" ;;
delete) rm -rf "$DHV_CREATED_PATH" ;;
esac
"#;

#[test]
fn a_volume_has_the_capacity_that_its_plugin_gave_it() {
    if skipped(
        "a_volume_has_the_capacity_that_its_plugin_gave_it",
        no_agent(),
    ) {
        return;
    }
    let mut agent = Agent::prepare("");
    let plugins = agent.path("data/host_volume_plugins");
    std::fs::create_dir_all(&plugins).expect("a folder");
    let plugin = plugins.join("sized");
    std::fs::write(&plugin, PLUGIN).expect("written");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&plugin, executable).expect("executable");
    agent.launch();
    agent.wait_ready();

    let spec =
        |more: &str| format!("name = \"data\"\ntype = \"host\"\nplugin_id = \"sized\"\n{more}\n");
    std::fs::write(
        agent.path("volume.hcl"),
        spec("capacity_min = \"512KiB\"\ncapacity_max = \"2MiB\""),
    )
    .expect("written");
    let said = agent.ok(&["volume", "create", "-detach", "volume.hcl"]);
    let id = said.trim().rsplit(' ').next().expect("an id").to_owned();
    let status = || agent.ok(&["volume", "status", "-type", "host", &id]);
    until("the volume is ready", || {
        status().contains("= ready").then_some(())
    });
    assert!(status().contains("= 1.0 MiB"), "{}", status());

    // It may grow, but not shrink below what it has.
    let update = |more: &str| {
        let spec = format!("id = \"{id}\"\n{}", spec(more));
        std::fs::write(agent.path("volume.hcl"), spec).expect("written");
        agent.nomad(&["volume", "create", "-detach", "volume.hcl"])
    };
    let refused = update("capacity_max = \"512KiB\"");
    assert!(!refused.status.success(), "{refused:?}");
    let refused = update("capacity_min = \"2MiB\"\ncapacity_max = \"1MiB\"");
    assert!(!refused.status.success(), "{refused:?}");
    let grown = update("capacity_min = \"1536KiB\"\ncapacity_max = \"2MiB\"");
    assert!(grown.status.success(), "{grown:?}");
    until("the volume has grown", || {
        status().contains("= 1.5 MiB").then_some(())
    });
}
