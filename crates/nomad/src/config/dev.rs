//! The settings that `-dev` starts from. Files and flags still go over them.

use std::time::Duration;

use super::flags::DevMode;
use super::machine::Machine;
use super::settings::{Identity, Settings};

/// Server and client in one, in memory, on the loopback interface.
pub(super) fn dev_settings(mode: DevMode, machine: &Machine) -> Settings {
    let mut settings = Settings {
        bind_addr: "127.0.0.1".into(),
        log_level: "DEBUG".into(),
        enable_debug: true,
        disable_update_check: true,
        disable_anonymous_signature: true,
        ..Settings::default()
    };
    settings.server.enabled = true;
    settings.server.bootstrap_expect = 1;

    let client = &mut settings.client;
    client.enabled = true;
    client.network_interface = "lo".into();
    for (key, value) in [
        ("driver.raw_exec.enable", "true"),
        ("driver.docker.volumes", "true"),
        ("test.tighten_network_timeouts", "true"),
    ] {
        client.options.insert(key.into(), value.into());
    }
    client.gc_interval = Duration::from_secs(600);
    client.gc_disk_usage_threshold = 99.0;
    client.gc_inode_usage_threshold = 99.0;
    client.gc_max_allocs = 50;

    settings.telemetry.prometheus_metrics = true;
    settings.telemetry.publish_allocation_metrics = true;
    settings.telemetry.publish_node_metrics = true;
    settings.telemetry.include_alloc_metadata_in_metrics = true;

    if mode.connect {
        settings.bind_addr = "0.0.0.0".into();
        settings.client.network_interface = machine.default_interface.clone().unwrap_or_default();
    }
    if mode.consul
        && let Some(consul) = settings.consul.0.get_mut("default")
    {
        consul.service_identity = Some(identity("consul.io"));
        consul.task_identity = Some(identity("consul.io"));
    }
    if mode.vault
        && let Some(vault) = settings.vault.0.get_mut("default")
    {
        vault.enabled = Some(true);
        vault.default_identity = Some(identity("vault.io"));
    }
    settings
}

fn identity(audience: &str) -> Identity {
    Identity {
        aud: vec![audience.into()],
        ttl: Duration::from_secs(3600),
        ..Identity::default()
    }
}
