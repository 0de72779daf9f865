//! The flags of `nomad agent`. A flag is a shorter way to write one key of the configuration, so it is
//! turned into the entry that the key would be, and applied after all files.

use std::path::PathBuf;

use super::setting::{Context, Origin, Problem, apply_entries, closest};
use super::settings::Settings;
use super::syntax::{Entry, Node, Pos, Value};

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    /// Nothing, or `=true`, `=false`.
    Switch,
    One,
    /// Given again, it adds to the list.
    Each,
    /// One text that is split at commas.
    Commas,
    /// `key=value`, given again it adds a key.
    Pair,
}

struct Flag {
    name: &'static str,
    takes: Takes,
    /// The keys that it sets, each a path from the top level.
    keys: &'static [&'static str],
    help: &'static str,
}

macro_rules! flags {
    ($($name:literal $takes:ident [$($key:literal),*] $help:literal;)*) => {
        &[$(Flag { name: $name, takes: Takes::$takes, keys: &[$($key),*], help: $help }),*]
    };
}

/// Flags that choose how to start; they are no settings.
const MODES: [&str; 5] = ["dev", "dev-connect", "dev-consul", "dev-vault", "config"];

const FLAGS: &[Flag] = flags! {
    "server" Switch ["server.enabled"] "Run a server.";
    "client" Switch ["client.enabled"] "Run a client.";
    "bind" One ["bind_addr"] "Address that all services bind to.";
    "data-dir" One ["data_dir"] "Folder for all state; absolute.";
    "plugin-dir" One ["plugin_dir"] "Folder of external plugins.";
    "region" One ["region"] "Region of the agent.";
    "dc" One ["datacenter"] "Datacenter of the agent.";
    "node" One ["name"] "Name of the agent; the host name by default.";
    "log-level" One ["log_level"] "TRACE, DEBUG, INFO, WARN, ERROR or OFF.";
    "log-json" Switch ["log_json"] "Log in JSON.";
    "log-include-location" Switch ["log_include_location"] "Log file and line.";
    "eventlog" Switch ["eventlog.enabled"] "Log to the Windows event log.";
    "eventlog-level" One ["eventlog.level"] "Level for the Windows event log.";
    "bootstrap-expect" One ["server.bootstrap_expect"] "Number of servers to wait for before the first election.";
    "encrypt" One ["server.encrypt"] "Gossip encryption key.";
    "raft-protocol" One ["server.raft_protocol"] "Version of the consensus protocol.";
    "rejoin" Switch ["server.rejoin_after_leave"] "Join again after having left.";
    "join" Each ["server.server_join.start_join"] "Address of a server to join at start; repeatable.";
    "retry-join" Each ["server.server_join.retry_join", "client.server_join.retry_join"] "The same, tried until it works; repeatable.";
    "retry-max" One ["server.server_join.retry_max", "client.server_join.retry_max"] "How often to try; 0 is forever.";
    "retry-interval" One ["server.server_join.retry_interval", "client.server_join.retry_interval"] "How long to wait between tries.";
    "state-dir" One ["client.state_dir"] "Folder for the client's state.";
    "alloc-dir" One ["client.alloc_dir"] "Folder for allocations.";
    "alloc-mounts-dir" One ["client.alloc_mounts_dir"] "Folder for mounts of allocations.";
    "host-volumes-dir" One ["client.host_volumes_dir"] "Folder for dynamic host volumes.";
    "host-volume-plugin-dir" One ["client.host_volume_plugin_dir"] "Folder of host volume plugins.";
    "node-class" One ["client.node_class"] "Class of the node.";
    "node-pool" One ["client.node_pool"] "Pool of the node.";
    "servers" Commas ["client.servers"] "Addresses of servers, separated by commas.";
    "meta" Pair ["client.meta"] "key=value of the node's metadata; repeatable.";
    "network-interface" One ["client.network_interface"] "Interface to fingerprint.";
    "network-speed" One ["client.network_speed"] "Speed of the network in MBits.";
    "preferred-address-family" One ["client.preferred_address_family"] "ipv4 or ipv6.";
    "client-intro-token" One ["client.intro_token"] "Token that introduces the client.";
    "acl-enabled" Switch ["acl.enabled"] "Enforce access control.";
    "acl-replication-token" One ["acl.replication_token"] "Token to replicate policies with.";
    "consul-address" One ["consul.address"] "Address of Consul.";
    "consul-auth" One ["consul.auth"] "user:password for Consul.";
    "consul-auto-advertise" Switch ["consul.auto_advertise"] "Register the agent in Consul.";
    "consul-ca-file" One ["consul.ca_file"] "CA of Consul.";
    "consul-cert-file" One ["consul.cert_file"] "Certificate for Consul.";
    "consul-key-file" One ["consul.key_file"] "Key of that certificate.";
    "consul-checks-use-advertise" Switch ["consul.checks_use_advertise"] "Checks use the advertised address.";
    "consul-client-auto-join" Switch ["consul.client_auto_join"] "Clients find servers through Consul.";
    "consul-client-service-name" One ["consul.client_service_name"] "Service name of clients.";
    "consul-client-http-check-name" One ["consul.client_http_check_name"] "Name of the client's check.";
    "consul-client-failures-before-critical" One ["consul.client_failures_before_critical"] "Failures before the client's check is critical.";
    "consul-client-failures-before-warning" One ["consul.client_failures_before_warning"] "Failures before the client's check warns.";
    "consul-server-auto-join" Switch ["consul.server_auto_join"] "Servers find each other through Consul.";
    "consul-server-service-name" One ["consul.server_service_name"] "Service name of servers.";
    "consul-server-http-check-name" One ["consul.server_http_check_name"] "Name of the server's HTTP check.";
    "consul-server-serf-check-name" One ["consul.server_serf_check_name"] "Name of the server's gossip check.";
    "consul-server-rpc-check-name" One ["consul.server_rpc_check_name"] "Name of the server's RPC check.";
    "consul-server-failures-before-critical" One ["consul.server_failures_before_critical"] "Failures before a server check is critical.";
    "consul-server-failures-before-warning" One ["consul.server_failures_before_warning"] "Failures before a server check warns.";
    "consul-share-ssl" Switch ["consul.share_ssl"] "Templates use the TLS settings, too.";
    "consul-ssl" Switch ["consul.ssl"] "Talk HTTPS to Consul.";
    "consul-token" One ["consul.token"] "Token for Consul.";
    "consul-verify-ssl" Switch ["consul.verify_ssl"] "Verify Consul's certificate.";
    "vault-enabled" Switch ["vault.enabled"] "Use Vault.";
    "vault-address" One ["vault.address"] "Address of Vault.";
    "vault-namespace" One ["vault.namespace"] "Namespace in Vault.";
    "vault-create-from-role" One ["vault.create_from_role"] "Role that tokens are made from.";
    "vault-ca-file" One ["vault.ca_file"] "CA of Vault.";
    "vault-ca-path" One ["vault.ca_path"] "Folder of CAs of Vault.";
    "vault-cert-file" One ["vault.cert_file"] "Certificate for Vault.";
    "vault-key-file" One ["vault.key_file"] "Key of that certificate.";
    "vault-tls-skip-verify" Switch ["vault.tls_skip_verify"] "Do not verify Vault's certificate.";
    "vault-tls-server-name" One ["vault.tls_server_name"] "Name expected in Vault's certificate.";
};

