//! Real tasks under real supervisors: exits, kills, logs, and a launcher that is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use caravan_host::procs::{Identity, Stat};
use caravan_host::{
    ExecStreams, LaunchError, LogSpec, Process, Reconnected, Spec, Supervised, Supervisors,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LAUNCHER_DIR: &str = "CARAVAN_TEST_LAUNCHER_DIR";

fn supervisors() -> Supervisors {
    Supervisors::new(env!("CARGO_BIN_EXE_caravan-supervise"))
}

fn shell(dir: &Path, script: &str) -> Spec {
    Spec {
        id: "alloc/task/1".into(),
        state_file: dir.join("private/state"),
        process: process(script),
        logs: Some(LogSpec {
            dir: dir.to_owned(),
            name: "task".into(),
            max_files: 3,
            max_file_bytes: 10 << 20,
        }),
        cgroup: None,
    }
}

fn process(script: &str) -> Process {
    Process {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        env: std::sync::Arc::new(BTreeMap::from([
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("COLOUR".to_owned(), "blue".to_owned()),
        ])),
        cwd: "/".into(),
        ..Process::default()
    }
}

fn read(path: PathBuf) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Waits for a condition; a test that would wait for ever fails instead.
async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn is_gone(pid: i32) -> bool {
    Stat::read(pid).is_none_or(|stat| stat.state == 'Z')
}

#[tokio::test]
async fn exit_code_and_both_streams_are_kept() {
    let dir = tempfile::tempdir().expect("dir");
    let task = supervisors()
        .launch(&shell(
            dir.path(),
            "echo out $COLOUR; echo err >&2; env | wc -l; exit 7",
        ))
        .await
        .expect("starts");
    let exit = task.wait().await.expect("known");
    assert_eq!((exit.exit_code, exit.signal), (7, 0));
    let out = read(dir.path().join("task.stdout.0"));
    assert!(out.starts_with("out blue\n"), "{out}");
    assert_eq!(read(dir.path().join("task.stderr.0")), "err\n");
}

#[tokio::test]
async fn nothing_that_the_agent_inherited_reaches_supervisors_and_tasks() {
    let dir = tempfile::tempdir().expect("dir");
    let secret = dir.path().join("secret");
    let file = std::fs::File::create(&secret).expect("made");
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).expect("inheritable");
    let task = supervisors()
        .launch(&shell(dir.path(), "ls /proc/$$/fd; exec sleep 600"))
        .await
        .expect("starts");
    let log = dir.path().join("task.stdout.0");
    until("what the task holds", || {
        read(log.clone()).lines().count() >= 3
    })
    .await;
    assert_eq!(read(log), "0\n1\n2\n");
    let held = std::fs::read_dir(format!("/proc/{}/fd", task.locator.record.supervisor.pid));
    for each in held.expect("listed").flatten() {
        assert_ne!(std::fs::read_link(each.path()).ok().as_ref(), Some(&secret));
    }
    task.stop(9, Duration::ZERO).await.expect("asked");
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let dir = tempfile::tempdir().expect("dir");
    let mut spec = shell(dir.path(), "");
    spec.process.program = "/no/such/binary".into();
    let err = supervisors()
        .launch(&spec)
        .await
        .expect_err("fails")
        .to_string();
    assert_eq!(err, "fork/exec /no/such/binary: no such file or directory");
    let mut spec = shell(dir.path(), "");
    spec.process.cwd = "/no/such/dir".into();
    let err = supervisors()
        .launch(&spec)
        .await
        .expect_err("fails")
        .to_string();
    assert!(err.starts_with("chdir /no/such/dir: "), "{err}");
}

/// Exit code and output of a task, and who supervised it.
async fn short_task(supervisors: &Supervisors, dir: &Path, number: i32) -> i32 {
    let dir = dir.join(number.to_string());
    std::fs::create_dir_all(&dir).expect("made");
    let code = number % 7;
    let script = format!("echo {number} $COLOUR; exit {code}");
    let task = supervisors
        .launch(&shell(&dir, &script))
        .await
        .expect("starts");
    let exit = task.wait().await.expect("known");
    assert_eq!((exit.exit_code, exit.signal), (code, 0));
    let out = read(dir.join("task.stdout.0"));
    assert_eq!(out, format!("{number} blue\n"));
    task.locator.record.supervisor.pid
}

