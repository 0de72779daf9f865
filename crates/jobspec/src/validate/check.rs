//! Checks of services.

use super::Faults;
use caravan_model::{CheckRestart, Duration, Service, ServiceCheck, address_mode, on_update};

const LEAST: Duration = Duration::from_secs(1);

/// Every check of a service; of each the first thing that is wrong.
pub(super) fn checks(service: &Service, faults: &mut Faults) {
    for check in &service.checks {
        let name = check.name.as_str();
        if check.needs_port() && service.port_label.is_empty() && check.port_label.is_empty() {
            faults.add(format!(
                "Check {name} invalid: check requires a port but neither check nor service {:?} have a port",
                service.name
            ));
            continue;
        }
        match service.is_nomad() {
            true => {
                if let Some(why) = common(check, &["tcp", "http"]).or_else(|| nomad(check)) {
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
    let kinds = ["grpc", "http", "script", "tcp"];
    if let Some(why) = common(check, &kinds).or_else(|| consul_only(check)) {
        faults.add(format!("{before}{why}"));
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

/// What holds for both catalogues: the first thing that is wrong.
fn common(check: &ServiceCheck, kinds: &[&str]) -> Option<String> {
    kind(check, kinds)
        .or_else(|| times(check))
        .or_else(|| modes(check))
        .or_else(|| {
            let faults = check_restart(check.check_restart.as_ref()?);
            (!faults.is_empty()).then(|| faults.to_string())
        })
}

fn kind(check: &ServiceCheck, kinds: &[&str]) -> Option<String> {
    let kind = check.r#type.as_str();
    if !kinds.contains(&kind) {
        let kinds = kinds.join(", ");
        return Some(format!(
            "invalid check type ({kind:?}), must be one of {kinds}"
        ));
    }
    let why = match kind {
        "http" => path_problem(&check.path)?,
        "script" if check.command.is_empty() => "script type must have a valid script path",
        _ => return None,
    };
    Some(why.to_owned())
}

/// Why a text is no path of a request below an address that the check knows.
fn path_problem(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("http type must have http path");
    }
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let before_slash = path.split(['/', '?', '#']).next().unwrap_or_default();
    let scheme = before_slash.split_once(':').map(|(scheme, _)| scheme);
    match scheme {
        Some(name)
            if name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.chars().all(is_scheme) =>
        {
            return Some("http type must have relative http path");
        }
        Some(_) => return Some("http type must have valid http path"),
        None => {}
    }
    // What is asked for behind the path is handed on as it is.
    let (target, fragment) = path.split_once('#').unwrap_or((path, ""));
    let (target, _query) = target.split_once('?').unwrap_or((target, ""));
    let parts = [target, fragment].into_iter();
    let mut escapes = parts
        .flat_map(|part| part.split('%').skip(1))
        .map(|part| part.as_bytes().get(..2));
    let is_escape =
        |two: Option<&[u8]>| two.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    let fits = !path.contains(|c: char| c.is_ascii_control()) && escapes.all(is_escape);
    (!fits).then_some("http type must have valid http path")
}

fn times(check: &ServiceCheck) -> Option<String> {
    let (interval, timeout) = (check.interval, check.timeout);
    if interval.0 == 0 {
        return Some(format!(
            "missing required value interval. Interval cannot be less than {LEAST}"
        ));
    }
    if interval < LEAST {
        return Some(format!(
            "interval ({interval}) cannot be lower than {LEAST}"
        ));
    }
    if timeout.0 == 0 {
        return Some(format!(
            "missing required value timeout. Timeout cannot be less than {LEAST}"
        ));
    }
    (timeout < LEAST)
        .then(|| format!("timeout ({timeout}) is lower than required minimum timeout {LEAST}"))
}

fn modes(check: &ServiceCheck) -> Option<String> {
    if !["", "passing", "warning", "critical"].contains(&check.initial_status.as_str()) {
        return Some(format!(
            "invalid initial check state ({}), must be one of \"passing\", \"warning\", \"critical\" or empty",
            check.initial_status
        ));
    }
    match check.address_mode.as_str() {
        ""
        | address_mode::HOST
        | address_mode::DRIVER
        | address_mode::ALLOC
        | address_mode::ALLOC_IPV6 => {}
        address_mode::AUTO => {
            return Some("invalid address_mode \"auto\" - auto only valid for services".to_owned());
        }
        other => return Some(format!("invalid address_mode {other:?}")),
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

fn nomad(check: &ServiceCheck) -> Option<String> {
    let unsupported =
        |what: &str| Some(format!("{what} may only be set for Consul service checks"));
    let methods = [
        "", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT",
    ];
    let restarts = check.check_restart.as_ref();
    match check {
        it if it.expose => unsupported("expose"),
        it if it.on_update == on_update::IGNORE_WARNINGS => Some(
            "on_update may only be set to ignore_warnings for Consul service checks".to_owned(),
        ),
        _ if restarts.is_some_and(|it| it.ignore_warnings) => Some(
            "ignore_warnings on check_restart only supported for Consul service checks".to_owned(),
        ),
        it if it.address_mode == address_mode::DRIVER => unsupported("address_mode = driver"),
        it if it.r#type == "http" && !methods.contains(&it.method.as_str()) => Some(format!(
            "method type {:?} not supported in Nomad http check",
            it.method
        )),
        it if it.success_before_passing != 0 => unsupported("success_before_passing"),
        it if it.failures_before_critical != 0 => unsupported("failures_before_critical"),
        it if !it.tls_server_name.is_empty() => unsupported("tls_server_name"),
        _ => None,
    }
}

fn consul_only(check: &ServiceCheck) -> Option<String> {
    let kind = check.r#type.as_str();
    if check.expose && !["http", "grpc"].contains(&kind) {
        return Some("expose may only be set on HTTP or gRPC checks".to_owned());
    }
    let counts = [
        (check.success_before_passing, "success_before_passing"),
        (check.failures_before_critical, "failures_before_critical"),
        (check.failures_before_warning, "failures_before_warning"),
    ];
    for (count, what) in counts {
        if count < 0 {
            return Some(format!("{what} must be non-negative"));
        }
        if count > 0 && !check.needs_port() {
            return Some(format!("{what} not supported for check of type {kind:?}"));
        }
    }
    (check.notes.len() > 255).then(|| {
        format!(
            "notes must not be longer than 255 characters, got {}",
            check.notes.len()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::path_problem;

    #[test]
    fn paths_of_requests() {
        for good in [
            "/",
            "/a?b=c:d",
            "health",
            "//x/y",
            "/a%20b",
            "/é",
            "/a?b=100%",
            "/a?b=%zz#c",
        ] {
            assert_eq!(path_problem(good), None, "{good}");
        }
        for (bad, why) in [
            ("", "http type must have http path"),
            ("http://x/y", "http type must have relative http path"),
            ("mailto:x", "http type must have relative http path"),
            (":x", "http type must have valid http path"),
            ("1:x", "http type must have valid http path"),
            ("/a%zz", "http type must have valid http path"),
            ("/a%2", "http type must have valid http path"),
            ("/a%2?b", "http type must have valid http path"),
            ("/a#%2", "http type must have valid http path"),
            ("/a\nb", "http type must have valid http path"),
        ] {
            assert_eq!(path_problem(bad), Some(why), "{bad}");
        }
    }
}
