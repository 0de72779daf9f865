//! Programs that the operator of a node adds to it: run for one operation each, they answer with JSON on their output.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::process::Command;

use crate::api::contained::go_text;

/// How long one may take to say what it is.
const FINGERPRINT_TIMEOUT: Duration = Duration::from_secs(5);

/// What every plugin may say.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Told {
    pub(crate) error: String,
    version: String,
}

/// The program behind a name; names are those of files in the folder, never paths.
pub(crate) fn program(folder: &Path, name: &str) -> Result<PathBuf, String> {
    let plugin = Path::new(name);
    if plugin.components().count() != 1 || plugin.file_name() != Some(plugin.as_os_str()) {
        return Err(format!("{name:?} is no name of a plugin"));
    }
    Ok(folder.join(plugin))
}

/// The names and versions of the plugins in a folder; one that does not answer is left out. The operation is also in the
/// variable `operation`.
pub(crate) async fn versions(folder: &Path, operation: &'static str) -> Vec<(String, String)> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let asked = entries.flatten().map(async |entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let env = vec![(operation.into(), "fingerprint".into())];
        match run::<Told>(&entry.path(), &["fingerprint"], env, FINGERPRINT_TIMEOUT).await {
            Ok(told) if told.error.is_empty() && !told.version.is_empty() => {
                return Some((name, told.version));
            }
            Ok(told) => {
                tracing::warn!(plugin = name, error = told.error, "a plugin has no version")
            }
            Err(error) => tracing::warn!(plugin = name, %error, "a plugin does not answer"),
        }
        None
    });
    let answers = futures::future::join_all(asked).await;
    answers.into_iter().flatten().collect()
}

/// Runs a plugin and reads what it prints.
pub(crate) async fn run<T: DeserializeOwned>(
    program: &Path,
    args: &[&str],
    env: Vec<(OsString, OsString)>,
    timeout: Duration,
) -> Result<T, String> {
    let name = program.display();
    let mut command = Command::new(program);
    command
        .args(args)
        .envs(env)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let ended = tokio::time::timeout(timeout, command.output()).await;
    let output = ended
        .map_err(|_| format!("plugin {name} did not end within {timeout:?}"))?
        .map_err(|error| format!("plugin {name} cannot be run: {}", go_text(&error)))?;
    if !output.status.success() {
        let told: Told = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let said = match told.error.as_str() {
            "" => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            error => error.to_owned(),
        };
        return Err(format!("plugin {name} failed: {}: {said}", output.status));
    }
    let read = serde_json::from_slice(&output.stdout);
    read.map_err(|error| format!("plugin {name} answered what cannot be read: {error}"))
}