#[tokio::test]
async fn in_a_burst_of_starts_supervisors_take_one_task_after_another_and_none_stays() {
    let dir = tempfile::tempdir().expect("dir");
    let supervisors = Arc::new(supervisors());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200 {
        let (supervisors, dir) = (Arc::clone(&supervisors), dir.path().to_owned());
        tasks.spawn(async move { short_task(&supervisors, &dir, number).await });
    }
    let pids: BTreeSet<i32> = tasks.join_all().await.into_iter().collect();
    assert!(pids.len() < 200, "each task had a supervisor of its own");
    until("the end of the supervisors", || {
        pids.iter().all(|pid| is_gone(*pid))
    })
    .await;
}

#[tokio::test]
async fn a_polite_task_ends_with_its_signal() {
    let dir = tempfile::tempdir().expect("dir");
    let task = supervisors()
        .launch(&shell(dir.path(), "exec sleep 600"))
        .await
        .expect("starts");
    task.stop(2, Duration::from_secs(30)).await.expect("asked");
    let exit = task.wait().await.expect("known");
    assert_eq!((exit.exit_code, exit.signal), (130, 2));
}

#[tokio::test]
async fn a_stubborn_task_is_killed_with_all_it_started() {
    let dir = tempfile::tempdir().expect("dir");
    let script = "trap '' INT; setsid sleep 601 & echo $!; sleep 600; sleep 600";
    let task = supervisors()
        .launch(&shell(dir.path(), script))
        .await
        .expect("starts");
    let log = dir.path().join("task.stdout.0");
    until("the child's pid in the log", || {
        read(log.clone()).ends_with('\n')
    })
    .await;
    let wanderer: i32 = read(log).trim().parse().expect("a pid");
    assert!(!is_gone(wanderer));
    task.stop(2, Duration::from_millis(300))
        .await
        .expect("asked");
    let exit = task.wait().await.expect("known");
    assert_eq!((exit.exit_code, exit.signal), (137, 9));
    assert!(is_gone(wanderer), "a process in another session survived");
}

#[tokio::test]
async fn signals_reach_the_task() {
    let dir = tempfile::tempdir().expect("dir");
    let script = "trap 'echo got usr1; exit 3' USR1; echo up; while true; do sleep 0.05; done";
    let task = supervisors()
        .launch(&shell(dir.path(), script))
        .await
        .expect("starts");
    let log = dir.path().join("task.stdout.0");
    until("up", || read(log.clone()).contains("up")).await;
    task.signal(10).await.expect("sent");
    assert_eq!(task.wait().await.expect("known").exit_code, 3);
    assert_eq!(read(log), "up\ngot usr1\n");
    assert!(
        task.signal(10).await.is_err(),
        "a dead task cannot be signalled"
    );
}

#[tokio::test]
async fn heavy_output_is_whole_and_bounded() {
    let dir = tempfile::tempdir().expect("dir");
    let mut spec = shell(dir.path(), "seq 1 3000000");
    if let Some(logs) = &mut spec.logs {
        (logs.max_files, logs.max_file_bytes) = (4, 3 << 20);
    }
    let task = supervisors().launch(&spec).await.expect("starts");
    assert_eq!(task.wait().await.expect("known").exit_code, 0);
    let mut kept: Vec<u64> = std::fs::read_dir(dir.path())
        .expect("dir")
        .flatten()
        .filter_map(|e| {
            e.file_name()
                .to_str()?
                .strip_prefix("task.stdout.")?
                .parse()
                .ok()
        })
        .collect();
    kept.sort_unstable();
    assert_eq!(kept.len(), 4, "{kept:?}");
    let text: String = kept
        .iter()
        .map(|n| read(dir.path().join(format!("task.stdout.{n}"))))
        .collect();
    assert!(text.len() <= 4 * ((3 << 20) + (32 << 10)));
    let numbers: Vec<u64> = text
        .lines()
        .map(|line| line.parse().expect("a whole line"))
        .collect();
    assert_eq!(numbers.last(), Some(&3_000_000));
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "a line is missing or doubled"
    );
}

