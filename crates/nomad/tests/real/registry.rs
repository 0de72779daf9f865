//! Images of a real registry that asks for a password: Debian's `docker-registry`, started by the test.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::json;

use crate::clock::{Clock, PATIENT};
use crate::support::{Agent, free_port, no_agent, no_docker, shell_job, skipped, until};

/// `ada`, whose password is `lovelace`.
const PASSWORDS: &str = "ada:$2b$12$NxuTB08gyV/JasBgqyp35u8RLgS63HHMgR/UgEWql6FT4sWrMsBRO\n";
/// The same, as the client of the engine keeps it.
const LOGIN: &str = "YWRhOmxvdmVsYWNl";

/// A registry with one image, which the engine does not have itself.
struct Registry {
    dir: tempfile::TempDir,
    image: String,
    process: Child,
}

fn docker(args: &[&str]) -> bool {
    let output = Command::new("docker").args(args).output();
    output.is_ok_and(|output| output.status.success())
}

impl Registry {
    /// One that has this image of the engine's. `None` where there is no such program.
    fn start(of: &str) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |name: &str| dir.path().join(name).display().to_string();
        let address = format!("127.0.0.1:{}", free_port());
        std::fs::write(at("passwords"), PASSWORDS).expect("written");
        let config = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"{address}\"}}\n\
             auth: {{htpasswd: {{realm: test, path: {}}}}}\n",
            at("store"),
            at("passwords")
        );
        std::fs::write(at("registry.yml"), config).expect("written");
        let process = Command::new("docker-registry")
            .args(["serve", &at("registry.yml")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let registry = Self {
            image: format!("{address}/team/app:1"),
            dir,
            process,
        };
        until("the registry listens", || {
            std::net::TcpStream::connect(&address).ok()
        });
        registry.push(&address, of);
        Some(registry)
    }

    fn push(&self, address: &str, of: &str) {
        let login = self.dir.path().join("login");
        std::fs::create_dir(&login).expect("made");
        let text = format!("{{\"auths\": {{\"{address}\": {{\"auth\": \"{LOGIN}\"}}}}}}");
        std::fs::write(login.join("config.json"), text).expect("written");
        let login = login.display().to_string();
        assert!(docker(&["tag", of, &self.image]));
        assert!(docker(&["--config", &login, "push", &self.image]));
        assert!(docker(&["rmi", &self.image]));
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        docker(&["rmi", &self.image]);
    }
}

#[test]
fn the_private_image_example() {
    let test = "the_private_image_example";
    if skipped(test, no_agent().or_else(no_docker)) {
        return;
    }
    let Some(registry) = Registry::start("redis:4.0") else {
        skipped(test, Some("there is no docker-registry"));
        return;
    };
    let agent = Agent::start("");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/private-image.nomad");
    let example = example.display().to_string();
    let image = format!("image={}", registry.image);
    let run = |password: &str| {
        let password = format!("password={password}");
        let vars = ["-var", &image, "-var", "username=ada", "-var", &password];
        agent.ok(&[&["job", "run", "-detach"], vars.as_slice(), &[&example]].concat());
    };
    run("guessed");
    let failed = agent
        .until_allocations("private-image", "failed", 1)
        .remove(0);
    let said = failed["TaskStates"].to_string();
    assert!(
        said.contains("Failed to pull") && said.contains(&registry.image),
        "{said}"
    );
    assert!(!said.contains("guessed"), "the password is told: {said}");
    run("lovelace");
    let alloc = agent
        .until_allocations("private-image", "complete", 1)
        .remove(0);
    let id = alloc["ID"].as_str().expect("an id");
    assert_eq!(
        agent.ok(&["alloc", "logs", id]),
        "hello from a private image\n"
    );
    let shown = agent.ok(&["alloc", "status", id]);
    assert!(shown.contains("Downloading image"), "{shown}");
    // And without an engine.
    let nodes = agent.get("/v1/nodes").expect("nodes");
    let exec = nodes[0]["Drivers"]["exec"]["Healthy"] == true;
    let missing = (!exec).then_some("the driver exec needs root and cgroups");
    if !skipped("the_private_image_example (exec)", missing) {
        let mut job = shell_job("unpacked", "batch", 1, "");
        let task = &mut job["TaskGroups"][0]["Tasks"][0];
        task["Driver"] = json!("exec");
        task["Config"] = json!({"image": registry.image, "command": "/bin/sh", "args": ["-c", "ls /usr/local/bin"],
            "auth": [{"username": "ada", "password": "lovelace"}]});
        task["Resources"]["MemoryMB"] = json!(64);
        agent.register(&job).expect("registered");
        let alloc = agent.until_allocations("unpacked", "complete", 1).remove(0);
        let said = agent.ok(&["alloc", "logs", alloc["ID"].as_str().expect("an id")]);
        assert!(said.contains("redis-server"), "{said}");
    }
    agent.ok(&["job", "stop", "-purge", "-detach", "private-image"]);
    until("the container is gone", || {
        let label = format!("label=com.hashicorp.nomad.alloc_id={id}");
        let found = Command::new("docker")
            .args(["ps", "-aq", "--filter", &label])
            .output()
            .ok()?;
        (found.status.success() && found.stdout.is_empty()).then_some(())
    });
}

