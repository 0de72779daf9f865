//! Job files: where they come from and what becomes of them.

use crate::context::Context;
use crate::failure::Failure;
use crate::hostfiles::{HostFiles, io_text, read_file};
use crate::json::Fields;
use crate::ui::Ui;
use caravan_jobspec::{Diagnostic, Diagnostics, Inputs, Source, VarFile};
use caravan_sdk::{Client, Config, Query};
use serde_json::{Value, json};
use std::path::Path;

/// A job that was read, and its source to keep with it.
pub(crate) struct JobFile {
    /// The job as written.
    pub(crate) job: Value,
    /// What `job inspect -hcl` gives back.
    pub(crate) submission: Value,
    /// What is odd about the file.
    pub(crate) warnings: Vec<Diagnostic>,
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
        let fetched = fetch_job_file(path).map_err(|error| self.no_job(Unread::Text(error)))?;
        self.interpret(&fetched, self.given.on("json"))
            .map_err(|error| self.no_job(error))
    }

    /// The failure of a command whose job file gave no job.
    pub(crate) fn no_job(&self, why: Unread) -> Failure {
        let told = why.told(&self.ui);
        Failure::new(format!("Error getting job struct: {told}")).code(self.command.usage_code)
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

    /// Turns a file that was fetched into a job; with `-json` it is JSON, the job alone or as the member `Job`.
    pub(crate) fn interpret(&self, file: &Fetched, as_json: bool) -> Result<JobFile, Unread> {
        let path = &file.path;
        if as_json {
            return from_json(&file.source.bytes).map_err(Unread::Text);
        }
        let files = HostFiles::new(std::env::current_dir().unwrap_or_default());
        let inputs = Inputs {
            vars: self.given.list("var").to_vec(),
            var_files: self.var_files(path).map_err(Unread::Text)?,
            // What is no text cannot be the value of a variable.
            env: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .filter(|(name, _)| name.starts_with("NOMAD_VAR_"))
                .collect(),
            strict: self.given.on("hcl2-strict"),
            files: Some(&files),
            seed: seed().map_err(|error| Unread::Text(error.to_string()))?,
        };
        let parsed =
            caravan_jobspec::parse(&file.source, &inputs).map_err(|found| Unread::Language {
                path: path.clone(),
                found,
            })?;
        let job = caravan_codec::json::to_value(&parsed.job)
            .map_err(|error| Unread::Text(error.to_string()))?;
        let submission = json!({
            "Source": String::from_utf8_lossy(&file.source.bytes),
            "Format": "hcl2",
            "VariableFlags": parsed.variable_flags,
            "Variables": parsed.variables,
        });
        Ok(JobFile {
            job,
            submission,
            warnings: parsed.warnings,
        })
    }

    fn var_files(&self, path: &str) -> Result<Vec<VarFile>, String> {
        let read = |file: &String| {
            let text = std::fs::read_to_string(file).map_err(|error| {
                format!(
                    "Error parsing job file from {path}:\nunable to parse var file: <nil>: Failed to read file; failed to read \"{file}\": open {file}: {}",
                    io_text(&error)
                )
            })?;
            Ok(VarFile {
                name: file.clone(),
                text,
            })
        };
        self.given.list("var-file").iter().map(read).collect()
    }
}

/// Randomness from the kernel: a library's own generator takes longer to begin than the whole file to read.
fn seed() -> std::io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    let mut source = std::fs::File::open("/dev/urandom")?;
    std::io::Read::read_exact(&mut source, &mut seed)?;
    Ok(seed)
}

/// A job file's content.
pub(crate) struct Fetched {
    /// As it was given.
    pub(crate) path: String,
    pub(crate) source: Source,
}

/// Reads a job file from a path, an address, or stdin for `-`.
pub(crate) fn fetch_job_file(path: &str) -> Result<Fetched, String> {
    if path.is_empty() {
        return Err("Error jobfile path has to be specified.".into());
    }
    let (bytes, name) = read(path)?;
    Ok(Fetched {
        path: path.to_owned(),
        source: Source::new(name, bytes),
    })
}

/// Why there is no job.
pub(crate) enum Unread {
    /// Something other than the language.
    Text(String),
    /// What the file says is wrong.
    Language { path: String, found: Diagnostics },
}

impl Unread {
    /// For people at a terminal with the source lines, for scripts a line each.
    pub(crate) fn told(self, ui: &Ui) -> String {
        match self {
            Self::Text(text) => text,
            Self::Language { path, found } => {
                let told = match ui.speaks_to_a_person() {
                    true => format!("\n{}", found.render(ui.color()).trim_end()),
                    false => found.to_string(),
                };
                format!("Error parsing job file from {path}:\n{told}")
            }
        }
    }
}

fn read(path: &str) -> Result<(Vec<u8>, String), String> {
    let here = std::env::current_dir().unwrap_or_default();
    if path == "-" {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes)
            .map_err(|error| error.to_string())?;
        return Ok((bytes, "stdin".into()));
    }
    let failed = |reason: String| format!("Error getting jobfile from {path:?}: {reason}");
    if path.starts_with("http://") || path.starts_with("https://") {
        let bytes = fetch(path).map_err(failed)?;
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        return Ok((bytes, name));
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
    let bytes = read_file(&full)
        .map_err(|error| failed(format!("open {}: {}", full.display(), io_text(&error))))?;
    let name = Path::new(path).file_name().unwrap_or_default();
    Ok((bytes, name.to_string_lossy().into_owned()))
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
    let job = caravan_codec::json::to_value(&job).map_err(|error| failed(error.to_string()))?;
    let submission = json!({
        "Source": String::from_utf8_lossy(bytes),
        "Format": "json",
    });
    Ok(JobFile {
        job,
        submission,
        warnings: Vec::new(),
    })
}