#[tokio::test]
async fn exec_runs_beside_the_task_with_streams_and_code() {
    let dir = tempfile::tempdir().expect("dir");
    let task = supervisors()
        .launch(&shell(dir.path(), "exec sleep 600"))
        .await
        .expect("starts");
    let session = task
        .exec(process("cat; echo oops >&2; exit 4"))
        .await
        .expect("starts");
    let (streams, exit) = session.split();
    let ExecStreams::Pipes {
        mut stdin,
        mut stdout,
        mut stderr,
    } = streams
    else {
        panic!("not a terminal")
    };
    stdin.write_all(b"typed\n").await.expect("written");
    drop(stdin);
    let (mut out, mut err) = (String::new(), String::new());
    stdout.read_to_string(&mut out).await.expect("read");
    stderr.read_to_string(&mut err).await.expect("read");
    assert_eq!((out.as_str(), err.as_str()), ("typed\n", "oops\n"));
    assert_eq!(exit.await.expect("known").exit_code, 4);
    let missing = Process {
        program: "/no/such/binary".into(),
        ..process("")
    };
    let err = task.exec(missing).await.expect_err("fails").to_string();
    assert_eq!(
        err,
        "failed to start command: fork/exec /no/such/binary: no such file or directory"
    );
    task.stop(9, Duration::ZERO).await.expect("asked");
    task.wait().await.expect("known");
}

#[tokio::test]
async fn exec_on_a_terminal_knows_its_size() {
    let dir = tempfile::tempdir().expect("dir");
    let task = supervisors()
        .launch(&shell(dir.path(), "exec sleep 600"))
        .await
        .expect("starts");
    let spec = Process {
        terminal: true,
        ..process("read x; stty size; tty >/dev/null && echo is a tty")
    };
    let (streams, exit) = task.exec(spec).await.expect("starts").split();
    let ExecStreams::Terminal(pty) = streams else {
        panic!("a terminal")
    };
    pty.resize(100, 33).expect("resized");
    pty.write_all(b"go\n").await.expect("written");
    let mut seen = Vec::new();
    let mut buffer = [0; 256];
    loop {
        match pty.read(&mut buffer).await.expect("read") {
            0 => break,
            n => seen.extend_from_slice(&buffer[..n]),
        }
    }
    let seen = String::from_utf8_lossy(&seen);
    assert!(
        seen.contains("33 100") && seen.contains("is a tty"),
        "{seen}"
    );
    assert_eq!(exit.await.expect("known").exit_code, 0);
    task.stop(9, Duration::ZERO).await.expect("asked");
    task.wait().await.expect("known");
}

#[tokio::test]
async fn an_exec_whose_caller_left_is_killed() {
    let dir = tempfile::tempdir().expect("dir");
    let task = supervisors()
        .launch(&shell(dir.path(), "exec sleep 600"))
        .await
        .expect("starts");
    let session = task.exec(process("exec sleep 602")).await.expect("starts");
    until("the exec'd process", || task.pids().len() == 2).await;
    drop(session);
    until("its end", || task.pids().len() == 1).await;
    task.stop(9, Duration::ZERO).await.expect("asked");
    task.wait().await.expect("known");
}

/// Not a test of its own: the process that the next tests kill.
#[tokio::test]
async fn launcher() {
    let Ok(dir) = std::env::var(LAUNCHER_DIR) else {
        return;
    };
    let source = supervisors();
    let script = "n=0; while [ ! -e stop ]; do n=$((n+1)); echo line $n; sleep 0.01; done; echo end $n; exit 5";
    let mut spec = shell(Path::new(&dir), script);
    spec.process.cwd = dir.into();
    let task = source.launch(&spec).await.expect("starts");
    println!(
        "LOCATOR {}",
        serde_json::to_string(&task.locator).expect("encodes")
    );
    std::future::pending::<()>().await;
}

/// Starts a task from another process and kills that process with its whole group.
fn orphaned_task(dir: &Path) -> caravan_host::Locator {
    let mut launcher = Command::new(std::env::current_exe().expect("exists"))
        .args(["--exact", "launcher", "--nocapture"])
        .env(LAUNCHER_DIR, dir)
        .process_group(0)
        .stdout(Stdio::piped())
        .spawn()
        .expect("spawns");
    let lines = BufReader::new(launcher.stdout.take().expect("piped")).lines();
    let locator = lines
        .map_while(Result::ok)
        .find_map(|line| line.split_once("LOCATOR ").map(|(_, json)| json.to_owned()))
        .expect("the launcher reports");
    let killed = Command::new("kill")
        .args(["-9", "--", &format!("-{}", launcher.id())])
        .status()
        .expect("kill");
    assert!(killed.success());
    launcher.wait().expect("reaped");
    serde_json::from_str(&locator).expect("decodes")
}

