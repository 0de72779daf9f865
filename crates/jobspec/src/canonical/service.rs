//! Defaults of services, checks and the mesh.

use super::task::{canonicalize_logs, canonicalize_mount, canonicalize_resources};
use caravan_model::Duration;
use caravan_model::api::{
    ApiCheckRestart, ApiConnect, ApiConnectProxy, ApiGateway, ApiHeaderModifiers,
    ApiIngressService, ApiService, ApiServiceCheck, ApiSidecarService, ApiSidecarTask,
};

pub(super) fn canonicalize(service: &mut ApiService, default_name: &str) {
    // exhaustive
    let ApiService {
        address: _,
        address_mode,
        canary_meta,
        canary_tags: _,
        check_restart,
        checks,
        cluster,
        connect,
        enable_tag_override: _,
        identity: _,
        kind: _,
        meta,
        name,
        on_update,
        port_label: _,
        provider,
        tagged_addresses,
        tags: _,
        task_name: _,
        weights,
    } = service;
    default_to(name, default_name);
    default_to(address_mode, "auto");
    default_to(on_update, "require_healthy");
    default_to(provider, "consul");
    default_to(cluster, "default");
    for map in [meta, canary_meta, tagged_addresses] {
        forget_empty(map);
    }
    if let Some(weights) = weights {
        for weight in [&mut weights.passing, &mut weights.warning] {
            *weight = if *weight > 0 { *weight } else { 1 };
        }
    }
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

/// A map or list with nothing in it is as good as none.
fn forget_empty<T>(items: &mut Option<T>)
where
    for<'a> &'a T: IntoIterator,
{
    items.take_if(|items| items.into_iter().next().is_none());
}

fn canonicalize_check(
    check: &mut ApiServiceCheck,
    on_update: &str,
    restart: Option<&ApiCheckRestart>,
) {
    default_to(&mut check.on_update, on_update);
    for count in [
        &mut check.success_before_passing,
        &mut check.failures_before_critical,
        &mut check.failures_before_warning,
    ] {
        *count = (*count).max(0);
    }
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
        sidecar_service,
        sidecar_task,
    } = connect;
    if let Some(sidecar) = sidecar_service {
        canonicalize_sidecar_service(sidecar);
    }
    if let Some(task) = sidecar_task {
        canonicalize_sidecar_task(task);
    }
    if let Some(gateway) = gateway {
        canonicalize_gateway(gateway);
    }
}

fn canonicalize_sidecar_service(sidecar: &mut ApiSidecarService) {
    forget_empty(&mut sidecar.tags);
    forget_empty(&mut sidecar.meta);
    if let Some(proxy) = &mut sidecar.proxy {
        canonicalize_proxy(proxy);
    }
}

fn canonicalize_proxy(proxy: &mut ApiConnectProxy) {
    forget_empty(&mut proxy.config);
    forget_empty(&mut proxy.upstreams);
    for upstream in proxy.upstreams.iter_mut().flatten() {
        forget_empty(&mut upstream.config);
    }
    for expose in [&mut proxy.expose, &mut proxy.expose_config]
        .into_iter()
        .flatten()
    {
        forget_empty(&mut expose.path);
        forget_empty(&mut expose.paths);
    }
    if let Some(transparent) = &mut proxy.transparent_proxy {
        forget_empty(&mut transparent.exclude_inbound_ports);
        forget_empty(&mut transparent.exclude_outbound_ports);
        forget_empty(&mut transparent.exclude_outbound_cidrs);
        forget_empty(&mut transparent.exclude_uids);
    }
}

/// A block that changes the proxy's task is one with all defaults of a task,
/// resources and logs too.
fn canonicalize_sidecar_task(task: &mut ApiSidecarTask) {
    forget_empty(&mut task.config);
    forget_empty(&mut task.env);
    forget_empty(&mut task.meta);
    canonicalize_resources(task.resources.get_or_insert_default());
    canonicalize_logs(task.log_config.get_or_insert_default());
    task.kill_timeout.get_or_insert(Duration::from_secs(5));
    task.shutdown_delay.get_or_insert(Duration::ZERO);
    task.volume_mounts
        .iter_mut()
        .flatten()
        .for_each(canonicalize_mount);
}

fn canonicalize_gateway(gateway: &mut ApiGateway) {
    // exhaustive
    let ApiGateway {
        ingress,
        mesh: _,
        proxy,
        terminating,
    } = gateway;
    if let Some(proxy) = proxy {
        proxy.connect_timeout.get_or_insert(Duration::from_secs(5));
        forget_empty(&mut proxy.config);
        forget_empty(&mut proxy.envoy_gateway_bind_addresses);
    }
    if let Some(terminating) = terminating {
        forget_empty(&mut terminating.services);
    }
    let Some(ingress) = ingress else { return };
    forget_empty(&mut ingress.listeners);
    for listener in ingress.listeners.iter_mut().flatten() {
        default_to(&mut listener.protocol, "tcp");
        forget_empty(&mut listener.services);
        listener
            .services
            .iter_mut()
            .flatten()
            .for_each(canonicalize_ingress_service);
    }
}

