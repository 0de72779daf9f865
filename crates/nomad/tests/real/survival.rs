//! Nothing is lost: agents are killed, and tasks, logs, exit codes and acknowledged jobs are still there.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::checks::checks;
use crate::support::{Agent, shell_job, skipped, until};

/// What a task writes to a file of its own, by allocation.
fn pids(agent: &Agent, allocations: &[Value]) -> BTreeMap<String, String> {
    let pid = |allocation: &Value| {
        let id = allocation["ID"].as_str().expect("an id").to_owned();
        let file = agent
            .path("data")
            .join("alloc")
            .join(&id)
            .join("t/local/pid");
        let pid = until("the task has written its pid", || {
            std::fs::read_to_string(&file)
                .ok()
                .filter(|text| text.ends_with('\n'))
        });
        (id, pid)
    };
    allocations.iter().map(pid).collect()
}

fn alive(pid: &str) -> bool {
    std::path::Path::new(&format!("/proc/{}", pid.trim())).exists()
}

#[test]
fn tasks_outlive_a_killed_agent() {
    let mut agent = Agent::start("");
    let count =
        "echo $$ > local/pid; i=0; while true; do i=$((i+1)); echo line $i; sleep 0.1; done";
    agent
        .register(&shell_job("steady", "service", 20, count))
        .expect("registered");
    agent
        .register(&shell_job(
            "ends",
            "batch",
            1,
            "echo $$ > local/pid; while [ ! -e local/go ]; do sleep 0.1; done; exit 7",
        ))
        .expect("registered");
    let before = pids(&agent, &agent.until_allocations("steady", "running", 20));
    let ending = agent.until_allocations("ends", "running", 1).remove(0);
    let ending_id = ending["ID"].as_str().expect("an id").to_owned();
    let ending_pid = pids(&agent, std::slice::from_ref(&ending))
        .remove(&ending_id)
        .expect("its pid");

    agent.kill();
    assert!(
        before.values().all(|pid| alive(pid)),
        "tasks go on without an agent"
    );
    std::fs::write(
        agent
            .path("data")
            .join("alloc")
            .join(&ending_id)
            .join("t/local/go"),
        "",
    )
    .expect("told to end");
    until("the task has ended meanwhile", || {
        (!alive(&ending_pid)).then_some(())
    });

    agent.launch();
    agent.wait_ready();
    let after = pids(&agent, &agent.until_allocations("steady", "running", 20));
    assert_eq!(
        after, before,
        "the same allocations with the same processes"
    );
    for id in before.keys() {
        let allocation = agent
            .get(&format!("/v1/allocation/{id}"))
            .expect("the allocation");
        assert_eq!(allocation["TaskStates"]["t"]["Restarts"], 0);
    }
    let failed = agent.until_allocations("ends", "failed", 1).remove(0);
    let events = failed["TaskStates"]["t"]["Events"]
        .as_array()
        .expect("events")
        .clone();
    assert!(
        events
            .iter()
            .any(|event| event["Type"] == "Terminated" && event["ExitCode"] == 7),
        "{events:?}"
    );

    let id = before.keys().next().expect("twenty");
    let log = agent.ok(&["alloc", "logs", id]);
    let numbers: Vec<usize> = log
        .lines()
        .filter_map(|line| line.strip_prefix("line ")?.parse().ok())
        .collect();
    assert_eq!(
        numbers,
        (1..=numbers.len()).collect::<Vec<_>>(),
        "no line is lost and none comes twice"
    );
}

