//! Following a drain: what happens to the node and to each of its allocations.

use crate::api::Api;
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::format;
use crate::json::{Fields, list};
use caravan_sdk::Query;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Clone, Debug, Default)]
struct Seen {
    marked: bool,
    draining: bool,
    status: String,
}

/// A node and its allocations as they were last seen.
pub(super) struct Drain {
    node: String,
    allocs: BTreeMap<String, Seen>,
    strategy: Option<Value>,
}

impl Drain {
    /// As things are now.
    pub(super) fn start(api: &Api, node: &str) -> Result<Self, Failure> {
        let mut drain = Self {
            node: node.to_owned(),
            allocs: BTreeMap::new(),
            strategy: None,
        };
        for alloc in drain.fetch(api)? {
            if !is_terminal(alloc.str("ClientStatus")) {
                let seen = Seen {
                    marked: alloc.at("DesiredTransition").yes("Migrate"),
                    draining: alloc.str("DesiredStatus") != "run",
                    status: alloc.str("ClientStatus").to_owned(),
                };
                drain.allocs.insert(alloc.str("ID").to_owned(), seen);
            }
        }
        Ok(drain)
    }

    fn fetch(&self, api: &Api) -> Result<Vec<Value>, Failure> {
        let path = format!("/v1/node/{}/allocations", self.node);
        let allocs = api
            .get(&path, Query::new())
            .doing("Error monitoring drain")?;
        Ok(list(&allocs).to_vec())
    }

    /// What changed, in words; and whether any allocation is still there.
    fn look(&mut self, allocs: &[Value]) -> (Vec<String>, bool) {
        let mut lines = Vec::new();
        let mut left = false;
        for alloc in allocs {
            let (id, status) = (alloc.str("ID"), alloc.str("ClientStatus"));
            let Some(seen) = self.allocs.get_mut(id) else {
                continue;
            };
            if !seen.marked && alloc.at("DesiredTransition").yes("Migrate") {
                seen.marked = true;
                lines.push(format!("Alloc {id:?} marked for migration"));
            }
            if !seen.draining && alloc.str("DesiredStatus") != "run" {
                seen.draining = true;
                lines.push(format!("Alloc {id:?} draining"));
            }
            if seen.status != status {
                lines.push(format!("Alloc {id:?} status {} -> {status}", seen.status));
                seen.status = status.to_owned();
            }
            let system = matches!(alloc.at("Job").str("Type"), "system" | "sysbatch");
            let ignored = system
                && self
                    .strategy
                    .as_ref()
                    .is_some_and(|it| it.yes("IgnoreSystemJobs"));
            left |= !is_terminal(status) && !ignored;
        }
        (lines, left)
    }
}

fn is_terminal(status: &str) -> bool {
    matches!(status, "complete" | "failed" | "lost")
}

/// Tells what happens until the drain is complete and everything has stopped.
pub(super) fn follow(context: &mut Context, api: &Api, drain: &mut Drain) -> Outcome {
    let id = drain.node.clone();
    let mut complete = false;
    let mut down = false;
    loop {
        let node = api
            .get(&format!("/v1/node/{id}"), Query::new())
            .doing("Error monitoring node")?;
        let strategy = node.at("DrainStrategy");
        if !strategy.is_null() {
            let before = drain.strategy.replace(strategy.clone());
            if before.is_some_and(|before| before.at("Deadline") != strategy.at("Deadline")) {
                let deadline = format::time(format::nanos(strategy.at("ForceDeadline")));
                say(
                    context,
                    &format!("Node {id:?} drain updated: drain with deadline at {deadline}"),
                );
            }
        }
        let (lines, left) = drain.look(&drain.fetch(api)?);
        for line in lines {
            say(context, &line);
        }
        if strategy.is_null() && !complete {
            complete = true;
            say(context, &format!("Drain complete for node {id}"));
        }
        if node.str("Status") == "down" && !down {
            down = true;
            context.ui.warn(&format!(
                "{}: Node {id:?} down",
                format::time(format::now())
            ));
        }
        if complete && !left {
            say(
                context,
                &format!("All allocations on node {id:?} have stopped"),
            );
            return Ok(0);
        }
        if down && complete {
            return Ok(0);
        }
        std::thread::sleep(PAUSE);
    }
}

fn say(context: &mut Context, text: &str) {
    context
        .ui
        .out(&format!("{}: {text}", format::time(format::now())));
}
