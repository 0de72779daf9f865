//! An agent of the binary under test in a folder of its own, and what to ask it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Long enough for a debug build on a busy machine; only ever reached by a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_nomad"))
}

/// Says why a test does not run here. `true`: leave the test.
pub(crate) fn skipped(test: &str, reason: Option<&str>) -> bool {
    if let Some(reason) = reason {
        println!("SKIPPED: {test}: {reason}");
    }
    reason.is_some()
}

/// Whether this machine can run tasks as the tests need it.
pub(crate) fn no_agent() -> Option<&'static str> {
    (!Path::new("/proc/self").exists()).then_some("there is no /proc here")
}

pub(crate) fn no_docker() -> Option<&'static str> {
    let image = Command::new("docker")
        .args(["image", "inspect", "redis:4.0"])
        .stdin(Stdio::null())
        .output();
    match image {
        Err(_) => Some("there is no docker command"),
        Ok(output) if !output.status.success() => {
            Some("no Docker engine answers, or it has no image redis:4.0")
        }
        Ok(_) => None,
    }
}

/// Asks until there is an answer.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "waited {PATIENCE:?}, but not: {what}"
        );
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// One that nobody listens on, and that no other test is given: not of those that the system hands out by itself, nor of
/// those that allocations get.
pub(crate) fn free_port() -> u16 {
    const PORTS: std::ops::Range<u16> = 14_600..20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let count = u32::from(PORTS.end - PORTS.start);
    // Tests of other checkouts begin somewhere else.
    let begin = std::process::id().wrapping_mul(271) % count;
    let mut tries = std::iter::repeat_with(|| {
        let next = (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % count;
        PORTS.start + u16::try_from(next).expect("below their count")
    });
    let free = |port: &u16| TcpListener::bind(("0.0.0.0", *port)).is_ok();
    tries.find(free).expect("a free port")
}

/// Folder, ports and configuration of an agent that may be started, killed and started again.
pub(crate) struct Agent {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) ports: [u16; 3],
    /// What is started as the agent.
    pub(crate) program: PathBuf,
    child: Option<Child>,
}

impl Agent {
    /// A durable server and client; `extra` is added to its configuration.
    pub(crate) fn start(extra: &str) -> Self {
        let mut agent = Self::prepare(extra);
        agent.launch();
        agent.wait_ready();
        agent
    }

    pub(crate) fn prepare(extra: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let ports = [free_port(), free_port(), free_port()];
        let config = format!(
            "name = \"tested\"\ndata_dir = \"{}\"\nbind_addr = \"127.0.0.1\"\nlog_level = \"DEBUG\"\n\
             ports {{ http = {} rpc = {} serf = {} }}\n\
             server {{ enabled = true bootstrap_expect = 1 }}\n\
             client {{ enabled = true gc_disk_usage_threshold = 100 gc_inode_usage_threshold = 100 cpu_total_compute = 100000 memory_total_mb = 100000 disk_total_mb = 1000000\n\
             options {{ \"fingerprint.denylist\" = \"env_aws,env_gce,env_azure,env_digitalocean\" }} }}\n\
             limits {{ http_max_conns_per_client = 0 }}\n\
             plugin \"raw_exec\" {{ config {{ enabled = true }} }}\n{extra}\n",
            dir.path().join("data").display(),
            ports[0],
            ports[1],
            ports[2]
        );
        std::fs::write(dir.path().join("agent.hcl"), config).expect("written");
        Self {
            dir,
            ports,
            program: binary().to_path_buf(),
            child: None,
        }
    }