/// An agent that takes a task up again announces its services as they were.
#[test]
fn services_stay_what_they_are() {
    let mut agent = Agent::start("");
    let listener = std::net::TcpListener::bind("0.0.0.0:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let mut job = shell_job("told", "service", 1, "exec sleep 3600");
    let second = 1_000_000_000_i64;
    let group = &mut job["TaskGroups"][0];
    group["Networks"] = json!([{"ReservedPorts": [{"Label": "x", "Value": port}]}]);
    group["Services"] = json!([{
        "Name": "told", "Provider": "nomad", "PortLabel": "x",
        "Tags": ["on-${node.unique.name}", "of-${NOMAD_JOB_NAME}-${attr.kernel.name}"],
        "Checks": [{"Name": "open", "Type": "tcp", "Interval": second, "Timeout": second}],
    }]);
    agent.register(&job).expect("registered");
    let alloc = agent.until_allocations("told", "running", 1).remove(0);
    let alloc = alloc["ID"].as_str().expect("an id").to_owned();
    let tags = json!(["on-tested", "of-told-linux"]);
    for round in 0..2 {
        // What was checked before is not known any more: it is announced again when there is a result.
        until("it is announced and checked", || {
            let found = checks(&agent, &alloc)?;
            (found.get("open")?.0 == "success").then_some(())
        });
        until("the servers know it", || {
            let found = agent.get("/v1/service/told").ok()?;
            (found[0]["Tags"] == tags).then_some(())
        });
        if round == 0 {
            agent.kill();
            agent.launch();
            agent.wait_ready();
        }
    }
    let events = agent.get(&format!("/v1/allocation/{alloc}")).expect("told");
    assert_eq!(events["TaskStates"]["t"]["Restarts"], 0);
    agent.ok(&["job", "stop", "-purge", "-detach", "told"]);
}

#[test]
fn acknowledged_jobs_survive_a_kill() {
    let mut agent = Agent::start("");
    let acknowledged = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let (agent, acknowledged) = (&agent, &acknowledged);
        for number in 0..100 {
            scope.spawn(move || {
                let id = format!("job-{number}");
                if agent
                    .register(&shell_job(&id, "service", 0, "true"))
                    .is_ok()
                {
                    acknowledged.lock().expect("no caller panics").push(id);
                }
            });
        }
        until("some are acknowledged", || {
            (acknowledged.lock().expect("no caller panics").len() >= 10).then_some(())
        });
        agent.signal("KILL");
    });
    agent.wait();
    agent.launch();
    agent.wait_ready();
    let acknowledged = acknowledged.into_inner().expect("no caller panics");
    for id in &acknowledged {
        assert!(
            agent.get(&format!("/v1/job/{id}")).is_ok(),
            "{id} was acknowledged and is gone, of {}",
            acknowledged.len()
        );
    }
}

#[test]
fn sigterm_leaves_tasks_running() {
    let mut agent = Agent::start("");
    agent
        .register(&shell_job(
            "stays",
            "service",
            1,
            "echo $$ > local/pid; exec sleep 3600",
        ))
        .expect("registered");
    let before = pids(&agent, &agent.until_allocations("stays", "running", 1));
    agent.signal("TERM");
    assert_eq!(
        agent.wait(),
        Some(1),
        "not told to leave, so it says that it was ended"
    );
    assert!(before.values().all(|pid| alive(pid)));
}

#[test]
fn sigterm_drains_when_configured() {
    let mut agent = Agent::start(
        "leave_on_terminate = true\nclient { drain_on_shutdown { deadline = \"20s\" force = true } }",
    );
    agent
        .register(&shell_job(
            "goes",
            "service",
            1,
            "echo $$ > local/pid; exec sleep 3600",
        ))
        .expect("registered");
    let before = pids(&agent, &agent.until_allocations("goes", "running", 1));
    agent.signal("TERM");
    assert_eq!(agent.wait(), Some(0), "{}", agent.log());
    until("the task is gone", || {
        before.values().all(|pid| !alive(pid)).then_some(())
    });
}

/// Nothing else may have to happen for the node to notice.
#[test]
fn tasks_of_a_purged_job_end() {
    let agent = Agent::start("");
    agent
        .register(&shell_job(
            "purged",
            "service",
            2,
            "echo $$ > local/pid; exec sleep 3600",
        ))
        .expect("registered");
    let before = pids(&agent, &agent.until_allocations("purged", "running", 2));
    let (status, _) = agent
        .http("DELETE", "/v1/job/purged?purge=true", b"")
        .expect("answered");
    assert_eq!(status, 200);
    until("the tasks are gone", || {
        before.values().all(|pid| !alive(pid)).then_some(())
    });
}

