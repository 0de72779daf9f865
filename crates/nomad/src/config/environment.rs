//! What the agent takes from environment variables. They stand between the defaults and the files,
//! except the intro token, which wins over its flag.

use std::collections::BTreeMap;

use super::setting::{Context, Origin, Problem, apply_entries};
use super::settings::Settings;
use super::syntax::Value;

/// Variable, key. The first of several variables for one key that is set wins.
const VARIABLES: &[(&str, &str)] = &[
    ("CONSUL_HTTP_ADDR", "consul.address"),
    ("CONSUL_HTTP_TOKEN", "consul.token"),
    ("CONSUL_HTTP_AUTH", "consul.auth"),
    ("CONSUL_HTTP_SSL", "consul.ssl"),
    ("CONSUL_HTTP_SSL_VERIFY", "consul.verify_ssl"),
    ("CONSUL_CACERT", "consul.ca_file"),
    ("CONSUL_CLIENT_CERT", "consul.cert_file"),
    ("CONSUL_CLIENT_KEY", "consul.key_file"),
    ("CONSUL_NAMESPACE", "consul.namespace"),
    ("CONSUL_GRPC_ADDR", "consul.grpc_address"),
    ("CONSUL_GRPC_CACERT", "consul.grpc_ca_file"),
    ("VAULT_ADDR", "vault.address"),
    ("VAULT_NAMESPACE", "vault.namespace"),
    ("VAULT_CACERT", "vault.ca_file"),
    ("VAULT_CAPATH", "vault.ca_path"),
    ("VAULT_CLIENT_CERT", "vault.cert_file"),
    ("VAULT_CLIENT_KEY", "vault.key_file"),
    ("VAULT_TLS_SERVER_NAME", "vault.tls_server_name"),
    ("VAULT_SKIP_VERIFY", "vault.tls_skip_verify"),
    ("NOMAD_LICENSE_PATH", "server.license_path"),
    ("NOMAD_LICENSE", "server.license_env"),
];

/// Applied before the files.
pub(super) fn apply_environment(
    settings: &mut Settings,
    variables: &BTreeMap<String, String>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, key) in VARIABLES {
        problems.append(&mut apply_variable(settings, variables, name, key));
    }
    problems
}

/// Applied after files and flags.
pub(super) fn apply_overrides(
    settings: &mut Settings,
    variables: &BTreeMap<String, String>,
) -> Vec<Problem> {
    for (name, consul) in &mut settings.consul.0 {
        if let Some(token) = variables.get(&format!("CONSUL_HTTP_TOKEN_{name}")) {
            consul.token.clone_from(token);
        }
    }
    apply_variable(
        settings,
        variables,
        "NOMAD_CLIENT_INTRO_TOKEN",
        "client.intro_token",
    )
}

fn apply_variable(
    settings: &mut Settings,
    variables: &BTreeMap<String, String>,
    name: &str,
    key: &str,
) -> Vec<Problem> {
    let Some(value) = variables.get(name).filter(|value| !value.is_empty()) else {
        return Vec::new();
    };
    let mut cx = Context::new(Origin::Environment(name.to_owned()));
    apply_entries(
        settings,
        &[super::flags::entry(key, Value::Text(value.clone()))],
        &mut cx,
    );
    cx.problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_set_their_keys_and_wrong_ones_are_named() {
        let mut settings = Settings::default();
        let variables = BTreeMap::from(
            [
                ("CONSUL_HTTP_ADDR", "c:1"),
                ("CONSUL_HTTP_SSL", "perhaps"),
                ("VAULT_NAMESPACE", ""),
                ("CONSUL_HTTP_TOKEN_default", "t"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let problems = apply_environment(&mut settings, &variables);
        assert_eq!(problems.len(), 1);
        assert_eq!(
            problems[0].to_string(),
            "CONSUL_HTTP_SSL: consul.ssl: expected true or false, found the text \"perhaps\""
        );
        assert!(apply_overrides(&mut settings, &variables).is_empty());
        assert_eq!(settings.consul.0["default"].address, "c:1");
        assert_eq!(settings.consul.0["default"].token, "t");
    }
}
