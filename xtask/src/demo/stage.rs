//! Runs the commands of the story, printed before their output, and waits for what they bring about.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::agent::wait_for;
use crate::http::Client;

/// Long enough for a rolling update of three on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Stage {
    folder: PathBuf,
    path: std::ffi::OsString,
    client: Client,
}

impl Stage {
    pub(crate) fn new(binary: &Path, folder: &Path, client: Client) -> Result<Self> {
        let bin = binary
            .parent()
            .context("the binary is in a folder")?
            .to_owned();
        let old = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&old)))?;
        Ok(Self {
            folder: folder.to_owned(),
            path,
            client,
        })
    }

    pub(crate) fn say(&self, text: &str) {
        println!("\n# {text}");
    }

    /// Runs a command line; anything but exit code 0 ends the story.
    pub(crate) fn run(&mut self, line: &str) -> Result<String> {
        self.run_expecting(line, 0)
    }

    /// Runs a command line that ends with this exit code when all is well.
    pub(crate) fn run_expecting(&mut self, line: &str, code: i32) -> Result<String> {
        println!("\n$ {line}");
        let output = Command::new("/bin/sh")
            .args(["-c", line])
            .current_dir(&self.folder)
            .env("PATH", &self.path)
            .env("NOMAD_CLI_SHOW_HINTS", "0")
            .env_remove("NOMAD_ADDR")
            .env_remove("NOMAD_TOKEN")
            .env_remove("NOMAD_NAMESPACE")
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("running {line}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        print!("{text}");
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        if output.status.code() != Some(code) {
            bail!(
                "`{line}` should have ended with {code}, and ended with {}",
                output.status
            );
        }
        Ok(text)
    }

    /// Asks the agent until the answer is as it should be.
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        path: &str,
        mut fits: impl FnMut(&Value) -> Option<T>,
    ) -> Result<T> {
        let client = &mut self.client;
        let found = wait_for(PATIENCE, || {
            std::thread::sleep(Duration::from_millis(50));
            Ok(client.get(path).ok().and_then(|answer| fits(&answer)))
        })?;
        found.with_context(|| format!("waited {} s, but not: {what}", PATIENCE.as_secs()))
    }

    /// Waits until this many of a job's allocations have this client status; their ids, newest first.
    pub(crate) fn allocations(
        &mut self,
        job: &str,
        status: &str,
        count: usize,
    ) -> Result<Vec<String>> {
        let what = format!("{count} allocations of {job} {status}");
        self.until(
            &what,
            &format!("/v1/job/{job}/allocations"),
            |allocations| {
                let mut fitting: Vec<&Value> = allocations
                    .as_array()?
                    .iter()
                    .filter(|one| one["ClientStatus"] == status)
                    .collect();
                fitting.sort_by_key(|one| std::cmp::Reverse(one["CreateIndex"].as_u64()));
                (fitting.len() == count).then(|| {
                    fitting
                        .iter()
                        .filter_map(|one| one["ID"].as_str())
                        .map(|id| id[..8.min(id.len())].to_owned())
                        .collect()
                })
            },
        )
    }
}
