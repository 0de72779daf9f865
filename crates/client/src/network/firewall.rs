//! The rule that lets traffic through to allocations on the bridge, in a chain that operators may add to.

use std::process::Stdio;

use super::NetworkError;
use super::conflist::ADMIN_CHAIN;
use crate::config::ClientConfig;

/// Makes the chain and its rule, once.
pub(super) async fn admit(config: &ClientConfig) -> Result<(), NetworkError> {
    // Made by somebody else already is as good.
    let _ = iptables(&["-N", ADMIN_CHAIN]).await?;
    let rule = [
        ADMIN_CHAIN,
        "-o",
        &config.bridge_network_name,
        "-d",
        &config.bridge_network_subnet,
        "-j",
        "ACCEPT",
    ];
    if iptables(&[&["-C"][..], &rule].concat()).await?.is_none() {
        return Ok(());
    }
    match iptables(&[&["-A"][..], &rule].concat()).await? {
        None => Ok(()),
        Some(why) => Err(failed(why)),
    }
}

fn failed(why: String) -> NetworkError {
    NetworkError::Plugin {
        plugin: "iptables".to_owned(),
        why,
    }
}

/// Runs iptables; what it says when it refuses.
async fn iptables(args: &[&str]) -> Result<Option<String>, NetworkError> {
    let run = tokio::process::Command::new("iptables")
        .arg("--wait")
        .args(args)
        .stdin(Stdio::null())
        .output();
    let output = run.await.map_err(|error| failed(error.to_string()))?;
    let words = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok((!output.status.success()).then(words))
}
