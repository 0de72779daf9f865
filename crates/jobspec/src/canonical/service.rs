//! Defaults of services, checks and the mesh.

use super::task::{canonicalize_logs, canonicalize_mount, canonicalize_resources};
use caravan_model::Duration;
use caravan_model::api::{
    ApiCheckRestart, ApiConnect, ApiGateway, ApiService, ApiServiceCheck, ApiSidecarTask,
};

pub(super) fn canonicalize(service: &mut ApiService, default_name: &str) {
    // exhaustive
    let ApiService {
        address: _,
        address_mode,
        canary_meta: _,
        canary_tags: _,
        check_restart,
        checks,
        cluster,
        connect,
        enable_tag_override: _,
        identity: _,
        kind: _,
        meta: _,
        name,
        on_update,
        port_label: _,
        provider,
        tagged_addresses: _,
        tags: _,
        task_name: _,
        weights: _,
    } = service;
    default_to(name, default_name);
    default_to(address_mode, "auto");
    default_to(on_update, "require_healthy");
    default_to(provider, "consul");
    default_to(cluster, "default");
    for check in checks.iter_mut().flatten() {
        canonicalize_check(check, on_update, check_restart.as_ref());
    }
    if let Some(connect) = connect {
        canonicalize_connect(connect);
    }
}

fn default_to(text: &mut String, default: &str) {
    if text.is_empty() {
        default.clone_into(text);
    }
}

fn canonicalize_check(
    check: &mut ApiServiceCheck,
    on_update: &str,
    restart: Option<&ApiCheckRestart>,
) {
    default_to(&mut check.on_update, on_update);
    if let Some(from) = restart {
        // exhaustive
        let ApiCheckRestart {
            grace,
            ignore_warnings,
            limit,
        } = check.check_restart.get_or_insert_default();
        if *limit == 0 {
            *limit = from.limit;
        }
        if grace.is_none() {
            *grace = from.grace;
        }
        *ignore_warnings |= from.ignore_warnings;
    }
    if let Some(restart) = &mut check.check_restart {
        restart.grace.get_or_insert(Duration::from_secs(1));
    }
}

fn canonicalize_connect(connect: &mut ApiConnect) {
    // exhaustive
    let ApiConnect {
        gateway,
        native: _,
        sidecar_service: _,
        sidecar_task,
    } = connect;
    if let Some(task) = sidecar_task {
        canonicalize_sidecar_task(task);
    }
    if let Some(gateway) = gateway {
        canonicalize_gateway(gateway);
    }
}

fn canonicalize_sidecar_task(task: &mut ApiSidecarTask) {
    if let Some(resources) = &mut task.resources {
        canonicalize_resources(resources);
    }
    if let Some(logs) = &mut task.log_config {
        canonicalize_logs(logs);
    }
    task.kill_timeout.get_or_insert(Duration::from_secs(5));
    task.shutdown_delay.get_or_insert(Duration::ZERO);
    task.volume_mounts
        .iter_mut()
        .flatten()
        .for_each(canonicalize_mount);
}

fn canonicalize_gateway(gateway: &mut ApiGateway) {
    if let Some(proxy) = &mut gateway.proxy {
        proxy.connect_timeout.get_or_insert(Duration::from_secs(5));
    }
    let listeners = gateway
        .ingress
        .iter_mut()
        .filter_map(|it| it.listeners.as_mut());
    for listener in listeners.flatten() {
        default_to(&mut listener.protocol, "tcp");
    }
}
