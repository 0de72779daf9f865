//! What a supervised task costs: starts a second, memory beside the task, log throughput, and (as root) what
//! isolation adds to a start.
//! `cargo run --release -p caravan-host --example measure <path of caravan-supervise>`

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caravan_host::cgroup::{Limits, TaskCgroup};
use caravan_host::{HostPath, Isolation, LogSpec, Process, Spec, Supervisors};

fn spec(dir: &Path, n: usize, script: &str) -> Spec {
    let dir = &dir.join(n.to_string());
    let _ = std::fs::create_dir_all(dir);
    Spec {
        id: n.to_string(),
        state_file: dir.join(format!("s{n}")),
        process: Process {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]).into(),
            cwd: "/".into(),
            ..Process::default()
        },
        logs: Some(LogSpec {
            dir: dir.to_owned(),
            name: format!("t{n}"),
            max_files: 10,
            max_file_bytes: 10 << 20,
        }),
        cgroup: None,
    }
}

fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// From asking for a task in a root and a group of its own to its running, beside a plain spawn.
async fn isolated(source: &Supervisors, dir: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let (mut plain, mut own) = (Vec::new(), Vec::new());
    for n in 0..50 {
        let begun = Instant::now();
        let mut child = std::process::Command::new("/bin/true").spawn()?;
        plain.push(begun.elapsed().as_secs_f64() * 1000.0);
        child.wait()?;

        let mut spec = spec(dir, 20_000 + n, "");
        spec.process.program = "/bin/true".into();
        spec.process.args.clear();
        let root = dir.join(format!("root-{n}"));
        std::fs::create_dir_all(root.join("local"))?;
        let host = ["/bin", "/etc", "/lib", "/lib64", "/sbin", "/usr"].map(|path| HostPath {
            source: path.into(),
            target: path.into(),
        });
        spec.process.isolation = Some(Isolation {
            root,
            host: host.to_vec(),
            pid_namespace: true,
            ipc_namespace: true,
            ..Isolation::default()
        });
        let begun = Instant::now();
        let limits = Limits {
            cpu_shares: Some(100),
            memory_hard: Some(64 << 20),
            pids: Some(100),
            ..Limits::default()
        };
        spec.cgroup = TaskCgroup::create("nomad-measure", &format!("t{n}"), &limits)?;
        let task = source.launch(&spec).await?;
        own.push(begun.elapsed().as_secs_f64() * 1000.0);
        task.wait().await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!(
        "start: plain spawn {:.2} ms, isolated and supervised {:.2} ms (median of 50)",
        median(plain),
        median(own)
    );
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let program = std::env::args()
        .nth(1)
        .ok_or("name the supervisor program")?;
    let source = Arc::new(Supervisors::new(program));
    let dir = std::env::temp_dir().join(format!("measure-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;

    let begun = Instant::now();
    const RUNS: usize = 1000;
    let mut waiting = Vec::new();
    for n in 0..RUNS {
        let mut spec = spec(&dir, n, "");
        spec.process.program = "/bin/true".into();
        spec.process.args.clear();
        waiting.push(source.launch(&spec).await?);
    }
    for task in waiting {
        task.wait().await?;
    }
    let rate = RUNS as f64 / begun.elapsed().as_secs_f64();
    println!("{RUNS} x /bin/true, one after another: {rate:.0}/s");

    let mut sleeping = Vec::new();
    for n in RUNS..RUNS + 50 {
        sleeping.push(source.launch(&spec(&dir, n, "exec sleep 600")).await?);
    }
    let (mut pss, mut private) = (0, 0);
    for task in &sleeping {
        let text = std::fs::read_to_string(format!(
            "/proc/{}/smaps_rollup",
            task.locator.record.supervisor.pid
        ))?;
        pss += field(&text, "Pss:");
        private += field(&text, "Private_Dirty:");
    }
    println!(
        "supervisor: PSS {} KiB, private dirty {} KiB (mean of 50)",
        pss / 50,
        private / 50
    );
    for task in &sleeping {
        task.stop(9, Duration::ZERO).await?;
    }
    for task in sleeping {
        task.wait().await?;
    }

    if caravan_host::credentials::is_root() {
        isolated(&source, &dir).await?;
    }

    let begun = Instant::now();
    let task = source
        .launch(&spec(&dir, 9999, "exec head -c 4000000000 /dev/zero"))
        .await?;
    let pid = task.locator.record.supervisor.pid;
    let mut ticks = 0;
    while task.exited().is_none() {
        if let Some(stat) = caravan_host::procs::Stat::read(pid) {
            ticks = stat.user_ticks + stat.system_ticks;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "log capture: {:.0} MB/s, {:.2} s of cpu a GB",
        4000.0 / seconds,
        ticks as f64 / 100.0 / 4.0
    );
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}
