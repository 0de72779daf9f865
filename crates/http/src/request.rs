//! One request of the public API, parsed. It can travel to another agent as it is.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{error::ApiError, method::Method, op::Op, query::Query, route::Route};

/// What the caller asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiRequest {
    pub op: Op,
    pub method: Method,
    /// The names in the path, decoded.
    pub params: Params,
    /// Every query parameter, decoded, in the order given.
    pub query: Query,
    /// The parameters that all routes share.
    pub options: QueryOptions,
    /// The secret of the caller: `X-Nomad-Token`, else the bearer token.
    pub token: Option<String>,
    /// Header lines that operations read, by lower-case name: see [`KEPT_HEADERS`].
    pub headers: BTreeMap<String, String>,
    pub body: Bytes,
    /// Address of the caller, for logs.
    pub remote: String,
    /// Whether it came over the socket inside a task, where a token is always needed.
    pub from_task: bool,
}

/// The header lines that are kept for operations.
pub const KEPT_HEADERS: &[&str] = &[
    "host",
    "x-nomad-csi-secrets",
    "x-forwarded-for",
    "user-agent",
    "origin",
];

/// The parameters that all routes share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueryOptions {
    /// The region asked for; the agent's own when absent.
    pub region: Option<String>,
    /// The namespace asked for; see [`ApiRequest::namespace`].
    pub namespace: Option<String>,
    /// Answer only when the index is greater. 0: at once.
    pub index: u64,
    /// How long to hold back, in milliseconds; `None` is the default of five minutes.
    pub wait_ms: Option<u64>,
    pub stale: bool,
    pub prefix: String,
    /// 0: everything.
    pub per_page: i64,
    pub next_token: String,
    pub filter: String,
    pub reverse: bool,
    pub pretty: bool,
}

impl QueryOptions {
    /// Reads the shared parameters, as far as the route lets the framework read them.
    pub fn parse(query: &Query, route: &Route) -> Result<Self, ApiError> {
        let text = |name: &str| query.get(name).unwrap_or_default().to_owned();
        let named = |name: &str| {
            query
                .get(name)
                .filter(|value| !value.is_empty())
                .map(str::to_owned)
        };
        let mut options = Self {
            region: named("region"),
            namespace: named("namespace"),
            pretty: query.get("pretty").is_some_and(|value| value != "0"),
            ..Self::default()
        };
        if route.reads == crate::route::Reads::Scope {
            return Ok(options);
        }
        options.wait_ms = query.wait()?;
        options.index = query.index()?;
        options.stale = query.stale()?;
        options.per_page = query.per_page()?;
        options.prefix = text("prefix");
        options.next_token = text("next_token");
        options.filter = text("filter");
        options.reverse = query.get("reverse") == Some("true");
        Ok(options)
    }
}

impl ApiRequest {
    /// A request that an agent makes of itself or of another agent.
    pub fn internal(op: Op) -> Self {
        Self {
            op,
            method: Method::Get,
            params: Params::default(),
            query: Query::default(),
            options: QueryOptions::default(),
            token: None,
            headers: BTreeMap::new(),
            body: Bytes::new(),
            remote: String::new(),
            from_task: false,
        }
    }

    /// The row of the route table.
    pub fn route(&self) -> &'static Route {
        crate::routes::of(self.op)
    }

    /// A name of the path; empty when the path has none.
    pub fn param(&self, name: &str) -> &str {
        self.params.get(name).unwrap_or_default()
    }

    /// The namespace of the query, `default` when absent. `*` means all that the caller may see.
    pub fn namespace(&self) -> &str {
        self.options.namespace.as_deref().unwrap_or("default")
    }

    /// Decodes the JSON body as the reference does; an absent body is refused.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, ApiError> {
        crate::json::decode(&self.body).map_err(|error| ApiError::bad_request(error.to_string()))
    }

    /// The same for types that the reference keeps in another package, such as `api`.
    pub fn json_from<T: serde::de::DeserializeOwned>(&self, package: &str) -> Result<T, ApiError> {
        crate::json::decode_from(&self.body, package)
            .map_err(|error| ApiError::bad_request(error.to_string()))
    }

    /// Decodes the JSON body; `None` when there is none.
    pub fn json_optional<T: serde::de::DeserializeOwned>(&self) -> Result<Option<T>, ApiError> {
        if self.body.is_empty() {
            Ok(None)
        } else {
            self.json().map(Some)
        }
    }
}

/// Names of a path with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params(pub Vec<(String, String)>);

impl Params {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}