/// What passes through it from a registry, and how much of it is let through.
#[derive(Default)]
struct Gate {
    open: Mutex<usize>,
    opened: Condvar,
}

impl Gate {
    fn open(&self, bytes: usize) {
        let mut open = self.open.lock().expect("whole");
        *open = open.saturating_add(bytes);
        self.opened.notify_all();
    }

    /// Whether more waits than may pass.
    fn is_shut(&self) -> bool {
        *self.open.lock().expect("whole") == 0
    }

    /// Waits until some of so many bytes may pass.
    fn pass(&self, wanted: usize) -> usize {
        let open = self.open.lock().expect("whole");
        let mut open = self
            .opened
            .wait_while(open, |open| *open == 0)
            .expect("whole");
        let passing = wanted.min(*open);
        *open -= passing;
        passing
    }

    /// Another door to what listens there; where.
    fn before(self: &Arc<Self>, place: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let gate = Arc::clone(self);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let far = TcpStream::connect(&place).expect("connected");
                let (mut asks, mut asked) = (
                    near.try_clone().expect("cloned"),
                    far.try_clone().expect("cloned"),
                );
                std::thread::spawn(move || {
                    drop(std::io::copy(&mut asks, &mut asked));
                    drop(asked.shutdown(Shutdown::Write));
                });
                let gate = Arc::clone(&gate);
                std::thread::spawn(move || {
                    drop(gate.through(&far, &near));
                    drop(near.shutdown(Shutdown::Both));
                });
            }
        });
        address
    }

    fn through(&self, mut from: &TcpStream, mut to: &TcpStream) -> std::io::Result<()> {
        let mut bytes = [0; 64 << 10];
        loop {
            let read = from.read(&mut bytes)?;
            if read == 0 {
                return Ok(());
            }
            let mut rest = &bytes[..read];
            while !rest.is_empty() {
                let (now, later) = rest.split_at(self.pass(rest.len()));
                to.write_all(now)?;
                rest = later;
            }
        }
    }
}

/// An image of the engine's with some megabytes that cannot be made smaller.
fn large_image(name: &str) {
    let from = format!("large-{}", std::process::id());
    let file = tempfile::NamedTempFile::new().expect("a file");
    let random = std::fs::File::open("/dev/urandom").expect("opened");
    std::io::copy(&mut random.take(8 << 20), &mut file.as_file()).expect("written");
    let target = format!("{from}:/large");
    assert!(docker(&["create", "--name", &from, "redis:4.0"]));
    assert!(docker(&["cp", &file.path().display().to_string(), &target]));
    assert!(docker(&["commit", &from, name]));
    assert!(docker(&["rm", &from]));
}

