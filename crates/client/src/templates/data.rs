//! What templates are made of besides their environment, as it was last seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use caravan_model::{ServiceRegistration, Variable, VariableMetadata};
use serde::{Deserialize, Serialize};

/// Something a template asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Need {
    /// A variable; it may be missing when it is optional.
    Variable {
        path: String,
        optional: bool,
    },
    Variables(String),
    Service(String),
    /// All services, with their tags.
    ServiceTags,
    /// What Consul answers at a path; there may be nothing when it is optional.
    Consul {
        /// With its query.
        path: String,
        /// As events call it.
        name: String,
        optional: bool,
    },
    /// A secret of Vault: what is at a path, or what it gives for the pairs that are written to it.
    Secret {
        path: String,
        pairs: Vec<String>,
    },
    /// The names of what Vault has below a path.
    SecretNames(String),
}

impl Need {
    /// As the reference names it in events.
    pub(super) fn name(&self, namespace: &str, region: &str) -> String {
        // The path may name another namespace.
        let place = |path: &str| match path.contains('@') {
            true => format!("{path}.{region}"),
            false => format!("{path}@{namespace}.{region}"),
        };
        match self {
            Self::Variable { path, .. } => format!("nomad.var.block({})", place(path)),
            Self::Variables(prefix) => format!("nomad.var.list({})", place(prefix)),
            Self::Service(name) => format!("nomad.service({name})"),
            Self::ServiceTags => "nomad.services".to_owned(),
            Self::Consul { name, .. } => name.clone(),
            Self::Secret { path, pairs } if !pairs.is_empty() => format!("vault.write({path})"),
            Self::Secret { path, .. } => format!("vault.read({path})"),
            Self::SecretNames(path) => format!("vault.list({path})"),
        }
    }

    /// Whether a template can do without it.
    pub(super) fn is_optional(&self) -> bool {
        matches!(
            self,
            Self::Variable { optional: true, .. } | Self::Consul { optional: true, .. }
        )
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// It is known not to exist.
    Absent,
    Variable(Arc<Variable>),
    /// Without what is in them.
    Variables(Vec<VariableMetadata>),
    Names(Vec<String>),
    Services(Vec<Arc<ServiceRegistration>>),
    /// Of services.
    Tags(BTreeMap<String, BTreeSet<String>>),
    /// As the other side gives it.
    Json(serde_json::Value),
}

/// Everything that was fetched.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Data(BTreeMap<Need, Value>);

impl Data {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn knows(&self, need: &Need) -> bool {
        self.0.contains_key(need)
    }

    pub(super) fn get(&self, need: &Need) -> Option<&Value> {
        self.0.get(need)
    }

    pub(super) fn needs(&self) -> Vec<Need> {
        self.0.keys().cloned().collect()
    }

    /// Says whether it is new.
    pub(super) fn put(&mut self, need: Need, value: Value) -> bool {
        let old = self.0.insert(need, value.clone());
        old != Some(value)
    }
}
