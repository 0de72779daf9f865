//! What an isolated task sees and may do; needs root.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use caravan_host::{
    ExecStreams, HostMount, HostPath, Isolation, LogSpec, Process, Spec, Supervisors, credentials,
};
use tokio::io::AsyncReadExt;

fn skipped(test: &str) -> bool {
    if credentials::is_root() {
        return false;
    }
    println!("SKIPPED: {test}: needs root");
    true
}

fn spec(dir: &Path, user: &str, script: &str) -> Spec {
    let root = dir.join("web");
    for sub in ["web/local", "web/secrets", "web/private", "alloc"] {
        std::fs::create_dir_all(dir.join(sub)).expect("created");
    }
    let host = ["/bin", "/lib", "/lib64", "/usr", "/etc"]
        .map(|path| HostPath {
            source: path.into(),
            target: path.into(),
        })
        .to_vec();
    let isolation = Isolation {
        root,
        host,
        mounts: vec![HostMount {
            source: dir.join("alloc"),
            target: "/alloc".into(),
            ..HostMount::default()
        }],
        hidden: vec!["/private".into()],
        pid_namespace: true,
        ipc_namespace: true,
        capabilities: vec![
            "chown".into(),
            "mknod".into(),
            "setuid".into(),
            "setgid".into(),
        ],
        ..Isolation::default()
    };
    Spec {
        id: "x".into(),
        state_file: dir.join("private/state"),
        process: Process {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: Arc::new(BTreeMap::from([(
                "PATH".to_owned(),
                "/usr/bin:/bin".to_owned(),
            )])),
            cwd: "/".into(),
            user: Some(credentials::lookup(user).expect("known")),
            isolation: Some(isolation),
            ..Process::default()
        },
        logs: Some(LogSpec {
            dir: dir.to_owned(),
            name: "web".into(),
            max_files: 2,
            max_file_bytes: 1 << 20,
        }),
        cgroup: None,
    }
}

async fn output(user: &str, script: &str, prepare: impl FnOnce(&Path)) -> String {
    let dir = tempfile::tempdir().expect("dir");
    let source = Supervisors::new(env!("CARGO_BIN_EXE_caravan-supervise"));
    let spec = spec(dir.path(), user, script);
    prepare(dir.path());
    let task = source.launch(&spec).await.expect("starts");
    task.wait().await.expect("known");
    let read = |kind| {
        std::fs::read_to_string(dir.path().join(format!("web.{kind}.0"))).unwrap_or_default()
    };
    read("stdout") + &read("stderr")
}

#[tokio::test]
async fn the_task_is_alone_in_its_root() {
    if skipped("the_task_is_alone_in_its_root") {
        return;
    }
    let script = "id -un; echo pid $$; ls -d /root /home /.old* 2>/dev/null; ls /private 2>&1; touch /etc/x 2>&1; \
        echo shared > /alloc/file; cat /alloc/file; ls /proc | grep -c '^[0-9]'; echo done > /dev/null; ls /dev";
    let text = output("nobody", script, |dir| {
        std::fs::write(dir.join("web/private/key"), "secret").expect("written");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(dir.join("alloc"), open).expect("opened");
    })
    .await;
    assert!(text.starts_with("nobody\npid 1\n"), "{text}");
    assert!(text.contains("shared\n"), "{text}");
    assert!(
        !text.contains("/root") && !text.contains("/.old") && !text.contains("key"),
        "{text}"
    );
    assert!(
        text.contains("Read-only file system") || text.contains("Permission denied"),
        "{text}"
    );
    assert!(text.contains("urandom"), "{text}");
}