    /// A folder and ports, and the configuration that is made of them.
    pub(crate) fn configured(config: impl FnOnce(&Path, [u16; 3]) -> String) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let ports = [free_port(), free_port(), free_port()];
        std::fs::write(dir.path().join("agent.hcl"), config(dir.path(), ports)).expect("written");
        Self {
            dir,
            ports,
            program: binary().to_path_buf(),
            child: None,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("agent.log")).unwrap_or_default()
    }

    /// Starts the process; its output is added to `agent.log`.
    pub(crate) fn launch(&mut self) {
        self.launch_after("");
    }

    /// The same, by a shell that does something before it becomes the agent.
    pub(crate) fn launch_after(&mut self, before: &str) {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("agent.log"))
            .expect("a log");
        let child = Command::new("/bin/sh")
            .args(["-c", &format!("{before}\nexec \"$@\""), "sh"])
            .arg(&self.program)
            .args(["agent", "-config"])
            .arg(self.path("agent.hcl"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("shared"))
            .stderr(log)
            .spawn()
            .expect("the agent starts");
        self.child = Some(child);
    }

    #[track_caller]
    pub(crate) fn wait_ready(&mut self) {
        until("the agent is ready", || {
            let ended = self
                .child
                .as_mut()
                .and_then(|child| child.try_wait().ok().flatten());
            assert!(
                ended.is_none(),
                "the agent ended: {ended:?}\n{}",
                self.log()
            );
            let nodes = self.get("/v1/nodes").ok()?;
            nodes
                .as_array()?
                .iter()
                .any(|node| node["Status"] == "ready")
                .then_some(())
        });
    }

    pub(crate) fn signal(&self, name: &str) {
        let child = self.child.as_ref().expect("the agent runs");
        let status = Command::new("kill")
            .args([&format!("-{name}"), &child.id().to_string()])
            .status()
            .expect("kill");
        assert!(status.success());
    }

    /// Waits for the end of the process; its exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let mut child = self.child.take().expect("the agent runs");
        until("the agent ends", || child.try_wait().expect("waited for")).code()
    }

    pub(crate) fn kill(&mut self) {
        self.signal("KILL");
        self.wait();
    }

    /// A command line of `nomad` against this agent.
    pub(crate) fn nomad(&self, args: &[&str]) -> Output {
        Command::new(binary())
            .args(args)
            .current_dir(self.dir.path())
            .env("NOMAD_ADDR", format!("http://127.0.0.1:{}", self.ports[0]))
            .env("NOMAD_CLI_SHOW_HINTS", "0")
            .stdin(Stdio::null())
            .output()
            .expect("the command runs")
    }

    /// The same, which must succeed; its standard output.
    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.nomad(args);
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success(),
            "nomad {}: {}\n{out}{err}",
            args.join(" "),
            output.status
        );
        out.into_owned()
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value, String> {
        let (status, body) = self.http("GET", path, b"")?;
        match status {
            200 => serde_json::from_slice(&body).map_err(|error| error.to_string()),
            _ => Err(format!("{status}: {}", String::from_utf8_lossy(&body))),
        }
    }

    /// Registers a job; whether that was acknowledged.
    pub(crate) fn register(&self, job: &Value) -> Result<(), String> {
        match self.http(
            "PUT",
            "/v1/jobs",
            json!({"Job": job}).to_string().as_bytes(),
        )? {
            (200, _) => Ok(()),
            (status, body) => Err(format!("{status}: {}", String::from_utf8_lossy(&body))),
        }
    }

    /// One request on a connection of its own.
    pub(crate) fn http(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<(u16, Vec<u8>), String> {
        let text = |error: std::io::Error| error.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports[0])).map_err(text)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).map_err(text)?;
        // An agent that refuses a body may close before it has read all of it.
        let sent = stream.write_all(body);
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
        let Some(end) = end else {
            return Err(format!("no answer (sent: {sent:?}, read: {read:?})"));
        };
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .ok_or("not HTTP")?;
        let body = &answer[end + 4..];
        Ok((
            status,
            if head.contains("transfer-encoding: chunked") {
                unchunked(body)
            } else {
                body.to_vec()
            },
        ))
    }

    /// The allocations of a job that have this client status.
    pub(crate) fn allocations(&self, job: &str, status: &str) -> Vec<Value> {
        let all = self
            .get(&format!("/v1/job/{job}/allocations"))
            .unwrap_or_default();
        all.as_array()
            .into_iter()
            .flatten()
            .filter(|one| one["ClientStatus"] == status)
            .cloned()
            .collect()
    }

    #[track_caller]
    pub(crate) fn until_allocations(&self, job: &str, status: &str, count: usize) -> Vec<Value> {
        until(&format!("{count} allocations of {job} {status}"), || {
            Some(self.allocations(job, status)).filter(|found| found.len() == count)
        })
    }

    /// The number of the agent's own process.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Processes that belong to this agent's folder: supervisors and tasks.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let marker = self.dir.path().display().to_string();
        let own = self.child.as_ref().map(Child::id);
        processes()
            .filter(|pid| Some(*pid) != own)
            .filter(|pid| {
                ["cmdline", "environ"].iter().any(|file| {
                    let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
                    String::from_utf8_lossy(&bytes).contains(&marker)
                })
            })
            .collect()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
        // A task in a root of its own is known by its supervisor only, which holds its logs open.
        let mut left = self.processes();
        left.extend(processes().filter(|pid| holds_open(*pid, self.dir.path())));
        left.extend(
            processes()
                .filter(|pid| parent(*pid).is_some_and(|it| left.contains(&it)))
                .collect::<Vec<_>>(),
        );
        for pid in left {
            run_quietly("kill", &["-KILL", &pid.to_string()]);
        }
        if let Ok(node) = std::fs::read_to_string(self.path("data/client/client-id")) {
            remove_containers(node.trim());
        }
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
        let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        for point in points.filter(|point| Path::new(point).starts_with(self.dir.path())) {
            run_quietly("umount", &["-l", point]);
        }
    }
}

