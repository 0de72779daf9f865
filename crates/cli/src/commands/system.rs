//! Work on the whole cluster.

use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use caravan_sdk::Query;
use serde_json::Value;

pub(super) const COMMANDS: &[&Command] = &[&GC, &RECONCILE];

const GC: Command = Command {
    name: "system gc",
    synopsis: "Run the system garbage collection process",
    about: "Initializes a garbage collection of jobs, evaluations, allocations, and nodes. This is an asynchronous operation.",
    run: |context| {
        put(
            context,
            "/v1/system/gc",
            "Error running system garbage-collection",
        )
    },
    ..COMMAND
};

const RECONCILE: Command = Command {
    name: "system reconcile summaries",
    synopsis: "Reconciles the summaries of all registered jobs",
    about: "Reconciles the summaries of all registered jobs.",
    run: |context| {
        put(
            context,
            "/v1/system/reconcile/summaries",
            "Error running system summary reconciliation",
        )
    },
    ..COMMAND
};

fn put(context: &mut Context, path: &str, doing: &str) -> Outcome {
    // Arguments are complained about, and the work is done all the same.
    if let Err(complaint) = context.no_args() {
        context.ui.error(&complaint.message);
    }
    let api = context.api()?;
    api.put(path, Query::new(), &Value::Null).doing(doing)?;
    Ok(0)
}
