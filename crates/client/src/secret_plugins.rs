//! Providers of secrets beside those that are built in: programs in `<common_plugin_dir>/secrets`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::plugins;

/// The variable that names the operation.
const OPERATION: &str = "CPI_OPERATION";
const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    result: BTreeMap<String, Value>,
    error: Option<String>,
}

fn folder(common: &Path) -> PathBuf {
    common.join("secrets")
}

/// The versions of the plugins that are there, as attributes of the node.
pub(crate) async fn versions(common: &Path) -> BTreeMap<String, String> {
    let found = plugins::versions(&folder(common), OPERATION).await;
    let attribute = |(name, version)| (format!("plugins.secrets.{name}.version"), version);
    found.into_iter().map(attribute).collect()
}

/// What a plugin has at a path; it gets `env` beside the agent's own.
pub(crate) async fn fetch(
    common: &Path,
    provider: &str,
    path: &str,
    env: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, String> {
    let program = plugins::program(&folder(common), provider)?;
    if !program.exists() {
        return Err(format!("there is no provider {provider:?} on this node"));
    }
    let given = env.iter().map(|(name, value)| (name.into(), value.into()));
    let operation = (OsString::from(OPERATION), OsString::from("fetch"));
    let env = given.chain([operation]).collect();
    let answer: Answer = plugins::run(&program, &["fetch", path], env, TIMEOUT).await?;
    if let Some(error) = answer.error.filter(|error| !error.is_empty()) {
        return Err(error);
    }
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let items = answer.result.into_iter();
    Ok(items.map(|(key, value)| (key, text(value))).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn plugin(script: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("secrets")).unwrap();
        let path = dir.path().join("secrets/safe");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        dir
    }

    async fn ask(script: &str) -> Result<BTreeMap<String, String>, String> {
        let dir = plugin(script);
        let env = BTreeMap::from([("PLACE".to_owned(), "here".to_owned())]);
        fetch(dir.path(), "safe", "a/b", &env).await
    }

    #[tokio::test]
    async fn a_plugin_says_what_it_is_and_gives_secrets() {
        let dir = plugin("echo '{\"type\":\"secrets\",\"version\":\"0.2.0\"}'");
        let found = versions(dir.path()).await;
        assert_eq!(found["plugins.secrets.safe.version"], "0.2.0");
        let found = ask(
            "echo \"{\\\"result\\\":{\\\"key\\\":\\\"$1 $2 $PLACE $CPI_OPERATION\\\",\\\"n\\\":7}}\"",
        )
        .await
        .unwrap();
        assert_eq!(found["key"], "fetch a/b here fetch");
        assert_eq!(found["n"], "7");
    }

    #[tokio::test]
    async fn what_goes_wrong_is_said() {
        let said = ask("echo '{\"error\":\"sealed\"}'").await.unwrap_err();
        assert_eq!(said, "sealed");
        let said = ask("echo '{\"error\":\"sealed\"}'; exit 1")
            .await
            .unwrap_err();
        assert!(said.ends_with(": sealed"), "{said}");
        let said = ask("echo no >&2; exit 3").await.unwrap_err();
        assert!(said.ends_with(": no"), "{said}");
        assert!(ask("echo nonsense").await.is_err());
        let none = fetch(Path::new("/nonexistent"), "safe", "a", &BTreeMap::new()).await;
        assert!(none.unwrap_err().contains("no provider \"safe\""));
        let outside = fetch(Path::new("/"), "../bin/sh", "a", &BTreeMap::new()).await;
        assert!(outside.unwrap_err().contains("no name of a plugin"));
    }
}