#[tokio::test]
async fn root_in_the_task_is_not_root_of_the_host() {
    if skipped("root_in_the_task_is_not_root_of_the_host") {
        return;
    }
    let script = "touch /etc/x; mknod /local/disk b 8 0 && cat /local/disk; mount -t tmpfs none /local; \
        echo 1 > /proc/sys/kernel/sysrq; mknod /dev/disk b 8 0; grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status";
    let text = output("root", script, |_| {}).await;
    assert!(
        text.contains("touch: cannot touch '/etc/x': Read-only file system"),
        "{text}"
    );
    assert!(
        text.contains("cat: /local/disk: Permission denied"),
        "{text}"
    );
    assert!(text.contains("NoNewPrivs:\t1"), "{text}");
    assert!(
        text.contains("CapEff:\t00000000080000c1") && text.contains("CapBnd:\t00000000080000c1"),
        "{text}"
    );
    assert!(
        text.matches("ermission denied").count() + text.matches("Read-only").count() >= 4,
        "{text}"
    );
}

#[tokio::test]
async fn the_kernels_machinery_is_out_of_reach() {
    if skipped("the_kernels_machinery_is_out_of_reach") {
        return;
    }
    let script = "for way in --user --mount --net --pid; do unshare $way true && echo left by $way; done; \
        unshare --user --map-root-user true && echo root of a namespace; grep Seccomp: /proc/self/status; \
        (sleep 0; echo forks) & wait; echo threads | sort --parallel=4";
    let text = output("nobody", script, |_| {}).await;
    assert!(
        !text.contains("left by") && !text.contains("root of"),
        "{text}"
    );
    assert_eq!(text.matches("Operation not permitted").count(), 5, "{text}");
    assert!(text.contains("Seccomp:\t2\n"), "{text}");
    assert!(
        text.contains("forks\n") && text.contains("threads\n"),
        "{text}"
    );
}

#[tokio::test]
async fn a_full_memory_file_system_is_the_tasks_own_trouble() {
    if skipped("a_full_memory_file_system_is_the_tasks_own_trouble") {
        return;
    }
    let script = "dd if=/dev/zero of=/dev/shm/hog bs=1M count=200 2>&1 | grep -o 'No space left'; \
        stat -c %s /dev/shm/hog; touch /dev/hog";
    let text = output("nobody", script, |_| {}).await;
    assert!(text.starts_with("No space left\n67108864\n"), "{text}");
    assert!(text.contains("Read-only file system"), "{text}");
}

#[tokio::test]
async fn links_left_in_the_root_lead_nowhere() {
    if skipped("links_left_in_the_root_lead_nowhere") {
        return;
    }
    let victim = tempfile::tempdir().expect("dir");
    let dir = tempfile::tempdir().expect("dir");
    let spec = spec(dir.path(), "root", "true");
    std::os::unix::fs::symlink(victim.path(), dir.path().join("web/etc")).expect("linked");
    let source = Supervisors::new(env!("CARGO_BIN_EXE_caravan-supervise"));
    let err = source.launch(&spec).await.expect_err("refused").to_string();
    assert!(err.contains("at /etc: File exists"), "{err}");
    assert!(
        std::fs::read_dir(victim.path())
            .expect("dir")
            .next()
            .is_none()
    );
}

#[tokio::test]
async fn what_the_agent_put_into_a_host_directory_is_seen() {
    if skipped("what_the_agent_put_into_a_host_directory_is_seen") {
        return;
    }
    let text = output("nobody", "cat /etc/app.conf; head -c4 /etc/passwd", |dir| {
        std::fs::create_dir_all(dir.join("web/etc")).expect("created");
        std::fs::write(dir.join("web/etc/app.conf"), "configured\n").expect("written");
    })
    .await;
    assert_eq!(text, "configured\nroot");
}

#[tokio::test]
async fn an_exec_is_in_the_same_world() {
    if skipped("an_exec_is_in_the_same_world") {
        return;
    }
    let dir = tempfile::tempdir().expect("dir");
    let source = Supervisors::new(env!("CARGO_BIN_EXE_caravan-supervise"));
    let spec = spec(
        dir.path(),
        "nobody",
        "trap 'exit 0' INT; while true; do sleep 0.05; done",
    );
    let mut process = spec.process.clone();
    let task = source.launch(&spec).await.expect("starts");
    process.args = vec![
        "-c".into(),
        "id -un; ls -d /alloc /home; cat /proc/1/cmdline | tr '\\0' ' '".into(),
    ];
    let (streams, exit) = task.exec(process).await.expect("starts").split();
    let ExecStreams::Pipes {
        mut stdout, stdin, ..
    } = streams
    else {
        panic!("pipes")
    };
    drop(stdin);
    let mut text = String::new();
    stdout.read_to_string(&mut text).await.expect("read");
    exit.await.expect("known");
    assert!(
        text.starts_with("nobody\n/alloc\n/bin/sh -c trap"),
        "{text}"
    );
    task.stop(2, Duration::from_secs(10)).await.expect("asked");
    assert_eq!(task.wait().await.expect("known").exit_code, 0);
}

