//! `alloc checks`: the health checks of an allocation.

use super::{long_enough, query};
use crate::command::{COMMAND, Command, JSON, TEMPLATE, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::format;
use crate::json::{Fields, sorted};
use crate::table::columns;

pub(super) const SPEC: Command = Command {
    name: "alloc checks",
    args: "[options] <allocation>",
    synopsis: "Outputs service health check status information",
    about: "Outputs the service health check status information for services using the Nomad service discovery provider.",
    flags: &[JSON, TEMPLATE, VERBOSE],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let prefix = context.one_arg("<alloc-id>")?;
    long_enough(&prefix)?;
    let wants_data = context.wants_data()?;
    let api = context.api()?;
    let alloc = context.alloc(&api, &prefix)?;
    let path = format!("/v1/client/allocation/{}/checks", alloc.str("ID"));
    let checks = api
        .get(&path, query(&alloc))
        .doing("Error querying allocation health checks")?;
    if wants_data {
        context.data(&checks, "api.AllocCheckStatuses")?;
        return Ok(0);
    }
    let checks = sorted(&checks);
    let mut text = format!("Status of {} Nomad Service Checks\n", checks.len());
    for (_, check) in checks {
        let task = match check.str("Task") {
            "" => "(group)",
            task => task,
        };
        let mut rows = vec![
            row!["ID", "=", check.str("ID")],
            row!["Name", "=", check.str("Check")],
            row!["Group", "=", check.str("Group")],
            row!["Task", "=", task],
            row!["Service", "=", check.str("Service")],
            row!["Status", "=", check.str("Status")],
        ];
        if check.int("StatusCode") > 0 {
            rows.push(row!["StatusCode", "=", check.int("StatusCode")]);
        }
        let at = match check.int("Timestamp") {
            seconds if seconds < 100_000_000_000 => seconds.saturating_mul(1_000_000_000),
            nanos => nanos,
        };
        rows.push(row!["Mode", "=", check.str("Mode")]);
        rows.push(row!["Timestamp", "=", format::time(at)]);
        rows.push(row!["Output", "=", check.str("Output").trim()]);
        text += &format!("\n{}\n", columns(&rows));
    }
    context.ui.out(text.trim_end_matches('\n'));
    context.ui.out("");
    Ok(0)
}
