//! The measurements, each one run on a fresh agent, with what the reference does on a machine of two cores.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::percentile;
use super::process;
use super::subject::{self, Subject, job};
use super::tasks;
use crate::http::Client;

pub(crate) struct Measure {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) reference: &'static str,
    pub(crate) target: &'static str,
    pub(crate) units: &'static [&'static str],
    pub(crate) run: fn(&Path) -> Result<Vec<f64>>,
}

pub(crate) const MEASURES: &[Measure] = &[
    Measure {
        name: "latency",
        what: "POST of a raw_exec job to running, p50 / p99",
        reference: "1,058 / 1,062 ms",
        target: "20 / 60 ms",
        units: &["ms", "ms"],
        run: latency,
    },
    Measure {
        name: "docker",
        what: "the same through Docker, beyond `docker run -d`",
        reference: "–",
        target: "30 ms",
        units: &["ms"],
        run: docker,
    },
    Measure {
        name: "batch",
        what: "1,000 /bin/true batch allocations, submit to all complete",
        reference: "19/s",
        target: "300/s",
        units: &["/s"],
        run: batch,
    },
    Measure {
        name: "many",
        what: "10,000 /bin/true batch allocations; the agent's processor time for each",
        reference: "19/s; 96 ms",
        target: "1,000/s; 1.5 ms",
        units: &["/s", "ms"],
        run: tasks::many,
    },
    Measure {
        name: "exec",
        what: "start of an exec task, allocation received to program running, beyond `posix_spawn`",
        reference: "–",
        target: "10 ms",
        units: &["ms"],
        run: tasks::exec,
    },
    Measure {
        name: "adopt",
        what: "200 tasks: agent killed and started again to all taken up again",
        reference: "0.5 s for 20",
        target: "1 s",
        units: &["s"],
        run: tasks::adopt,
    },
    Measure {
        name: "capture",
        what: "log capture from one task; processor time a GB; with a follower",
        reference: "733 MB/s; 1.9 s; 329 MB/s",
        target: "1,000 MB/s; 0.8 s; 600 MB/s",
        units: &["MB/s", "s", "MB/s"],
        run: tasks::capture,
    },
    Measure {
        name: "sleeping",
        what: "agent with 50 sleeping tasks, processor",
        reference: "5 %",
        target: "0.3 %",
        units: &["%"],
        run: tasks::sleeping,
    },
    Measure {
        name: "mock",
        what: "2,000 mock allocations: placed; running",
        reference: "4.5 s; 21 s",
        target: "0.5 s; 2 s",
        units: &["s", "s"],
        run: mock,
    },
    Measure {
        name: "register",
        what: "registrations acknowledged, 1 / 64 callers",
        reference: "657 / 1,680 per s",
        target: "1,500 / 5,000 per s",
        units: &["/s", "/s"],
        run: register,
    },
    Measure {
        name: "start",
        what: "agent start to leader and node ready",
        reference: "1.75 s, at times 18–31 s",
        target: "0.3 s",
        units: &["s"],
        run: start,
    },
    Measure {
        name: "idle",
        what: "idle agent, resident; processor",
        reference: "95 MiB; 0.4 %",
        target: "30 MiB; 0.2 %",
        units: &["MiB", "%"],
        run: idle,
    },
    Measure {
        name: "task",
        what: "each running raw_exec task, what we add, PSS",
        reference: "27.5 MiB",
        target: "1.5 MiB",
        units: &["MiB"],
        run: task,
    },
    Measure {
        name: "loaded",
        what: "agent with 2,000 allocations and 2,000 jobs, resident",
        reference: "846 MiB",
        target: "100 MiB",
        units: &["MiB"],
        run: loaded,
    },
    Measure {
        name: "size",
        what: "release binary",
        reference: "118 MB",
        target: "30 MB",
        units: &["MB"],
        run: size,
    },
];

pub(super) const LONG: Duration = Duration::from_secs(120);

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

pub(super) fn sleeper() -> serde_json::Value {
    json!({"command": "/bin/sleep", "args": ["3600"]})
}

fn latency(binary: &Path) -> Result<Vec<f64>> {
    let mut subject = Subject::start(binary)?;
    let mut times = Vec::new();
    for number in 0..50 {
        let id = format!("latency-{number}");
        let started = Instant::now();
        subject.register(&job(&id, "service", 1, "raw_exec", sleeper()))?;
        subject.until(&id, "running", 1, LONG)?;
        times.push(milliseconds(started));
    }
    subject.end()?;
    Ok(vec![
        percentile(times.clone(), 0.5),
        percentile(times, 0.99),
    ])
}

