//! Control groups of the second version, which this machine may not have: an agent in a virtual machine whose kernel has
//! nothing else.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{binary, skipped};

/// The kernel that `.ci/run` fetched, or one of this machine's own.
fn kernel() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let fetched = cache.or_else(home)?.join("caravan/vmlinuz");
    let installed = std::fs::read_dir("/boot").into_iter().flatten().flatten();
    let installed = installed
        .map(|entry| entry.path())
        .filter(|path| path.display().to_string().contains("/vmlinuz-"));
    [fetched]
        .into_iter()
        .chain(installed)
        .find(|path| std::fs::File::open(path).is_ok())
}

/// The first process there: a root that is no initial one, which cannot be left, and the second.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox mkdir /new
/bin/busybox mount -t tmpfs -o size=80% new /new
/bin/busybox cp -a /bin /lib /lib64 /etc /test /new
exec /bin/busybox switch_root /new /test
"#;

const JOB: &str = r#"
variable "id" {}
variable "driver" {}
variable "memory" {}
variable "line" {}
job "job" {
  id = var.id
  group "g" {
    restart {
      attempts = 0
      mode = "fail"
    }
    reschedule {
      attempts = 0
      unlimited = false
    }
    task "t" {
      driver = var.driver
      config {
        command = "/bin/sh"
        args = ["-c", var.line]
      }
      resources {
        cpu = 100
        memory = var.memory
      }
    }
  }
}
"#;

/// The second process: each line that begins with a star is looked for by the test.
const TEST: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/ NOMAD_CLI_SHOW_HINTS=0
mkdir -p /proc /sys /dev /tmp /data
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t cgroup2 none /sys/fs/cgroup
ip link set lo up
cd /etc