async fn running(locator: &caravan_host::Locator) -> Supervised {
    match supervisors().reconnect(locator).await {
        Reconnected::Running(task) => task,
        other => panic!("not running: {other:?}"),
    }
}

#[tokio::test]
async fn a_killed_launcher_costs_neither_task_nor_line_nor_exit_code() {
    let dir = tempfile::tempdir().expect("dir");
    let locator = orphaned_task(dir.path());
    let task = running(&locator).await;
    assert_eq!(
        task.locator.record.task, locator.record.task,
        "the same process"
    );
    let log = dir.path().join("task.stdout.0");
    let before = read(log.clone()).len();
    until("more output", || read(log.clone()).len() > before).await;
    std::fs::write(dir.path().join("stop"), "").expect("written");
    assert_eq!(task.wait().await.expect("known").exit_code, 5);
    let text = read(log);
    let lines: Vec<&str> = text.lines().collect();
    let (end, numbered) = lines.split_last().expect("lines");
    assert_eq!(*end, format!("end {}", numbered.len()));
    assert!(
        numbered
            .iter()
            .enumerate()
            .all(|(n, line)| *line == format!("line {}", n + 1))
    );
}

#[tokio::test]
async fn an_exit_while_nobody_was_connected_is_known_later() {
    let dir = tempfile::tempdir().expect("dir");
    let locator = orphaned_task(dir.path());
    std::fs::write(dir.path().join("stop"), "").expect("written");
    until("the supervisor's end", || {
        !locator.record.supervisor.is_alive()
    })
    .await;
    match supervisors().reconnect(&locator).await {
        Reconnected::Exited(_, exit) => assert_eq!(exit.exit_code, 5),
        other => panic!("not exited: {other:?}"),
    }
}

#[tokio::test]
async fn a_lost_supervisor_is_said_and_leaves_nothing_running() {
    let dir = tempfile::tempdir().expect("dir");
    let locator = orphaned_task(dir.path());
    assert!(locator.record.supervisor.signal(9));
    until("the supervisor's end", || {
        !locator.record.supervisor.is_alive()
    })
    .await;
    match supervisors().reconnect(&locator).await {
        Reconnected::Lost(why) => assert!(why.contains("without a record"), "{why}"),
        other => panic!("not lost: {other:?}"),
    }
    until("the task's end", || !locator.record.task.is_alive()).await;
}

#[tokio::test]
async fn a_pid_of_another_boot_is_neither_adopted_nor_killed() {
    let dir = tempfile::tempdir().expect("dir");
    let mut bystander = Command::new("sleep").arg("600").spawn().expect("spawns");
    let pid = bystander.id().cast_signed();
    let source = supervisors();
    let task = source
        .launch(&shell(dir.path(), "exit 0"))
        .await
        .expect("starts");
    task.wait().await.expect("known");
    let mut locator = task.locator.clone();
    let state = locator.state_file.clone();
    locator.record.task = Identity {
        boot_id: "an earlier boot".into(),
        ..Identity::of(pid).expect("runs")
    };
    std::fs::write(
        &state,
        serde_json::to_vec(&locator.record).expect("encodes"),
    )
    .expect("written");
    assert!(matches!(
        source.reconnect(&locator).await,
        Reconnected::Lost(_)
    ));
    assert!(!is_gone(pid), "a stranger was killed");
    bystander.kill().expect("killed");
    bystander.wait().expect("reaped");
}

#[tokio::test]
async fn a_start_does_not_take_the_place_of_another() {
    let dir = tempfile::tempdir().expect("dir");
    let spec = shell(dir.path(), "exec sleep 600");
    let source = supervisors();
    let task = source.launch(&spec).await.expect("starts");
    running(&task.locator).await;
    let before = read(task.locator.state_file.clone());
    match source.launch(&spec).await {
        Err(LaunchError::Task(why)) => assert!(why.contains("exists"), "{why}"),
        other => panic!("started: {other:?}"),
    }
    assert_eq!(read(task.locator.state_file.clone()), before);
    source
        .clear(&task.locator.state_file)
        .await
        .expect("cleared");
    assert!(is_gone(task.locator.record.task.pid));
    let again = source.launch(&spec).await.expect("starts again");
    again.stop(9, Duration::ZERO).await.expect("stopped");
}

