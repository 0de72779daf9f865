//! The rules of all policies of a caller, merged (server sheet §13.3 and §13.4).

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use crate::{
    capability::{
        HostVolumeCapability, NamespaceCapability, NodePoolCapability, OperatorCapability,
        VariableCapability,
    },
    pattern,
    policy::{NamedRule, NamespaceRule, PlainRule, Policy},
    rules::CoarseRule,
};

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
    /// The task or service that asks, when it proved itself by its identity.
    pub workload: Option<Workload>,
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

/// A task or service, as its identity names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    pub namespace: String,
    /// The job; for one that was launched by another, that other.
    pub job: String,
    pub group: String,
    pub task: String,
}

impl Workload {
    /// Whether these variables are the workload's own to read: its job's, its group's, its task's, and those of all jobs.
    fn owns(&self, namespace: &str, path: &str) -> bool {
        let Some(rest) = path.strip_prefix("nomad/jobs") else {
            return false;
        };
        if namespace != self.namespace {
            return false;
        }
        let (job, group) = (
            format!("/{}", self.job),
            format!("/{}/{}", self.job, self.group),
        );
        rest.is_empty() || rest == job || rest == group || rest == format!("{group}/{}", self.task)
    }
}

/// Adds what a rule grants to what others granted; a denial leaves nothing but itself.
fn add<T: Ord + Copy + FromStr>(held: &mut BTreeSet<T>, words: &[String], deny: T) {
    held.extend(words.iter().filter_map(|word| word.parse::<T>().ok()));
    if held.contains(&deny) {
        *held = BTreeSet::from([deny]);
    }
}

/// A denial wins, then the word that gives most.
fn raise(held: &mut Option<CoarseRule>, policy: &str) {
    let Ok(rule) = policy.parse::<CoarseRule>() else {
        return;
    };
    *held = Some(held.map_or(rule, |held| held.max(rule)));
}

