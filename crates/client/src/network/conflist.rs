//! Configurations of CNI networks: the one for `bridge`, those an operator wrote, and what a plugin is given of them.

use std::fs;
use std::path::{Path, PathBuf};

use caravan_model::AllocatedPort;
use serde_json::{Map, Value, json};

use super::NetworkError;
use crate::config::ClientConfig;

/// A named list of plugins, run in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Conflist {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) plugins: Vec<Map<String, Value>>,
}

/// The chain of iptables that operators may add rules to.
pub(super) const ADMIN_CHAIN: &str = "NOMAD-ADMIN";
const IPAM_DIR: &str = "/var/run/cni";

/// The network that groups with `mode = "bridge"` are connected to.
pub(super) fn bridge(config: &ClientConfig) -> Conflist {
    let mut ranges = vec![json!([{"subnet": config.bridge_network_subnet}])];
    let mut routes = vec![json!({"dst": "0.0.0.0/0"})];
    if !config.bridge_network_subnet_ipv6.is_empty() {
        ranges.push(json!([{"subnet": config.bridge_network_subnet_ipv6}]));
        routes.push(json!({"dst": "::/0"}));
    }
    let plugins = [
        json!({"type": "loopback"}),
        json!({
            "type": "bridge",
            "bridge": config.bridge_network_name,
            "ipMasq": true,
            "isGateway": true,
            "forceAddress": true,
            "hairpinMode": config.bridge_hairpin_mode,
            "ipam": {"type": "host-local", "ranges": ranges, "routes": routes, "dataDir": IPAM_DIR},
        }),
        json!({"type": "firewall", "backend": "iptables", "iptablesAdminChainName": ADMIN_CHAIN}),
        json!({"type": "portmap", "capabilities": {"portMappings": true}, "snat": true}),
    ];
    Conflist {
        name: "nomad".into(),
        version: "0.4.0".into(),
        plugins: plugins.into_iter().filter_map(object).collect(),
    }
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// The network of this name in the operator's folder: the first file that has it, by the order of their names.
pub(super) fn named(folder: &Path, name: &str) -> Result<Conflist, NetworkError> {
    for path in files(folder) {
        let Some(found) = read(&path).filter(|found| found.name == name) else {
            continue;
        };
        return Ok(found);
    }
    Err(NetworkError::NoSuchNetwork {
        name: name.to_owned(),
        folder: folder.to_path_buf(),
    })
}

/// The names of all networks in the folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let named = files(folder).into_iter().filter_map(|path| read(&path));
    named.map(|found| found.name).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_config = |path: &PathBuf| {
        let end = path.extension().and_then(|end| end.to_str());
        matches!(end, Some("conf" | "conflist" | "json"))
    };
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(is_config)
        .collect();
    files.sort();
    files
}

/// A list of plugins, or one plugin alone.
fn read(path: &Path) -> Option<Conflist> {
    let mut whole = object(serde_json::from_slice(&fs::read(path).ok()?).ok()?)?;
    let text = |whole: &Map<String, Value>, key: &str| {
        whole.get(key).and_then(Value::as_str).map(str::to_owned)
    };
    let name = text(&whole, "name")?;
    let version = text(&whole, "cniVersion").unwrap_or_else(|| "0.1.0".into());
    let plugins = match whole.remove("plugins") {
        Some(Value::Array(plugins)) => plugins.into_iter().filter_map(object).collect(),
        Some(_) => return None,
        None => vec![whole],
    };
    Some(Conflist {
        name,
        version,
        plugins,
    })
}

/// What is mapped from the host: each port for both protocols.
pub(super) fn port_mappings<'a>(ports: impl Iterator<Item = &'a AllocatedPort>) -> Vec<Value> {
    let both = ports.flat_map(|port| {
        let inner = if port.to > 0 { port.to } else { port.value };
        ["tcp", "udp"].map(|protocol| {
            json!({
                "hostPort": port.value, "containerPort": inner,
                "protocol": protocol, "hostIP": port.host_ip,
            })
        })
    });
    both.collect()
}

impl Conflist {
    /// What a plugin of the list reads on its standard input.
    pub(super) fn input(
        &self,
        plugin: &Map<String, Value>,
        mappings: &[Value],
        previous: Option<&Value>,
    ) -> Value {
        let mut input = plugin.clone();
        input.insert("name".into(), self.name.clone().into());
        input.insert("cniVersion".into(), self.version.clone().into());
        let wants = |name: &str| {
            plugin
                .get("capabilities")
                .is_some_and(|all| all[name] == true)
        };
        if wants("portMappings") && !mappings.is_empty() {
            let runtime = json!({"portMappings": mappings});
            input.insert("runtimeConfig".into(), runtime);
        }
        if let Some(previous) = previous {
            input.insert("prevResult".into(), previous.clone());
        }
        input.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bridge_network() {
        let list = bridge(&ClientConfig::new("n", "/d"));
        let types: Vec<_> = list
            .plugins
            .iter()
            .map(|plugin| plugin["type"].clone())
            .collect();
        assert_eq!(types, ["loopback", "bridge", "firewall", "portmap"]);
        assert_eq!(
            list.plugins[1]["ipam"]["ranges"][0][0]["subnet"],
            "172.26.64.0/20"
        );
    }

    #[test]
    fn a_plugin_gets_what_it_can_do_with() {
        let list = bridge(&ClientConfig::new("n", "/d"));
        let port = AllocatedPort {
            label: "http".into(),
            value: 20123,
            to: 80,
            host_ip: "10.0.0.5".into(),
            ..AllocatedPort::default()
        };
        let mappings = port_mappings([port].iter());
        assert_eq!(mappings.len(), 2);
        let input = list.input(&list.plugins[3], &mappings, Some(&json!({"ips": []})));
        assert_eq!(
            input["runtimeConfig"]["portMappings"][0]["containerPort"],
            80
        );
        assert_eq!(input["prevResult"]["ips"], json!([]));
        assert_eq!(input["name"], "nomad");
        let input = list.input(&list.plugins[1], &mappings, None);
        assert!(input.get("runtimeConfig").is_none() && input.get("prevResult").is_none());
    }

    #[test]
    fn an_operators_networks_are_found_by_name() {
        let temp = tempfile::tempdir().unwrap();
        let write = |name: &str, value: Value| {
            fs::write(temp.path().join(name), value.to_string()).unwrap()
        };
        write(
            "10.conflist",
            json!({"name": "a", "cniVersion": "1.0.0", "plugins": [{"type": "ptp"}, {"type": "portmap"}]}),
        );
        write("20.conf", json!({"name": "b", "type": "macvlan"}));
        write("30.json", json!({"name": "b", "type": "bridge"}));
        write("40.txt", json!({"name": "c", "type": "bridge"}));
        fs::write(temp.path().join("05.conf"), "not json").unwrap();
        assert_eq!(names(temp.path()), ["a", "b", "b"]);
        assert_eq!(named(temp.path(), "a").unwrap().plugins.len(), 2);
        assert_eq!(
            named(temp.path(), "b").unwrap().plugins[0]["type"],
            "macvlan"
        );
        assert!(named(temp.path(), "c").is_err());
    }
}
