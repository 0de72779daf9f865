//! A machine that is against the agent: files that are damaged, disks that cannot be written, variables that mean harm, a start
//! after a reboot. What can run runs, and what cannot says why.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{Agent, no_agent, shell_job, skipped, until};

const STAYS: &str = "echo $$ > local/pid; exec sleep 3600";

fn id(alloc: &Value) -> &str {
    alloc["ID"].as_str().expect("an id")
}

/// What the task of an allocation wrote as its number.
fn pid(alloc_dir: &Path, alloc: &Value) -> Option<String> {
    let text = std::fs::read_to_string(alloc_dir.join(id(alloc)).join("t/local/pid")).ok()?;
    text.ends_with('\n').then(|| text.trim().to_owned())
}

fn alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z")
}

#[test]
fn two_hundred_tasks_are_taken_up_again() {
    if skipped("two_hundred_tasks_are_taken_up_again", no_agent()) {
        return;
    }
    let mut agent = Agent::start("");
    agent
        .register(&shell_job("many", "service", 200, STAYS))
        .expect("registered");
    let allocs = agent.until_allocations("many", "running", 200);
    let dir = agent.path("data/alloc");
    let pids = || -> Vec<Option<String>> { allocs.iter().map(|alloc| pid(&dir, alloc)).collect() };
    until("all have written", || {
        pids().iter().all(Option::is_some).then_some(())
    });
    let before = pids();
    agent.kill();
    assert!(before.iter().flatten().all(|pid| alive(pid)));
    let started = Instant::now();
    agent.launch();
    let known = |alloc: &Value| {
        let stats = agent
            .get(&format!("/v1/client/allocation/{}/stats", id(alloc)))
            .ok()?;
        stats["Tasks"]["t"]["Pids"].as_object().map(|_| ())
    };
    until("every task is known again", || {
        allocs
            .iter()
            .try_for_each(|alloc| known(alloc).ok_or(()))
            .ok()
    });
    println!("200 tasks taken up again in {:?}", started.elapsed());
    assert_eq!(pids(), before);
    for alloc in agent.until_allocations("many", "running", 200) {
        assert_eq!(alloc["TaskStates"]["t"]["Restarts"], 0, "{alloc}");
    }
}

#[test]
fn a_damaged_state_file_is_put_aside_and_the_node_goes_on() {
    if skipped(
        "a_damaged_state_file_is_put_aside_and_the_node_goes_on",
        no_agent(),
    ) {
        return;
    }
    let mut agent = Agent::start("");
    agent
        .register(&shell_job("stays", "service", 1, STAYS))
        .expect("registered");
    let alloc = agent.until_allocations("stays", "running", 1).remove(0);
    let dir = agent.path("data/alloc");
    let first = until("its number", || pid(&dir, &alloc));
    agent.kill();
    std::fs::write(agent.path("data/client/state.db"), [7; 20_000]).expect("damaged");
    agent.launch();
    agent.wait_ready();
    assert!(agent.log().contains("was put aside"), "{}", agent.log());
    let aside = std::fs::read_dir(agent.path("data/client"))
        .expect("listed")
        .flatten();
    let aside = aside.filter(|entry| {
        entry
            .file_name()
            .to_string_lossy()
            .starts_with("state.db.broken-")
    });
    assert_eq!(aside.count(), 1);
    // Nobody knows of the process any more, so it makes room for one that is known.
    let second = until("a task that is known", || {
        pid(&dir, &alloc).filter(|pid| *pid != first && alive(pid))
    });
    until("the one that nobody knows is gone", || {
        (!alive(&first)).then_some(())
    });
    assert!(alive(&second));
    agent
        .register(&shell_job("next", "batch", 1, "echo works"))
        .expect("registered");
    agent.until_allocations("next", "complete", 1);
}