impl Grants {
    /// What these policies give together.
    pub fn of<'a>(policies: impl IntoIterator<Item = &'a Policy>) -> Self {
        let mut grants = Self::default();
        for policy in policies {
            grants.include(policy);
        }
        grants
    }

    fn include(&mut self, policy: &Policy) {
        for rule in &policy.namespaces {
            self.include_namespace(rule);
        }
        let pools = |rule: &NamedRule| rule.name.clone();
        for rule in &policy.node_pools {
            add(
                self.node_pools.entry(pools(rule)).or_default(),
                &rule.capabilities,
                NodePoolCapability::Deny,
            );
        }
        for rule in &policy.host_volumes {
            let held = self.host_volumes.entry(pools(rule)).or_default();
            add(held, &rule.capabilities, HostVolumeCapability::Deny);
        }
        let plain: [(&mut Option<CoarseRule>, &Option<PlainRule>); 4] = [
            (&mut self.node, &policy.node),
            (&mut self.agent, &policy.agent),
            (&mut self.plugin, &policy.plugin),
            (&mut self.quota, &policy.quota),
        ];
        for (held, rule) in plain {
            if let Some(rule) = rule {
                raise(held, &rule.policy);
            }
        }
        if let Some(rule) = &policy.operator {
            raise(&mut self.operator, &rule.policy);
            add(
                &mut self.operator_capabilities,
                &rule.capabilities,
                OperatorCapability::Deny,
            );
        }
    }

    fn include_namespace(&mut self, rule: &NamespaceRule) {
        let grant = self.namespaces.entry(rule.name.clone()).or_default();
        add(
            &mut grant.capabilities,
            &rule.capabilities,
            NamespaceCapability::Deny,
        );
        for path in rule.variables.iter().flat_map(|variables| &variables.paths) {
            let held = grant
                .variables
                .paths
                .entry(path.path_spec.clone())
                .or_default();
            add(held, &path.capabilities, VariableCapability::Deny);
        }
    }

    /// Whether there is any rule at all.
    pub(crate) fn any(&self) -> bool {
        let plain = [
            self.node,
            self.agent,
            self.operator,
            self.plugin,
            self.quota,
        ];
        !self.namespaces.is_empty()
            || !self.node_pools.is_empty()
            || !self.host_volumes.is_empty()
            || !self.operator_capabilities.is_empty()
            || plain.iter().any(Option::is_some)
            || self.workload.is_some()
    }

    pub(crate) fn in_namespace(&self, namespace: &str, need: NamespaceCapability) -> bool {
        let has = |grant: &NamespaceGrant| {
            !grant.capabilities.contains(&NamespaceCapability::Deny)
                && grant.capabilities.contains(&need)
        };
        if namespace == "*" {
            return self.namespaces.values().any(has);
        }
        named(&self.namespaces, namespace).is_some_and(has)
    }

    pub(crate) fn any_rule_on(&self, namespace: &str) -> bool {
        let has = |grant: &NamespaceGrant| {
            !grant.capabilities.contains(&NamespaceCapability::Deny)
                && (!grant.capabilities.is_empty() || !grant.variables.paths.is_empty())
        };
        if namespace == "*" {
            return self.namespaces.values().any(has);
        }
        named(&self.namespaces, namespace).is_some_and(has)
    }

    pub(crate) fn on_node_pool(&self, pool: &str, need: NodePoolCapability) -> bool {
        named(&self.node_pools, pool)
            .is_some_and(|held| !held.contains(&NodePoolCapability::Deny) && held.contains(&need))
    }

    pub(crate) fn on_host_volume(&self, name: &str, need: HostVolumeCapability) -> bool {
        named(&self.host_volumes, name)
            .is_some_and(|held| !held.contains(&HostVolumeCapability::Deny) && held.contains(&need))
    }

    /// The rule that names the variable decides; else what is the workload's own; else the closest pattern, of
    /// namespace and path together.
    pub(crate) fn on_variable(
        &self,
        namespace: &str,
        path: &str,
        need: VariableCapability,
    ) -> bool {
        let has = |held: &BTreeSet<VariableCapability>| {
            let implied =
                need == VariableCapability::List && held.contains(&VariableCapability::Read);
            !held.contains(&VariableCapability::Deny) && (held.contains(&need) || implied)
        };
        let denied =
            |grant: &NamespaceGrant| grant.capabilities.contains(&NamespaceCapability::Deny);
        if named(&self.namespaces, namespace).is_some_and(denied) {
            return false;
        }
        let exact = self
            .namespaces
            .get(namespace)
            .and_then(|grant| grant.variables.paths.get(path));
        if let Some(held) = exact {
            return has(held);
        }
        let reads = matches!(need, VariableCapability::Read | VariableCapability::List);
        if reads
            && self
                .workload
                .as_ref()
                .is_some_and(|workload| workload.owns(namespace, path))
        {
            return true;
        }
        let both: Vec<(String, &BTreeSet<VariableCapability>)> = self
            .namespaces
            .iter()
            .filter(|(pattern, _)| pattern::covers(pattern, namespace))
            .flat_map(|(space, grant)| {
                grant
                    .variables
                    .paths
                    .iter()
                    .map(move |(path, held)| (format!("{space}\0{path}"), held))
            })
            .collect();
        let both = both.iter().map(|(pattern, held)| (pattern.as_str(), *held));
        pattern::closest(both, &format!("{namespace}\0{path}")).is_some_and(has)
    }

    /// Whether any rule lets one see variables of the namespace.
    pub(crate) fn any_variable_of(&self, namespace: &str) -> bool {
        self.workload
            .as_ref()
            .is_some_and(|workload| namespace == "*" || workload.namespace == namespace)
            || self.namespaces.iter().any(|(space, grant)| {
                (namespace == "*" || pattern::covers(space, namespace))
                    && !grant.variables.paths.is_empty()
            })
    }

    pub(crate) fn operator_capability(&self, need: OperatorCapability) -> bool {
        !self
            .operator_capabilities
            .contains(&OperatorCapability::Deny)
            && self.operator != Some(CoarseRule::Deny)
            && self.operator_capabilities.contains(&need)
    }

    /// The plugin rule has no order: reading includes listing, writing includes nothing.
    pub(crate) fn on_plugins(&self, need: CoarseRule) -> bool {
        match self.plugin {
            Some(CoarseRule::Read) => matches!(need, CoarseRule::Read | CoarseRule::List),
            Some(CoarseRule::List) => need == CoarseRule::List,
            Some(CoarseRule::Write) => need == CoarseRule::Write,
            Some(CoarseRule::Deny) | None => false,
        }
    }
}

fn named<'a, T>(rules: &'a BTreeMap<String, T>, name: &str) -> Option<&'a T> {
    pattern::best(
        rules.iter().map(|(pattern, rule)| (pattern.as_str(), rule)),
        name,
    )
}

#[cfg(test)]
mod tests;
