//! Runs CNI plugins: each is a program that is told what to do by its environment and reads its configuration.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use caravan_model::{AllocNetworkStatus, DnsConfig};
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use super::NetworkError;
use super::conflist::Conflist;

/// A plugin that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// The interface inside the namespace.
const INTERFACE: &str = "eth0";

/// One connection of a namespace to a network.
pub(super) struct Attachment<'a> {
    pub(super) list: &'a Conflist,
    /// Where plugins are looked for, in order.
    pub(super) paths: &'a [PathBuf],
    pub(super) container: &'a str,
    pub(super) namespace: &'a Path,
    /// `key=value` pairs for plugins that read them.
    pub(super) args: String,
    pub(super) mappings: &'a [Value],
}

impl Attachment<'_> {
    /// Connects; the answer of the last plugin.
    pub(super) async fn add(&self) -> Result<Value, NetworkError> {
        let mut result: Option<Value> = None;
        for plugin in &self.list.plugins {
            let kind = plugin
                .get("type")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let input = self.list.input(plugin, self.mappings, result.as_ref());
            let output = self.run("ADD", kind, &input).await?;
            let answer = serde_json::from_slice(&output);
            result = Some(
                answer.map_err(|error| failed(kind, format!("its answer is no JSON: {error}")))?,
            );
        }
        result.ok_or_else(|| failed(&self.list.name, "the network has no plugins".into()))
    }

    /// Disconnects, the last plugin first; goes on past those that fail and names the first of them.
    pub(super) async fn delete(&self, result: Option<&Value>) -> Result<(), NetworkError> {
        let mut first = Ok(());
        for plugin in self.list.plugins.iter().rev() {
            let kind = plugin
                .get("type")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let input = self.list.input(plugin, self.mappings, result);
            let done = self.run("DEL", kind, &input).await.map(|_| ());
            first = first.and(done);
        }
        first
    }

    async fn run(&self, command: &str, kind: &str, input: &Value) -> Result<Vec<u8>, NetworkError> {
        let program = self.program(kind)?;
        let paths = self.paths.iter().map(|path| path.display().to_string());
        let mut child = tokio::process::Command::new(program)
            .env_clear()
            // Plugins run iptables.
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .env("CNI_COMMAND", command)
            .env("CNI_CONTAINERID", self.container)
            .env("CNI_NETNS", self.namespace)
            .env("CNI_IFNAME", INTERFACE)
            .env("CNI_ARGS", &self.args)
            .env("CNI_PATH", paths.collect::<Vec<_>>().join(":"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(kind, error.to_string()))?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that does not read says why in its answer.
            let _ = stdin.write_all(input.to_string().as_bytes()).await;
        }
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output())
            .await
            .map_err(|_| failed(kind, format!("it did not answer within {PATIENCE:?}")))?
            .map_err(|error| failed(kind, error.to_string()))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(failed(kind, said(&output.stdout, &output.stderr)))
    }

    fn program(&self, kind: &str) -> Result<PathBuf, NetworkError> {
        // A name with a slash would be a path to any program.
        let plain = !kind.is_empty() && !kind.contains('/');
        let found = self
            .paths
            .iter()
            .map(|path| path.join(kind))
            .find(|path| plain && path.is_file());
        found.ok_or_else(|| NetworkError::NoPlugin {
            plugin: kind.to_owned(),
            paths: self.paths.to_vec(),
        })
    }
}

fn failed(plugin: &str, why: String) -> NetworkError {
    NetworkError::Plugin {
        plugin: plugin.to_owned(),
        why,
    }
}

/// What a plugin that failed said: an error as JSON, or words.
fn said(stdout: &[u8], stderr: &[u8]) -> String {
    let error: Option<Value> = serde_json::from_slice(stdout).ok();
    let member = |name: &str| {
        let text = error.as_ref()?.get(name)?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    };
    match (member("msg"), member("details")) {
        (Some(message), Some(details)) => format!("{message}: {details}"),
        (Some(message), None) => message,
        _ => String::from_utf8_lossy(if stdout.is_empty() { stderr } else { stdout })
            .trim()
            .to_owned(),
    }
}

/// The interface and addresses inside the namespace.
pub(super) fn status(result: &Value) -> AllocNetworkStatus {
    let none = Vec::new();
    let list = |key: &str| result[key].as_array().unwrap_or(&none).clone();
    let interfaces = list("interfaces");
    let inside = |at: usize| {
        interfaces
            .get(at)
            .is_some_and(|one| one["sandbox"].as_str().is_some_and(|text| !text.is_empty()))
    };
    let number = |ip: &Value| {
        ip["interface"]
            .as_u64()
            .and_then(|at| usize::try_from(at).ok())
    };
    let mut status = AllocNetworkStatus::default();
    let ips = list("ips");
    // Without a word on interfaces, the addresses are all inside.
    let own = ips.iter().filter(|ip| number(ip).is_none_or(inside));
    for ip in own {
        let address = ip["address"].as_str().unwrap_or_default();
        let address = address.split('/').next().unwrap_or_default().to_owned();
        let field = if address.contains(':') {
            &mut status.address_ipv6
        } else {
            &mut status.address
        };
        if field.is_empty() {
            *field = address;
        }
        if status.interface_name.is_empty() {
            let named = number(ip).and_then(|at| interfaces.get(at)?["name"].as_str());
            status.interface_name = named.unwrap_or(INTERFACE).to_owned();
        }
    }
    status.dns = dns(&result["dns"]);
    status
}

fn dns(value: &Value) -> Option<DnsConfig> {
    let list = |key: &str| -> Vec<String> {
        let items = value[key].as_array().into_iter().flatten();
        items
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect()
    };
    let (servers, searches, options) = (list("nameservers"), list("search"), list("options"));
    let any = !(servers.is_empty() && searches.is_empty() && options.is_empty());
    any.then_some(DnsConfig {
        servers,
        searches,
        options,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn addresses_inside_are_told_from_those_of_the_host() {
        let found = status(&json!({
            "interfaces": [
                {"name": "nomad"}, {"name": "veth1"}, {"name": "eth0", "sandbox": "/var/run/netns/x"},
            ],
            "ips": [
                {"interface": 0, "address": "172.26.64.1/20"},
                {"interface": 2, "address": "172.26.64.7/20"},
                {"interface": 2, "address": "fd00::7/64"},
            ],
            "dns": {"nameservers": ["10.0.0.1"]},
        }));
        assert_eq!(found.interface_name, "eth0");
        assert_eq!(
            (&*found.address, &*found.address_ipv6),
            ("172.26.64.7", "fd00::7")
        );
        assert_eq!(found.dns.unwrap().servers, ["10.0.0.1"]);
    }

    #[test]
    fn a_plugins_error_is_told_in_its_words() {
        let error = json!({"code": 7, "msg": "no IP", "details": "range full"}).to_string();
        assert_eq!(said(error.as_bytes(), b""), "no IP: range full");
        assert_eq!(said(b"", b"cannot\n"), "cannot");
    }
}
