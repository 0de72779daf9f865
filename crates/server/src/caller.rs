//! Who asks: the token of a request made into what it may do (server sheet §13.1).

use crate::config::ServerConfig;
use caravan_acl::{
    Access, AclView, CoarseRule, NamespaceCapability, NodePoolCapability, Target,
    VariableCapability,
};
use caravan_http::{ApiError, ApiRequest};
use caravan_model::*;
use caravan_state::State;
use std::sync::Arc;

/// The caller of one request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) view: AclView,
    /// The token; none with access control off, and for the anonymous.
    pub(crate) token: Option<Arc<AclToken>>,
}

impl Caller {
    /// Everybody, when access control is off.
    #[must_use]
    pub(crate) fn unrestricted() -> Self {
        Self {
            view: AclView::off(),
            token: None,
        }
    }

    /// The caller that a request names.
    ///
    /// # Errors
    /// A token that is not known, or has expired.
    pub(crate) fn of(
        state: &State,
        config: &ServerConfig,
        request: &ApiRequest,
        now: UnixNanos,
    ) -> Result<Self, ApiError> {
        if !config.acl_enabled {
            return Ok(Self::unrestricted());
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
            return Ok(Self {
                view: crate::policies::anonymous_view(state),
                token: None,
            });
        };
        let token = state
            .acl_token_by_secret(secret)
            .ok_or_else(ApiError::permission_denied)?;
        if token.is_expired(Timestamp(now.0)) {
            return Err(ApiError::permission_denied());
        }
        Ok(Self {
            view: crate::policies::view_of(state, token),
            token: Some(Arc::clone(token)),
        })
    }

    /// Whether the caller may make a request at all; what it may see of the answer is asked for row by row.
    pub(crate) fn may_call(&self, request: &ApiRequest) -> bool {
        let target = Target {
            namespace: request.namespace(),
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

    /// Refuses those who may not list volumes of plugins.
    pub(crate) fn need_csi_list(&self, namespace: &str) -> Result<(), ApiError> {
        if self.has(namespace, NamespaceCapability::CsiListVolume) && self.reads_plugins() {
            return Ok(());
        }
        Err(ApiError::permission_denied())
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
