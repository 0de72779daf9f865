//! A clock that is set under a running agent: an agent, and its tasks, that are told another time than the machine's, by
//! a library in front of the system's. Clocks that only count, as the kernel has them besides, go on as they did. Other
//! tests let hours pass at once, for both.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Agent, no_agent, shell_job, skipped, until};

/// Adds the seconds in a file, which may change at any moment, to the time of day and to what clocks have counted.
const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long *ahead;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("TEST_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *at = mmap(NULL, 2 * sizeof(long), PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) ahead = at;
    close(fd);
}

/* Whoever waits until a moment means one of these clocks. */
long syscall(long number, ...) {
    static long (*next)(long, ...);
    struct timespec until;
    long arg[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) arg[i] = va_arg(list, long);
    va_end(list);
    if (!next) next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    if (number == SYS_futex && ahead && arg[3] && (arg[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET &&
        !(arg[1] & FUTEX_CLOCK_REALTIME)) {
        until = *(struct timespec *)arg[3];
        until.tv_sec -= ahead[1];
        arg[3] = (long)&until;
    }
    return next(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

int clock_gettime(clockid_t clock, struct timespec *out) {
    int result = syscall(SYS_clock_gettime, clock, out);
    if (result == 0 && ahead) {
        if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) out->tv_sec += ahead[0];
        if (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_BOOTTIME) out->tv_sec += ahead[1];
    }
    return result;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
"#;

const DAY: i64 = 86_400;

pub(crate) struct Clock(PathBuf);

/// For the configuration of an agent under which much time passes at once: nobody is to miss its heartbeats, not even the
/// first one after a new start.
pub(crate) const PATIENT: &str =
    "server {\n min_heartbeat_ttl = \"72h\"\n failover_heartbeat_ttl = \"72h\"\n}";

impl Clock {
    /// A clock in this folder, and what has to be done before a program starts that goes by it. `None`: there is no C
    /// compiler.
    pub(crate) fn make(dir: &Path) -> Option<(Self, String)> {
        let (source, library) = (dir.join("clock.c"), dir.join("clock.so"));
        std::fs::write(&source, LIBRARY).expect("written");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .output();
        if !compiled.is_ok_and(|compiled| compiled.status.success()) {
            return None;
        }
        let clock = Self(dir.join("clock"));
        clock.write([0, 0]);
        let before = format!(
            "export TEST_CLOCK={} LD_PRELOAD={}",
            clock.0.display(),
            library.display()
        );
        Some((clock, before))
    }

    /// From now on it is so many seconds ahead of the machine's.
    fn set(&self, seconds: i64) {
        let [_, counted] = self.read();
        self.write([seconds, counted]);
    }

    /// Lets so many seconds pass at once.
    pub(crate) fn pass(&self, seconds: i64) {
        self.write(self.read().map(|ahead| ahead + seconds));
    }

    fn read(&self) -> [i64; 2] {
        let bytes = std::fs::read(&self.0).expect("read");
        let of = |at| i64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight"));
        [of(0), of(8)]
    }

    fn write(&self, ahead: [i64; 2]) {
        use std::os::unix::fs::FileExt as _;
        let file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&self.0)
            .expect("opened");
        let bytes = ahead.map(i64::to_ne_bytes).concat();
        file.write_all_at(&bytes, 0).expect("set");
    }
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

/// Events of the node's tasks and itself that tell of trouble.
fn missed(agent: &Agent) -> bool {
    let node = agent.get("/v1/nodes").expect("nodes")[0]["ID"].clone();
    let node = node.as_str().expect("an id").to_owned();
    let node = agent.get(&format!("/v1/node/{node}")).expect("the node");
    node["Status"] != "ready" || node["Events"].to_string().contains("heartbeat missed")
}

/// A job whose task ends at once and waits before it begins again, and the file with a line for each beginning.
fn waits(agent: &Agent, name: &str) -> (Value, PathBuf) {
    let file = agent.path(name);
    let line = format!("date +%s >> {}; exit 1", file.display());
    let mut job = shell_job(name, "service", 1, &line);
    job["TaskGroups"][0]["RestartPolicy"] = json!({
        "Attempts": 1, "Mode": "fail", "Interval": 3_600_000_000_000_i64, "Delay": 4_000_000_000_i64});
    (job, file)
}

#[test]
fn a_clock_that_is_set_changes_no_wait_and_loses_no_task() {
    let test = "a_clock_that_is_set_changes_no_wait_and_loses_no_task";
    if skipped(test, no_agent()) {
        return;
    }
    let mut agent = Agent::prepare("");
    let Some((clock, before)) = Clock::make(agent.dir.path()) else {
        skipped(test, Some("there is no C compiler"));
        return;
    };
    agent.launch_after(&before);
    agent.wait_ready();
    let stays = "echo $$ > local/pid; exec sleep 3600";
    agent
        .register(&shell_job("stays", "service", 3, stays))
        .expect("registered");
    let mut hourly = shell_job("hourly", "batch", 1, "true");
    hourly["Periodic"] =
        json!({"Enabled": true, "Spec": "0 * * * *", "SpecType": "cron", "ProhibitOverlap": false});
    agent.register(&hourly).expect("registered");
    let running = || -> Vec<(String, String)> {
        let all = agent.until_allocations("stays", "running", 3);
        let of = |alloc: &Value| {
            assert_eq!(alloc["TaskStates"]["t"]["Restarts"], 0, "{alloc}");
            let id = alloc["ID"].as_str().expect("an id").to_owned();
            let file = agent.path(&format!("data/alloc/{id}/t/local/pid"));
            let pid = until("its number", || {
                std::fs::read_to_string(&file)
                    .ok()
                    .filter(|pid| pid.ends_with('\n'))
            });
            (id, pid)
        };
        let mut all: Vec<_> = all.iter().map(of).collect();
        all.sort();
        all
    };
    let first = running();
    for (number, ahead) in [10 * DAY, -10 * DAY, 0].into_iter().enumerate() {
        let (job, begun) = waits(&agent, &format!("waits{number}"));
        agent.register(&job).expect("registered");
        until("it has begun once, and waits", || {
            let all = agent
                .get(&format!("/v1/job/waits{number}/allocations"))
                .ok()?;
            all.to_string().contains("\"Restarting\"").then_some(())
        });
        let waiting = Instant::now();
        clock.set(ahead);
        until("it begins again", || (lines(&begun) == 2).then_some(()));
        let waited = waiting.elapsed();
        assert!(
            waited > Duration::from_secs(2) && waited < Duration::from_secs(40),
            "{ahead} seconds ahead: 4 seconds lasted {waited:?}"
        );
        let name = format!("next{number}");
        agent
            .register(&shell_job(&name, "batch", 1, "date +%s"))
            .expect("registered");
        let next = agent.until_allocations(&name, "complete", 1).remove(0);
        let told = agent.ok(&["alloc", "logs", next["ID"].as_str().expect("an id")]);
        let machine = std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .expect("after 1970");
        let off = told.trim().parse::<i64>().expect("seconds") - machine.as_secs() as i64;
        assert!((off - ahead).abs() < 60, "the clock was set at all: {off}");
        assert_eq!(running(), first, "{ahead} seconds ahead");
        assert!(!missed(&agent), "{ahead} seconds ahead: {}", agent.log());
        // What was missed is not made up for, one by one.
        let launched = agent.get("/v1/jobs?prefix=hourly/periodic-").expect("jobs");
        let launched = launched.as_array().map_or(0, Vec::len);
        assert!(
            launched <= number + 1,
            "{launched} launches after {ahead} seconds"
        );
    }
    // An agent that starts by another clock than it ended by takes everything up again.
    agent.kill();
    clock.set(-DAY);
    agent.launch_after(&before);
    agent.wait_ready();
    let again: Vec<_> = agent.until_allocations("stays", "running", 3);
    for (alloc, pid) in &first {
        let found = again.iter().find(|one| one["ID"] == alloc.as_str());
        let found = found.expect("it is there");
        assert_eq!(found["TaskStates"]["t"]["Restarts"], 0, "{found}");
        assert!(Path::new(&format!("/proc/{}", pid.trim())).exists());
    }
}

/// Seconds of the minute that have passed.
fn second() -> u64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed();
    since.expect("after 1970").as_secs() % 60
}

/// Servers look at their nodes and locks on the whole minute at the latest: that comes before they are renewed here.
#[test]
fn a_clock_that_is_set_makes_nobody_late() {
    let test = "a_clock_that_is_set_makes_nobody_late";
    if skipped(test, no_agent()) {
        return;
    }
    let mut agent = Agent::prepare("server {\n min_heartbeat_ttl = \"2m\"\n}");
    let Some((clock, before)) = Clock::make(agent.dir.path()) else {
        skipped(test, Some("there is no C compiler"));
        return;
    };
    agent.launch_after(&before);
    agent.wait_ready();
    let lock =
        json!({"Path": "held", "Items": {"a": "b"}, "Lock": {"TTL": "10m", "LockDelay": "1s"}});
    let acquired = agent.http(
        "PUT",
        "/v1/var/held?lock-acquire",
        lock.to_string().as_bytes(),
    );
    assert_eq!(acquired.expect("answered").0, 200);
    let held = || agent.get("/v1/var/held").expect("a variable")["Lock"]["ID"].clone();
    let before = held();
    assert!(before.is_string(), "{before}");
    until("the servers look soon", || (second() == 58).then_some(()));
    clock.set(DAY);
    until("they have looked", || (second() == 2).then_some(()));
    assert!(!missed(&agent), "{}", agent.log());
    assert_eq!(held(), before);
}
