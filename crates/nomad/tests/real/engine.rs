//! The Docker engine restarted under running containers: an engine of the test's own, with images, sockets and folders.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Agent, no_agent, skipped, until};

/// What is missing for an engine beside the machine's.
fn missing() -> Option<&'static str> {
    let has = |program: &str| {
        Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if !nix::unistd::geteuid().is_root() {
        return Some("an engine needs root");
    }
    let programs = [
        ("dockerd", "there is no dockerd"),
        ("containerd", "there is no containerd"),
        ("docker", "there is no docker command"),
        ("busybox", "there is no busybox"),
        ("redis-server", "there is no redis-server"),
        ("unshare", "there is no unshare"),
    ];
    let absent = programs.into_iter().find(|(program, _)| !has(program));
    absent.map(|(_, why)| why)
}

struct Engine {
    dir: tempfile::TempDir,
    live_restore: bool,
    process: Option<Child>,
    /// Keeps the containers, and goes on when the engine ends, as on any machine with service files.
    containerd: Child,
}

fn containerd(dir: &Path) -> Child {
    std::fs::write(dir.join("containerd.toml"), "").expect("written");
    let mut command = Command::new("containerd");
    for (option, name) in [
        ("--config", "containerd.toml"),
        ("--root", "containerd"),
        ("--state", "containers"),
        ("--address", "containerd.sock"),
    ] {
        command.arg(option).arg(dir.join(name));
    }
    let log = std::fs::File::create(dir.join("containerd.log")).expect("a log");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("containerd")
}

impl Engine {
    /// An engine with the images of the tests; `None` where a second one does not start.
    fn start(live_restore: bool) -> Option<Self> {
        // Not in a memory file system, and short enough for a socket's address.
        let dir = tempfile::Builder::new()
            .prefix("engine")
            .tempdir_in("/var/tmp");
        let dir = dir.expect("a folder");
        let containerd = containerd(dir.path());
        let mut engine = Self {
            dir,
            live_restore,
            process: None,
            containerd,
        };
        if !engine.launch() {
            return None;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.ci/make-images");
        let made = Command::new(script)
            .env("DOCKER_HOST", engine.endpoint())
            .output()
            .expect("make-images runs");
        assert!(made.status.success(), "{made:?}");
        Some(engine)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.at("log")).unwrap_or_default()
    }

    fn endpoint(&self) -> String {
        format!("unix://{}", self.at("sock").display())
    }

