//! A Docker engine of the test's own, restarted under a running container.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use support::{Scratch, until};

/// Needs root, `dockerd` and a static busybox; says what is missing.
fn missing() -> Option<&'static str> {
    let has = |program: &str| {
        Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output()
            .is_ok_and(|o| o.status.success())
    };
    if !caravan_host::credentials::is_root() {
        return Some("needs root");
    }
    [
        ("dockerd", "no dockerd"),
        ("docker", "no docker"),
        ("busybox", "no busybox"),
        ("unshare", "no unshare"),
    ]
    .into_iter()
    .find_map(|(program, why)| (!has(program)).then_some(why))
}

struct Engine {
    process: Option<Child>,
    data: PathBuf,
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = Command::new("kill").arg(process.id().to_string()).status();
            let _ = process.wait();
        }
        // With --live-restore an engine leaves its directory mounted.
        let _ = Command::new("umount")
            .arg(&self.data)
            .stderr(Stdio::null())
            .status();
    }
}

impl Engine {
    async fn start(dir: &Path) -> Option<Self> {
        let at = |name: &str| dir.join(name).display().to_string();
        let log = std::fs::File::create(dir.join("engine.log")).expect("created");
        let process = Command::new("unshare")
            // Otherwise it would take the bridge of the host's engine away.
            .args(["--net", "dockerd"])
            .args([
                "--live-restore",
                "--bridge=none",
                "--iptables=false",
                "--storage-driver=vfs",
            ])
            .args([
                "--data-root",
                &at("data"),
                "--exec-root",
                &at("exec"),
                "--pidfile",
                &at("pid"),
            ])
            .args(["--host", &format!("unix://{}", at("sock"))])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .ok()?;
        let mut engine = Self {
            process: Some(process),
            data: dir.join("data"),
        };
        for _ in 0..600 {
            let up = Command::new("docker")
                .args(["-H", &format!("unix://{}", at("sock")), "info"])
                .output();
            if up.is_ok_and(|output| output.status.success()) {
                return Some(engine);
            }
            if engine.process.as_mut()?.try_wait().ok()?.is_some() {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        None
    }
}

#[tokio::test]
async fn a_task_and_its_lines_survive_a_restart_of_the_engine() {
    let test = "a_task_and_its_lines_survive_a_restart_of_the_engine";
    if let Some(why) = missing() {
        println!("SKIPPED: {test}: {why}");
        return;
    }
    let dir = tempfile::Builder::new()
        .prefix("engine")
        .tempdir_in("/var/tmp")
        .expect("a directory");
    let Some(engine) = Engine::start(dir.path()).await else {
        println!("SKIPPED: {test}: a second engine does not start here");
        return;
    };
    let endpoint = format!("unix://{}", dir.path().join("sock").display());
    let import = "mkdir -p $D/root/bin && cp $(command -v busybox) $D/root/bin/sh && tar -C $D/root -c . | docker -H $H import - box:1";
    let imported = Command::new("sh")
        .args(["-c", import])
        .env("D", dir.path())
        .env("H", &endpoint)
        .output()
        .expect("sh");
    assert!(
        imported.status.success(),
        "{}",
        String::from_utf8_lossy(&imported.stderr)
    );

    let driver = support::driver("docker", json!({"endpoint": endpoint}));
    let scratch = Scratch::new();
    let script =
        "n=0; while [ ! -e /local/stop ]; do n=$((n+1)); echo line $n; done; echo end $n; exit 5";
    let config = scratch.config(json!({"image": "box:1", "command": "/bin/sh", "args": ["-c", script], "network_mode": "none",
        "logging": {"type": "json-file", "config": {"max-size": "100m"}}}));
    let id = config.task_id.clone();
    driver.start_task(config).await.expect("starts");
    until("lines", || scratch.log("stdout").lines().count() > 100).await;
    drop(engine);
    let engine = Engine::start(dir.path()).await.expect("comes back");
    std::fs::write(scratch.task_dir().join("local/stop"), "").expect("written");
    let exit = tokio::time::timeout(Duration::from_secs(60), driver.wait_task(&id))
        .await
        .expect("in time")
        .expect("known");
    assert_eq!(exit.exit_code, 5);
    let mut parts: Vec<u64> = std::fs::read_dir(scratch.log_dir())
        .expect("dir")
        .flatten()
        .filter_map(|entry| {
            entry
                .file_name()
                .to_str()?
                .strip_prefix("web.stdout.")?
                .parse()
                .ok()
        })
        .collect();
    parts.sort_unstable();
    let text: String = parts
        .iter()
        .map(|n| {
            std::fs::read_to_string(scratch.log_dir().join(format!("web.stdout.{n}")))
                .expect("read")
        })
        .collect();
    // What the engine lost itself while it went down is not ours to have.
    let name = format!("web-{}", scratch.alloc_id());
    let kept = Command::new("docker")
        .args(["-H", &endpoint, "logs", &name])
        .output()
        .expect("docker");
    let kept = String::from_utf8(kept.stdout).expect("text");
    let first_line = text.lines().next().expect("lines");
    let from = kept
        .find(&format!("{first_line}\n"))
        .expect("the engine has it too");
    assert!(
        kept[from..] == text,
        "the log differs from what the engine kept"
    );
    assert!(
        text.lines()
            .last()
            .is_some_and(|line| line.starts_with("end "))
    );
    driver.destroy_task(&id, true).await.expect("destroyed");
    drop(engine);
}
