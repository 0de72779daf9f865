//! The agent that is measured: a durable server and client in one, on free ports, with room for thousands
//! of tasks. Its folder goes with it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::agent::{Agent, free_port, wait_for};
use crate::http::Client;
use crate::workspace;

pub(crate) struct Subject {
    pub(crate) agent: Agent,
    pub(crate) client: Client,
    /// From the start of the process to a leader and a ready node.
    pub(crate) ready_after: Duration,
    pub(crate) folder: PathBuf,
    binary: PathBuf,
}

impl Subject {
    pub(crate) fn start(binary: &Path) -> Result<Self> {
        let folder = workspace::metadata()?
            .target_directory
            .join("bench")
            .join(format!("agent-{}", free_port()?));
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let ports = [free_port()?, free_port()?, free_port()?];
        let config = folder.join("agent.hcl");
        std::fs::write(&config, configuration(&folder, ports))?;
        let started = Instant::now();
        let agent = launch(binary, &folder, ports[0])?;
        Ok(Self {
            client: agent.client(),
            agent,
            ready_after: started.elapsed(),
            folder,
            binary: binary.to_owned(),
        })
    }

    /// Kills the agent and starts it again over its tasks.
    pub(crate) fn kill_and_start(&mut self) -> Result<()> {
        let port = self.agent.http.port();
        self.agent.kill()?;
        self.agent = launch(&self.binary, &self.folder, port)?;
        self.client = self.agent.client();
        Ok(())
    }

    /// Registers a job; when the server has acknowledged it.
    pub(crate) fn register(&mut self, job: &Value) -> Result<()> {
        self.client.put("/v1/jobs", job).map(|_| ())
    }

    /// Waits until so many allocations of a job have this client status.
    pub(crate) fn until(
        &mut self,
        job: &str,
        status: &str,
        count: usize,
        limit: Duration,
    ) -> Result<()> {
        let path = format!("/v1/job/{job}/summary");
        let key = match status {
            "running" => "Running",
            "complete" => "Complete",
            _ => "Starting",
        };
        let client = &mut self.client;
        let done = wait_for(limit, || {
            let summary = client.get(&path)?;
            let groups = summary["Summary"].as_object().map(|groups| {
                groups
                    .values()
                    .filter_map(|group| group[key].as_u64())
                    .sum::<u64>()
            });
            Ok((groups.unwrap_or(0) >= count as u64).then_some(()))
        })?;
        done.with_context(|| format!("{job}: not {count} {status} after {limit:?}"))
    }

    /// Waits until so many allocations of a job exist.
    pub(crate) fn until_placed(&mut self, job: &str, count: usize, limit: Duration) -> Result<()> {
        let path = format!("/v1/job/{job}/summary");
        let client = &mut self.client;
        let done = wait_for(limit, || {
            let summary = client.get(&path)?;
            let total = |group: &Value| {
                ["Starting", "Running", "Complete", "Failed"]
                    .iter()
                    .filter_map(|key| group[key].as_u64())
                    .sum::<u64>()
            };
            let placed = summary["Summary"]
                .as_object()
                .map(|groups| groups.values().map(total).sum::<u64>());
            Ok((placed.unwrap_or(0) >= count as u64).then_some(()))
        })?;
        done.with_context(|| format!("{job}: not {count} placed after {limit:?}"))
    }

    /// Ends the agent and every task, and removes the folder.
    pub(crate) fn end(mut self) -> Result<()> {
        for job in self
            .client
            .get("/v1/jobs")?
            .as_array()
            .into_iter()
            .flatten()
        {
            if let Some(id) = job["ID"].as_str() {
                self.client
                    .call("DELETE", &format!("/v1/job/{id}?purge=true"), None)?;
            }
        }
        let tasks_gone = wait_for(Duration::from_secs(30), || {
            // What makes supervisors stays as long as the agent.
            let left = super::process::supervisors(&self.binary).len();
            Ok((left <= 1).then_some(()))
        })?;
        self.agent.stop()?;
        if tasks_gone.is_some() {
            remove(&self.folder)?;
        }
        Ok(())
    }
}

/// Removes an agent's folder, with the file systems of secrets that its tasks left mounted there.
pub(super) fn remove(folder: &Path) -> Result<()> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").context("reading the mounts")?;
    let below = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .filter(|point| Path::new(point).starts_with(folder));
    for points in below.collect::<Vec<_>>().chunks(100) {
        // What stays mounted is named by the removal.
        let _ = std::process::Command::new("umount").args(points).status();
    }
    std::fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))
}

fn launch(binary: &Path, folder: &Path, port: u16) -> Result<Agent> {
    let config = folder.join("agent.hcl").display().to_string();
    let args = ["-config".to_owned(), config];
    let mut agent = Agent::start(binary, &args, port, &folder.join("agent.log"))?;
    agent.wait_ready(Duration::from_secs(60))?;
    Ok(agent)
}

fn configuration(folder: &Path, ports: [u16; 3]) -> String {
    format!(
        "name = \"bench\"\ndata_dir = \"{}\"\nbind_addr = \"127.0.0.1\"\nlog_level = \"WARN\"\n\
         ports {{\n  http = {}\n  rpc = {}\n  serf = {}\n}}\n\
         server {{\n  enabled = true\n  bootstrap_expect = 1\n}}\n\
         client {{\n  enabled = true\n  cpu_total_compute = 1000000\n  memory_total_mb = 1000000\n  disk_total_mb = 10000000\n  gc_max_allocs = 20000\n\
         \x20 options {{ \"fingerprint.denylist\" = \"env_aws,env_gce,env_azure,env_digitalocean\" }}\n}}\n\
         limits {{\n  http_max_conns_per_client = 0\n}}\n\
         plugin \"raw_exec\" {{\n  config {{\n    enabled = true\n  }}\n}}\n",
        folder.join("data").display(),
        ports[0],
        ports[1],
        ports[2]
    )
}

/// A registration with one group of one task.
pub(crate) fn job(id: &str, kind: &str, count: usize, driver: &str, config: Value) -> Value {
    json!({"Job": {
        "ID": id, "Name": id, "Type": kind, "Datacenters": ["dc1"],
        "TaskGroups": [{
            "Name": "g", "Count": count, "EphemeralDisk": {"SizeMB": 10},
            "Tasks": [{"Name": "t", "Driver": driver, "Config": config, "Resources": {"CPU": 1, "MemoryMB": 10},
                       "LogConfig": {"MaxFiles": 1, "MaxFileSizeMB": 1}}],
        }],
    }})
}