    /// Starts the process; whether it answers.
    fn launch(&mut self) -> bool {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.at("log"))
            .expect("a log");
        let mut command = Command::new("unshare");
        // A network of its own: the bridge and the rules of the machine's engine are not touched.
        command.args([
            "--net",
            "dockerd",
            "--bridge=none",
            "--iptables=false",
            "--storage-driver=vfs",
        ]);
        for (option, name) in [
            ("--data-root", "data"),
            ("--exec-root", "exec"),
            ("--pidfile", "pid"),
            ("--containerd", "containerd.sock"),
        ] {
            command.arg(option).arg(self.at(name));
        }
        // What the machine's engine is configured to is not for this one.
        let config = self.at("daemon.json");
        std::fs::write(&config, "{}").expect("written");
        command.arg("--config-file").arg(config);
        command.args(["--host", &self.endpoint()]);
        if self.live_restore {
            command.arg("--live-restore");
        }
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("unshare");
        self.process = Some(process);
        until("the engine answers, or has ended", || {
            let ended = self.process.as_mut()?.try_wait().expect("waited for");
            match ended {
                Some(_) => Some(false),
                None => self.docker(&["version"]).map(|_| true),
            }
        })
    }

    /// Ends the process, and nothing else.
    fn end(&mut self, signal: &str) {
        let mut process = self.process.take().expect("it runs");
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &process.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()));
        until("the engine ends", || {
            process.try_wait().expect("waited for")
        });
    }

    /// What a command says, if it succeeds.
    fn docker(&self, args: &[&str]) -> Option<String> {
        let output = Command::new("docker")
            .args(["-H", &self.endpoint()])
            .args(args)
            .output()
            .ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Number, start and process of an allocation's container.
    fn container(&self, task: &str, alloc: &str) -> String {
        let name = format!("{task}-{alloc}");
        let format = "{{.Id}} {{.State.StartedAt}} {{.State.Pid}}";
        until("its container", || {
            self.docker(&["inspect", "-f", format, &name])
        })
    }

    /// An agent whose containers this engine runs.
    fn agent(&self) -> Agent {
        let agent = Agent::start(&format!(
            "plugin \"docker\" {{ config {{ endpoint = \"{}\" }} }}",
            self.endpoint()
        ));
        until("the agent has found the engine", || {
            let nodes = agent.get("/v1/nodes").ok()?;
            (nodes[0]["Drivers"]["docker"]["Healthy"] == true).then_some(())
        });
        agent
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(left) = self.docker(&["ps", "-aq"]).filter(|left| !left.is_empty()) {
            let left: Vec<&str> = left.lines().collect();
            self.docker(&[&["rm", "-f"], left.as_slice()].concat());
        }
        if let Some(mut process) = self.process.take() {
            drop(Command::new("kill").arg(process.id().to_string()).status());
            drop(process.wait());
        }
        drop(self.containerd.kill());
        drop(self.containerd.wait());
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
        let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        for point in points.filter(|point| Path::new(point).starts_with(self.dir.path())) {
            drop(Command::new("umount").args(["-l", point]).status());
        }
    }
}

fn id(alloc: &Value) -> String {
    alloc["ID"].as_str().expect("an id").to_owned()
}

/// A job of one container that runs this shell line, and may be started anew so often.
fn job(id: &str, attempts: u64, line: &str) -> Value {
    let mut job = crate::support::shell_job(id, "service", 1, line);
    job["TaskGroups"][0]["RestartPolicy"]["Attempts"] = attempts.into();
    let task = &mut job["TaskGroups"][0]["Tasks"][0];
    task["Driver"] = json!("docker");
    task["Config"] = json!({"image": "webapp:0.1", "network_mode": "none", "command": "/bin/sh", "args": ["-c", line],
        "logging": {"type": "json-file", "config": {"max-size": "100m"}}});
    job
}

/// The numbers of the lines that a counting task has written.
fn lines(agent: &Agent, alloc: &str) -> Vec<usize> {
    let output = agent.nomad(&["alloc", "logs", alloc]).stdout;
    let text = String::from_utf8_lossy(&output).into_owned();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .filter_map(|line| line.strip_prefix("line ")?.parse().ok())
        .collect()
}

const COUNTS: &str =
    "i=0; while [ ! -e /local/go ]; do i=$((i+1)); echo line $i; sleep 0.05; done; exit 7";

/// Lets a task come to its end.
fn let_go(agent: &Agent, alloc: &str) {
    let file = agent.path(&format!("data/alloc/{alloc}/t/local/go"));
    std::fs::write(file, "").expect("written");
}