#[tokio::test]
async fn a_start_is_cleared_by_its_state_file() {
    let dir = tempfile::tempdir().expect("dir");
    let deep = dir.path().join("d".repeat(120)).join("e".repeat(120));
    let mut spec = shell(dir.path(), "exec sleep 600");
    spec.state_file = deep;
    let source = supervisors();
    let task = source.launch(&spec).await.expect("starts");
    running(&task.locator).await;
    source
        .clear(&task.locator.state_file)
        .await
        .expect("cleared");
    assert!(is_gone(task.locator.record.task.pid));
    assert!(!task.locator.state_file.exists());
}

/// Root of a container on the host's network sees the socket, and is root to it.
#[tokio::test]
async fn a_stranger_without_the_key_is_turned_away() {
    use std::io::{Read, Write};
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixStream};
    let dir = tempfile::tempdir().expect("dir");
    let task = supervisors()
        .launch(&shell(dir.path(), "exec sleep 600"))
        .await
        .expect("starts");
    let name = &task.locator.record.socket;
    let open = r#"{"op":"open","key":"0123456789abcdef0123456789abcdef"}"#;
    let exec = r#"{"op":"exec","process":{"program":"/bin/sh","args":["-c","id"]}}"#;
    for said in [r#"{"op":"watch"}"#, exec, open, &"x".repeat(4096)] {
        let address = SocketAddr::from_abstract_name(name).expect("a name");
        let mut stream = UnixStream::connect_addr(&address).expect("connects");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("set");
        let length = u32::try_from(said.len()).expect("short").to_be_bytes();
        // It may be turned away before all is said.
        let _ = stream.write_all(&[&length, said.as_bytes()].concat());
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => assert!(answer.is_empty(), "answered {said:.40}"),
            Err(err) => assert_eq!(
                err.kind(),
                std::io::ErrorKind::ConnectionReset,
                "{said:.40}"
            ),
        }
    }
    let idle: Vec<UnixStream> = (0..100)
        .map(|_| {
            let address = SocketAddr::from_abstract_name(name).expect("a name");
            UnixStream::connect_addr(&address).expect("connects")
        })
        .collect();
    running(&task.locator).await;
    task.stop(9, Duration::ZERO).await.expect("still asked");
    assert_eq!(task.wait().await.expect("known").signal, 9);
    drop(idle);
}

#[tokio::test]
async fn a_killed_pool_is_replaced() {
    let dir = tempfile::tempdir().expect("dir");
    let source = supervisors();
    let first = source
        .launch(&shell(&dir.path().join("a"), "exec sleep 600"))
        .await
        .expect("starts");
    let pool = Stat::read(first.locator.record.supervisor.pid)
        .expect("runs")
        .parent;
    Command::new("kill")
        .args(["-9", &pool.to_string()])
        .status()
        .expect("kill");
    until("the pool's end", || is_gone(pool)).await;
    let second = source
        .launch(&shell(&dir.path().join("b"), "exit 9"))
        .await
        .expect("starts");
    assert_eq!(second.wait().await.expect("known").exit_code, 9);
    assert!(first.exited().is_none(), "the first task suffered");
    first.stop(9, Duration::ZERO).await.expect("asked");
    assert_eq!(first.wait().await.expect("known").signal, 9);
}

#[tokio::test]
async fn a_cgroup_kills_reliably_and_is_removed() {
    use caravan_host::cgroup::{Limits, TaskCgroup};
    let dir = tempfile::tempdir().expect("dir");
    let name = format!("test-{}.task", std::process::id());
    let group = match TaskCgroup::create("nomad-test", &name, &Limits::default()) {
        Ok(Some(group)) => group,
        other => {
            println!(
                "SKIPPED: a_cgroup_kills_reliably_and_is_removed: no writable cgroups ({other:?})"
            );
            return;
        }
    };
    let mut spec = shell(
        dir.path(),
        "while true; do setsid sleep 600 & sleep 0.01; done",
    );
    spec.cgroup = Some(group.clone());
    let task = supervisors().launch(&spec).await.expect("starts");
    until("children", || group.pids().len() > 10).await;
    task.stop(2, Duration::ZERO).await.expect("asked");
    task.wait().await.expect("known");
    assert!(group.pids().is_empty());
    until("removal", || group.dirs.values().all(|dir| !dir.exists())).await;
}
