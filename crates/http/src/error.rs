//! Errors as the API shows them: a status and bare text. Everything that has a fixed text is named here once.

use crate::answer::Meta;

/// A refusal or failure.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    pub status: u16,
    /// The body, without a newline at the end.
    pub message: String,
    /// Meta headers: "not found" of a read has them, and can be waited on.
    pub meta: Option<Box<Meta>>,
}

impl ApiError {
    /// A status with a text.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            meta: None,
        }
    }

    /// With the meta headers of the read that failed.
    pub fn with_meta(mut self, meta: Meta) -> Self {
        self.meta = Some(Box::new(meta));
        self
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// 404.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, message)
    }

    /// 409.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, message)
    }

    /// 500, which is also what most validation of submitted objects gives.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, message)
    }

    /// The token has not the right.
    pub fn permission_denied() -> Self {
        Self::new(403, "Permission denied")
    }

    /// No token where one is always needed.
    pub fn token_missing() -> Self {
        Self::new(401, "Permission denied")
    }

    /// No such token.
    pub fn token_not_found() -> Self {
        Self::new(403, "ACL token not found")
    }

    /// Access control is off.
    pub fn acl_disabled() -> Self {
        Self::bad_request("ACL support disabled")
    }

    /// The cluster has no leader now.
    pub fn no_leader() -> Self {
        Self::internal("No cluster leader")
    }

    /// The region is not known.
    pub fn no_path_to_region() -> Self {
        Self::internal("No path to region")
    }

    /// The node has no connection to any server.
    pub fn no_path_to_node() -> Self {
        Self::not_found("No path to node")
    }

    /// A node route without a node.
    pub fn no_local_node() -> Self {
        Self::bad_request("No local Node and node_id not provided")
    }

    /// No such allocation, on routes of client nodes.
    pub fn unknown_allocation(id: impl std::fmt::Display) -> Self {
        Self::not_found(format!("Unknown allocation \"{id}\""))
    }

    /// No such node, on routes of client nodes.
    pub fn unknown_node(status: u16, id: impl std::fmt::Display) -> Self {
        Self::new(status, format!("Unknown node {id}"))
    }

    /// A route of servers on an agent that is none.
    pub fn server_only() -> Self {
        Self::bad_request("Server only endpoint")
    }

    /// A server-style call on an agent of the other role.
    pub fn wrong_role() -> Self {
        Self::new(501, "Invalid method")
    }

    /// Not in this edition.
    pub fn enterprise_only() -> Self {
        Self::new(501, "Nomad Enterprise only endpoint")
    }

    /// A body is needed.
    pub fn empty_body() -> Self {
        Self::bad_request(crate::json::EMPTY_BODY)
    }

    /// `filter` together with a parameter that filters by itself.
    pub fn filter_with_others() -> Self {
        Self::bad_request("Filter expression cannot be used with other filter parameters")
    }

    /// Registration is switched off.
    pub fn registration_disabled() -> Self {
        Self::new(
            403,
            "Job registration, dispatch, and scale are disabled by the scheduler configuration",
        )
    }

    /// Metrics are not kept for Prometheus.
    pub fn prometheus_disabled() -> Self {
        Self::new(415, "Prometheus is not enabled")
    }

    /// An ID of 36 characters was expected; `object` is `alloc`, `eval`, `node`, `deployment`.
    pub fn id_length(object: &str) -> Self {
        Self::internal(format!(
            "{object} lookup failed: index error: UUID must be 36 characters"
        ))
    }

    /// A prefix of an ID has an even number of digits.
    pub fn id_prefix_length(object: &str) -> Self {
        Self::internal(format!(
            "{object} lookup failed: index error: Input (without hyphens) must be even length"
        ))
    }

    /// A prefix of an ID has hexadecimal digits only.
    pub fn id_prefix_digit(object: &str, digit: char) -> Self {
        Self::internal(format!(
            "{object} lookup failed: index error: Invalid UUID: encoding/hex: invalid byte: U+{:04X} {}",
            digit as u32,
            crate::go::quote_char(digit)
        ))
    }
}
