//! What a caller has, and the decision.

use crate::{
    access::{Access, Target},
    capability::{HostVolumeCapability, NamespaceCapability},
    grants::Grants,
    rules::CoarseRule,
};

/// What one caller may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AclView {
    /// Access control is off: everything is allowed, tokens are not looked at.
    Off,
    /// A management token.
    Management,
    /// Rules merged from policies and roles.
    Client(Box<Grants>),
}

impl AclView {
    /// The view when access control is off.
    pub const fn off() -> Self {
        Self::Off
    }

    /// Whether the caller is all-powerful.
    pub const fn is_management(&self) -> bool {
        matches!(self, Self::Off | Self::Management)
    }

    /// May the caller do what `access` names to `target`?
    pub fn allows(&self, access: Access, target: Target<'_>) -> bool {
        let grants = match self {
            Self::Off | Self::Management => return true,
            Self::Client(grants) => grants,
        };
        match access {
            Access::Anonymous
            | Access::AnyToken
            | Access::Filtered
            | Access::ByContent
            | Access::OwnSecret => true,
            Access::ManagementOrOwn => true,
            Access::Management => false,
            Access::Namespace(any_of) => any_of
                .iter()
                .any(|need| grants.in_namespace(target.namespace, *need)),
            Access::AnyNamespaceRule => grants.any_rule_on(target.namespace),
            Access::Node(need) => covers(grants.node, need),
            Access::Agent(need) => covers(grants.agent, need),
            Access::Operator(need) => covers(grants.operator, need),
            Access::Plugin(need) => grants.on_plugins(need),
            Access::Workload => grants.workload.is_some(),
            Access::Quota(need) => covers(grants.quota, need),
            Access::OperatorCapability(need) => grants.operator_capability(need),
            Access::NodePool(need) => grants.on_node_pool(target.node_pool, need),
            Access::Variable(need) => grants.on_variable(target.namespace, target.variable, need),
            Access::All(all) => all.iter().all(|one| self.allows(*one, target)),
            Access::Any(any) => any.iter().any(|one| self.allows(*one, target)),
        }
    }

    /// May the caller do `need` to things of `namespace`? `*` asks: in any namespace at all?
    pub fn allows_in_namespace(&self, namespace: &str, need: NamespaceCapability) -> bool {
        match self {
            Self::Off | Self::Management => true,
            Self::Client(grants) => grants.in_namespace(namespace, need),
        }
    }

    /// Whether the caller has any rule at all.
    pub fn has_rules(&self) -> bool {
        match self {
            Self::Off | Self::Management => true,
            Self::Client(grants) => grants.any(),
        }
    }

    /// May the caller see that there are variables in `namespace`? `*` asks: in any namespace at all?
    pub fn knows_variables_of(&self, namespace: &str) -> bool {
        match self {
            Self::Off | Self::Management => true,
            Self::Client(grants) => grants.any_variable_of(namespace),
        }
    }

    /// May the caller mount the host volume, read-only or for writing?
    pub fn allows_host_volume(&self, name: &str, need: HostVolumeCapability) -> bool {
        match self {
            Self::Off | Self::Management => true,
            Self::Client(grants) => grants.on_host_volume(name, need),
        }
    }
}

fn covers(held: Option<CoarseRule>, need: CoarseRule) -> bool {
    held.is_some_and(|held| held.covers(need))
}

#[cfg(test)]
mod tests;