fn exit_code(agent: &Agent, job: &str) -> String {
    let alloc = agent.until_allocations(job, "failed", 1).remove(0);
    assert_eq!(alloc["TaskStates"]["t"]["Restarts"], 0, "{alloc}");
    let events = alloc["TaskStates"]["t"]["Events"].as_array().cloned();
    let ended = events
        .unwrap_or_default()
        .into_iter()
        .find(|event| event["Type"] == "Terminated");
    let ended = ended.unwrap_or_else(|| panic!("{alloc}"));
    ended["Details"]["exit_code"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn containers_outlive_their_engine() {
    let test = "containers_outlive_their_engine";
    if skipped(test, no_agent().or_else(missing)) {
        return;
    }
    let Some(mut engine) = Engine::start(true) else {
        skipped(test, Some("a second engine does not start here"));
        return;
    };
    let mut agent = engine.agent();
    let start = |agent: &Agent, name: &str| {
        agent.register(&job(name, 0, COUNTS)).expect("registered");
        id(&agent.until_allocations(name, "running", 1)[0])
    };
    let (steady, ends) = (start(&agent, "steady"), start(&agent, "ends"));
    for alloc in [&steady, &ends] {
        until("some lines", || {
            (lines(&agent, alloc).len() > 20).then_some(())
        });
    }
    let before = engine.container("t", &steady);
    let pid = engine.container("t", &ends);
    let pid = pid.rsplit(' ').next().expect("a process");
    for signal in ["KILL", "TERM"] {
        let told = lines(&agent, &steady).len();
        engine.end(signal);
        if signal == "TERM" {
            let_go(&agent, &ends);
            until("one has ended meanwhile", || {
                (!Path::new(&format!("/proc/{pid}")).exists()).then_some(())
            });
        }
        assert!(engine.launch(), "the engine starts again: {}", engine.log());
        assert_eq!(engine.container("t", &steady), before);
        until("its lines go on", || {
            (lines(&agent, &steady).len() > told + 20).then_some(())
        });
    }
    assert_eq!(exit_code(&agent, "ends"), "7");
    // An agent that starts before its engine does waits for it.
    engine.end("TERM");
    agent.kill();
    agent.launch();
    until("the agent answers", || agent.get("/v1/agent/self").ok());
    assert!(engine.launch(), "the engine starts again: {}", engine.log());
    agent.wait_ready();
    let told = lines(&agent, &steady).len();
    until("its lines go on", || {
        (lines(&agent, &steady).len() > told + 20).then_some(())
    });
    assert_eq!(engine.container("t", &steady), before);
    let running = agent.until_allocations("steady", "running", 1).remove(0);
    assert_eq!(running["TaskStates"]["t"]["Restarts"], 0, "{running}");
    let_go(&agent, &steady);
    assert_eq!(exit_code(&agent, "steady"), "7");
    for alloc in [&steady, &ends] {
        let lines = lines(&agent, alloc);
        let expected: Vec<usize> = (1..=lines.len()).collect();
        assert_eq!(lines, expected, "no line is lost and none comes twice");
    }
}

#[test]
fn containers_that_end_with_their_engine_are_started_anew() {
    let test = "containers_that_end_with_their_engine_are_started_anew";
    if skipped(test, no_agent().or_else(missing)) {
        return;
    }
    let Some(mut engine) = Engine::start(false) else {
        skipped(test, Some("a second engine does not start here"));
        return;
    };
    let agent = engine.agent();
    agent
        .register(&job("steady", 100, COUNTS))
        .expect("registered");
    let alloc = id(&agent.until_allocations("steady", "running", 1)[0]);
    for signal in ["TERM", "KILL"] {
        let before = engine.container("t", &alloc);
        let restarts = || {
            let alloc = agent.get(&format!("/v1/allocation/{alloc}")).ok()?;
            alloc["TaskStates"]["t"]["Restarts"].as_u64()
        };
        let earlier = restarts().expect("counted");
        engine.end(signal);
        assert!(engine.launch(), "the engine starts again: {}", engine.log());
        until("another container", || {
            (engine.container("t", &alloc) != before).then_some(())
        });
        until("a restart is counted", || {
            (restarts()? > earlier).then_some(())
        });
        let running = until("it runs", || {
            agent
                .allocations("steady", "running")
                .into_iter()
                .find(|one| one["TaskStates"]["t"]["State"] == "running")
        });
        assert_eq!(id(&running), alloc, "in its place");
        let events = running["TaskStates"]["t"]["Events"].to_string();
        for expected in ["\"Terminated\"", "\"Restarting\"", "\"Started\""] {
            assert!(events.contains(expected), "{expected}: {events}");
        }
    }
    agent.ok(&["job", "stop", "-purge", "-detach", "steady"]);
}
