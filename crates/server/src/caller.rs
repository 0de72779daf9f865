//! Who asks: the token of a request made into what it may do (server sheet §13.1).

use crate::server::Shared;
use caravan_acl::{
    Access, AclView, CoarseRule, NamespaceCapability, NodePoolCapability, Target,
    VariableCapability, Workload,
};
use caravan_http::{ApiError, ApiRequest, Method};
use caravan_identity::Claims;
use caravan_model::*;
use caravan_state::State;
use std::sync::Arc;

/// The caller of one request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) view: AclView,
    /// The token; none with access control off, for the anonymous, and for workloads.
    pub(crate) token: Option<Arc<AclToken>>,
    /// The task or service, when it proved itself by its identity.
    pub(crate) workload: Option<Workload>,
}

impl Caller {
    fn with(view: AclView) -> Self {
        Self {
            view,
            token: None,
            workload: None,
        }
    }

    /// The caller that a request names.
    ///
    /// # Errors
    /// A token that is not known, or has expired.
    pub(crate) fn of(
        shared: &Shared,
        state: &State,
        request: &ApiRequest,
        now: UnixNanos,
    ) -> Result<Self, ApiError> {
        if !shared.config.acl_enabled {
            return Ok(Self::with(AclView::off()));
        }
        let secret = request
            .token
            .as_deref()
            .map(str::trim)
            .filter(|secret| !secret.is_empty());
        let Some(secret) = secret else {
            if request.from_task {
                return Err(ApiError::token_missing());
            }
            return Ok(Self::with(shared.rules.anonymous_view(state)));
        };
        if secret.contains('.') {
            return Self::of_identity(shared, state, secret, now);
        }
        let began = std::time::Instant::now();
        let known = state.acl_token_by_secret(secret);
        caravan_telemetry::took("nomad.nomad.acl.accessorForSecretToken", began);
        let token = known
            .filter(|token| !token.is_expired(Timestamp(now.0)))
            .ok_or_else(ApiError::permission_denied)?;
        Ok(Self {
            token: Some(Arc::clone(token)),
            ..Self::with(shared.rules.view_of(state, token))
        })
    }

    /// A task or service that shows its identity: it must be signed here, and its allocation must still run.
    fn of_identity(
        shared: &Shared,
        state: &State,
        token: &str,
        now: UnixNanos,
    ) -> Result<Self, ApiError> {
        let refused = |_| ApiError::permission_denied();
        let keys = shared.keyring.public(state).map_err(refused)?;
        let claims: Claims = caravan_identity::verify(token, &keys, now.seconds())
            .map_err(|_| ApiError::permission_denied())?;
        let alloc = claims.nomad_allocation_id.parse().ok();
        let alloc = alloc
            .and_then(|id: AllocId| state.alloc(&id))
            .filter(|alloc| !alloc.client_terminal())
            .ok_or_else(ApiError::permission_denied)?;
        let workload = Workload {
            namespace: alloc.namespace.to_string(),
            job: claims.nomad_job_id,
            group: alloc.task_group.to_string(),
            task: claims.nomad_task,
        };
        Ok(Self {
            workload: Some(workload.clone()),
            ..Self::with(shared.rules.workload_view(state, workload))
        })
    }

    /// Whether the caller may make a request at all; what it may see of the answer is asked for row by row.
    ///
    /// What an id names may be in any namespace: there the operation asks again, with [`Self::may_in`].
    pub(crate) fn may_call(&self, request: &ApiRequest) -> bool {
        let route = request.route();
        let everywhere = request.namespace() == "*";
        let listed = matches!(route.access, Access::Namespace(_)) && request.method == Method::Get;
        if everywhere && listed && self.view.has_rules() {
            // A list of what may be seen in each namespace, which may be nothing.
            return true;
        }
        let target = Target {
            namespace: if route.by_id {
                "*"
            } else {
                request.namespace()
            },
            node_pool: request.param("name"),
            variable: request.param("path"),
        };
        self.may(route.access, target)
    }

    /// Whether the caller may make this request about something in this namespace.
    pub(crate) fn may_in(&self, request: &ApiRequest, namespace: &str) -> bool {
        let target = Target {
            namespace,
            node_pool: request.param("name"),
            variable: request.param("path"),
        };
        self.may(request.route().access, target)
    }

    pub(crate) fn is_management(&self) -> bool {
        self.view.is_management()
    }

    fn may(&self, access: Access, target: Target<'_>) -> bool {
        self.view.allows(access, target)
    }

    pub(crate) fn has(&self, namespace: &str, need: NamespaceCapability) -> bool {
        self.view.allows_in_namespace(namespace, need)
    }

    pub(crate) fn reads_jobs_of(&self, namespace: &str) -> bool {
        self.has(namespace, NamespaceCapability::ReadJob)
    }

    pub(crate) fn reads_node_pool(&self, pool: &str) -> bool {
        self.may(
            Access::NodePool(NodePoolCapability::Read),
            Target {
                node_pool: pool,
                ..Target::default()
            },
        )
    }

    pub(crate) fn reads_nodes(&self) -> bool {
        self.may(Access::Node(CoarseRule::Read), Target::default())
    }

    pub(crate) fn reads_plugins(&self) -> bool {
        self.may(Access::Plugin(CoarseRule::Read), Target::default())
    }

    /// Whether any rule is about this namespace.
    pub(crate) fn knows_namespace(&self, namespace: &str) -> bool {
        self.may(Access::AnyNamespaceRule, Target::namespace(namespace))
    }

    pub(crate) fn on_variable(
        &self,
        namespace: &str,
        path: &str,
        need: VariableCapability,
    ) -> bool {
        self.may(
            Access::Variable(need),
            Target {
                namespace,
                variable: path,
                ..Target::default()
            },
        )
    }

    /// Whether any rule is about variables of this namespace.
    pub(crate) fn knows_variables_of(&self, namespace: &str) -> bool {
        self.view.knows_variables_of(namespace)
    }

    /// Refuses those who may not list volumes of plugins.
    pub(crate) fn need_csi_list(&self, namespace: &str) -> Result<(), ApiError> {
        if self.has(namespace, NamespaceCapability::CsiListVolume) {
            return Ok(());
        }
        Err(ApiError::permission_denied())
    }

    /// The accessor of the token, to note with what it makes; empty without one.
    pub(crate) fn accessor(&self) -> String {
        self.token
            .as_ref()
            .map(|token| token.accessor_id.clone())
            .unwrap_or_default()
    }

    /// Whom to note as author of a change.
    pub(crate) fn accessor_text(&self) -> String {
        match (&self.token, &self.view) {
            (Some(token), _) => format!("token:{}", token.accessor_id),
            (None, AclView::Off) => format!("token:{}", caravan_model::acl::ACLS_DISABLED),
            (None, _) => format!("token:{}", caravan_model::acl::ANONYMOUS),
        }
    }
}
