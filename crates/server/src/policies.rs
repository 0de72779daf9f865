//! What tokens may do: their policies and roles, merged (server sheet §13.3).

use caravan_acl::{AclView, Grants, Policy, Workload};
use caravan_model::acl::ANONYMOUS;
use caravan_model::*;
use caravan_state::State;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many policies are kept as read. Beyond that all are read anew: no cluster has so many in use.
const KEPT: usize = 512;

/// Policies as read, by their text: it is read once, not once a request. Name and index would not do, for a restored
/// state may have another policy under them.
#[derive(Default)]
pub(crate) struct Rules {
    read: Mutex<BTreeMap<String, Arc<Policy>>>,
}

impl Rules {
    fn of(&self, policy: &AclPolicy) -> Arc<Policy> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = read.get(&policy.rules) {
            return Arc::clone(known);
        }
        // What is stored was checked when it was written. Should a later version not understand it, it grants nothing.
        let rules = Arc::new(Policy::parse(&policy.rules).unwrap_or_default());
        if read.len() >= KEPT {
            read.clear();
        }
        read.insert(policy.rules.clone(), Arc::clone(&rules));
        rules
    }

    fn merged(&self, policies: &[Arc<AclPolicy>]) -> Grants {
        let rules: Vec<Arc<Policy>> = policies.iter().map(|policy| self.of(policy)).collect();
        Grants::of(rules.iter().map(AsRef::as_ref))
    }

    /// What a token may do.
    pub(crate) fn view_of(&self, state: &State, token: &AclToken) -> AclView {
        if token.is_management() {
            return AclView::Management;
        }
        AclView::Client(Box::new(self.merged(&policies_of(state, token))))
    }

    /// What those without a token may do.
    pub(crate) fn anonymous_view(&self, state: &State) -> AclView {
        AclView::Client(Box::new(self.merged(&anonymous_policies(state))))
    }

    /// What a task or service may do.
    pub(crate) fn workload_view(&self, state: &State, workload: Workload) -> AclView {
        let mut grants = self.merged(&policies_of_workload(state, &workload));
        grants.workload = Some(workload);
        AclView::Client(Box::new(grants))
    }
}

/// The policies of a token, its roles' among them, each once. Those that are not there are passed over.
pub(crate) fn policies_of(state: &State, token: &AclToken) -> Vec<Arc<AclPolicy>> {
    let of_roles = roles_of(state, token);
    let of_roles = of_roles
        .iter()
        .flat_map(|role| role.policies.iter().map(|policy| &policy.name));
    let mut names: Vec<&String> = token.policy_names().chain(of_roles).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter_map(|name| state.acl_policy(name))
        .cloned()
        .collect()
}

/// The roles of a token that are still there.
pub(crate) fn roles_of(state: &State, token: &AclToken) -> Vec<Arc<AclRole>> {
    token
        .roles
        .iter()
        .filter_map(|role| state.acl_role(&role.id))
        .cloned()
        .collect()
}

pub(crate) fn anonymous_policies(state: &State) -> Vec<Arc<AclPolicy>> {
    state
        .acl_policy(&ANONYMOUS.to_owned())
        .cloned()
        .into_iter()
        .collect()
}

/// The policies that are attached to a job, group or task.
pub(crate) fn policies_of_workload(state: &State, workload: &Workload) -> Vec<Arc<AclPolicy>> {
    let covers = |acl: &JobAcl| {
        let fits = |wanted: &str, own: &str| wanted.is_empty() || wanted == own;
        acl.namespace == *workload.namespace.as_str()
            && acl.job_id == *workload.job.as_str()
            && fits(&acl.group, &workload.group)
            && fits(&acl.task, &workload.task)
    };
    state
        .acl_policies()
        .filter(|policy| policy.job_acl.as_ref().is_some_and(covers))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_policy_of_the_same_name_and_index_is_not_taken_for_the_first() {
        let policy = |rules: &str| AclPolicy {
            name: "anonymous".into(),
            rules: rules.into(),
            modify_index: 7,
            ..AclPolicy::default()
        };
        let rules = Rules::default();
        let wide = policy("node { policy = \"write\" }");
        let first = rules.of(&wide);
        assert!(Arc::ptr_eq(&first, &rules.of(&wide)), "read once");
        let restored = rules.of(&policy("node { policy = \"deny\" }"));
        assert_ne!(first, restored);
    }
}
