//! Measurements of a node's tasks: many short ones, their output, taking them up again, and letting them sleep.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::measures::{LONG, sleeper};
use super::subject::{Subject, job};
use super::{percentile, process};
use crate::agent::wait_for;

/// Output of the task whose log is captured.
const OUTPUT: usize = 4_000_000_000;

pub(super) fn many(binary: &Path) -> Result<Vec<f64>> {
    const COUNT: usize = 10_000;
    let mut subject = Subject::start(binary)?;
    let pid = subject.agent.pid();
    let (before, started) = (process::cpu_seconds(pid)?, Instant::now());
    let config = json!({"command": "/bin/true"});
    subject.register(&job("many", "batch", COUNT, "raw_exec", config))?;
    subject.until("many", "complete", COUNT, LONG * 5)?;
    let seconds = started.elapsed().as_secs_f64();
    let each = (process::cpu_seconds(pid)? - before) * 1000.0 / COUNT as f64;
    subject.end()?;
    Ok(vec![COUNT as f64 / seconds, each])
}

/// Milliseconds from an allocation's arrival on the node to its program of the driver `exec`, beyond what starting that
/// program takes anyway. The program says itself when it runs.
pub(super) fn exec(binary: &Path) -> Result<Vec<f64>> {
    const STARTS: usize = 30;
    const CLOCK: (&str, &str) = ("/bin/date", "+%s%N");
    let mut plain = Vec::new();
    for _ in 0..STARTS {
        let began = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let output = Command::new(CLOCK.0).arg(CLOCK.1).output()?;
        let ran: i64 = std::str::from_utf8(&output.stdout)?.trim().parse()?;
        plain.push((ran - i64::try_from(began.as_nanos())?) as f64 / 1e6);
    }
    let mut subject = Subject::start(binary)?;
    let config = json!({"command": CLOCK.0, "args": [CLOCK.1]});
    let mut ours = Vec::new();
    for number in 0..STARTS {
        let id = format!("exec-{number}");
        subject.register(&job(&id, "batch", 1, "exec", config.clone()))?;
        subject.until(&id, "complete", 1, LONG)?;
        let alloc = allocations(&mut subject, &id)?.remove(0);
        let events = alloc["TaskStates"]["t"]["Events"].as_array();
        let received = events
            .and_then(|events| events.iter().find(|event| event["Type"] == "Received"))
            .and_then(|event| event["Time"].as_i64())
            .context("when it was received")?;
        let id = alloc["ID"].as_str().context("an id")?;
        let path = format!("/v1/client/fs/logs/{id}?task=t&type=stdout&plain=true");
        let ran = subject.client.get(&path)?.as_i64();
        ours.push((ran.context("when it ran")? - received) as f64 / 1e6);
    }
    subject.end()?;
    Ok(vec![percentile(ours, 0.5) - percentile(plain, 0.5)])
}

fn allocations(subject: &mut Subject, job: &str) -> Result<Vec<Value>> {
    let found = subject.client.get(&format!("/v1/job/{job}/allocations"))?;
    Ok(found.as_array().cloned().unwrap_or_default())
}

pub(super) fn adopt(binary: &Path) -> Result<Vec<f64>> {
    const TASKS: usize = 200;
    let mut subject = Subject::start(binary)?;
    subject.register(&job("adopt", "service", TASKS, "raw_exec", sleeper()))?;
    subject.until("adopt", "running", TASKS, LONG)?;
    let ids: Vec<String> = allocations(&mut subject, "adopt")?
        .iter()
        .filter_map(|alloc| Some(alloc["ID"].as_str()?.to_owned()))
        .collect();
    let started = Instant::now();
    subject.kill_and_start()?;
    for id in &ids {
        let path = format!("/v1/client/allocation/{id}/stats");
        let client = &mut subject.client;
        let adopted = wait_for(LONG, || {
            let stats = client.get(&path).unwrap_or_default();
            Ok(stats["Tasks"]
                .as_object()
                .is_some_and(|tasks| !tasks.is_empty())
                .then_some(()))
        })?;
        adopted.with_context(|| format!("{id} was not taken up again"))?;
    }
    let seconds = started.elapsed().as_secs_f64();
    for alloc in allocations(&mut subject, "adopt")? {
        if alloc["TaskStates"]["t"]["Restarts"] != 0 || alloc["ClientStatus"] != "running" {
            bail!("a task was started again");
        }
    }
    subject.end()?;
    Ok(vec![seconds])
}