/// Files and directories of the agent's in those of the host, where nothing can be made.
#[tokio::test]
async fn mounts_lie_in_directories_of_the_host() {
    if skipped("mounts_lie_in_directories_of_the_host") {
        return;
    }
    let dir = tempfile::tempdir().expect("dir");
    let look = "cat /etc/hosts /local/link; ls -l /local/link | cut -c1; cat /etc/own/file; ls /usr/share/own; \
        head -c4 /etc/passwd";
    let mut spec = spec(dir.path(), "nobody", look);
    let file = dir.path().join("hosts");
    std::fs::write(&file, "given\n").expect("written");
    // And over what a link names that leads to nothing.
    let link = dir.path().join("web/local/link");
    std::os::unix::fs::symlink("../run/service/file", link).expect("linked");
    let isolation = spec.process.isolation.as_mut().expect("isolated");
    isolation.mounts.push(HostMount {
        source: dir.path().join("alloc"),
        target: "/usr/share/own".into(),
        ..HostMount::default()
    });
    std::fs::write(dir.path().join("alloc/shared"), "").expect("written");
    for target in ["/etc/hosts", "/local/link", "/etc/own/file"] {
        isolation.mounts.push(HostMount {
            source: file.clone(),
            target: target.into(),
            readonly: true,
            ..HostMount::default()
        });
    }
    let source = Supervisors::new(env!("CARGO_BIN_EXE_caravan-supervise"));
    let task = source.launch(&spec).await.expect("starts");
    task.wait().await.expect("known");
    let read = |kind: &str| std::fs::read_to_string(dir.path().join(format!("web.{kind}.0")));
    let said = read("stdout").expect("read") + &read("stderr").expect("read");
    assert_eq!(said, "given\ngiven\nl\ngiven\nshared\nroot");
}

/// Whatever comes to be in the root while it is furnished, a link leads there at once, and on to the host's files.
#[tokio::test]
async fn links_that_are_swapped_meanwhile_lead_nowhere() {
    if skipped("links_that_are_swapped_meanwhile_lead_nowhere") {
        return;
    }
    let (dir, victim) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut spec = spec(dir.path(), "nobody", "true");
    let (root, outside) = (dir.path().join("web"), victim.path().to_owned());
    std::fs::write(dir.path().join("f"), "").unwrap();
    let isolation = spec.process.isolation.as_mut().unwrap();
    for target in ["/data/deep/directory", "/data/file"] {
        isolation.mounts.push(HostMount {
            source: dir.path().join(if target.ends_with("file") {
                "f"
            } else {
                "alloc"
            }),
            target: target.into(),
            ..HostMount::default()
        });
    }
    let over = Arc::new(AtomicBool::new(false));
    let swaps = {
        let (root, outside, over) = (root.clone(), outside.clone(), Arc::clone(&over));
        std::thread::spawn(move || {
            let (link, place) = (root.join("local/link"), root.join("data"));
            while !over.load(Ordering::Relaxed) {
                for name in std::fs::read_dir(&root).unwrap().flatten() {
                    let to = Path::new("/").join(name.file_name());
                    let to = to.join(outside.strip_prefix("/").unwrap());
                    if !name.file_name().as_encoded_bytes().starts_with(b".") {
                        continue;
                    }
                    let _ = std::fs::remove_file(&link);
                    let _ = std::os::unix::fs::symlink(to, &link);
                    let _ = std::fs::remove_dir_all(&place);
                    let _ = std::fs::rename(&link, &place);
                }
            }
        })
    };
    let source = Supervisors::new(env!("CARGO_BIN_EXE_caravan-supervise"));
    for round in 0..20 {
        let _ = std::fs::remove_file(root.join("data"));
        spec.id = format!("x{round}");
        spec.state_file = dir.path().join(format!("private/state{round}"));
        if let Ok(task) = source.launch(&spec).await {
            task.wait().await.expect("known");
        }
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0, "{round}");
    }
    over.store(true, Ordering::Relaxed);
    swaps.join().unwrap();
}