/// What the command line says.
#[derive(Debug, Default)]
pub struct Flags {
    pub dev: Option<DevMode>,
    pub configs: Vec<PathBuf>,
    pub help: bool,
    values: Vec<(usize, Vec<String>)>,
}

/// `-dev` and its relatives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DevMode {
    /// Bind to the default route's interface, for network namespaces.
    pub connect: bool,
    pub consul: bool,
    pub vault: bool,
}

/// What is wrong with the command line, in the words that Go programs use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    #[error("flag provided but not defined: -{name}{hint}")]
    Unknown { name: String, hint: String },
    #[error("flag needs an argument: -{0}")]
    NeedsArgument(String),
    #[error("invalid boolean value {value:?} for -{name}: parse error")]
    NotBoolean { name: String, value: String },
    #[error("invalid value {value:?} for flag -{name}: parse error; write key=value")]
    NotPair { name: String, value: String },
    #[error("This command takes no arguments; found {0:?}")]
    Positional(String),
}

/// Reads the arguments after `nomad agent`.
pub fn parse_flags(args: &[String]) -> Result<Flags, FlagError> {
    let mut flags = Flags::default();
    let mut dev = DevMode::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let Some(body) = arg
            .strip_prefix("--")
            .or_else(|| arg.strip_prefix('-'))
            .filter(|body| !body.is_empty())
        else {
            if arg == "--" {
                break;
            }
            return Err(FlagError::Positional(arg.clone()));
        };
        let (name, inline) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (body, None),
        };
        let mut argument = |inline: Option<String>| {
            inline
                .or_else(|| rest.next().cloned())
                .ok_or_else(|| FlagError::NeedsArgument(name.to_owned()))
        };
        let mode = |field: &mut bool, inline: Option<String>| -> Result<(), FlagError> {
            *field = boolean(name, inline)?;
            Ok(())
        };
        match name {
            "h" | "help" => flags.help = true,
            "config" => flags.configs.push(argument(inline)?.into()),
            "dev" => {
                if boolean(name, inline)? {
                    flags.dev.get_or_insert_default();
                }
            }
            "dev-connect" => mode(&mut dev.connect, inline)?,
            "dev-consul" => mode(&mut dev.consul, inline)?,
            "dev-vault" => mode(&mut dev.vault, inline)?,
            _ => {
                let index = FLAGS
                    .iter()
                    .position(|flag| flag.name == name)
                    .ok_or_else(|| unknown(name))?;
                let value = match FLAGS[index].takes {
                    Takes::Switch => boolean(name, inline)?.to_string(),
                    Takes::Pair => {
                        let value = argument(inline)?;
                        if !value.contains('=') {
                            return Err(FlagError::NotPair {
                                name: name.to_owned(),
                                value,
                            });
                        }
                        value
                    }
                    Takes::One | Takes::Each | Takes::Commas => argument(inline)?,
                };
                match flags.values.iter_mut().find(|(known, _)| *known == index) {
                    Some((_, values)) => values.push(value),
                    None => flags.values.push((index, vec![value])),
                }
            }
        }
    }
    if let Some(rest) = rest.next() {
        return Err(FlagError::Positional(rest.clone()));
    }
    if dev != DevMode::default() {
        flags.dev = Some(dev);
    }
    Ok(flags)
}