pub(super) fn sleeping(binary: &Path) -> Result<Vec<f64>> {
    const TASKS: usize = 50;
    let mut subject = Subject::start(binary)?;
    subject.register(&job("sleeping", "service", TASKS, "raw_exec", sleeper()))?;
    subject.until("sleeping", "running", TASKS, LONG)?;
    // Until their deployment is over.
    std::thread::sleep(Duration::from_secs(15));
    let pids = [vec![subject.agent.pid()], process::supervisors(binary)].concat();
    let spent = || -> f64 {
        let of = |pid: &u32| process::cpu_seconds(*pid).unwrap_or(0.0);
        pids.iter().map(of).sum()
    };
    let (before, watch) = (spent(), Duration::from_secs(20));
    std::thread::sleep(watch);
    let share = (spent() - before) / watch.as_secs_f64() * 100.0;
    subject.end()?;
    Ok(vec![share])
}

pub(super) fn capture(binary: &Path) -> Result<Vec<f64>> {
    let (alone, cpu) = captured(binary, false)?;
    let (followed, _) = captured(binary, true)?;
    Ok(vec![alone, cpu, followed])
}

/// Megabytes a second from one task into its log, and what its supervisor spends on a gigabyte.
fn captured(binary: &Path, follow: bool) -> Result<(f64, f64)> {
    let mut subject = Subject::start(binary)?;
    let config =
        json!({"command": "/usr/bin/head", "args": ["-c", OUTPUT.to_string(), "/dev/zero"]});
    let mut talker = job("talker", "batch", 1, "raw_exec", config);
    talker["Job"]["TaskGroups"][0]["EphemeralDisk"]["SizeMB"] = json!(200);
    talker["Job"]["TaskGroups"][0]["Tasks"][0]["LogConfig"] =
        json!({"MaxFiles": 10, "MaxFileSizeMB": 10});
    subject.register(&talker)?;
    subject.until("talker", "running", 1, LONG)?;
    let alloc = allocations(&mut subject, "talker")?.remove(0);
    let id = alloc["ID"].as_str().context("an id")?.to_owned();
    let address = subject.agent.http;
    let follower = follow.then(|| std::thread::spawn(move || read_all(address, &id)));
    let mut cpu = 0.0;
    let client = &mut subject.client;
    let ended = wait_for(LONG, || {
        let spent = process::supervisors(binary);
        let spent = spent
            .iter()
            .filter_map(|pid| process::cpu_seconds(*pid).ok());
        cpu = spent.fold(cpu, f64::max);
        let summary = client.get("/v1/job/talker/summary")?;
        Ok((summary["Summary"]["g"]["Complete"] == 1).then_some(()))
    })?;
    ended.context("the output did not end")?;
    if let Some(follower) = follower {
        let read = follower
            .join()
            .map_err(|_| anyhow::anyhow!("the follower panicked"))??;
        if read < OUTPUT / 10 {
            bail!("the follower read {read} bytes only");
        }
    }
    let state = allocations(&mut subject, "talker")?.remove(0)["TaskStates"]["t"].clone();
    let at = |kind: &str| -> Result<f64> {
        let events = state["Events"].as_array().context("events")?;
        let event = events.iter().find(|event| event["Type"] == kind);
        event
            .and_then(|event| event["Time"].as_f64())
            .context("a time")
    };
    let seconds = (at("Terminated")? - at("Started")?) / 1e9;
    subject.end()?;
    let megabytes = OUTPUT as f64 / 1e6;
    Ok((megabytes / seconds, cpu / megabytes * 1000.0))
}

/// Follows the output to its end; how many bytes came.
fn read_all(address: std::net::SocketAddr, id: &str) -> Result<usize> {
    let mut stream = TcpStream::connect(address)?;
    let path = format!("/v1/client/fs/logs/{id}?task=t&type=stdout&follow=true&plain=true");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let (mut buffer, mut total) = (vec![0; 1 << 20], 0);
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(total),
            count => total += count,
        }
    }
}
