//! What nodes ask on behalf of the tasks they run: variables and signed identities (server sheet §§11–13.4).
//!
//! A node only speaks for allocations that are on it and have not ended, and only for tasks and services they have.

use crate::clock;
use crate::keyring::KeyringError;
use crate::nodes::{NodeError, NodeService};
use caravan_acl::{Access, AclView, Target, VariableCapability, Workload};
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

/// The task as policies know it.
fn workload(alloc: &Allocation, task: &str) -> Workload {
    let parent = alloc
        .job
        .as_ref()
        .map(|job| job.parent_id.to_string())
        .filter(|parent| !parent.is_empty());
    Workload {
        namespace: alloc.namespace.to_string(),
        job: parent.unwrap_or_else(|| alloc.job_id.to_string()),
        group: alloc.task_group.to_string(),
        task: task.to_owned(),
    }
}

/// A path as templates name it, `path@namespace` or of the allocation's own: the namespace, and the path in it.
fn in_namespace<'a>(alloc: &'a Allocation, named: &'a str) -> (&'a str, &'a str) {
    match named.rsplit_once('@') {
        Some((path, namespace)) => (namespace, path),
        None => (alloc.namespace.as_str(), named),
    }
}

impl NodeService {
    /// What a task may do: what is its own, and what policies of its job, its group or itself say.
    fn view(&self, state: &State, alloc: &Allocation, task: &str) -> AclView {
        let shared = self.shared();
        match shared.config.acl_enabled {
            false => AclView::off(),
            true => shared.rules.workload_view(state, workload(alloc, task)),
        }
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

    /// A variable that a task of the allocation may read, decrypted.
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
        let (namespace, path) = in_namespace(alloc, path);
        if !reads(&self.view(&state, alloc, task), namespace, path) {
            return Err(invalid("Permission denied"));
        }
        let Some(found) = state.variable(&ScopedKey::new(NamespaceName::from(namespace), path))
        else {
            return Ok(None);
        };
        let items = self.items(&state, found)?;
        Ok(Some(found.metadata.clone().with_items(Some(items))))
    }

    /// The variables below a prefix that a task may read, without what is in them.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub fn variables(
        &self,
        node: NodeId,
        alloc: AllocId,
        task: &str,
        prefix: &str,
    ) -> Result<Vec<VariableMetadata>, NodeError> {
        let state = self.shared().store.snapshot();
        let alloc = running(&state, node, alloc)?;
        let (namespace, prefix) = in_namespace(alloc, prefix);
        let view = self.view(&state, alloc, task);
        let rows = state.variables().map(|row| &row.metadata);
        let below = rows.filter(|row| row.namespace == *namespace && row.path.starts_with(prefix));
        Ok(below
            .filter(|row| reads(&view, namespace, &row.path))
            .map(|row| VariableMetadata {
                lock: None,
                ..row.clone()
            })
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

fn reads(view: &AclView, namespace: &str, path: &str) -> bool {
    let target = Target {
        namespace,
        variable: path,
        ..Target::default()
    };
    view.allows(Access::Variable(VariableCapability::Read), target)
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
            namespace: "default".into(),
            job_id: "web/dispatch-1".into(),
            task_group: "g".into(),
            job: Some(Arc::new(job)),
            ..Allocation::default()
        };
        let own = workload(&alloc, "t");
        assert_eq!((own.job.as_str(), own.group.as_str()), ("web", "g"));
        let view = AclView::Client(Box::new(caravan_acl::Grants {
            workload: Some(own),
            ..Default::default()
        }));
        let reads = |named: &str| {
            let (namespace, path) = in_namespace(&alloc, named);
            reads(&view, namespace, path)
        };
        for path in [
            "nomad/jobs",
            "nomad/jobs/web",
            "nomad/jobs/web/g",
            "nomad/jobs/web/g/t",
            "nomad/jobs/web@default",
        ] {
            assert!(reads(path), "{path}");
        }
        for path in [
            "nomad/jobs/web2",
            "nomad/jobs/web/g/other",
            "nomad/jobs/web@other",
            "secret",
            "nomad/jobs/web/",
            "",
        ] {
            assert!(!reads(path), "{path}");
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