/// By another name of the boot, numbers of processes mean nothing any more.
#[test]
fn after_a_reboot_no_process_is_taken_for_a_task() {
    let test = "after_a_reboot_no_process_is_taken_for_a_task";
    let mut agent = Agent::start("");
    let boot = agent.path("boot_id");
    std::fs::write(&boot, "11111111-2222-4333-8444-555555555555\n").expect("written");
    let other_boot = format!(
        "set -- unshare -m /bin/sh -c 'mount --bind {} /proc/sys/kernel/random/boot_id && exec \"$@\"' sh \"$@\"",
        boot.display()
    );
    let can = Command::new("/bin/sh")
        .args(["-c", &format!("set -- true; {other_boot}; exec \"$@\"")])
        .stderr(Stdio::null())
        .status();
    if skipped(
        test,
        (!can.is_ok_and(|status| status.success())).then_some("needs root and unshare"),
    ) {
        return;
    }
    let mut job = shell_job("stays", "service", 1, STAYS);
    job["TaskGroups"][0]["RestartPolicy"]["Attempts"] = 3.into();
    agent.register(&job).expect("registered");
    let alloc = agent.until_allocations("stays", "running", 1).remove(0);
    let dir = agent.path("data/alloc");
    let first = until("its number", || pid(&dir, &alloc));
    // A reboot leaves no process, and gives their numbers to others.
    agent.kill();
    for process in agent.processes() {
        drop(
            Command::new("kill")
                .args(["-KILL", &process.to_string()])
                .stderr(Stdio::null())
                .status(),
        );
    }
    until("all is gone", || (!alive(&first)).then_some(()));
    let Some(mut stranger) = process_with_number(&first) else {
        skipped(test, Some("no process can be given a number here"));
        return;
    };
    agent.launch_after(&other_boot);
    agent.wait_ready();
    let second = until("another process", || {
        pid(&dir, &alloc).filter(|pid| *pid != first && alive(pid))
    });
    let stats = until("it is the one that is measured", || {
        let stats = agent
            .get(&format!("/v1/client/allocation/{}/stats", id(&alloc)))
            .ok()?;
        let pids = stats["Tasks"]["t"]["Pids"].as_object()?.clone();
        (!pids.is_empty()).then_some(pids)
    });
    assert!(
        stats.contains_key(&second) && !stats.contains_key(&first),
        "{stats:?}"
    );
    assert!(
        stranger.try_wait().expect("asked").is_none(),
        "another's process was killed"
    );
    stranger.kill().expect("killed");
    stranger.wait().expect("waited for");
}

/// A process that has this number, which is free.
fn process_with_number(number: &str) -> Option<std::process::Child> {
    let before = number.parse::<u32>().ok()?.checked_sub(1)?.to_string();
    for _ in 0..200 {
        std::fs::write("/proc/sys/kernel/ns_last_pid", &before).ok()?;
        let mut child = Command::new("/bin/sleep").arg("600").spawn().ok()?;
        if child.id().to_string() == number {
            return Some(child);
        }
        drop(child.kill());
        drop(child.wait());
    }
    None
}

/// A small file system at `dir`; false: that is for root only.
fn mount_memory(dir: &Path) -> bool {
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64m,mode=755", "tmpfs"])
        .arg(dir)
        .stderr(Stdio::null())
        .status();
    matches!(mounted, Ok(status) if status.success())
}

struct Disk(tempfile::TempDir);

impl Disk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().expect("a folder");
        mount_memory(dir.path()).then(|| Self(dir))
    }

    fn remount(&self, how: &str) {
        let done = Command::new("mount")
            .args(["-o", &format!("remount,{how}")])
            .arg(self.0.path())
            .status();
        assert!(done.is_ok_and(|status| status.success()), "remount {how}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).status());
    }
}