#[test]
fn a_talkative_task_is_bounded() {
    let agent = Agent::start("");
    agent
        .register(&shell_job(
            "talks",
            "service",
            1,
            "yes 0123456789012345678901234567890123456789",
        ))
        .expect("registered");
    let id = agent.until_allocations("talks", "running", 1)[0]["ID"]
        .as_str()
        .expect("an id")
        .to_owned();
    let logs = agent
        .path("data")
        .join("alloc")
        .join(&id)
        .join("alloc/logs");
    let files = || -> Vec<(String, u64)> {
        let entries = std::fs::read_dir(&logs).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| {
                Some((
                    entry.file_name().into_string().ok()?,
                    entry.metadata().ok()?.len(),
                ))
            })
            .filter(|(name, _)| name.contains("stdout"))
            .collect()
    };
    let newest = || {
        let files = files();
        let numbers = files
            .iter()
            .filter_map(|(name, _)| name.rsplit('.').next()?.parse::<u32>().ok());
        numbers.max().unwrap_or(0)
    };
    let started = std::time::Instant::now();
    until("it has said 400 MB", || (newest() >= 400).then_some(()));
    println!("400 MB in {:?}", started.elapsed());
    let total: u64 = files().iter().map(|(_, size)| size).sum();
    assert!(
        total <= 3 << 20,
        "two files of 1 MiB, and one that is being begun: {:?}",
        files()
    );
    assert!(agent.get("/v1/nodes").is_ok(), "the agent answers");
    let said = agent
        .nomad(&["alloc", "logs", "-tail", "-n", "1", &id])
        .stdout;
    assert!(
        said.starts_with(b"0123456789"),
        "{}",
        String::from_utf8_lossy(&said)
    );
    for process in agent.processes().into_iter().chain(agent.pid()) {
        let held = resident(process);
        assert!(held < 200_000, "process {process} holds {held} KiB");
    }
    agent.ok(&["job", "stop", "-purge", "-detach", "talks"]);
}

/// The memory of a process, in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
    number.unwrap_or(0)
}

/// A disk that is full soon; it needs the right to mount.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m,mode=755", "tmpfs"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        matches!(mounted, Ok(status) if status.success()).then(|| Self(dir))
    }

    fn full(&self) -> bool {
        std::fs::write(self.0.path().join("probe"), [0; 8192]).is_err()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).status());
    }
}

#[test]
fn a_full_disk_stops_no_task() {
    let Some(disk) = SmallDisk::mount() else {
        skipped(
            "a_full_disk_stops_no_task",
            Some("a file system can be mounted by root only"),
        );
        return;
    };
    let agent = Agent::start(&format!(
        "client {{ alloc_dir = \"{}\" }}",
        disk.0.path().display()
    ));
    let beats = agent.path("beats");
    let line = format!(
        "while true; do head -c 65536 /dev/zero | tr '\\0' x; echo; echo beat >> {}; done",
        beats.display()
    );
    let mut job = shell_job("fills", "service", 1, &line);
    job["TaskGroups"][0]["EphemeralDisk"]["SizeMB"] = 300.into();
    job["TaskGroups"][0]["Tasks"][0]["LogConfig"] =
        serde_json::json!({"MaxFiles": 10, "MaxFileSizeMB": 10});
    agent.register(&job).expect("registered");
    agent.until_allocations("fills", "running", 1);
    until("the disk is full", || disk.full().then_some(()));
    let beaten = || std::fs::metadata(&beats).map_or(0, |file| file.len());
    let before = beaten();
    until("the task goes on", || {
        (beaten() > before + 500).then_some(())
    });
    assert!(agent.get("/v1/nodes").is_ok(), "the agent answers");
    let running = agent.until_allocations("fills", "running", 1);
    assert_eq!(running[0]["TaskStates"]["t"]["Restarts"], 0);
    agent.ok(&["job", "stop", "-purge", "-detach", "fills"]);
    until("the task has ended", || {
        let now = beaten();
        std::thread::park_timeout(std::time::Duration::from_millis(300));
        (beaten() == now).then_some(())
    });
}
