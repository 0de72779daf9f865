//! `job scaling-events`: who scaled what when.

use crate::command::{COMMAND, Command, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::format::{id, time};
use crate::json::{Fields, plain};
use crate::table::columns;

pub(super) const SPEC: Command = Command {
    name: "job scaling-events",
    args: "[options] <job>",
    synopsis: "Display the most recent scaling events for a job",
    about: "List the scaling events for the specified job.",
    flags: &[VERBOSE],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let prefix = context.one_arg("<job>")?;
    let api = context.api()?;
    let found = context.job(&api, &prefix)?;
    let answer = api
        .get(&found.path("/scale"), found.query())
        .doing("Error listing scaling events")?;
    let verbose = context.verbose();
    let mut events = Vec::new();
    for (name, group) in answer.members("TaskGroups") {
        events.extend(
            group
                .items("Events")
                .iter()
                .map(|event| (event.int("Time"), name, event)),
        );
    }
    if events.is_empty() {
        context.ui.out("No events found");
        return Ok(0);
    }
    events.sort_by_key(|event| std::cmp::Reverse(event.0));
    let mut head = row!["Task Group", "Count", "PrevCount"];
    if verbose {
        head.extend(row!["Error", "Message", "Eval ID"]);
    }
    head.push("Date".into());
    let mut rows = vec![head];
    for (at, group, event) in events {
        let mut row = row![group, plain(event.at("Count")), event.int("PreviousCount")];
        if verbose {
            row.extend(row![
                event.yes("Error"),
                event.str("Message"),
                id(event.str("EvalID"), true)
            ]);
        }
        row.push(time(at));
        rows.push(row);
    }
    context.ui.out(&columns(&rows));
    Ok(0)
}
