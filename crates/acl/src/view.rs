//! What a caller has, and the decision.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    access::{Access, Target},
    capability::{
        HostVolumeCapability, NamespaceCapability, NodePoolCapability, OperatorCapability,
        VariableCapability,
    },
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

/// The rules of all policies of a caller, merged. Names may be patterns with `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    pub namespaces: BTreeMap<String, NamespaceGrant>,
    pub node_pools: BTreeMap<String, BTreeSet<NodePoolCapability>>,
    pub host_volumes: BTreeMap<String, BTreeSet<HostVolumeCapability>>,
    pub operator_capabilities: BTreeSet<OperatorCapability>,
    pub node: Option<CoarseRule>,
    pub agent: Option<CoarseRule>,
    pub operator: Option<CoarseRule>,
    pub plugin: Option<CoarseRule>,
    pub quota: Option<CoarseRule>,
}

/// The rule on one namespace or pattern of namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceGrant {
    pub capabilities: BTreeSet<NamespaceCapability>,
    pub variables: VariableGrant,
}

/// The rules on variables within a namespace rule, by path pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VariableGrant {
    pub paths: BTreeMap<String, BTreeSet<VariableCapability>>,
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
            Access::Plugin(need) => covers(grants.plugin, need),
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

    /// May the caller mount the host volume, read-only or for writing?
    pub fn allows_host_volume(&self, name: &str, need: HostVolumeCapability) -> bool {
        match self {
            Self::Off | Self::Management => true,
            Self::Client(grants) => best_match(&grants.host_volumes, name).is_some_and(|held| {
                !held.contains(&HostVolumeCapability::Deny) && held.contains(&need)
            }),
        }
    }
}

fn covers(held: Option<CoarseRule>, need: CoarseRule) -> bool {
    held.is_some_and(|held| held.covers(need))
}

impl Grants {
    fn in_namespace(&self, namespace: &str, need: NamespaceCapability) -> bool {
        let has = |grant: &NamespaceGrant| {
            !grant.capabilities.contains(&NamespaceCapability::Deny)
                && grant.capabilities.contains(&need)
        };
        if namespace == "*" {
            return self.namespaces.values().any(has);
        }
        best_match(&self.namespaces, namespace).is_some_and(has)
    }

    fn any_rule_on(&self, namespace: &str) -> bool {
        let has = |grant: &NamespaceGrant| {
            !grant.capabilities.contains(&NamespaceCapability::Deny)
                && (!grant.capabilities.is_empty() || !grant.variables.paths.is_empty())
        };
        if namespace == "*" {
            return self.namespaces.values().any(has);
        }
        best_match(&self.namespaces, namespace).is_some_and(has)
    }

    fn on_node_pool(&self, pool: &str, need: NodePoolCapability) -> bool {
        best_match(&self.node_pools, pool)
            .is_some_and(|held| !held.contains(&NodePoolCapability::Deny) && held.contains(&need))
    }

    fn on_variable(&self, namespace: &str, path: &str, need: VariableCapability) -> bool {
        let Some(grant) = best_match(&self.namespaces, namespace) else {
            return false;
        };
        best_match(&grant.variables.paths, path).is_some_and(|held| {
            let implied =
                need == VariableCapability::List && held.contains(&VariableCapability::Read);
            !held.contains(&VariableCapability::Deny) && (held.contains(&need) || implied)
        })
    }

    fn operator_capability(&self, need: OperatorCapability) -> bool {
        if self
            .operator_capabilities
            .contains(&OperatorCapability::Deny)
        {
            return false;
        }
        self.operator_capabilities.contains(&need)
            || self
                .operator
                .is_some_and(|rule| rule.operator().contains(&need))
    }
}

/// The rule for `name`: the exact one, else the pattern that leaves the fewest characters to its stars
/// (the first in order when two are as close).
fn best_match<'a, T>(rules: &'a BTreeMap<String, T>, name: &str) -> Option<&'a T> {
    if let Some(exact) = rules.get(name) {
        return Some(exact);
    }
    let literal = |pattern: &str| pattern.chars().filter(|c| *c != '*').count();
    rules
        .iter()
        .filter(|(pattern, _)| glob(pattern, name))
        .max_by(|(a, _), (b, _)| literal(a).cmp(&literal(b)).then(b.cmp(a)))
        .map(|(_, rule)| rule)
}

/// Whether `pattern`, in which `*` stands for any text, covers `name`.
fn glob(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests;