/// Directories of the task in a root that is not its own, as with images.
#[tokio::test]
async fn what_is_mounted_lies_where_it_should() {
    if skipped("what_is_mounted_lies_where_it_should") {
        return;
    }
    let (dir, victim) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(victim.path().join("f"), "secret\n").unwrap();
    let look = "cat /own/f /linked/f";
    let mut spec = spec(dir.path(), "nobody", look);
    let task = dir.path().join("task");
    std::fs::create_dir_all(task.join("real")).unwrap();
    std::fs::write(task.join("real/f"), "own\n").unwrap();
    // The host's own links are followed as the host has them.
    let linked = dir.path().join("linked");
    std::os::unix::fs::symlink(victim.path(), &linked).unwrap();
    for path in [victim.path(), dir.path()] {
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path, open).unwrap();
    }
    let isolation = spec.process.isolation.as_mut().unwrap();
    isolation.host.push(HostPath {
        source: linked,
        target: "/linked".into(),
    });
    isolation.mounts.push(HostMount {
        source: task.join("own"),
        within: Some(task.clone()),
        target: "/own".into(),
        readonly: true,
    });
    let source = Supervisors::new(env!("CARGO_BIN_EXE_caravan-supervise"));
    std::os::unix::fs::symlink("real", task.join("own")).unwrap();
    let started = source.launch(&spec).await.expect("starts");
    started.wait().await.expect("known");
    let said = std::fs::read_to_string(dir.path().join("web.stdout.0")).unwrap();
    assert_eq!(said, "own\nsecret\n");
    for out in [victim.path(), Path::new("../../../../../../../../../etc")] {
        std::fs::remove_file(task.join("own")).unwrap();
        std::os::unix::fs::symlink(out, task.join("own")).unwrap();
        let error = source.launch(&spec).await.expect_err("it leads out");
        assert!(
            error
                .to_string()
                .contains("at /own: Invalid cross-device link"),
            "{error}"
        );
    }
}

/// What can be written has no device files that open anything, and what can only be read is so in all that is mounted in it.
#[tokio::test]
async fn mounts_bring_neither_devices_nor_a_way_to_write() {
    if skipped("mounts_bring_neither_devices_nor_a_way_to_write") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let look = "for dir in /alloc /volume /volume/inner; do \
        mknod -m 666 $dir/zero c 1 5 && head -c 4 $dir/zero | wc -c; done; \
        echo x > /closed/inner/f && echo written";
    let mut spec = spec(dir.path(), "nobody", look);
    let isolation = spec.process.isolation.as_mut().unwrap();
    for (name, readonly) in [("volume", false), ("closed", true)] {
        let (volume, inner) = (dir.path().join(name), dir.path().join(name).join("inner"));
        std::fs::create_dir_all(&inner).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "mode=777", "tmpfs"])
            .arg(&inner)
            .status();
        assert!(mount.unwrap().success());
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(&volume, open).unwrap();
        isolation.mounts.push(HostMount {
            source: volume,
            target: format!("/{name}").into(),
            readonly,
            ..HostMount::default()
        });
    }
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(dir.path().join("alloc"), open).unwrap();
    let source = Supervisors::new(env!("CARGO_BIN_EXE_caravan-supervise"));
    let task = source.launch(&spec).await.expect("starts");
    task.wait().await.expect("known");
    for name in ["volume", "closed"] {
        let unmounted = Command::new("umount")
            .arg("-l")
            .arg(dir.path().join(name).join("inner"))
            .status();
        assert!(unmounted.unwrap().success());
    }
    let said = std::fs::read_to_string(dir.path().join("web.stdout.0")).unwrap();
    assert_eq!(said, "0\n0\n0\n");
}
