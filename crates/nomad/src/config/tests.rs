//! Files, flags and environment together: what is merged, refused, warned about and derived.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::machine::Interface;
use super::*;

const FULL: &str = include_str!("fixtures/full.hcl");

fn machine() -> Machine {
    Machine {
        hostname: "host1".into(),
        interfaces: vec![
            Interface {
                name: "lo".into(),
                address: [127, 0, 0, 1].into(),
                prefix: 8,
                flags: vec!["up", "loopback"],
            },
            Interface {
                name: "eth0".into(),
                address: [10, 1, 2, 3].into(),
                prefix: 16,
                flags: vec!["up"],
            },
        ],
        default_interface: Some("eth0".into()),
        scratch: "/tmp/scratch".into(),
        root: true,
        ..Machine::default()
    }
}

/// The configuration of these files (name, text) and flags.
fn load_files(files: &[(&str, &str)], args: &[&str]) -> Result<AgentConfig, String> {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("written");
    }
    let args: Vec<String> = args
        .iter()
        .map(|arg| arg.replace("DIR", &dir.path().display().to_string()))
        .collect();
    let flags = parse_flags(&args).expect("valid flags");
    load(&flags, &machine()).map_err(|error| {
        error
            .to_string()
            .replace(&format!("{}/", dir.path().display()), "")
    })
}

fn dev(text: &str) -> Result<AgentConfig, String> {
    load_files(&[("a.hcl", text)], &["-dev", "-config", "DIR/a.hcl"])
}

#[test]
fn every_known_key_is_accepted() {
    let config = load_files(&[("full.hcl", FULL)], &["-config=DIR/full.hcl"]).expect("accepted");
    let s = &config.settings;
    assert_eq!(config.name, "full");
    assert_eq!(s.client.network_speed, 1000);
    assert_eq!(s.client.options["docker.privileged.enabled"], "true");
    assert_eq!(s.client.meta["a.b"], "7");
    assert_eq!(s.client.reserved.cpu, 500);
    assert_eq!(s.limits.http_max_conns_per_client, 0);
    assert_eq!(s.consul.0.len(), 2);
    assert_eq!(s.keyring.0.len(), 5);
    assert_eq!(s.log_rotate_max_files, -1);
    assert_eq!(
        s.client
            .drain_on_shutdown
            .as_ref()
            .map(|drain| drain.deadline),
        Some(Duration::from_secs(1800))
    );
    assert_eq!(config.net.http.len(), 2);
    assert_eq!(config.net.advertise_http, "10.0.0.1:14646");
    assert_eq!(config.net.advertise_rpc, "10.0.0.1:24647");
    assert_eq!(config.net.advertise_serf, "nomad.example:24648");
    assert_eq!(config.dirs.state, Path::new("/srv/state"));
    assert_eq!(config.dirs.server, Path::new("/srv/server"));
}

/// `full.hcl` changes every scalar, so a key that is parsed but lands nowhere shows.
#[test]
fn every_block_of_the_full_file_differs_from_the_defaults() {
    let config = load_files(&[("full.hcl", FULL)], &["-config=DIR/full.hcl"])
        .expect("accepted")
        .settings;
    let d = Settings::default();
    assert_ne!(config.rpc, d.rpc);
    assert_ne!(config.client.template, d.client.template);
    assert_ne!(config.client.artifact, d.client.artifact);
    assert_ne!(config.server.raft_logstore, d.server.raft_logstore);
    assert_ne!(
        config.server.default_scheduler_config,
        d.server.default_scheduler_config
    );
    assert_ne!(config.audit, d.audit);
    assert_ne!(config.sentinel, d.sentinel);
    assert_ne!(config.reporting, d.reporting);
    assert_ne!(config.telemetry, d.telemetry);
    assert_ne!(config.ui, d.ui);
    assert_ne!(config.autopilot, d.autopilot);
    assert_ne!(config.acl, d.acl);
    assert_ne!(config.tls, d.tls);
    assert_ne!(config.vault, d.vault);
}

