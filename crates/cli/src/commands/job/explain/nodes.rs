//! The nodes that a job could run on but for their own state, and what nodes are called.

use crate::json::Fields;
use serde_json::{Value, json};

/// Nodes in the job's pool and datacenters that take no new work now, each with why.
pub(super) fn out_of_service(job: &Value, nodes: &[Value]) -> Vec<Value> {
    let mut found = Vec::new();
    for node in nodes.iter().filter(|node| is_target(job, node)) {
        if let Some(why) = why_out(node) {
            found.push(json!({ "ID": node.str("ID"), "Name": node.str("Name"), "Why": why }));
        }
    }
    found
}

fn why_out(node: &Value) -> Option<&str> {
    match node.str("Status") {
        "ready" if node.yes("Drain") => Some("draining"),
        "ready" if node.str("SchedulingEligibility") == "ineligible" => Some("ineligible"),
        "ready" => None,
        status => Some(status),
    }
}

fn is_target(job: &Value, node: &Value) -> bool {
    let pool = job.str("NodePool");
    let in_pool = pool.is_empty() || pool == "all" || pool == node.str("NodePool");
    let datacenters = job.strs("Datacenters");
    in_pool
        && datacenters
            .iter()
            .any(|one| glob(one, node.str("Datacenter")))
}

/// How many nodes there are in the job's pool, wherever they are and however they do.
pub(super) fn in_pool(pool: &str, nodes: &[Value]) -> usize {
    let mine = |node: &&Value| matches!(pool, "" | "all") || node.str("NodePool") == pool;
    nodes.iter().filter(mine).count()
}

/// What a node is called, as far as it may be known.
pub(super) fn name<'a>(id: &str, nodes: &'a [Value]) -> &'a str {
    let found = nodes.iter().find(|node| node.str("ID") == id);
    found.map_or("", |node| node.str("Name"))
}

/// Whether a text is what a pattern with `*` describes.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((first, rest)) => text.strip_prefix(first).is_some_and(|left| {
            let mut ends = left.char_indices().map(|(at, _)| at).chain([left.len()]);
            ends.any(|at| glob(rest, &left[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_take_no_work_are_told_with_why() {
        let node = |name: &str, pool: &str, dc: &str, status: &str, eligible: &str, drain: bool| {
            json!({"ID": name, "Name": name, "NodePool": pool, "Datacenter": dc, "Status": status,
                "SchedulingEligibility": eligible, "Drain": drain})
        };
        let nodes = [
            node("a", "default", "eu-1", "ready", "eligible", false),
            node("b", "default", "eu-1", "down", "eligible", false),
            node("c", "default", "eu-2", "ready", "ineligible", true),
            node("d", "default", "eu-2", "ready", "ineligible", false),
            node("e", "default", "us-1", "down", "eligible", false),
            node("f", "gpu", "eu-1", "down", "eligible", false),
        ];
        let job = json!({"NodePool": "default", "Datacenters": ["eu-*"]});
        let out = out_of_service(&job, &nodes);
        let told: Vec<(&str, &str)> = out
            .iter()
            .map(|node| (node.str("Name"), node.str("Why")))
            .collect();
        assert_eq!(
            told,
            [("b", "down"), ("c", "draining"), ("d", "ineligible")]
        );
        assert_eq!(in_pool("default", &nodes), 5);
        assert_eq!(in_pool("all", &nodes), 6);
        assert_eq!(name("c", &nodes), "c");
        assert_eq!(name("x", &nodes), "");
    }
}