fn canonicalize_ingress_service(service: &mut ApiIngressService) {
    forget_empty(&mut service.hosts);
    for modifiers in [&mut service.request_headers, &mut service.response_headers]
        .into_iter()
        .flatten()
    {
        // exhaustive
        let ApiHeaderModifiers { add, remove, set } = modifiers;
        forget_empty(add);
        forget_empty(set);
        forget_empty(remove);
    }
}

#[cfg(test)]
mod tests {
    use super::canonicalize;
    use caravan_model::api::ApiService;
    use serde_json::{Value, json};

    fn canonical(service: Value) -> Value {
        let mut service: ApiService = serde_json::from_value(service).unwrap();
        canonicalize(&mut service, "default");
        serde_json::to_value(&service).unwrap()
    }

    #[test]
    fn weights_are_at_least_one() {
        let service = canonical(json!({"Weights": {"Passing": 5}}));
        assert_eq!(service["Weights"], json!({"Passing": 5, "Warning": 1}));
        assert_eq!(canonical(json!({}))["Weights"], Value::Null);
    }

    #[test]
    fn nothing_in_a_map_or_list_is_none() {
        let service = canonical(json!({
            "Meta": {}, "CanaryMeta": {}, "TaggedAddresses": {}, "Tags": [],
            "Connect": {
                "SidecarService": {"Tags": [], "Meta": {}, "Proxy": {
                    "Config": {}, "Upstreams": [], "Expose": {"Paths": []},
                    "TransparentProxy": {"ExcludeUIDs": [], "ExcludeInboundPorts": []},
                }},
                "Gateway": {
                    "Proxy": {"Config": {}, "EnvoyGatewayBindAddresses": {}},
                    "Ingress": {"Listeners": [{"Services": [
                        {"Hosts": [], "RequestHeaders": {"Add": {}, "Remove": []}},
                    ]}]},
                },
            },
        }));
        for at in [
            "/Meta",
            "/CanaryMeta",
            "/TaggedAddresses",
            "/Connect/SidecarService/Tags",
            "/Connect/SidecarService/Meta",
            "/Connect/SidecarService/Proxy/Config",
            "/Connect/SidecarService/Proxy/Upstreams",
            "/Connect/SidecarService/Proxy/Expose/Paths",
            "/Connect/SidecarService/Proxy/TransparentProxy/ExcludeUIDs",
            "/Connect/SidecarService/Proxy/TransparentProxy/ExcludeInboundPorts",
            "/Connect/Gateway/Proxy/Config",
            "/Connect/Gateway/Proxy/EnvoyGatewayBindAddresses",
            "/Connect/Gateway/Ingress/Listeners/0/Services/0/Hosts",
            "/Connect/Gateway/Ingress/Listeners/0/Services/0/RequestHeaders/Add",
            "/Connect/Gateway/Ingress/Listeners/0/Services/0/RequestHeaders/Remove",
        ] {
            assert_eq!(service.pointer(at), Some(&Value::Null), "{at}");
        }
        assert_eq!(service["Tags"], json!([]));
    }

    #[test]
    fn a_task_for_the_proxy_has_what_every_task_has() {
        let service = canonical(json!({"Connect": {"SidecarTask": {"Env": {}, "Meta": {}}}}));
        let task = &service["Connect"]["SidecarTask"];
        assert_eq!(task["Env"], Value::Null);
        assert_eq!(task["KillTimeout"], 5_000_000_000_u64);
        assert_eq!(task["ShutdownDelay"], 0);
        let resources = &task["Resources"];
        let given = [
            &resources["CPU"],
            &resources["Cores"],
            &resources["MemoryMB"],
        ];
        assert_eq!(given, [&json!(100), &json!(0), &json!(300)]);
        assert_eq!(task["LogConfig"]["MaxFiles"], 10);
        let none = canonical(json!({"Connect": {"Native": true}}));
        assert_eq!(none["Connect"]["SidecarTask"], Value::Null);
    }

    #[test]
    fn a_check_is_not_passed_in_less_than_no_time() {
        let service = canonical(json!({"Checks": [
            {"SuccessBeforePassing": -1, "FailuresBeforeCritical": -3, "FailuresBeforeWarning": 2},
        ]}));
        let check = &service["Checks"][0];
        assert_eq!(check["SuccessBeforePassing"], 0);
        assert_eq!(check["FailuresBeforeCritical"], 0);
        assert_eq!(check["FailuresBeforeWarning"], 2);
    }
}