#[test]
fn a_disk_that_cannot_be_written_stops_nothing_that_runs() {
    let test = "a_disk_that_cannot_be_written_stops_nothing_that_runs";
    let disk = Disk::mount();
    let (Some(disk), false) = (
        &disk,
        skipped(
            test,
            disk.is_none()
                .then_some("a file system can be mounted by root only"),
        ),
    ) else {
        return;
    };
    let mut agent = Agent::start(&format!(
        "client {{ alloc_dir = \"{}\" }}",
        disk.0.path().display()
    ));
    let (beats, alloc) = beating(&agent);
    let first = until("its number", || pid(disk.0.path(), &alloc));
    // Nothing is open for writing but logs, which are opened anew; a disk that failed does the same.
    let forced = Command::new("mount")
        .args(["-o", "remount,ro"])
        .arg(disk.0.path())
        .stderr(Stdio::null())
        .status();
    if skipped(
        test,
        (!forced.is_ok_and(|status| status.success()))
            .then_some("the disk is in use and stays writable"),
    ) {
        return;
    }
    let beaten = || std::fs::metadata(&beats).map_or(0, |file| file.len());
    let before = beaten();
    agent
        .register(&shell_job("new", "batch", 1, "true"))
        .expect("registered");
    let failed = agent.until_allocations("new", "failed", 1).remove(0);
    assert!(
        failed["TaskStates"]
            .to_string()
            .contains("Read-only file system"),
        "{failed}"
    );
    until("the task goes on", || {
        (beaten() > before + 50).then_some(())
    });
    agent.kill();
    agent.launch();
    agent.wait_ready();
    let alloc = agent.until_allocations("beats", "running", 1).remove(0);
    assert_eq!(pid(disk.0.path(), &alloc).as_deref(), Some(first.as_str()));
    assert_eq!(alloc["TaskStates"]["t"]["Restarts"], 0);
    disk.remount("rw");
    agent
        .register(&shell_job("again", "batch", 1, "true"))
        .expect("registered");
    agent.until_allocations("again", "complete", 1);
}

/// A task that writes to a file outside again and again; gives the file and the allocation.
fn beating(agent: &Agent) -> (PathBuf, Value) {
    let beats = agent.path("beats");
    let line = format!(
        "echo $$ > local/pid; exec 3>>{}; while true; do echo beat >&3; sleep 0.05; done",
        beats.display()
    );
    agent
        .register(&shell_job("beats", "service", 1, &line))
        .expect("registered");
    let alloc = agent.until_allocations("beats", "running", 1).remove(0);
    (beats, alloc)
}

/// The disk of everything that the agent keeps, filled by a task.
#[test]
fn a_disk_that_a_task_filled_costs_nothing_that_was_acknowledged() {
    let test = "a_disk_that_a_task_filled_costs_nothing_that_was_acknowledged";
    let mut agent = Agent::prepare("");
    let data = agent.path("data");
    std::fs::create_dir(&data).expect("made");
    let mounted = mount_memory(&data);
    if skipped(
        test,
        (!mounted).then_some("a file system can be mounted by root only"),
    ) {
        return;
    }
    agent.launch();
    agent.wait_ready();
    let (beats, alloc) = beating(&agent);
    let dir = data.join("alloc");
    let first = until("its number", || pid(&dir, &alloc));
    let full = agent.path("full");
    let line = format!(
        "cat /dev/zero > local/big; touch {}; exec sleep 3600",
        full.display()
    );
    agent
        .register(&shell_job("fills", "service", 1, &line))
        .expect("registered");
    let fills = agent.until_allocations("fills", "running", 1).remove(0);
    until("the disk is full", || full.exists().then_some(()));
    let beaten = || std::fs::metadata(&beats).map_or(0, |file| file.len());
    let before = beaten();
    let mut acknowledged = Vec::new();
    for number in 0..20 {
        let name = format!("meanwhile-{number}");
        let answer = agent.register(&shell_job(&name, "service", 0, "true"));
        if answer.is_ok() {
            acknowledged.push(name);
        }
    }
    println!("{} of 20 jobs were taken", acknowledged.len());
    until("the task goes on", || {
        (beaten() > before + 50).then_some(())
    });
    std::fs::remove_file(dir.join(id(&fills)).join("t/local/big")).expect("removed");
    until("jobs are taken again", || {
        agent.register(&shell_job("again", "batch", 1, "true")).ok()
    });
    agent.until_allocations("again", "complete", 1);
    agent.kill();
    agent.launch();
    agent.wait_ready();
    for name in acknowledged {
        assert!(agent.get(&format!("/v1/job/{name}")).is_ok(), "{name}");
    }
    let alloc = agent.until_allocations("beats", "running", 1).remove(0);
    assert_eq!(pid(&dir, &alloc).as_deref(), Some(first.as_str()));
    assert_eq!(alloc["TaskStates"]["t"]["Restarts"], 0);
}

