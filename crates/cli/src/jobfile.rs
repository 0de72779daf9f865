//! Job files: where they come from and what becomes of them.

use crate::context::Context;
use crate::failure::Failure;
use crate::hostfiles::{HostFiles, io_text};
use crate::json::Fields;
use caravan_jobspec::{Inputs, Source, VarFile};
use caravan_sdk::{Client, Config, Query};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A job that was read, and its source to keep with it.
pub(crate) struct JobFile {
    /// The job as written.
    pub(crate) job: Value,
    /// What `job inspect -hcl` gives back.
    pub(crate) submission: Value,
}

impl JobFile {
    /// The job's name in the cluster.
    pub(crate) fn id(&self) -> &str {
        self.job.str("ID")
    }

    /// In the region and namespace that the file names, if it does.
    pub(crate) fn query(&self) -> Query {
        Query::new()
            .region(self.job.str("Region"))
            .namespace(self.job.str("Namespace"))
    }
}

impl Context {
    /// Reads the job file of this command's flags; the error begins with `Error getting job struct`.
    pub(crate) fn job_file(&self, path: &str) -> Result<JobFile, Failure> {
        let code = self.command.usage_code;
        self.read_job_file(path)
            .map_err(|error| Failure::new(format!("Error getting job struct: {error}")).code(code))
    }

    /// Refuses options that exclude each other.
    pub(crate) fn check_job_options(&self) -> Result<(), Failure> {
        let variables = self.given.is_set("var") || self.given.is_set("var-file");
        match self.given.on("json") && variables {
            true => Err(
                Failure::new("Invalid job options: cannot use variables with JSON files.")
                    .code(self.command.usage_code),
            ),
            false => Ok(()),
        }
    }

    fn read_job_file(&self, path: &str) -> Result<JobFile, String> {
        if path.is_empty() {
            return Err("Error jobfile path has to be specified.".into());
        }
        let (bytes, name, folder) = read(path)?;
        if self.given.on("json") {
            return from_json(&bytes);
        }
        let mut var_files = Vec::new();
        for file in self.given.list("var-file") {
            let text = std::fs::read_to_string(file).map_err(|error| {
                format!(
                    "Error parsing job file from {path}:\nunable to parse var file: <nil>: Failed to read file; failed to read \"{file}\": open {file}: {}",
                    io_text(&error)
                )
            })?;
            var_files.push(VarFile {
                name: file.clone(),
                text,
            });
        }
        let files = HostFiles::new(folder);
        let mut seed = [0; 32];
        aws_lc_rs::rand::fill(&mut seed).map_err(|_| "no randomness".to_owned())?;
        let inputs = Inputs {
            vars: self.given.list("var").to_vec(),
            var_files,
            env: std::env::vars()
                .filter(|(name, _)| name.starts_with("NOMAD_VAR_"))
                .collect(),
            strict: self.given.on("hcl2-strict"),
            files: Some(&files),
            seed,
        };
        let source = Source::new(name, bytes.clone());
        let parsed = caravan_jobspec::parse(&source, &inputs)
            .map_err(|error| format!("Error parsing job file from {path}:\n{error}"))?;
        let job = serde_json::to_value(&parsed.job).map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let submission = json!({
            "Source": text,
            "Format": "hcl2",
            "VariableFlags": parsed.variable_flags,
            "Variables": parsed.variables,
        });
        Ok(JobFile { job, submission })
    }
}

fn read(path: &str) -> Result<(Vec<u8>, String, PathBuf), String> {
    let here = std::env::current_dir().unwrap_or_default();
    if path == "-" {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes)
            .map_err(|error| error.to_string())?;
        return Ok((bytes, "stdin".into(), here));
    }
    let failed = |reason: String| format!("Error getting jobfile from {path:?}: {reason}");
    if path.starts_with("http://") || path.starts_with("https://") {
        let bytes = fetch(path).map_err(failed)?;
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        return Ok((bytes, name, here));
    }
    let full = here.join(path);
    let stat = std::fs::metadata(&full).map_err(|error| {
        failed(format!(
            "source path error: stat {}: {}",
            full.display(),
            io_text(&error)
        ))
    })?;
    if stat.is_dir() {
        return Err(failed("source path must be a file".into()));
    }
    let bytes = std::fs::read(&full)
        .map_err(|error| failed(format!("open {}: {}", full.display(), io_text(&error))))?;
    let name = Path::new(path).file_name().unwrap_or_default();
    let folder = full.parent().map(Path::to_path_buf).unwrap_or_default();
    Ok((bytes, name.to_string_lossy().into_owned(), folder))
}

fn fetch(url: &str) -> Result<Vec<u8>, String> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let config = Config {
        address: format!("{scheme}://{host}"),
        ..Config::default()
    };
    let client = Client::new(config).map_err(|error| error.to_string())?;
    let api = crate::api::Api::new(client).map_err(|error| error.to_string())?;
    let request =
        caravan_sdk::Request::new(caravan_sdk::Method::GET, format!("/{path}"), Query::new());
    let fetched = api.wait(async {
        let answer = api.client.send(request).await?;
        let status = answer.status;
        answer.bytes().await.map(|bytes| (status, bytes))
    });
    match fetched {
        Ok((200, bytes)) => Ok(bytes.to_vec()),
        Ok((status, _)) => Err(format!("bad response code: {status}")),
        Err(error) => Err(error.to_string()),
    }
}

fn from_json(bytes: &[u8]) -> Result<JobFile, String> {
    let failed = |reason: String| format!("Failed to parse JSON job: {reason}");
    let job = caravan_jobspec::parse_json_job(bytes).map_err(failed)?;
    let job = serde_json::to_value(&job).map_err(|error| failed(error.to_string()))?;
    let submission = json!({
        "Source": String::from_utf8_lossy(bytes),
        "Format": "json",
    });
    Ok(JobFile { job, submission })
}