#[test]
fn unknown_keys_are_refused_with_file_and_line() {
    for (text, expected) in [
        (
            "regoin = \"x\"",
            "a.hcl:1:1: unexpected key \"regoin\"; did you mean \"region\"?",
        ),
        (
            "client {\n  enabledd = true\n}",
            "a.hcl:2:3: client: unexpected key \"enabledd\"; did you mean \"enabled\"?",
        ),
        (
            "client {\n  reserved {\n    cpus = 1\n  }\n}",
            "a.hcl:3:5: client.reserved: unexpected key \"cpus\"; did you mean \"cpu\"?",
        ),
        (
            "server { zzz = 1 }",
            "a.hcl:1:10: server: unexpected key \"zzz\"",
        ),
        (
            "plugin \"docker\" {\n confg {}\n}",
            "a.hcl:2:2: plugin.docker: unexpected key \"confg\"; did you mean \"config\"?",
        ),
    ] {
        let message = dev(text).expect_err(text);
        assert_eq!(
            message,
            format!("Error loading configuration from a.hcl: {expected}"),
            "{text}"
        );
    }
}

#[test]
fn all_problems_of_a_file_come_at_once() {
    let message =
        dev("a = 1\nports { http = \"many\" }\nlimits { https_handshake_timeout = \"5\" }")
            .expect_err("three problems");
    assert_eq!(message.lines().count(), 3, "{message}");
    assert!(
        message
            .contains("a.hcl:2:16: ports.http: expected a whole number, found the text \"many\""),
        "{message}"
    );
    assert!(
        message.contains("a.hcl:3:36: limits.https_handshake_timeout: \"5\" is not a duration"),
        "{message}"
    );
}

