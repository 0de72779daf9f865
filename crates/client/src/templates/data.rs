//! What templates are made of besides their environment, as it was last seen.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use caravan_model::{AllocId, NamespaceName, ServiceRegistration};

use crate::link::{Found, Lookup, What};
use crate::shared::Shared;

/// Something a template asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    Variable(String),
    /// A variable that may be missing.
    OptionalVariable(String),
    Variables(String),
    Service(String),
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(path) | Self::OptionalVariable(path) => {
                write!(f, "nomad.var.block({path})")
            }
            Self::Variables(prefix) => write!(f, "nomad.var.list({prefix})"),
            Self::Service(name) => write!(f, "nomad.service({name})"),
        }
    }
}

/// What was found; `None` when it is known not to exist.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Variable(Option<BTreeMap<String, String>>),
    Paths(Vec<String>),
    Services(Vec<Arc<ServiceRegistration>>),
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

    #[cfg(test)]
    pub(super) fn put(&mut self, need: Need, value: Value) {
        self.0.insert(need, value);
    }

    /// Looks one thing up; says whether something new was learned.
    pub(super) async fn fetch(
        &mut self,
        shared: &Shared,
        alloc: AllocId,
        namespace: &NamespaceName,
        task: &str,
        need: Need,
    ) -> bool {
        let task = task.to_owned();
        let what = match &need {
            Need::Variable(path) | Need::OptionalVariable(path) => What::Variable {
                alloc,
                task,
                path: path.clone(),
            },
            Need::Variables(prefix) => What::Variables {
                alloc,
                task,
                prefix: prefix.clone(),
            },
            Need::Service(name) => What::Service {
                namespace: namespace.clone(),
                name: name.clone(),
            },
        };
        let value = match shared
            .link
            .lookup(Lookup {
                caller: shared.caller(),
                what,
            })
            .await
        {
            Ok(Found::Variable(found)) => {
                Value::Variable(found.map(|variable| variable.items.unwrap_or_default()))
            }
            Ok(Found::Variables(paths)) => Value::Paths(paths),
            Ok(Found::Services(services)) => Value::Services(services),
            Ok(_) => return false,
            Err(error) => {
                tracing::debug!(%error, %need, "a template cannot be fed");
                return false;
            }
        };
        let old = self.0.insert(need, value.clone());
        old != Some(value)
    }
}
