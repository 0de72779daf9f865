//! `setup consul`, `setup vault`: what to write there so that tasks sign in with their identities. Nothing is written.

use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::Outcome;
use crate::flags::{Flag, switch, text, text_or};

const JWKS_URL: Flag = text_or(
    "jwks-url",
    "http://localhost:4646/.well-known/jwks.json",
    "url",
    "Where the keys that sign identities are read from.",
);
const JWKS_CA: Flag = text(
    "jwks-ca-file",
    "path",
    "The certificate of the authority that signed the one of -jwks-url.",
);
const DESTROY: Flag = switch("destroy", "Not done here: what was written stays.");
const YES: Flag = switch("y", "Not needed here: nothing is asked.");

pub(super) const CONSUL: Command = Command {
    name: "setup consul",
    synopsis: "Setup a Consul cluster for Nomad integration",
    about: "Says what to write to Consul so that tasks and services get tokens for their identities. It is yours to write: this command changes nothing, and fails for that reason.",
    flags: &[JWKS_URL, JWKS_CA, DESTROY, YES],
    client: false,
    run: |context| refuse(context, "Consul", CONSUL_STEPS),
    ..COMMAND
};

pub(super) const VAULT: Command = Command {
    name: "setup vault",
    synopsis: "Setup a Vault cluster for Nomad integration",
    about: "Says what to write to Vault so that tasks get tokens for their identities. It is yours to write: this command changes nothing, and fails for that reason.",
    flags: &[
        JWKS_URL,
        JWKS_CA,
        DESTROY,
        YES,
        text_or(
            "kv-path",
            "secret",
            "path",
            "Where the secrets are that tasks may read.",
        ),
        switch(
            "check",
            "Not done here: there are no tokens of an older kind.",
        ),
        switch("json", "As JSON."),
        text("t", "template", "Through a Go template."),
        switch("verbose", "More detail."),
    ],
    client: false,
    run: |context| refuse(context, "Vault", VAULT_STEPS),
    ..COMMAND
};

const CONSUL_STEPS: &str = r#"  consul acl auth-method create -name nomad-workloads -type jwt -config @method.json
    method.json: {"JWKSURL": "<jwks>", "JWTSupportedAlgs": ["RS256"], "BoundAudiences": ["consul.io"],
      "ClaimMappings": {"nomad_namespace": "nomad_namespace", "nomad_job_id": "nomad_job_id",
        "nomad_task": "nomad_task", "nomad_service": "nomad_service"}}
  consul acl binding-rule create -method nomad-workloads -bind-type service \
    -bind-name '${value.nomad_service}' -selector '"nomad_service" in value'
  consul acl role create -name nomad-tasks-default -policy-name <policy of your tasks>
  consul acl binding-rule create -method nomad-workloads -bind-type role \
    -bind-name 'nomad-tasks-${value.nomad_namespace}' -selector '"nomad_service" not in value'"#;

const VAULT_STEPS: &str = r#"  vault auth enable -path jwt-nomad jwt
  vault write auth/jwt-nomad/config jwks_url=<jwks> jwt_supported_algs=RS256 default_role=nomad-workloads
  vault write auth/jwt-nomad/role/nomad-workloads @role.json
    role.json: {"role_type": "jwt", "bound_audiences": ["vault.io"], "user_claim": "/nomad_job_id",
      "user_claim_json_pointer": true, "claim_mappings": {"nomad_namespace": "nomad_namespace",
        "nomad_job_id": "nomad_job_id", "nomad_task": "nomad_task"}, "token_type": "service",
      "token_policies": ["nomad-workloads"], "token_period": "30m", "token_explicit_max_ttl": 0}
  vault policy write nomad-workloads <policy of your tasks, which may read <kv>/data/...>"#;

fn refuse(context: &mut Context, service: &str, steps: &str) -> Outcome {
    context.no_args()?;
    Err(told(context, service, steps).into())
}

fn told(context: &Context, service: &str, steps: &str) -> String {
    let steps = steps
        .replace("<jwks>", context.given.text("jwks-url"))
        .replace("<kv>", context.given.text("kv-path"));
    format!(
        "Nothing was written to {service}: this command does not set it up. These commands do, once the policies in\nthem are what you want:\n\n{steps}"
    )
}