fn unknown(name: &str) -> FlagError {
    let known: Vec<&str> = FLAGS.iter().map(|flag| flag.name).chain(MODES).collect();
    let hint = closest(name, &known)
        .map(|name| format!(" (did you mean -{name}?)"))
        .unwrap_or_default();
    FlagError::Unknown {
        name: name.to_owned(),
        hint,
    }
}

fn boolean(name: &str, inline: Option<String>) -> Result<bool, FlagError> {
    match inline.as_deref() {
        None | Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some(value) => Err(FlagError::NotBoolean {
            name: name.to_owned(),
            value: value.to_owned(),
        }),
    }
}

impl Flags {
    /// Applies the flags over `settings`; what is wrong with their values, and what they warn of.
    pub fn apply(&self, settings: &mut Settings) -> (Vec<Problem>, Vec<Problem>) {
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        for (index, values) in &self.values {
            let flag = &FLAGS[*index];
            let mut cx = Context::new(Origin::Flag(flag.name.to_owned()));
            for key in flag.keys {
                apply_entries(
                    settings,
                    &[entry(key, flag_value(flag.takes, values))],
                    &mut cx,
                );
            }
            problems.append(&mut cx.problems);
            warnings.append(&mut cx.warnings);
        }
        (problems, warnings)
    }
}

fn text(value: &str) -> Node {
    Node {
        pos: Pos::default(),
        value: Value::Text(value.to_owned()),
    }
}

fn flag_value(takes: Takes, values: &[String]) -> Value {
    let last = values.last().map_or("", String::as_str);
    match takes {
        Takes::Switch | Takes::One => Value::Text(last.to_owned()),
        Takes::Each => Value::List(values.iter().map(|value| text(value)).collect()),
        Takes::Commas => Value::List(
            last.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(text)
                .collect(),
        ),
        Takes::Pair => Value::Object(
            values
                .iter()
                .filter_map(|value| value.split_once('='))
                .map(|(key, value)| entry_of(key, text(value)))
                .collect(),
        ),
    }
}

fn entry_of(key: &str, node: Node) -> Entry {
    Entry {
        key: key.to_owned(),
        pos: Pos::default(),
        labels: Vec::new(),
        node,
    }
}

/// `a.b.c` and a value as the entry `a { b { c = value } }`.
pub(super) fn entry(path: &str, value: Value) -> Entry {
    let node = Node {
        pos: Pos::default(),
        value,
    };
    match path.split_once('.') {
        None => entry_of(path, node),
        Some((head, tail)) => {
            let inner = entry(tail, node.value);
            entry_of(
                head,
                Node {
                    pos: Pos::default(),
                    value: Value::Object(vec![inner]),
                },
            )
        }
    }
}

