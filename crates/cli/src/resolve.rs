//! From what a user types to one object: exact ids, prefixes, and what is said when there are none or several.

use crate::api::Api;
use crate::context::Context;
use crate::failure::{Doing, Failure};
use crate::json::{Fields, list};
use crate::render;
use caravan_sdk::{Query, escape_path};
use serde_json::Value;

/// A job found by its prefix.
pub(crate) struct FoundJob {
    pub(crate) id: String,
    pub(crate) namespace: String,
}

impl FoundJob {
    /// Its route.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/v1/job/{}{rest}", escape_path(&self.id))
    }

    /// In its namespace.
    pub(crate) fn query(&self) -> Query {
        Query::new().namespace(&self.namespace)
    }
}

/// How an ambiguous allocation is reported.
pub(crate) const MANY_ALLOCS: &str = "Prefix matched multiple allocations";

/// The most jobs that a prefix is compared with.
const PREFIX_PAGE: usize = 20;

/// A UUID prefix that the server can look up: an even number of hex digits.
pub(crate) fn even(prefix: &str) -> &str {
    let digits = prefix.chars().filter(|c| *c != '-').count();
    match digits % 2 == 1 && prefix.is_char_boundary(prefix.len() - 1) {
        true => &prefix[..prefix.len() - 1],
        false => prefix,
    }
}

/// Refuses prefixes that match nearly everything.
pub(crate) fn long_enough(id: &str) -> Result<(), Failure> {
    match id.chars().count() {
        1 => Err("Identifier must contain at least two characters.".into()),
        _ => Ok(()),
    }
}

impl Context {
    /// The job with an id or prefix.
    pub(crate) fn job(&self, api: &Api, prefix: &str) -> Result<FoundJob, Failure> {
        self.job_where(api, prefix, "", |_| true)
    }

    /// The same among jobs of one kind (`parameterized `).
    pub(crate) fn job_where(
        &self,
        api: &Api,
        prefix: &str,
        kind: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<FoundJob, Failure> {
        let query = Query::new()
            .with("prefix", prefix)
            .with("per_page", PREFIX_PAGE.to_string());
        let found = match api.get("/v1/jobs", query) {
            Ok(found) => found,
            Err(error) if error.code() == Some(403) => {
                let namespace = api.client.config().namespace.clone();
                return Ok(FoundJob {
                    id: prefix.to_owned(),
                    namespace,
                });
            }
            Err(error) => {
                return Err(format!("Error querying job prefix {prefix:?}: {error}").into());
            }
        };
        let all = list(&found);
        let jobs: Vec<&Value> = all.iter().filter(|job| wanted(job)).collect();
        let Some(first) = jobs.first() else {
            return Err(format!("No {kind}job(s) with prefix or ID {prefix:?} found").into());
        };
        let everywhere = api.client.config().namespace == "*";
        let exact = first.str("ID") == prefix;
        let twice = everywhere && jobs.get(1).is_some_and(|job| job.str("ID") == prefix);
        if jobs.len() > 1 && (!exact || twice) {
            let mut text = format!("Prefix {prefix:?} matched multiple jobs\n\n");
            let owned: Vec<Value> = jobs.into_iter().cloned().collect();
            text += &render::job_list(&owned, everywhere);
            if all.len() == PREFIX_PAGE {
                text += "\n(results may be truncated)";
            }
            return Err(text.into());
        }
        Ok(FoundJob {
            id: first.str("ID").to_owned(),
            namespace: first.str("Namespace").to_owned(),
        })
    }

    /// The whole allocation with an id or prefix.
    pub(crate) fn alloc(&self, api: &Api, prefix: &str) -> Result<Value, Failure> {
        const DOING: &str = "Error querying allocation";
        let query = Query::new().with("prefix", even(prefix));
        let found = api.get("/v1/allocations", query).doing(DOING)?;
        match list(&found) {
            [] => Err(format!("No allocation(s) with prefix or id {prefix:?} found").into()),
            [one] => {
                let query = Query::new().namespace(one.str("Namespace"));
                api.get(&format!("/v1/allocation/{}", one.str("ID")), query)
                    .doing(DOING)
            }
            many => {
                let table = render::alloc_list(many, self.verbose());
                Err(format!("{MANY_ALLOCS}\n\n{table}").into())
            }
        }
    }

    /// The id of the node with an id or prefix.
    pub(crate) fn node_id(
        &self,
        api: &Api,
        prefix: &str,
        missing: &str,
        doing: &str,
    ) -> Result<String, Failure> {
        let query = Query::new().with("prefix", even(prefix));
        let found = api.get("/v1/nodes", query).doing(doing)?;
        match list(&found) {
            [] => Err(format!("No node(s) with {missing} {prefix:?} found").into()),
            [one] => Ok(one.str("ID").to_owned()),
            many => {
                let table = render::node_list_short(many, self.verbose());
                Err(format!("Prefix matched multiple nodes\n\n{table}").into())
            }
        }
    }

    /// The whole deployment with an id or prefix.
    pub(crate) fn deployment(&self, api: &Api, prefix: &str) -> Result<Value, Failure> {
        self.find_deployment(api, prefix)
            .doing("Error retrieving deployment")
    }

    fn find_deployment(&self, api: &Api, prefix: &str) -> Result<Value, String> {
        if prefix.len() == 36 {
            let path = format!("/v1/deployment/{}", escape_path(prefix));
            return api.get(&path, Query::new()).map_err(|e| e.to_string());
        }
        let digits: String = prefix.chars().filter(|c| *c != '-').collect();
        if digits.chars().count() == 1 {
            return Err("Identifier must contain at least two characters.".into());
        }
        let query = Query::new().with("prefix", even(&digits));
        let found = api
            .get("/v1/deployments", query)
            .map_err(|e| e.to_string())?;
        match list(&found) {
            [] => Err(format!("Deployment ID {prefix:?} matched no deployments")),
            [one] => Ok(one.clone()),
            many => {
                let table = render::deployment_list(many, self.verbose());
                Err(format!("Prefix matched multiple deployments\n\n{table}"))
            }
        }
    }

    /// The object of a list whose name begins so; an exact name wins.
    pub(crate) fn named(
        &self,
        api: &Api,
        path: &str,
        name: &str,
    ) -> Result<Vec<Value>, caravan_sdk::Error> {
        let found = api.get(path, Query::new().with("prefix", name))?;
        let all = list(&found);
        let exact = all.iter().find(|one| one.str("Name") == name);
        Ok(match exact {
            Some(exact) => vec![exact.clone()],
            None => all.to_vec(),
        })
    }

    /// The node of this very agent.
    pub(crate) fn self_node(&self, api: &Api) -> Result<String, Failure> {
        let agent = api
            .get("/v1/agent/self", Query::new())
            .doing("Error querying agent info")?;
        let id = agent.at("stats").at("client").str("node_id").to_owned();
        match id.is_empty() {
            true => Err("Nomad not running in client mode".into()),
            false => Ok(id),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn odd_prefixes_lose_their_last_digit() {
        assert_eq!(super::even("abc"), "ab");
        assert_eq!(super::even("12345678-9a"), "12345678-9a");
        assert_eq!(super::even("12345678-9"), "12345678-");
    }
}
