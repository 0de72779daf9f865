//! Checks of services on a real node: they decide about health, restart tasks, and look through TLS.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Agent, binary, no_agent, shell_job, skipped, until};

const KEEP: &str = "client { gc_disk_usage_threshold = 100 }";

fn no_python() -> Option<&'static str> {
    let there = Command::new("python3").arg("-V").output().is_ok();
    (!there).then_some("python3 is needed")
}

fn id(alloc: &Value) -> String {
    alloc["ID"].as_str().expect("an id").to_owned()
}

/// How each check of an allocation stands, and what it says.
pub(crate) fn checks(
    agent: &Agent,
    alloc: &str,
) -> Option<std::collections::BTreeMap<String, (String, String)>> {
    let found = agent.get(&format!("/v1/client/allocation/{alloc}/checks"));
    let found = found.ok()?.as_object()?.clone();
    let each = found.values().map(|check| {
        let text = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
        (text("Check"), (text("Status"), text("Output")))
    });
    Some(each.collect())
}

#[test]
fn checks_decide() {
    if skipped("checks_decide", no_agent().or(no_python())) {
        return;
    }
    let agent = Agent::start(KEEP);
    // It ends when the deployment is successful: the one check that never passes does not count.
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/checks.nomad");
    agent.ok(&["job", "run", &example.display().to_string()]);
    let alloc = id(&agent.until_allocations("checks", "running", 1)[0]);
    until("every check has run", || {
        let found = checks(&agent, &alloc)?;
        let is = |name: &str, status: &str| found.get(name).is_some_and(|(is, _)| is == status);
        (is("open", "success") && is("well", "success") && is("ready", "failure")).then_some(())
    });
    let page = agent.path(&format!("data/alloc/{alloc}/serve/local/health"));
    std::fs::remove_file(&page).expect("it was there");
    let events = until("the task is restarted for its check", || {
        let found = agent.get(&format!("/v1/allocation/{alloc}")).ok()?;
        let state = &found["TaskStates"]["serve"];
        (state["Restarts"] == 1 && state["State"] == "running").then(|| state["Events"].to_string())
    });
    assert!(
        events.contains(r#"healthcheck: check \"well\" unhealthy"#),
        "{events}"
    );
    until("it is well again", || {
        let well = checks(&agent, &alloc)?
            .get("well")
            .is_some_and(|(status, _)| status == "success");
        (page.exists() && well).then_some(())
    });
    agent.ok(&["job", "stop", "-purge", "-detach", "checks"]);
}

/// As a workload the group `g` is called like this task.
#[test]
fn services_of_a_task_and_its_group_are_told_apart() {
    if skipped(
        "services_of_a_task_and_its_group_are_told_apart",
        no_agent(),
    ) {
        return;
    }
    let agent = Agent::start(KEEP);
    let mut job = shell_job("apart", "service", 1, "exec sleep 3600");
    let service = |name: &str| {
        json!([{"Name": name, "Provider": "nomad", "PortLabel": "p", "Checks":
        [{"Name": name, "Type": "tcp", "Interval": 1_000_000_000, "Timeout": 1_000_000_000}]}])
    };
    let group = &mut job["TaskGroups"][0];
    group["Name"] = json!("g");
    group["Networks"] = json!([{"Mode": "host", "DynamicPorts": [{"Label": "p"}]}]);
    group["Services"] = service("of-group");
    group["Tasks"][0]["Name"] = json!("group-g");
    group["Tasks"][0]["Services"] = service("of-task");
    agent.register(&job).expect("registered");
    let alloc = id(&agent.until_allocations("apart", "running", 1)[0]);
    let announced = |name: &str| {
        let found = agent.get(&format!("/v1/service/{name}")).ok()?;
        (found.as_array()?.len() == 1).then_some(())
    };
    until("the task's is announced", || announced("of-task"));
    until("and looked at", || {
        checks(&agent, &alloc)?.get("of-task").map(drop)
    });
    // The new version announces both anew.
    job["Meta"] = json!({"version": "2"});
    agent.register(&job).expect("registered");
    until("both are announced and looked at", || {
        let found = checks(&agent, &alloc)?;
        let both = found.contains_key("of-task") && found.contains_key("of-group");
        announced("of-task")
            .and(announced("of-group"))
            .filter(|()| both)
    });
    agent.ok(&["job", "stop", "-purge", "-detach", "apart"]);
}

/// A page behind a certificate that nobody here trusts.
#[test]
fn checks_look_through_tls() {
    if skipped("checks_look_through_tls", no_agent().or(no_python())) {
        return;
    }
    let site = tempfile::tempdir().expect("a folder");
    for args in [
        ["tls", "ca", "create"].as_slice(),
        &["tls", "cert", "create", "-server"],
    ] {
        let made = Command::new(binary())
            .args(args)
            .current_dir(site.path())
            .output()
            .expect("the command runs");
        assert!(made.status.success(), "{args:?}");
    }
    let server = "import http.server, os, ssl\n\
                  context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
                  context.load_cert_chain('global-server-nomad.pem', 'global-server-nomad-key.pem')\n\
                  address = ('0.0.0.0', int(os.environ['NOMAD_PORT_https']))\n\
                  server = http.server.ThreadingHTTPServer(address, http.server.SimpleHTTPRequestHandler)\n\
                  server.socket = context.wrap_socket(server.socket, server_side=True)\n\
                  server.serve_forever()\n";
    std::fs::write(site.path().join("server.py"), server).expect("written");
    let agent = Agent::start(KEEP);
    let line = format!("cd {} && exec python3 server.py", site.path().display());
    let mut job = shell_job("secure", "service", 1, &line);
    let group = &mut job["TaskGroups"][0];
    group["Networks"] = json!([{"DynamicPorts": [{"Label": "https"}]}]);
    let second = 1_000_000_000_i64;
    let check = |name: &str, skip: bool| {
        json!({
            "Name": name, "Type": "http", "Protocol": "https", "Path": "/server.py", "Interval": second, "Timeout": 5 * second,
            "TLSSkipVerify": skip,
        })
    };
    group["Services"] = json!([{
        "Name": "secure", "Provider": "nomad", "PortLabel": "https",
        "Checks": [check("trusting", true), check("careful", false)],
    }]);
    agent.register(&job).expect("registered");
    let alloc = id(&agent.until_allocations("secure", "running", 1)[0]);
    // Until the server listens, both are refused.
    let found = until("both checks have seen the server", || {
        let found = checks(&agent, &alloc)?;
        let trusted = found.get("trusting")?.0 == "success";
        let refused = found.get("careful")?.1.contains("refused");
        (trusted && !refused).then_some(found)
    });
    assert_eq!(found["trusting"].1, "nomad: http ok");
    let (status, why) = &found["careful"];
    assert_eq!(status, "failure");
    assert!(why.to_lowercase().contains("certificate"), "{why}");
    agent.ok(&["job", "stop", "-purge", "-detach", "secure"]);
}
