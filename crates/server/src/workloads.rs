//! What nodes ask on behalf of the tasks they run: variables and signed identities (server sheet §§11–13.4).
//!
//! A node only speaks for allocations that are on it and have not ended, and only for tasks and services they have.

use crate::clock;
use crate::keyring::KeyringError;
use crate::nodes::{NodeError, NodeService};
use caravan_identity::{Claims, IdentityOf, NodeClaims};
use caravan_model::*;
use caravan_state::{EncryptedVariable, ScopedKey, State};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A signed identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The token.
    pub token: String,
    /// When it ends, in nanoseconds since 1970; 0 is never.
    pub expires: i64,
}

impl From<KeyringError> for NodeError {
    fn from(error: KeyringError) -> Self {
        Self::Keys(error.to_string())
    }
}

fn invalid(text: impl Into<String>) -> NodeError {
    NodeError::Invalid(text.into())
}

/// The allocation, when it runs on this node.
fn running(state: &State, node: NodeId, id: AllocId) -> Result<&Arc<Allocation>, NodeError> {
    let own = state
        .alloc(&id)
        .filter(|alloc| alloc.node_id == node && !alloc.client_terminal());
    own.ok_or_else(|| invalid(format!("allocation {id} does not run on this node")))
}

/// Whether a task may read a path without any policy: what is named after its job, group or itself.
fn is_own_path(alloc: &Allocation, task: &str, path: &str) -> bool {
    let parent = alloc
        .job
        .as_ref()
        .map(|job| job.parent_id.to_string())
        .filter(|parent| !parent.is_empty());
    let job = parent.unwrap_or_else(|| alloc.job_id.to_string());
    let group = &alloc.task_group;
    let own = [
        "nomad/jobs".to_owned(),
        format!("nomad/jobs/{job}"),
        format!("nomad/jobs/{job}/{group}"),
        format!("nomad/jobs/{job}/{group}/{task}"),
    ];
    own.iter().any(|own| own == path)
}

impl NodeService {
    fn may_read(&self, alloc: &Allocation, task: &str, path: &str) -> bool {
        !self.shared().config.acl_enabled || is_own_path(alloc, task, path)
    }

    fn items(
        &self,
        state: &State,
        variable: &EncryptedVariable,
    ) -> Result<BTreeMap<String, String>, NodeError> {
        if variable.data.is_empty() {
            return Ok(BTreeMap::new());
        }
        let key = self.shared().keyring.key(state, &variable.key_id)?;
        let plain = key.decrypt(&variable.data).map_err(KeyringError::from)?;
        serde_json::from_slice(&plain)
            .map_err(|error| invalid(format!("the variable cannot be read: {error}")))
    }

    /// A variable of the allocation's namespace that a task of it may read, decrypted.
    ///
    /// # Errors
    /// See [`NodeError`]; one the task may not read is refused.
    pub fn variable(
        &self,
        node: NodeId,
        alloc: AllocId,
        task: &str,
        path: &str,
    ) -> Result<Option<Variable>, NodeError> {
        let state = self.shared().store.snapshot();
        let alloc = running(&state, node, alloc)?;
        if !self.may_read(alloc, task, path) {
            return Err(invalid("Permission denied"));
        }
        let Some(found) = state.variable(&ScopedKey::new(alloc.namespace.clone(), path)) else {
            return Ok(None);
        };
        let items = self.items(&state, found)?;
        Ok(Some(found.metadata.clone().with_items(Some(items))))
    }

