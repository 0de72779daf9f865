//! Checks of services.

use super::Faults;
use caravan_model::{CheckRestart, Duration, Service, ServiceCheck, address_mode, on_update};

const LEAST: Duration = Duration::from_secs(1);

/// Every check of a service; of each the first thing that is wrong.
pub(super) fn checks(service: &Service, faults: &mut Faults) {
    let mut seen = std::collections::BTreeSet::new();
    for check in &service.checks {
        let name = check.name.as_str();
        if check.needs_port() && service.port_label.is_empty() && check.port_label.is_empty() {
            faults.add(format!(
                "Check {name} invalid: check requires a port but neither check nor service {:?} have a port",
                service.name
            ));
            continue;
        }
        if !seen.insert(name) {
            faults.add(format!("check {name:?} is duplicate"));
            continue;
        }
        match service.is_nomad() {
            true => {
                if let Some(why) = common(check).or_else(|| nomad(check)) {
                    faults.add(why);
                }
            }
            false => consul(service, check, faults),
        }
    }
}

/// The label of the port that a check of a task's service looks at; none for a number that the driver knows.
pub(super) fn port_of<'a>(
    service: &'a Service,
    check: &'a ServiceCheck,
) -> Result<Option<&'a str>, String> {
    let port = match check.port_label.as_str() {
        "" => service.port_label.as_str(),
        own => own,
    };
    if port.is_empty() {
        return Err(format!("check {:?} is missing a port", check.name));
    }
    let Ok(number) = port.parse::<i64>() else {
        return Ok(Some(port));
    };
    match check.address_mode == address_mode::DRIVER {
        true if number > 0 => Ok(None),
        true => Err(format!(
            "check {:?} has invalid numeric port {number}",
            check.name
        )),
        false => Err(format!(
            "check {:?} cannot use a numeric port {number} without setting address_mode=\"driver\"",
            check.name
        )),
    }
}

fn consul(service: &Service, check: &ServiceCheck, faults: &mut Faults) {
    let before = format!("Check {} invalid: ", check.name);
    let in_mesh = service
        .connect
        .as_ref()
        .is_some_and(|it| it.sidecar_service.is_some());
    if check.r#type == "tcp" && in_mesh {
        faults.add(format!(
            "{before}tcp checks are not valid for Connect enabled services"
        ));
        return;
    }
    if let Some(why) = common(check).or_else(|| consul_only(check)) {
        faults.add(format!("{before}{why}"));
        return;
    }
    if let Some(restart) = &check.check_restart {
        faults.nest(&before, check_restart(restart));
    }
}

fn check_restart(restart: &CheckRestart) -> Faults {
    let mut faults = Faults::default();
    faults.add_if(
        restart.limit < 0,
        format!(
            "limit must be greater than or equal to 0 but found {}",
            restart.limit
        ),
    );
    faults.add_if(
        restart.grace.0 < 0,
        format!(
            "grace period must be greater than or equal to 0 but found {}",
            restart.grace.0
        ),
    );
    faults
}

/// What holds for both catalogues.
fn common(check: &ServiceCheck) -> Option<String> {
    let kind = check.r#type.as_str();
    if ["http", "tcp", "grpc", "script"].contains(&kind) {
        let times = [
            ("interval", "Interval", check.interval),
            ("timeout", "Timeout", check.timeout),
        ];
        for (what, at_start, value) in times {
            if value.0 == 0 {
                return Some(format!(
                    "missing required value {what}. {at_start} cannot be less than {LEAST}"
                ));
            }
            if value < LEAST {
                return Some(format!("{what} ({value}) cannot be lower than {LEAST}"));
            }
        }
    }
    if !["", "passing", "warning", "critical"].contains(&check.initial_status.as_str()) {
        return Some(format!(
            "invalid initial check state ({}), must be one of \"passing\", \"warning\", \"critical\" or empty",
            check.initial_status
        ));
    }
    if !["", "host", "driver", "alloc", "alloc_ipv6", "auto"].contains(&check.address_mode.as_str())
    {
        return Some(format!("invalid address_mode {:?}", check.address_mode));
    }
    let restarts = check.check_restart.as_ref();
    match check.on_update.as_str() {
        "" | on_update::REQUIRE_HEALTHY => None,
        on_update::IGNORE if restarts.is_some() => Some(
            "on_update value \"ignore\" is not compatible with check_restart".to_owned(),
        ),
        on_update::IGNORE_WARNINGS if restarts.is_some_and(|it| !it.ignore_warnings) => Some(
            "on_update value \"ignore_warnings\" not supported with check_restart ignore_warnings value \"false\""
                .to_owned(),
        ),
        on_update::IGNORE | on_update::IGNORE_WARNINGS => None,
        other => Some(format!(
            "on_update must be \"require_healthy\", \"ignore_warnings\", or \"ignore\"; not {other:?}"
        )),
    }
}