#[test]
fn wrong_types_are_refused() {
    for (text, expected) in [
        (
            "enable_debug = \"maybe\"",
            "expected true or false, found the text \"maybe\"",
        ),
        (
            "ports { http = 70000 }",
            "70000 is out of range; it must be from 0 to 65535",
        ),
        ("client = 7", "expected a block, found the number 7"),
        ("client \"x\" {}", "this block takes no label, found \"x\""),
        (
            "client { servers = \"a\" }",
            "expected a list such as [\"a\", \"b\"], found the text \"a\"",
        ),
        (
            "client { meta { a = [1] } }",
            "client.meta.a: expected text, found a list",
        ),
        (
            "client { gc_interval = 60 }",
            "expected a duration such as \"30s\", found the number 60",
        ),
        ("region {", "this block is never closed with `}`"),
        ("keyring \"pkcs11\" {}", "unknown key provider \"pkcs11\""),
    ] {
        let message = dev(text).expect_err(text);
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn later_files_win_and_blocks_merge() {
    let files = [
        (
            "b.json",
            r#"{"client": {"meta": {"x": "json", "z": "3"}, "servers": ["b"]}, "ports": [{"http": 2222}], "plugin": {"docker": [{"config": {"b": 2}}]}}"#,
        ),
        (
            "a.hcl",
            "datacenter = \"first\"\nclient { meta { x = \"hcl\" y = 2 } servers = [\"a\", \"c\"] }\nplugin \"docker\" { config { a = 1 gc { image = false } } }",
        ),
        ("ignored.txt", "not read"),
        ("x.hcl~", "nor = this"),
        (".#y.hcl", "nor this"),
    ];
    let config = load_files(&files, &["-dev", "-config=DIR", "-dc", "flag"]).expect("valid");
    assert_eq!(
        config
            .files
            .iter()
            .filter_map(|file| file.file_name())
            .collect::<Vec<_>>(),
        ["a.hcl", "b.json"]
    );
    assert_eq!(config.settings.datacenter, "flag");
    let meta: Vec<(&str, &str)> = config
        .settings
        .client
        .meta
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(meta, [("x", "json"), ("y", "2"), ("z", "3")]);
    assert_eq!(config.settings.client.servers, ["b"]);
    assert_eq!(config.net.http[0].port(), 2222);
    assert_eq!(
        serde_json::Value::Object(config.driver_config("docker")),
        serde_json::json!({"a": 1, "gc": {"image": false}, "b": 2})
    );
}

#[test]
fn the_order_of_config_flags_counts() {
    let files = [("a.hcl", "region = \"a\""), ("b.hcl", "region = \"b\"")];
    let config =
        load_files(&files, &["-dev", "-config=DIR/b.hcl", "-config=DIR/a.hcl"]).expect("valid");
    assert_eq!(config.settings.region, "a");
}

#[test]
fn missing_files_are_named() {
    let message = load_files(&[], &["-dev", "-config=DIR/none.hcl"]).expect_err("missing");
    assert!(
        message.starts_with("Error loading configuration from none.hcl: stat ")
            && message.ends_with("none.hcl: no such file or directory"),
        "{message}"
    );
}

#[test]
fn dev_needs_nothing() {
    let config = load_files(&[], &["-dev"]).expect("valid");
    assert!(config.settings.server.enabled && config.settings.client.enabled);
    assert_eq!(
        config.net.http,
        ["127.0.0.1:4646".parse().expect("an address")]
    );
    assert_eq!(config.net.advertise_rpc, "127.0.0.1:4647");
    assert_eq!(config.dirs.data, Path::new("/tmp/scratch"));
    assert_eq!(config.driver_config("raw_exec")["enabled"], true);
    assert_eq!(config.name, "host1");
    assert_eq!(config.warnings, Vec::<String>::new());
    let config = load_files(&[], &["-dev", "-data-dir=/data", "-dev-connect"]).expect("valid");
    assert_eq!(config.dirs.alloc, Path::new("/data/alloc"));
    assert_eq!(config.settings.client.network_interface, "eth0");
    assert_eq!(config.net.advertise_http, "10.1.2.3:4646");
}

#[test]
fn what_cannot_start_is_refused() {
    for (args, expected) in [
        (
            &[][..],
            "Must specify either server, client or dev mode for the agent.",
        ),
        (
            &["-client"],
            "Must specify \"data_dir\" config option or \"data-dir\" CLI flag",
        ),
        (
            &["-client", "-data-dir=data"],
            "data-dir must be given as an absolute path: got data",
        ),
        (&["-dev", "-dc=a*"], "datacenter \"a*\" is invalid"),
        (
            &["-dev", "-node-pool=all"],
            "client.node_pool \"all\" is invalid",
        ),
        (
            &["-dev", "-log-level=LOUD"],
            "log_level: \"LOUD\" is not one of TRACE, DEBUG",
        ),
        (
            &["-dev", "-meta", "a..b=1"],
            "client.meta: the key \"a..b\"",
        ),
        (&["-dev", "-encrypt=xyz"], "server.encrypt is not base64"),
        (
            &["-dev", "-bind={{ GetInterfaceIP \"none0\" }}"],
            "finds no address on this machine",
        ),
        (
            &["-dev", "-bind=no.such.host.invalid"],
            "addresses.http: \"no.such.host.invalid\" is not an address",
        ),
    ] {
        let message = load_files(&[], args).expect_err("refused");
        assert!(message.contains(expected), "{args:?}: {message}");
    }
    for (text, expected) in [
        (
            "client { min_dynamic_port = 5 max_dynamic_port = 4 }",
            "min_dynamic_port 5 is greater",
        ),
        (
            "client { reserved { reserved_ports = \"1-x\" } }",
            "client.reserved.reserved_ports",
        ),
        (
            "client { host_volume \"v\" { path = \"x\" } }",
            "must be an absolute path",
        ),
        (
            "tls { http = true }",
            "tls: ca_file, cert_file and key_file",
        ),
        (
            "keyring \"aead\" { active = true }\nkeyring \"awskms\" { active = true }",
            "only one provider can be active",
        ),
        (
            "server { enabled_schedulers = [\"servce\"] }",
            "\"servce\" is not one of",
        ),
    ] {
        let message = dev(text).expect_err(text);
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn what_has_no_effect_yet_is_said() {
    let config = dev("keyring \"awskms\" {}").expect("accepted");
    assert!(
        config.warnings[0]
            .contains("a.hcl:1:1: keyring.awskms: accepted, but without effect so far"),
        "{:?}",
        config.warnings
    );
}

#[test]
fn a_production_agent_is_warned() {
    let config =
        load_files(&[], &["-server", "-data-dir=/d", "-bootstrap-expect=1"]).expect("valid");
    assert_eq!(
        config.warnings,
        [
            "WARNING: Bootstrap mode enabled! Potentially unsafe operation.",
            "WARNING: mTLS is not configured - Nomad is not secure without mTLS!"
        ]
    );
    assert_eq!(config.net.rpc.to_string(), "0.0.0.0:4647");
    assert_eq!(config.net.advertise_rpc, "10.1.2.3:4647");
    assert_eq!(config.dirs.state, Path::new("/d/client"));
}

#[test]
fn address_templates_are_expanded_everywhere() {
    let config = dev("bind_addr = \"{{ GetInterfaceIP \\\"eth0\\\" }}\"\nadvertise { rpc = \"{{ GetPrivateIP }}:99\" }\nclient { servers = [\"{{ GetPrivateIP }}\"] }")
        .expect("valid");
    assert_eq!(config.net.serf.to_string(), "10.1.2.3:4648");
    assert_eq!(config.net.advertise_rpc, "10.1.2.3:99");
    assert_eq!(config.settings.client.servers, ["10.1.2.3"]);
}

#[test]
fn option_lists_have_old_names() {
    let config = dev("client { options { driver.whitelist = \"docker, exec\" \"fingerprint.denylist\" = \"env_aws\" } }").expect("valid");
    assert!(config.allows("driver", "exec") && !config.allows("driver", "java"));
    assert!(config.allows("fingerprint", "cpu") && !config.allows("fingerprint", "env_aws"));
}

#[test]
fn secrets_do_not_show() {
    let flags = parse_flags(&[
        "-dev".to_owned(),
        "-consul-token=hush".to_owned(),
        "-acl-replication-token=hush".to_owned(),
    ])
    .expect("valid");
    let config = load(&flags, &machine()).expect("valid");
    let shown = config.self_view();
    assert!(!shown.to_string().contains("hush"));
    assert_eq!(shown["ACL"]["ReplicationToken"], "<redacted>");
    assert_eq!(shown["Client"]["NetworkInterface"], "lo");
    assert_eq!(config.files, Vec::<PathBuf>::new());
}

/// The manual names every key: a key that is added here and not there fails.
#[test]
fn every_key_is_in_the_manual() {
    fn collect(entries: &[syntax::Entry], keys: &mut Vec<String>) {
        const FREE: [&str; 6] = [
            "meta",
            "options",
            "chroot_env",
            "config",
            "http_api_response_headers",
            "extra_claims",
        ];
        for entry in entries {
            keys.push(entry.key.clone());
            if let syntax::Value::Object(inner) = &entry.node.value
                && !FREE.contains(&entry.key.as_str())
            {
                collect(inner, keys);
            }
        }
    }
    let manual = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/agent-configuration.md"
    ))
    .expect("the manual");
    let mut keys = Vec::new();
    collect(&syntax::parse_hcl(FULL).expect("valid"), &mut keys);
    keys.retain(|key| !manual.contains(&format!("`{key}`")));
    assert_eq!(keys, Vec::<String>::new());
}
