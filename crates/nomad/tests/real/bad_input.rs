//! Wrong input: a clear message, the right exit code, nothing changed, no panic.

use serde_json::json;

use crate::support::{Agent, binary, shell_job, until};

const FILE: &str = r#"
job "bad" {
  datacenters = ["dc1"]
  group "g" {
    task "t" {
      driver = "raw_exec"
      config {
        command = "/bin/sleep"
        args    = ["3600"]
      }
    }
  }
}
"#;

/// Exit code, standard output and error of a command on a file with this text.
fn on_file(agent: &Agent, command: &[&str], text: &str) -> (i32, String) {
    std::fs::write(agent.path("bad.nomad"), text).expect("written");
    let args: Vec<&str> = command.iter().copied().chain(["bad.nomad"]).collect();
    let output = agent.nomad(&args);
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(!text.contains("panicked"), "{text}");
    (output.status.code().unwrap_or(-1), text)
}

#[test]
fn wrong_job_files_change_nothing() {
    let agent = Agent::start("");
    for (text, expected) in [
        (FILE.replace("group \"g\" {", "group \"g\" "), "bad.nomad"),
        (FILE.replace("datacenters", "datacentres"), "datacentres"),
        (
            FILE.replace("task \"t\" {", "task \"t\" {\n    tusk {}"),
            "tusk",
        ),
        (
            FILE.replace("group \"g\" {", "group \"g\" {\n    count = \"many\""),
            "bad.nomad",
        ),
        (
            FILE.replace("group \"g\" {", "group \"g\" {\n    count = -1"),
            "count",
        ),
        (String::new(), "job"),
    ] {
        let (code, shown) = on_file(&agent, &["job", "run"], &text);
        assert_eq!(code, 1, "{expected}: {shown}");
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    assert_eq!(agent.get("/v1/jobs").expect("jobs"), json!([]));
}

#[test]
fn what_cannot_run_says_why() {
    let agent = Agent::start("");
    let (code, shown) = on_file(
        &agent,
        &["job", "run", "-detach"],
        &FILE.replace("raw_exec", "teleport"),
    );
    assert_eq!(code, 0, "{shown}");
    until("the evaluation is blocked for want of the driver", || {
        let evaluations = agent.get("/v1/job/bad/evaluations").ok()?;
        evaluations
            .to_string()
            .contains("missing drivers")
            .then_some(())
    });
    let (code, shown) = on_file(
        &agent,
        &["job", "run", "-detach"],
        &FILE
            .replace("/bin/sleep", "/nonexistent")
            .replace("\"bad\"", "\"nofile\""),
    );
    assert_eq!(code, 0, "{shown}");
    until("a task event says that the binary is missing", || {
        let allocations = agent.get("/v1/job/nofile/allocations").ok()?;
        allocations
            .to_string()
            .contains("/nonexistent")
            .then_some(())
    });
}

#[test]
fn wrong_requests_are_refused() {
    let agent = Agent::start("");
    for (method, path, body, expected) in [
        ("PUT", "/v1/jobs", "{", 400),
        ("PUT", "/v1/jobs", "[]", 400),
        ("PUT", "/v1/jobs", "{}", 400),
        ("GET", "/v1/nothing", "", 404),
        ("GET", "/v1/job/none", "", 404),
        ("GET", "/v1/jobs?index=x", "", 400),
    ] {
        let (status, answer) = agent
            .http(method, path, body.as_bytes())
            .expect("an answer");
        assert_eq!(
            status,
            expected,
            "{method} {path} {body}: {}",
            String::from_utf8_lossy(&answer)
        );
    }
    let huge = format!("{{\"Job\": {{\"ID\": \"{}\"}}}}", "x".repeat(50 << 20));
    let refused = agent.http("PUT", "/v1/jobs", huge.as_bytes());
    assert!(!matches!(refused, Ok((200, _))), "50 MB are not a job");
    assert!(agent.get("/v1/nodes").is_ok(), "the agent goes on");
    assert_eq!(agent.get("/v1/jobs").expect("jobs"), json!([]));
}

#[test]
fn check_index_and_prefixes() {
    let agent = Agent::start("");
    let (code, shown) = on_file(&agent, &["job", "run", "-check-index", "7"], FILE);
    assert_eq!(code, 1, "{shown}");
    let (code, shown) = on_file(&agent, &["job", "run", "-check-index", "x"], FILE);
    assert_eq!(code, 1, "{shown}");
    assert_eq!(agent.get("/v1/jobs").expect("jobs"), json!([]));
    for id in ["same-a", "same-b"] {
        agent
            .register(&shell_job(id, "service", 0, "true"))
            .expect("registered");
    }
    let output = agent.nomad(&["job", "stop", "same"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("same-a") && text.contains("same-b"), "{text}");
}

#[test]
fn an_agent_that_is_not_there() {
    let output = std::process::Command::new(binary())
        .args(["status", "-address", "http://127.0.0.1:1"])
        .stdin(std::process::Stdio::null())
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("127.0.0.1:1"), "{text}");
}
