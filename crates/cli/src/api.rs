//! The API as commands call it: one call after the other.

use crate::json::newest_first;
use caravan_sdk::{Client, Error, Meta, Method, Query};
use serde_json::Value;
use tokio::runtime::Runtime;

/// A client and the runtime that drives it.
pub(crate) struct Api {
    pub(crate) client: Client,
    runtime: Runtime,
}

impl Api {
    /// Over a client.
    pub(crate) fn new(client: Client) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::Config(error.to_string()))?;
        Ok(Self { client, runtime })
    }

    /// Another one with the same settings, for another thread.
    pub(crate) fn fork(&self) -> Result<Self, Error> {
        Self::new(Client::new(self.client.config().clone())?)
    }

    /// Waits for something.
    pub(crate) fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Reads something.
    pub(crate) fn get(&self, path: &str, query: Query) -> Result<Value, Error> {
        self.get_meta(path, query).map(|(value, _)| value)
    }

    /// Reads something and what its headers say.
    pub(crate) fn get_meta(&self, path: &str, query: Query) -> Result<(Value, Meta), Error> {
        let (value, meta) = self.wait(self.client.get(path, query))?;
        match lists_by_age(path) {
            true => Ok((newest_first(value), meta)),
            false => Ok((value, meta)),
        }
    }

    /// Changes something.
    pub(crate) fn put(&self, path: &str, query: Query, body: &Value) -> Result<Value, Error> {
        self.write(Method::PUT, path, query, body)
    }

    /// Changes something with another method.
    pub(crate) fn write(
        &self,
        method: Method,
        path: &str,
        query: Query,
        body: &Value,
    ) -> Result<Value, Error> {
        let body = (!body.is_null()).then_some(body);
        let written = self.wait(self.client.write(method, path, query, body));
        written.map(|(value, _): (Value, Meta)| value)
    }

    /// Removes something.
    pub(crate) fn delete(&self, path: &str, query: Query) -> Result<Value, Error> {
        self.write(Method::DELETE, path, query, &Value::Null)
    }
}

/// Whether a route's list is shown with the newest first, whatever order the server has it in.
fn lists_by_age(path: &str) -> bool {
    let mut parts = path.trim_start_matches("/v1/").split('/');
    let whole = (parts.next(), parts.next(), parts.next_back());
    match whole {
        (Some(all), None, None) => {
            matches!(all, "allocations" | "deployments" | "evaluations" | "nodes")
        }
        (Some("job"), Some(_), Some(of)) => {
            matches!(of, "allocations" | "deployments" | "evaluations")
        }
        (Some("node" | "evaluation"), Some(_), Some("allocations")) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_what_comes_and_goes_have_the_newest_first() {
        for path in [
            "/v1/nodes",
            "/v1/deployments",
            "/v1/job/web/allocations",
            "/v1/job/a%2Fb/deployments",
            "/v1/evaluation/x/allocations",
        ] {
            assert!(lists_by_age(path), "{path}");
        }
        for path in [
            "/v1/jobs",
            "/v1/job/web",
            "/v1/job/web/deployment",
            "/v1/deployment/allocations/x",
            "/v1/node/pools",
            "/v1/volumes",
        ] {
            assert!(!lists_by_age(path), "{path}");
        }
    }
}