#[test]
fn no_variable_of_the_host_stops_an_agent() {
    if skipped("no_variable_of_the_host_stops_an_agent", no_agent()) {
        return;
    }
    let mut agent = Agent::prepare("");
    let names = [
        "NOMAD_ADDR",
        "NOMAD_TOKEN",
        "NOMAD_NAMESPACE",
        "NOMAD_REGION",
        "NOMAD_CACERT",
        "NOMAD_CLIENT_CERT",
        "NOMAD_SKIP_VERIFY",
        "NOMAD_VAR_x",
        "DOCKER_HOST",
        "DOCKER_CERT_PATH",
        "VAULT_ADDR",
        "VAULT_TOKEN",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "RUST_LOG",
        "RUST_BACKTRACE",
        "HOME",
        "USER",
        "LANG",
        "LC_ALL",
        "TZ",
        "TERM",
        "TMPDIR",
        "XDG_RUNTIME_DIR",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "TOKIO_WORKER_THREADS",
        "RUST_MIN_STACK",
        "NOTIFY_SOCKET",
        "LISTEN_FDS",
    ];
    let mut before = String::from("bad=\"$(printf 'x\\377\\001%%${}\\n{{')\"\n");
    for name in names {
        before.push_str(&format!("export {name}=\"$bad\"\n"));
    }
    before.push_str("export LONG=\"$(head -c 100000 /dev/zero | tr '\\0' x)\"\nexport PATH=\n");
    agent.launch_after(&before);
    agent.wait_ready();
    let line = "echo \"$NOMAD_REGION $NOMAD_NAMESPACE ${#LONG}\"";
    agent
        .register(&shell_job("runs", "batch", 1, line))
        .expect("registered");
    let alloc = agent.until_allocations("runs", "complete", 1).remove(0);
    assert_eq!(
        agent.ok(&["alloc", "logs", id(&alloc)]),
        "global default 100000\n"
    );
    assert!(agent.get("/v1/agent/self").is_ok());
}

#[test]
fn a_task_that_opens_all_files_it_can_harms_itself() {
    let test = "a_task_that_opens_all_files_it_can_harms_itself";
    let has_python = Path::new("/usr/bin/python3").exists();
    if skipped(
        test,
        no_agent().or((!has_python).then_some("there is no python3")),
    ) {
        return;
    }
    let agent = Agent::start("");
    let hog = "import os, time\nheld = []\ntry:\n    while True: held.append(os.open('/dev/null', os.O_RDONLY))\nexcept OSError as error: print(error.strerror, flush=True)\ntime.sleep(3600)";
    let mut job = shell_job("hog", "service", 1, "");
    job["TaskGroups"][0]["Tasks"][0]["Config"] =
        json!({"command": "/usr/bin/python3", "args": ["-c", hog]});
    job["TaskGroups"][0]["Tasks"][0]["Resources"]["MemoryMB"] = 256.into();
    agent.register(&job).expect("registered");
    let alloc = agent.until_allocations("hog", "running", 1).remove(0);
    until("it holds all that it may", || {
        let said = agent.nomad(&["alloc", "logs", id(&alloc)]).stdout;
        String::from_utf8_lossy(&said)
            .contains("Too many open files")
            .then_some(())
    });
    agent
        .register(&shell_job(
            "beside",
            "batch",
            1,
            "exec 3</dev/null; echo works",
        ))
        .expect("registered");
    agent.until_allocations("beside", "complete", 1);
    let said = agent.ok(&[
        "alloc",
        "exec",
        "-i=false",
        "-t=false",
        id(&alloc),
        "/bin/echo",
        "said",
    ]);
    assert_eq!(said, "said\n");
}