fn http_path(check: &ServiceCheck) -> Option<String> {
    if check.path.is_empty() {
        return Some("http type must have http path".to_owned());
    }
    match check.path.contains("://") || check.path.starts_with("//") {
        true => Some("http type must have relative http path".to_owned()),
        false => None,
    }
}

fn nomad(check: &ServiceCheck) -> Option<String> {
    let unsupported =
        |what: &str| Some(format!("{what} may only be set for Consul service checks"));
    match check.r#type.as_str() {
        "tcp" => {}
        "http" => {
            let methods = [
                "", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT",
            ];
            if let Some(why) = http_path(check) {
                return Some(why);
            }
            if !methods.contains(&check.method.as_str()) {
                return Some(format!(
                    "method type {:?} not supported in Nomad http check",
                    check.method
                ));
            }
        }
        other => {
            return Some(format!(
                "invalid check type ({other:?}), must be one of tcp, http"
            ));
        }
    }
    if check.address_mode == "driver" {
        return unsupported("address_mode = driver");
    }
    if check.expose {
        return unsupported("expose");
    }
    if check.on_update == on_update::IGNORE_WARNINGS {
        return Some(
            "on_update may only be set to ignore_warnings for Consul service checks".to_owned(),
        );
    }
    if check.success_before_passing != 0 {
        return unsupported("success_before_passing");
    }
    if check.failures_before_critical != 0 {
        return unsupported("failures_before_critical");
    }
    if !check.tls_server_name.is_empty() {
        return unsupported("tls_server_name");
    }
    match &check.check_restart {
        Some(restart) if restart.ignore_warnings => Some(
            "ignore_warnings on check_restart only supported for Consul service checks".to_owned(),
        ),
        Some(restart) => {
            let faults = check_restart(restart);
            (!faults.is_empty()).then(|| faults.to_string())
        }
        None => None,
    }
}

fn consul_only(check: &ServiceCheck) -> Option<String> {
    match check.r#type.as_str() {
        "tcp" | "grpc" => {}
        "http" => {
            if let Some(why) = http_path(check) {
                return Some(why);
            }
        }
        "script" => {
            if check.command.is_empty() {
                return Some("script type must have a valid script path".to_owned());
            }
        }
        other => {
            return Some(format!(
                "invalid check type ({other:?}), must be one of grpc, http, script, tcp"
            ));
        }
    }
    if check.address_mode == "auto" {
        return Some("invalid address_mode \"auto\"".to_owned());
    }
    if check.expose && !["http", "grpc"].contains(&check.r#type.as_str()) {
        return Some("expose may only be set on HTTP or gRPC checks".to_owned());
    }
    let positive_only = [
        (check.success_before_passing, "success_before_passing"),
        (check.failures_before_critical, "failures_before_critical"),
    ];
    if check.needs_port() {
        for (value, what) in positive_only {
            if value < 0 {
                return Some(format!("{what} must be non-negative"));
            }
        }
    }
    (check.notes.len() > 255).then(|| {
        format!(
            "notes must not be longer than 255 characters, got {}",
            check.notes.len()
        )
    })
}