/// The help of `nomad agent`.
pub fn help() -> String {
    let mut text = String::from(
        "Usage: nomad agent [options]\n\n  Starts an agent and runs until it is told to stop. An agent is a server, a client\n  or both. Flags override what configuration files say.\n\nGeneral Options:\n\n",
    );
    let modes = [
        (
            "-config=<path>",
            "File, or folder of *.hcl and *.json files; repeatable, later ones win.",
        ),
        (
            "-dev",
            "Server and client for development: in memory, bound to 127.0.0.1, raw_exec on.",
        ),
        (
            "-dev-connect",
            "The same, bound to the default route's interface.",
        ),
        (
            "-dev-consul",
            "The same, with workload identities for Consul.",
        ),
        (
            "-dev-vault",
            "The same, with workload identities for Vault.",
        ),
    ];
    let mut row = |name: &str, help: &str| text.push_str(&format!("  {name}\n    {help}\n\n"));
    for (name, help) in modes {
        row(name, help);
    }
    for flag in FLAGS {
        let name = match flag.takes {
            Takes::Switch => format!("-{}", flag.name),
            Takes::One => format!("-{}=<value>", flag.name),
            Takes::Each => format!("-{}=<address>", flag.name),
            Takes::Commas => format!("-{}=<a,b>", flag.name),
            Takes::Pair => format!("-{} <key=value>", flag.name),
        };
        row(&name, flag.help);
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Flags, FlagError> {
        parse_flags(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    fn applied(args: &[&str]) -> Settings {
        let mut settings = Settings::default();
        let (problems, _) = parse(args).expect("valid flags").apply(&mut settings);
        assert_eq!(problems, []);
        settings
    }

    #[test]
    fn one_dash_or_two_with_or_without_equals() {
        let settings = applied(&[
            "-server",
            "--client=false",
            "-bind",
            "1.2.3.4",
            "--dc=x",
            "-bootstrap-expect=0x3",
        ]);
        assert!(settings.server.enabled && !settings.client.enabled);
        assert_eq!(
            (settings.bind_addr.as_str(), settings.datacenter.as_str()),
            ("1.2.3.4", "x")
        );
        assert_eq!(settings.server.bootstrap_expect, 3);
    }

    #[test]
    fn lists_pairs_and_double_targets() {
        let settings = applied(&[
            "-servers=a, b:4647",
            "-meta",
            "k=v=w",
            "-meta=x=",
            "-retry-join",
            "s1",
            "-retry-join",
            "s2",
            "-retry-interval=5s",
        ]);
        assert_eq!(settings.client.servers, ["a", "b:4647"]);
        assert_eq!(
            settings.client.meta.get("k").map(String::as_str),
            Some("v=w")
        );
        assert_eq!(settings.client.meta.get("x").map(String::as_str), Some(""));
        assert_eq!(settings.server.server_join.retry_join, ["s1", "s2"]);
        assert_eq!(settings.client.server_join.retry_interval.as_secs(), 5);
    }

    #[test]
    fn every_flag_points_at_a_known_key() {
        for flag in FLAGS {
            let mut settings = Settings::default();
            let value = match flag.takes {
                Takes::Switch => "true",
                Takes::Pair => "a=b",
                _ if flag.name.ends_with("interval") => "5s",
                _ => "1",
            };
            let flags = parse(&[&format!("-{}={value}", flag.name)]).expect(flag.name);
            assert_eq!(flags.apply(&mut settings).0, [], "{}", flag.name);
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (args, message) in [
            (
                &["-sever"][..],
                "flag provided but not defined: -sever (did you mean -server?)",
            ),
            (&["-xyz"], "flag provided but not defined: -xyz"),
            (&["-bind"], "flag needs an argument: -bind"),
            (
                &["-dev=maybe"],
                "invalid boolean value \"maybe\" for -dev: parse error",
            ),
            (
                &["-meta", "novalue"],
                "invalid value \"novalue\" for flag -meta: parse error; write key=value",
            ),
            (
                &["-dev", "extra"],
                "This command takes no arguments; found \"extra\"",
            ),
        ] {
            assert_eq!(parse(args).expect_err("a mistake").to_string(), message);
        }
        let (problems, _) = parse(&["-network-speed=fast"])
            .expect("parses")
            .apply(&mut Settings::default());
        assert_eq!(
            problems[0].to_string(),
            "-network-speed: client.network_speed: expected a whole number, found the text \"fast\""
        );
    }

    #[test]
    fn dev_modes() {
        assert_eq!(
            parse(&["-dev"]).expect("valid").dev,
            Some(DevMode::default())
        );
        assert!(
            parse(&["-dev-connect"])
                .expect("valid")
                .dev
                .expect("dev")
                .connect
        );
        assert_eq!(parse(&["-dev=false"]).expect("valid").dev, None);
    }
}