fn docker(binary: &Path) -> Result<Vec<f64>> {
    let quiet = |args: &[&str]| -> Result<String> {
        let output = Command::new("docker")
            .args(args)
            .stdin(Stdio::null())
            .output()
            .context("running docker")?;
        if !output.status.success() {
            bail!(
                "docker {}: {}",
                args.join(" "),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    quiet(&["image", "inspect", "redis:4.0"])?;
    let mut plain = Vec::new();
    for _ in 0..5 {
        let started = Instant::now();
        let container = quiet(&["run", "-d", "redis:4.0"])?;
        plain.push(milliseconds(started));
        quiet(&["rm", "-f", &container])?;
    }
    let mut subject = Subject::start(binary)?;
    let mut ours = Vec::new();
    for number in 0..5 {
        let id = format!("docker-{number}");
        let started = Instant::now();
        subject.register(&job(
            &id,
            "service",
            1,
            "docker",
            json!({"image": "redis:4.0"}),
        ))?;
        subject.until(&id, "running", 1, LONG)?;
        ours.push(milliseconds(started));
    }
    subject.end()?;
    Ok(vec![percentile(ours, 0.5) - percentile(plain, 0.5)])
}

fn batch(binary: &Path) -> Result<Vec<f64>> {
    let mut subject = Subject::start(binary)?;
    let started = Instant::now();
    subject.register(&job(
        "batch",
        "batch",
        1000,
        "raw_exec",
        json!({"command": "/bin/true"}),
    ))?;
    subject.until("batch", "complete", 1000, LONG)?;
    let seconds = started.elapsed().as_secs_f64();
    subject.end()?;
    Ok(vec![1000.0 / seconds])
}

fn mock(binary: &Path) -> Result<Vec<f64>> {
    let mut subject = Subject::start(binary)?;
    let started = Instant::now();
    subject.register(&job(
        "mock",
        "service",
        2000,
        "mock_driver",
        json!({"run_for": "1h"}),
    ))?;
    subject.until_placed("mock", 2000, LONG)?;
    let placed = started.elapsed().as_secs_f64();
    subject.until("mock", "running", 2000, LONG)?;
    let running = started.elapsed().as_secs_f64();
    subject.end()?;
    Ok(vec![placed, running])
}

fn register(binary: &Path) -> Result<Vec<f64>> {
    let mut rates = Vec::new();
    for (callers, total) in [(1, 2000), (64, 10_000)] {
        let subject = Subject::start(binary)?;
        let next = AtomicUsize::new(0);
        let address = subject.agent.http;
        let started = Instant::now();
        std::thread::scope(|scope| -> Result<()> {
            let caller = || -> Result<()> {
                let mut client = Client::new(address);
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= total {
                        return Ok(());
                    }
                    client.put(
                        "/v1/jobs",
                        &job(
                            &format!("job-{number}"),
                            "service",
                            0,
                            "raw_exec",
                            sleeper(),
                        ),
                    )?;
                }
            };
            let threads: Vec<_> = (0..callers).map(|_| scope.spawn(caller)).collect();
            threads.into_iter().try_for_each(|thread| {
                thread
                    .join()
                    .map_err(|_| anyhow::anyhow!("a caller panicked"))?
            })
        })?;
        rates.push(total as f64 / started.elapsed().as_secs_f64());
        finish(subject)?;
    }
    Ok(rates)
}

/// Ends an agent that runs no tasks, without stopping its thousands of jobs one by one.
fn finish(mut subject: Subject) -> Result<()> {
    subject.agent.stop()?;
    subject::remove(&subject.folder)
}

fn start(binary: &Path) -> Result<Vec<f64>> {
    let subject = Subject::start(binary)?;
    let seconds = subject.ready_after.as_secs_f64();
    finish(subject)?;
    Ok(vec![seconds])
}

fn idle(binary: &Path) -> Result<Vec<f64>> {
    let subject = Subject::start(binary)?;
    std::thread::sleep(Duration::from_secs(5));
    let pid = subject.agent.pid();
    let (before, watch) = (process::cpu_seconds(pid)?, Duration::from_secs(20));
    std::thread::sleep(watch);
    let share = (process::cpu_seconds(pid)? - before) / watch.as_secs_f64() * 100.0;
    let resident = process::resident(pid)?;
    finish(subject)?;
    Ok(vec![resident, share])
}

fn task(binary: &Path) -> Result<Vec<f64>> {
    const TASKS: usize = 50;
    let mut subject = Subject::start(binary)?;
    let before = process::proportional(subject.agent.pid())?;
    subject.register(&job("task", "service", TASKS, "raw_exec", sleeper()))?;
    subject.until("task", "running", TASKS, LONG)?;
    let helpers = process::supervisors(binary);
    if helpers.len() < TASKS {
        bail!("{} supervisors for {TASKS} tasks", helpers.len());
    }
    let added = helpers
        .iter()
        .filter_map(|pid| process::proportional(*pid).ok())
        .sum::<f64>();
    let agent = process::proportional(subject.agent.pid())? - before;
    subject.end()?;
    Ok(vec![(added + agent.max(0.0)) / TASKS as f64])
}

fn loaded(binary: &Path) -> Result<Vec<f64>> {
    let mut subject = Subject::start(binary)?;
    for number in 0..1999 {
        subject.register(&job(
            &format!("job-{number}"),
            "service",
            0,
            "mock_driver",
            json!({}),
        ))?;
    }
    subject.register(&job(
        "mock",
        "service",
        2000,
        "mock_driver",
        json!({"run_for": "1h"}),
    ))?;
    subject.until("mock", "running", 2000, LONG)?;
    let resident = process::resident(subject.agent.pid())?;
    finish(subject)?;
    Ok(vec![resident])
}

fn size(binary: &Path) -> Result<Vec<f64>> {
    Ok(vec![
        std::fs::metadata(binary).context("the binary")?.len() as f64 / 1e6,
    ])
}
