//! Fetches the task's `secret` blocks: `${secret.<name>.<key>}` in its environment, configuration and templates.

use std::collections::BTreeMap;
use std::time::Duration;

use caravan_model::Secret;
use serde_json::Value;

use super::{Context, Draft, HookError};
use crate::link::{Found, Lookup, What};
use crate::secret_plugins;
use crate::tokens::Renewal;
use crate::vault::Vault;

type Items = BTreeMap<String, String>;

const FILE: &str = "secrets";
const RETRY: Duration = Duration::from_secs(1);
/// The second version of Vault's store for keys and values has what is stored below `data`.
const SECOND: &str = "kv_v2";

pub(super) async fn run(
    context: &Context,
    tokens: &[Renewal],
    draft: &mut Draft,
) -> Result<(), HookError> {
    for secret in &context.task.secrets {
        let fail = |why: String| HookError::fatal(format!("secret {:?}: {why}", secret.name));
        let path = context.env(draft).replace(&secret.path);
        let items = match secret.provider.as_str() {
            "nomad" => variable(context, &path).await,
            "vault" => stored(context, tokens, secret, &path).await,
            other => given(context, other, secret, &path).await,
        };
        let named = |(key, value)| (format!("secret.{}.{key}", secret.name), value);
        draft
            .secrets
            .extend(items.map_err(fail)?.into_iter().map(named));
    }
    if !context.task.secrets.is_empty() {
        let text = serde_json::to_vec(&draft.secrets).unwrap_or_default();
        let kept = context.dir.keep_secret(&context.task.name, FILE, &text);
        kept.map_err(|error| HookError::fatal(error.to_string()))?;
    }
    Ok(())
}

/// What a running task was given, by this agent or one before it.
pub(super) fn kept(context: &Context) -> Option<Items> {
    let path = context.dir.kept_secrets(&context.task.name).join(FILE);
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// What a program of the operator gives.
async fn given(
    context: &Context,
    provider: &str,
    secret: &Secret,
    path: &str,
) -> Result<Items, String> {
    let dir = &context.shared.config.common_plugin_dir;
    let found = secret_plugins::fetch(dir, provider, path, &secret.env).await;
    found.map_err(|error| error.to_string())
}

async fn variable(context: &Context, path: &str) -> Result<Items, String> {
    loop {
        let request = Lookup {
            caller: context.shared.caller(),
            what: What::Variable {
                alloc: context.alloc.id,
                task: context.task.name.clone(),
                path: path.to_owned(),
            },
        };
        match context.shared.link.lookup(request).await {
            Ok(Found::Variable(Some(found))) => return Ok(found.items.unwrap_or_default()),
            Ok(_) => return Err(format!("there is no variable at {path:?}")),
            Err(error) if error.is_temporary() => tokio::time::sleep(RETRY).await,
            Err(error) => return Err(error.to_string()),
        }
    }
}

async fn stored(
    context: &Context,
    tokens: &[Renewal],
    secret: &Secret,
    path: &str,
) -> Result<Items, String> {
    let token = tokens.iter().find_map(Renewal::of_vault);
    let token = token.map(|token| token.get());
    let config = context.shared.config.vault.as_ref();
    let (Some(config), Some(block), Some(token)) = (config, &context.task.vault, token) else {
        return Err("the task has no token of Vault".into());
    };
    let vault = Vault::with_token(config.of_task(block), &token);
    let vault = vault.map_err(|error| error.to_string())?;
    let found = loop {
        match vault.read(path).await {
            Ok(found) => break found,
            Err(error) if error.is_temporary() => {
                tracing::warn!(%error, path, "a secret cannot be read yet");
                tokio::time::sleep(RETRY).await;
            }
            Err(error) => return Err(error.to_string()),
        }
    };
    let engine = secret.config.get("engine").and_then(Value::as_str);
    let data = match engine {
        Some(SECOND) => &found["Data"]["data"],
        _ => &found["Data"],
    };
    let Value::Object(members) = data else {
        return Err(format!("there is nothing at {path:?} of Vault"));
    };
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    Ok(members
        .iter()
        .map(|(key, value)| (key.clone(), text(value)))
        .collect())
}
