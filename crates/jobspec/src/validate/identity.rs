//! Identities and secrets of tasks.

use super::Faults;
use caravan_model::{Identity, Secret, Task, change_mode};

pub(super) fn validate(task: &Task, faults: &mut Faults) {
    for identity in task.identity.iter().chain(&task.identities) {
        let before = format!("Identity {:?} is invalid: ", identity.name);
        faults.nest(&before, validate_identity(identity));
    }
    let defaults = task
        .identities
        .iter()
        .filter(|it| it.name == Identity::DEFAULT_NAME);
    faults.add_if(
        defaults.count() > 0 && task.identity.is_some(),
        "Duplicate default identities found",
    );
}

fn is_name(name: &str, dashes: bool) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || dashes && c == '-';
    (1..=128).contains(&name.len()) && name.chars().all(allowed)
}

fn validate_identity(identity: &Identity) -> Faults {
    let mut faults = Faults::default();
    let is_default = identity.name == Identity::DEFAULT_NAME;
    faults.add_if(
        !is_name(&identity.name, true),
        format!(
            "invalid name {:?}. Must match regex ^[a-zA-Z0-9-_]{{1,128}}$",
            identity.name
        ),
    );
    for (at, audience) in identity.audience.iter().enumerate() {
        faults.add_if(
            audience.is_empty(),
            format!("an empty string is an invalid audience ({})", at + 1),
        );
    }
    match identity.change_mode.as_str() {
        "" | change_mode::NOOP | change_mode::RESTART => faults.add_if(
            !identity.change_signal.is_empty(),
            format!(
                "can only use change_signal={:?} with change_mode=\"signal\"",
                identity.change_signal
            ),
        ),
        change_mode::SIGNAL => faults.add_if(
            identity.change_signal.is_empty(),
            "change_signal must be specified when using change_mode=\"signal\"",
        ),
        other => faults.add(format!("invalid change_mode: {other}")),
    }
    faults.add_if(
        is_default && identity.ttl.0 > 0,
        "ttl for default identity not yet supported",
    );
    faults.add_if(identity.ttl.0 < 0, "ttl must be >= 0");
    faults.add_if(
        !identity.filepath.is_empty() && !identity.file,
        "file parameter must be true in order to specify filepath",
    );
    faults
}

pub(super) fn secrets(task: &Task, faults: &mut Faults) {
    let mut seen = std::collections::BTreeSet::new();
    for secret in &task.secrets {
        let name = &secret.name;
        if !seen.insert(name.as_str()) {
            faults.add(format!("Duplicate secret {name:?} found"));
        }
        faults.nest(
            &format!("Secret {name:?} is invalid: "),
            validate_secret(secret),
        );
        faults.add_if(
            secret.provider == "vault" && task.vault.is_none(),
            format!("Secret {name:?} has provider \"vault\" but no vault block"),
        );
    }
}

fn validate_secret(secret: &Secret) -> Faults {
    let mut faults = Faults::default();
    faults.add_if(
        !is_name(&secret.name, false),
        "secret name must match regex ^[a-zA-Z0-9_]{1,128}$",
    );
    faults.add_if(
        secret.provider.is_empty(),
        "secret provider cannot be empty",
    );
    faults.add_if(secret.path.is_empty(), "secret path cannot be empty");
    faults
}
