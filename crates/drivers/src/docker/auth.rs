//! Credentials for registries: from the task, the engine's configuration file, or a helper program.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use bollard::auth::DockerCredentials;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::options::{Auth, PluginAuth};

const HUB: &str = "https://index.docker.io/v1/";

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ConfigFile {
    auths: BTreeMap<String, AuthEntry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AuthEntry {
    auth: String,
    username: String,
    password: String,
    email: String,
    identitytoken: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

/// The registry's host as it stands in configuration files.
pub(crate) fn registry_of(repo: &str) -> &str {
    match repo.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => HUB,
    }
}

/// What to log in with; the first source that knows the registry wins.
pub(crate) async fn find(
    repo: &str,
    task: Option<&Auth>,
    plugin: &PluginAuth,
) -> Result<Option<DockerCredentials>, String> {
    if let Some(auth) = task.filter(|auth| !auth.username.is_empty() || !auth.password.is_empty()) {
        return Ok(Some(DockerCredentials {
            username: Some(auth.username.clone()),
            password: Some(auth.password.clone()),
            email: Some(auth.email.clone()).filter(|email| !email.is_empty()),
            serveraddress: Some(auth.server_address.clone()).filter(|address| !address.is_empty()),
            ..DockerCredentials::default()
        }));
    }
    let registry = registry_of(repo);
    let failed = |why: String| format!("Failed to find docker auth for repo {repo:?}: {why}");
    if !plugin.config.is_empty()
        && let Some(found) = from_file(&plugin.config, registry).await.map_err(failed)?
    {
        return Ok(Some(found));
    }
    if !plugin.helper.is_empty() {
        return from_helper(&plugin.helper, registry).await.map_err(failed);
    }
    Ok(None)
}

async fn from_file(path: &str, registry: &str) -> Result<Option<DockerCredentials>, String> {
    let text = tokio::fs::read(path)
        .await
        .map_err(|err| format!("{path}: {err}"))?;
    let file: ConfigFile = serde_json::from_slice(&text).map_err(|err| format!("{path}: {err}"))?;
    if let Some(helper) = file.cred_helpers.get(registry) {
        return from_helper(helper, registry).await;
    }
    let host = |key: &str| {
        key.trim_start_matches("https://")
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned()
    };
    if let Some((_, entry)) = file
        .auths
        .iter()
        .find(|(key, _)| host(key) == host(registry))
        && (!entry.auth.is_empty() || !entry.username.is_empty() || !entry.identitytoken.is_empty())
    {
        return credentials(entry, registry).map(Some);
    }
    match file.creds_store.as_str() {
        "" => Ok(None),
        helper => from_helper(helper, registry).await,
    }
}

fn credentials(entry: &AuthEntry, registry: &str) -> Result<DockerCredentials, String> {
    let (mut username, mut password) = (entry.username.clone(), entry.password.clone());
    if !entry.auth.is_empty() {
        let decoded = base64::engine::general_purpose::STANDARD
            .decode(&entry.auth)
            .map_err(|err| format!("auth of {registry} is no base64: {err}"))?;
        let text = String::from_utf8_lossy(&decoded).into_owned();
        let (user, pass) = text
            .split_once(':')
            .ok_or_else(|| format!("auth of {registry} holds no password"))?;
        (username, password) = (user.to_owned(), pass.trim_end_matches('\0').to_owned());
    }
    Ok(DockerCredentials {
        username: Some(username),
        password: Some(password),
        email: Some(entry.email.clone()).filter(|email| !email.is_empty()),
        serveraddress: Some(registry.to_owned()),
        identitytoken: Some(entry.identitytoken.clone()).filter(|token| !token.is_empty()),
        ..DockerCredentials::default()
    })
}

/// `docker-credential-<name> get`, asked on standard input.
async fn from_helper(name: &str, registry: &str) -> Result<Option<DockerCredentials>, String> {
    let program = format!("docker-credential-{name}");
    let run = async {
        let mut child = Command::new(&program)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(registry.as_bytes()).await?;
        }
        child.wait_with_output().await
    };
    let output = tokio::time::timeout(Duration::from_secs(60), run)
        .await
        .map_err(|_| format!("{program} did not answer within a minute"))?
        .map_err(|err| format!("{program}: {err}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        if said.contains("credentials not found") {
            return Ok(None);
        }
        return Err(format!(
            "{program} failed: {}{}",
            said.trim(),
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    let answer: HelperAnswer = serde_json::from_slice(&output.stdout)
        .map_err(|err| format!("{program} gave no credentials: {err}"))?;
    let mut found = DockerCredentials {
        serveraddress: Some(registry.to_owned()),
        ..DockerCredentials::default()
    };
    if answer.username == "<token>" {
        found.identitytoken = Some(answer.secret);
    } else {
        (found.username, found.password) = (Some(answer.username), Some(answer.secret));
    }
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_told_from_paths() {
        assert_eq!(registry_of("redis"), HUB);
        assert_eq!(registry_of("library/redis"), HUB);
        assert_eq!(registry_of("localhost/x"), "localhost");
        assert_eq!(registry_of("quay.io/a/b"), "quay.io");
        assert_eq!(registry_of("host:5000/b"), "host:5000");
    }

    #[tokio::test]
    async fn the_file_is_read_and_the_task_comes_first() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("config.json");
        std::fs::write(
            &path,
            r#"{"auths":{"https://quay.io":{"auth":"dXNlcjpwYXNz"}}}"#,
        )
        .expect("written");
        let plugin = PluginAuth {
            config: path.display().to_string(),
            helper: String::new(),
        };
        let found = find("quay.io/a/b", None, &plugin)
            .await
            .expect("read")
            .expect("known");
        assert_eq!(
            (found.username.as_deref(), found.password.as_deref()),
            (Some("user"), Some("pass"))
        );
        assert!(find("redis", None, &plugin).await.expect("read").is_none());
        let own = Auth {
            username: "me".into(),
            password: "x".into(),
            ..Auth::default()
        };
        let found = find("quay.io/a/b", Some(&own), &plugin)
            .await
            .expect("read")
            .expect("known");
        assert_eq!(found.username.as_deref(), Some("me"));
    }
}