/// Has the machine's engine remove the containers of a node, if there is one.
fn remove_containers(node: &str) {
    let ask = |method: &str, path: &str| {
        let mut engine = UnixStream::connect("/var/run/docker.sock").ok()?;
        let head = format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        engine.write_all(head.as_bytes()).ok()?;
        let mut answer = String::new();
        engine.read_to_string(&mut answer).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        serde_json::from_str::<Value>(body).ok()
    };
    let label = format!("%22com.hashicorp.nomad.node_id%3D{node}%22");
    let all = format!("/containers/json?all=1&filters=%7B%22label%22%3A%5B{label}%5D%7D");
    let found = ask("GET", &all).unwrap_or_default();
    let ids = found.as_array().into_iter().flatten();
    for id in ids.filter_map(|one| one["Id"].as_str()) {
        ask("DELETE", &format!("/containers/{id}?force=1&v=1"));
    }
}

fn run_quietly(program: &str, args: &[&str]) {
    drop(
        Command::new(program)
            .args(args)
            .stderr(Stdio::null())
            .status(),
    );
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Whether a process has a file of this folder open.
fn holds_open(pid: u32, folder: &Path) -> bool {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    files
        .filter_map(|file| std::fs::read_link(file.path()).ok())
        .any(|file| file.starts_with(folder))
}

fn parent(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    line.trim().parse().ok()
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|window| window == b"\r\n") {
        let size =
            usize::from_str_radix(String::from_utf8_lossy(&body[..end]).trim(), 16).unwrap_or(0);
        let (start, stop) = (end + 2, (end + 2 + size).min(body.len()));
        whole.extend_from_slice(&body[start..stop]);
        if size == 0 {
            break;
        }
        body = body.get(stop + 2..).unwrap_or_default();
    }
    whole
}

/// A job of one group with one raw_exec task that runs this shell line.
pub(crate) fn shell_job(id: &str, kind: &str, count: i64, line: &str) -> Value {
    json!({
        "ID": id, "Name": id, "Type": kind, "Datacenters": ["dc1"],
        "TaskGroups": [{
            "Name": "g", "Count": count, "EphemeralDisk": {"SizeMB": 10},
            "RestartPolicy": {"Attempts": 0, "Mode": "fail", "Interval": 86_400_000_000_000_i64, "Delay": 1_000_000_000},
            "ReschedulePolicy": {"Attempts": 0, "Unlimited": false},
            "Tasks": [{
                "Name": "t", "Driver": "raw_exec", "Config": {"command": "/bin/sh", "args": ["-c", line]},
                "Resources": {"CPU": 20, "MemoryMB": 16}, "LogConfig": {"MaxFiles": 2, "MaxFileSizeMB": 1},
            }],
        }],
    })
}