#[test]
fn an_image_that_comes_slowly_says_how_far_it_is() {
    let test = "an_image_that_comes_slowly_says_how_far_it_is";
    if skipped(test, no_agent().or_else(no_docker)) {
        return;
    }
    let large = format!("large:{}", std::process::id());
    large_image(&large);
    let registry = Registry::start(&large);
    assert!(docker(&["rmi", &large]));
    let Some(registry) = registry else {
        skipped(test, Some("there is no docker-registry"));
        return;
    };
    let patient = format!(
        "{PATIENT}\nplugin \"docker\" {{ config {{ pull_activity_timeout = \"24h\" image_pull_timeout = \"24h\" }} }}"
    );
    let mut agent = Agent::prepare(&patient);
    let Some((clock, before)) = Clock::make(agent.dir.path()) else {
        skipped(test, Some("there is no C compiler"));
        return;
    };
    agent.launch_after(&before);
    agent.wait_ready();
    let gate = Arc::new(Gate::default());
    let (address, name) = registry.image.split_once('/').expect("an address");
    let image = format!("{}/{name}", gate.before(address.to_owned()));
    let mut job = shell_job("slow", "batch", 1, "");
    let tasks = job["TaskGroups"][0]["Tasks"].as_array_mut().expect("tasks");
    tasks[0]["Driver"] = json!("docker");
    tasks[0]["Config"] = json!({"image": image, "command": "true", "auth": [{"username": "ada", "password": "lovelace"}]});
    let mut second = tasks[0].clone();
    second["Name"] = json!("second");
    tasks.push(second);
    agent.register(&job).expect("registered");
    let told = |what: &str| {
        let all = agent.get("/v1/job/slow/allocations").ok()?;
        let states = all[0]["TaskStates"].as_object()?.clone();
        (states.len() == 2
            && states
                .values()
                .all(|state| state.to_string().contains(what)))
        .then_some(states)
    };
    until("both wait for it", || told("Downloading image"));
    gate.open(2 << 20);
    until("it is under way", || gate.is_shut().then_some(()));
    // Reports come every two minutes.
    clock.pass(121);
    let states = until("both say how far it is", || {
        gate.open(16 << 10);
        told("Docker image pull progress: Pulled ")
    });
    for state in states.values() {
        let events = state["Events"].as_array().expect("events");
        let last = events.last().expect("one");
        let (kind, text) = (
            &last["Type"],
            last["DisplayMessage"].as_str().expect("a text"),
        );
        assert_eq!(kind, "Driver");
        assert!(text.contains("MiB/") && text.ends_with("MiB)"), "{text}");
        assert_eq!(last["Details"]["image"], image.as_str());
        assert_eq!(state["State"], "pending");
    }
    gate.open(1 << 30);
    let alloc = agent.until_allocations("slow", "complete", 1).remove(0);
    let id = alloc["ID"].as_str().expect("an id");
    assert!(
        agent
            .ok(&["alloc", "status", id])
            .contains("Docker image pull progress")
    );
    agent.ok(&["job", "stop", "-purge", "-detach", "slow"]);
    until("the image is let go", || {
        docker(&["rmi", &image]).then_some(())
    });
}

/// A program as the engine's client runs them, which knows one login.
const HELPER: &str = r#"#!/bin/sh
read registry
case "$1 $registry" in
"get ADDRESS") echo '{"ServerURL":"ADDRESS","Username":"ada","Secret":"lovelace"}';;
*) echo "credentials not found in native keychain"; exit 1;;
esac
"#;

/// Logins that the operator gave the agent: in a file, by a program for one registry, by one for all, by one named without any
/// file.
#[test]
fn an_image_behind_the_agents_own_login() {
    let test = "an_image_behind_the_agents_own_login";
    if skipped(test, no_agent().or_else(no_docker)) {
        return;
    }
    let Some(registry) = Registry::start("redis:4.0") else {
        skipped(test, Some("there is no docker-registry"));
        return;
    };
    let (address, _) = registry.image.split_once('/').expect("an address");
    let programs = registry.dir.path().join("programs");
    std::fs::create_dir(&programs).expect("made");
    let program = programs.join("docker-credential-tested");
    std::fs::write(&program, HELPER.replace("ADDRESS", address)).expect("written");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&program, mode).expect("set");
    let path = format!("export PATH={}:$PATH", programs.display());
    let file = registry.dir.path().join("logins.json");
    let of_file = format!("config = \"{}\"", file.display());
    for (name, auth, logins) in [
        ("nobody", of_file.as_str(), json!({})),
        (
            "auths",
            &of_file,
            json!({"auths": {address: {"auth": LOGIN}}}),
        ),
        (
            "cred-helpers",
            &of_file,
            json!({"credHelpers": {address: "tested"}}),
        ),
        ("creds-store", &of_file, json!({"credsStore": "tested"})),
        ("helper", "helper = \"tested\"", json!({})),
    ] {
        std::fs::write(&file, logins.to_string()).expect("written");
        let mut agent = Agent::prepare(&format!(
            "plugin \"docker\" {{ config {{ auth {{ {auth} }} gc {{ image = false }} }} }}"
        ));
        agent.launch_after(&path);
        agent.wait_ready();
        let mut job = shell_job(name, "batch", 1, "");
        let task = &mut job["TaskGroups"][0]["Tasks"][0];
        task["Driver"] = json!("docker");
        task["Config"] =
            json!({"image": registry.image, "command": "echo", "args": ["it is here"]});
        agent.register(&job).expect("registered");
        if name == "nobody" {
            agent.until_allocations(name, "failed", 1);
            continue;
        }
        let alloc = agent.until_allocations(name, "complete", 1).remove(0);
        let id = alloc["ID"].as_str().expect("an id");
        assert_eq!(agent.ok(&["alloc", "logs", id]), "it is here\n", "{name}");
        agent.ok(&["job", "stop", "-purge", "-detach", name]);
        until("the image is let go", || {
            docker(&["rmi", &registry.image]).then_some(())
        });
    }
}