until_ok() { # until_ok <what> <command>…
    what=$1; shift
    for i in $(seq 240); do if "$@" >/dev/null 2>&1; then echo "* $what"; return 0; fi; sleep 0.5; done
    echo "! not: $what"; tail -n 30 /tmp/log; return 1
}
start() { nomad agent -config /etc/agent.hcl >>/tmp/log 2>&1 & agent=$!; until_ok "the node is ready" ready; }
ready() { nomad node status | grep -q ready; }
run() { nomad job run -detach -var "id=$1" -var "driver=$2" -var "memory=$3" -var "line=$4" job.nomad >/dev/null; }
alloc() { nomad job status "$1" | tail -n 1 | cut -d' ' -f1; }
has() { nomad alloc status "$(alloc "$1")" | grep -q "$2"; }
figures() { nomad alloc status -stats "$(alloc "$1")" | grep -A 2 'Memory Stats' | tail -n 1 | grep -q '[1-9].*iB'; }
scope() { echo /sys/fs/cgroup/nomad.slice/share.slice/*"$1".t.scope; }
full_id() { nomad alloc status -verbose "$(alloc "$1")" | head -n 1 | sed 's/.*= //'; }

start
nomad node status -self -verbose | grep -q 'os.cgroups.version *= 2' && echo "* the node says so"
run hog exec 48 'x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done'
until_ok "a memory hog is told as such" has hog 'OOM Killed'

for driver in exec raw_exec; do
    run steady-$driver $driver 48 'echo here; exec sleep 3600'
    until_ok "$driver runs" has steady-$driver running
    group=$(scope "$(full_id steady-$driver)")
    [ -n "$(cat "$group/cgroup.procs")" ] && echo "* $driver is in its group"
    until_ok "$driver has figures" figures steady-$driver
done
group=$(scope "$(full_id steady-exec)")
echo "* memory $(cat "$group/memory.max")"
before=$(cat "$group/cgroup.procs")
kill -9 $agent; wait $agent 2>/dev/null
start
until_ok "it is known again" nomad alloc exec -i=false -t=false "$(alloc steady-exec)" /bin/true
[ "$before" = "$(cat "$group/cgroup.procs")" ] && echo "* its processes are the same"

# Its first process forks no more: a shell that cannot would end, and its group with it.
run bomb exec 256 'trap "" INT TERM; bomb() { bomb | bomb & }; bomb; exec sleep 3600'
until_ok "the bomb runs" has bomb running
bomb=$(scope "$(full_id bomb)")
echo "* at most $(cat "$bomb/pids.max") processes"
for job in bomb steady-exec steady-raw_exec; do nomad job stop -detach $job >/dev/null; done
gone() { [ ! -d "$bomb" ] && [ ! -d "$group" ]; }
until_ok "nothing of them is left" gone
echo "* the end"
poweroff -f
"#;

const AGENT: &str = r#"
data_dir = "/data"
bind_addr = "127.0.0.1"
server {
  enabled = true
  bootstrap_expect = 1
}
client {
  enabled = true
  gc_disk_usage_threshold = 100
  cpu_total_compute = 10000
  options {
    "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean"
  }
}
plugin "raw_exec" {
  config {
    enabled = true
  }
}
plugin "exec" {
  config {
    pids_limit = 100
  }
}
"#;

const PASSWD: &str = "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n";
const GROUP: &str = "root:x:0:\nnogroup:x:65534:\n";

/// A file system in memory with the binary, its libraries and busybox.
fn initial(dir: &Path) -> Option<PathBuf> {
    let script = r#"
        mkdir -p root/bin root/lib root/lib64 root/etc
        strip -o root/bin/nomad "$NOMAD"
        for library in $(ldd "$NOMAD" | grep -o '/[^ ]*'); do
            mkdir -p "root$(dirname "$library")"; cp -L "$library" "root$library"
        done
        cp "$(command -v busybox)" root/bin/busybox
        cp init test root/; cp job.nomad agent.hcl passwd group root/etc/
        chmod 755 root/init root/test
        cd root; find . | busybox cpio -o -H newc > ../initial
    "#;
    for (name, text) in [
        ("init", INIT),
        ("test", TEST),
        ("job.nomad", JOB),
        ("agent.hcl", AGENT),
        ("passwd", PASSWD),
        ("group", GROUP),
    ] {
        std::fs::write(dir.join(name), text).expect("written");
    }
    let made = Command::new("sh")
        .args(["-ec", script])
        .current_dir(dir)
        .env("NOMAD", binary())
        .output();
    let made = made.is_ok_and(|made| made.status.success());
    made.then(|| dir.join("initial"))
}

#[test]
fn control_groups_of_the_second_version() {
    let test = "control_groups_of_the_second_version";
    let dir = tempfile::tempdir().expect("a folder");
    let Some(kernel) = kernel() else {
        skipped(
            test,
            Some("there is no kernel for a virtual machine; .ci/run fetches one"),
        );
        return;
    };
    let Some(initial) = initial(dir.path()) else {
        skipped(test, Some("strip, ldd and busybox are needed"));
        return;
    };
    let console = dir.path().join("console");
    let machine = Command::new("qemu-system-x86_64")
        .args([
            "-m",
            "1536",
            "-display",
            "none",
            "-no-reboot",
            "-nic",
            "none",
            "-kernel",
        ])
        .arg(&kernel)
        .arg("-initrd")
        .arg(&initial)
        .args(["-append", "console=ttyS0 loglevel=1 panic=-1", "-serial"])
        .arg(format!("file:{}", console.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut machine) = machine else {
        skipped(test, Some("there is no qemu-system-x86_64"));
        return;
    };
    let started = std::time::Instant::now();
    // A machine that is only imitated is slow.
    while machine.try_wait().expect("waited for").is_none() {
        if started.elapsed() > Duration::from_secs(400) {
            drop(machine.kill());
            drop(machine.wait());
            break;
        }
        std::thread::park_timeout(Duration::from_millis(200));
    }
    let said = std::fs::read(&console).unwrap_or_default();
    let said = String::from_utf8_lossy(&said).replace('\r', "");
    println!("{said}\nthe machine ran for {:?}", started.elapsed());
    for expected in [
        "the node says so",
        "a memory hog is told as such",
        "exec is in its group",
        "exec has figures",
        "raw_exec is in its group",
        "raw_exec has figures",
        "memory 50331648",
        "it is known again",
        "its processes are the same",
        "at most 100 processes",
        "nothing of them is left",
        "the end",
    ] {
        assert!(said.contains(&format!("* {expected}\n")), "not: {expected}");
    }
}
