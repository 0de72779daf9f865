//! What commands print and accept: the shape of objects, templates, updates without a change, volumes of their owner.

use crate::support::{Agent, no_agent, shell_job, skipped, until};
use serde_json::Value;

/// A command that is refused; what it says.
#[track_caller]
fn refused(agent: &Agent, args: &[&str]) -> String {
    let output = agent.nomad(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

#[test]
fn objects_are_shown_whole() {
    if skipped("objects_are_shown_whole", no_agent()) {
        return;
    }
    let agent = Agent::start("");
    let job = shell_job("web", "service", 1, "exec sleep 600");
    agent.register(&job).expect("registered");
    let allocs = agent.until_allocations("web", "running", 1);
    let alloc = allocs[0]["ID"].as_str().expect("an id");

    let shown: Value =
        serde_json::from_str(&agent.ok(&["alloc", "status", "-json", alloc])).expect("JSON");
    assert_eq!(shown["NextAllocation"], "");
    assert_eq!(shown["Job"]["Reschedule"], Value::Null);
    assert!(shown.get("SigningKeyID").is_none());
    let template = "{{.NextAllocation}}|{{.Job.Meta.owner}}|{{sprig_title .JobID}}";
    let text = agent.ok(&["alloc", "status", "-t", template, alloc]);
    assert_eq!(text.trim(), "|<no value>|Web");
    let evals = agent.ok(&["eval", "list", "-t", "{{(index . 0).BlockedEval}}."]);
    assert_eq!(evals.trim(), ".");
    let error = refused(&agent, &["alloc", "status", "-t", "{{.Nope}}", alloc]);
    assert!(
        error.ends_with("can't evaluate field Nope in type *api.Allocation"),
        "{error}"
    );

    let filter = "/v1/jobs?filter=ID==\"web\"";
    let found = agent.get(filter).expect("an answer");
    assert_eq!(found.as_array().map(Vec::len), Some(1));
    let nobody = "00000000-0000-0000-0000-000000000000";
    let error = agent.get(&format!("/v1/client/fs/ls/{nobody}"));
    assert_eq!(
        error.expect_err("unknown"),
        format!("404: Unknown allocation \"{nobody}\"")
    );

    let mine = agent.path("mine");
    std::fs::create_dir(&mine).expect("a folder");
    let node = agent.ok(&["node", "status", "-quiet"]);
    let volume = format!(
        "name = \"mine\"\ntype = \"host\"\nnode_id = \"{}\"\nhost_path = \"{}\"\n\
         capability {{\n  access_mode = \"single-node-writer\"\n  attachment_mode = \"file-system\"\n}}\n",
        node.trim(),
        mine.display()
    );
    std::fs::write(agent.path("mine.hcl"), volume).expect("written");
    agent.ok(&["volume", "register", "mine.hcl"]);
    let id = agent.ok(&[
        "volume",
        "status",
        "-type",
        "host",
        "-t",
        "{{(index . 0).ID}}",
    ]);
    agent.ok(&["volume", "delete", "-type", "host", id.trim()]);
    assert!(
        mine.exists(),
        "what somebody registered is not Nomad's to remove"
    );
}

#[test]
fn updates_of_access_control_change_something() {
    if skipped("updates_of_access_control_change_something", no_agent()) {
        return;
    }
    let mut agent = Agent::prepare("acl { enabled = true }");
    agent.launch();
    let root = until("access control can be bootstrapped", || {
        let output = agent.nomad(&["acl", "bootstrap", "-t", "{{.SecretID}}"]);
        let secret = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(secret)
    });
    let root = format!("-token={root}");
    let root = root.as_str();
    let create = [
        "acl", "role", "create", root, "-name", "r", "-policy", "p", "-t", "{{.ID}}",
    ];
    std::fs::write(agent.path("p.hcl"), "node { policy = \"read\" }").expect("written");
    agent.ok(&["acl", "policy", "apply", root, "p", "p.hcl"]);
    let role = agent.ok(&create);
    let error = refused(&agent, &["acl", "role", "update", root, role.trim()]);
    assert!(
        error.starts_with("Please provide at least one flag to update the ACL role"),
        "{error}"
    );
    let error = refused(&agent, &["login"]);
    assert_eq!(error, "Must specify an auth method name, no default found");
    let config = "{\"OIDCDiscoveryURL\": \"http://127.0.0.1:1\", \"OIDCClientID\": \"a\", \
                  \"OIDCClientSecret\": \"b\", \"AllowedRedirectURIs\": [\"http://localhost:4649/oidc/callback\"]}";
    let mut create = vec![
        "acl",
        "auth-method",
        "create",
        root,
        "-name",
        "sso",
        "-type",
        "oidc",
    ];
    create.extend([
        "-token-locality",
        "local",
        "-max-token-ttl",
        "1h",
        "-config",
        config,
    ]);
    agent.ok(&create);
    let error = refused(&agent, &["acl", "auth-method", "update", root, "sso"]);
    assert!(
        error.starts_with("Please provide at least one flag to update the ACL auth method"),
        "{error}"
    );
    let error = refused(&agent, &["login", "-method", "nope"]);
    assert!(error.starts_with("Error: method nope not found"), "{error}");
}

#[test]
fn the_log_is_exported() {
    if skipped("the_log_is_exported", no_agent()) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("agent.log");
    let agent = Agent::start(&format!("log_file = \"{}\"", file.display()));
    let text = agent.ok(&["monitor", "export", "-on-disk"]);
    assert!(text.contains("node registration complete"), "{text}");
    let error = refused(&agent, &["monitor", "export", "-service-name", "sshd"]);
    assert!(
        error.contains("\"sshd\" is no name of a service of nomad"),
        "{error}"
    );
    let other = Agent::start("");
    let error = refused(&other, &["monitor", "export", "-on-disk"]);
    assert!(error.contains("log_file is not configured"), "{error}");
}

#[test]
fn a_system_job_is_rescheduled_by_job_restart() {
    if skipped("a_system_job_is_rescheduled_by_job_restart", no_agent()) {
        return;
    }
    let agent = Agent::start("");
    let mut job = shell_job("everywhere", "system", 1, "exec sleep 600");
    job["Update"] = serde_json::json!({"MaxParallel": 0});
    job["TaskGroups"][0]["ReschedulePolicy"] = Value::Null;
    agent.register(&job).expect("registered");
    let before = agent.until_allocations("everywhere", "running", 1);
    let told = agent.ok(&["job", "restart", "-yes", "-reschedule", "everywhere"]);
    assert!(told.contains("Job restarted successfully!"), "{told}");
    let after = agent.until_allocations("everywhere", "running", 1);
    assert_ne!(before[0]["ID"], after[0]["ID"]);
}