    /// The paths below a prefix that a task may read.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub fn variable_paths(
        &self,
        node: NodeId,
        alloc: AllocId,
        task: &str,
        prefix: &str,
    ) -> Result<Vec<String>, NodeError> {
        let state = self.shared().store.snapshot();
        let alloc = running(&state, node, alloc)?;
        let rows = state.variables().map(|row| &row.metadata);
        let seen =
            rows.filter(|row| row.namespace == alloc.namespace && row.path.starts_with(prefix));
        Ok(seen
            .map(|row| row.path.clone())
            .filter(|path| self.may_read(alloc, task, path))
            .collect())
    }

    /// Signs the identity of a node.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub fn sign_node(&self, node: NodeId) -> Result<Signed, NodeError> {
        let shared = self.shared();
        let state = shared.store.snapshot();
        let known = state.node(&node).ok_or(NodeError::Unknown(node))?;
        let seconds = identity_seconds(&state, &known.node_pool);
        let claims = NodeClaims::new(
            &shared.config.region,
            known,
            clock::uuid(),
            clock::now(),
            seconds,
        );
        let token = shared
            .keyring
            .active(&state)?
            .sign(&claims)
            .map_err(KeyringError::from)?;
        Ok(Signed {
            token,
            expires: claims.exp.saturating_mul(1_000_000_000),
        })
    }

    /// Signs an identity that the job declares for a task or service of the allocation.
    ///
    /// # Errors
    /// See [`NodeError`]; an identity that the job does not declare is refused.
    pub fn sign(
        &self,
        node: NodeId,
        alloc: AllocId,
        of: IdentityOf<'_>,
        identity: &str,
    ) -> Result<Signed, NodeError> {
        let shared = self.shared();
        let state = shared.store.snapshot();
        let alloc = running(&state, node, alloc)?;
        let declared = declared(alloc, of, identity).ok_or_else(|| {
            invalid(format!(
                "identity {identity:?} is not declared by the allocation's job"
            ))
        })?;
        let now = clock::now();
        let seconds = declared.ttl.0 / 1_000_000_000;
        let claims = Claims::of_alloc(
            &shared.config.region,
            alloc,
            of,
            identity,
            clock::uuid(),
            now,
        )
        .lasting(seconds)
        .for_audience(declared.audience);
        let token = shared
            .keyring
            .active(&state)?
            .sign(&claims)
            .map_err(KeyringError::from)?;
        let expires = claims
            .exp
            .map_or(0, |seconds| seconds.saturating_mul(1_000_000_000));
        Ok(Signed { token, expires })
    }
}

/// How long the identities of a pool's nodes last, in seconds.
fn identity_seconds(state: &State, pool: &String) -> i64 {
    let of_pool = state
        .node_pool(pool)
        .map(|pool| pool.node_identity_ttl)
        .filter(|ttl| ttl.0 > 0);
    of_pool.unwrap_or(node_pool::DEFAULT_IDENTITY_TTL).0 / 1_000_000_000
}

/// The identity as the job declares it; the default one need not be declared.
fn declared(alloc: &Allocation, of: IdentityOf<'_>, name: &str) -> Option<Identity> {
    let group = alloc.job.as_ref()?.lookup_task_group(&alloc.task_group)?;
    match of {
        IdentityOf::Task(task) => {
            let task = group.lookup_task(task)?;
            if name == Identity::DEFAULT_NAME {
                return Some(task.identity.clone().unwrap_or_default());
            }
            task.identities
                .iter()
                .find(|identity| identity.name == name)
                .cloned()
        }
        IdentityOf::Service(service) => {
            let of_tasks = group.tasks.iter().flat_map(|task| &task.services);
            let mut named = group
                .services
                .iter()
                .chain(of_tasks)
                .filter(|found| found.name == service);
            named.find_map(|service| {
                service
                    .identity
                    .clone()
                    .filter(|identity| identity.name == name)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_reads_what_is_named_after_it() {
        let job = Job {
            id: "web/dispatch-1".into(),
            parent_id: "web".into(),
            ..Job::default()
        };
        let alloc = Allocation {
            job_id: "web/dispatch-1".into(),
            task_group: "g".into(),
            job: Some(Arc::new(job)),
            ..Allocation::default()
        };
        for path in [
            "nomad/jobs",
            "nomad/jobs/web",
            "nomad/jobs/web/g",
            "nomad/jobs/web/g/t",
        ] {
            assert!(is_own_path(&alloc, "t", path), "{path}");
        }
        for path in [
            "nomad/jobs/web2",
            "nomad/jobs/web/g/other",
            "secret",
            "nomad/jobs/web/",
            "",
        ] {
            assert!(!is_own_path(&alloc, "t", path), "{path}");
        }
    }

    #[test]
    fn only_declared_identities_are_signed() {
        let task = Task {
            name: "t".into(),
            identities: vec![Identity {
                name: "aws".into(),
                ..Identity::default()
            }],
            ..Task::default()
        };
        let group = TaskGroup {
            name: "g".into(),
            tasks: vec![task],
            ..TaskGroup::default()
        };
        let job = Job {
            task_groups: vec![group],
            ..Job::default()
        };
        let alloc = Allocation {
            task_group: "g".into(),
            job: Some(Arc::new(job)),
            ..Allocation::default()
        };
        assert!(declared(&alloc, IdentityOf::Task("t"), "default").is_some());
        assert!(declared(&alloc, IdentityOf::Task("t"), "aws").is_some());
        assert!(declared(&alloc, IdentityOf::Task("t"), "gcp").is_none());
        assert!(declared(&alloc, IdentityOf::Task("other"), "default").is_none());
        assert!(declared(&alloc, IdentityOf::Service("t"), "aws").is_none());
    }
}
