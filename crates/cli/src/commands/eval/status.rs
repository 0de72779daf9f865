//! `eval status`: one evaluation and what it decided.

use crate::api::Api;
use crate::command::{COMMAND, Command, JSON, TEMPLATE, UI, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::switch;
use crate::format::{ago, counted, nanos, time};
use crate::json::{Fields, list};
use crate::monitor::watch_evaluation;
use crate::render;
use crate::resolve::{even, long_enough};
use crate::table::{columns, pairs};
use caravan_sdk::Query;
use serde_json::Value;

pub(super) const SPEC: Command = Command {
    name: "eval status",
    args: "[options] <evaluation>",
    synopsis: "Display evaluation status and placement failures",
    about: "Display information about evaluations. This command can be used to inspect the current status of an evaluation as well as determine the reason an evaluation did not place all allocations.",
    flags: &[
        switch("monitor", "Follow the evaluation until it ends."),
        JSON,
        TEMPLATE,
        UI,
        VERBOSE,
    ],
    run: |context| status(context),
    ..COMMAND
};

/// The command, also for `nomad status`.
pub(crate) fn status(context: &mut Context) -> Outcome {
    let wants_data = context.wants_data()?;
    if context.given.args.is_empty() && wants_data {
        let api = context.api()?;
        let all = api
            .get("/v1/evaluations", Query::new())
            .doing("Error querying evaluations")?;
        context.data(&all, "[]*api.Evaluation")?;
        return Ok(0);
    }
    context.expect_args(1..=1, "This command takes one argument")?;
    let prefix = context.given.arg(0).to_owned();
    long_enough(&prefix)?;
    let api = context.api()?;
    let found = find(context, &api, &prefix)?;
    let verbose = context.verbose();
    if context.given.on("monitor") {
        return watch_evaluation(
            &api,
            &mut context.ui,
            found.str("ID"),
            found.str("Namespace"),
            verbose,
        );
    }
    let path = format!("/v1/evaluation/{}", found.str("ID"));
    let query = Query::new().namespace(found.str("Namespace"));
    let eval = api
        .get(&path, query.clone().with("related", "true"))
        .doing("Error querying evaluation")?;
    if wants_data {
        context.data(&eval, "*api.Evaluation")?;
        return Ok(0);
    }
    let allocs = api
        .get(&format!("{path}/allocations"), query)
        .doing("Error querying evaluation")?;
    let mut text = head(context, &eval);
    text += &sections(context, &eval, list(&allocs));
    context.ui.out(&text);
    let hint = format!("/evaluations?currentEval={}", eval.str("ID"));
    context.hint(&api, "View evaluation details", &hint);
    Ok(0)
}

/// The evaluation with an id or prefix.
pub(super) fn find(context: &Context, api: &Api, prefix: &str) -> Result<Value, Failure> {
    let query = Query::new().with("prefix", even(prefix));
    let found = api
        .get("/v1/evaluations", query)
        .doing("Error querying evaluation")?;
    match list(&found) {
        [] => Err(format!("No evaluation(s) with prefix or id {prefix:?} found").into()),
        [one] => Ok(one.clone()),
        many => {
            let table = super::list::table(many, context.verbose());
            Err(format!("Prefix matched multiple evaluations\n\n{table}").into())
        }
    }
}

fn head(context: &Context, eval: &Value) -> String {
    let description = match eval.str("StatusDescription") {
        "" => eval.str("Status"),
        text => text,
    };
    let when = |name: &str| match context.verbose() {
        true => time(eval.int(name)),
        false => ago(eval.int(name)),
    };
    let mut rows = vec![
        ("ID", context.id(eval.str("ID"))),
        ("Create Time", when("CreateTime")),
        ("Modify Time", when("ModifyTime")),
        ("Status", eval.str("Status").to_owned()),
        ("Status Description", description.to_owned()),
        ("Type", eval.str("Type").to_owned()),
        ("TriggeredBy", eval.str("TriggeredBy").to_owned()),
        ("Job ID", eval.str("JobID").to_owned()),
        ("Namespace", eval.str("Namespace").to_owned()),
    ];
    match eval.str("TriggeredBy") {
        "node-update" => rows.push(("Node ID", context.id(eval.str("NodeID")))),
        "max-plan-attempts" => rows.push(("Previous Eval", context.id(eval.str("PreviousEval")))),
        _ => {}
    }
    rows.push(("Priority", eval.int("Priority").to_string()));
    rows.push(("Placement Failures", render::placement_failures(eval)));
    let until = nanos(eval.at("WaitUntil"));
    if until != 0 {
        rows.push(("Wait Until", time(until)));
    }
    if !eval.str("QuotaLimitReached").is_empty() {
        rows.push((
            "Quota Limit Reached",
            eval.str("QuotaLimitReached").to_owned(),
        ));
    }
    rows.push(("Previous Eval", context.id(eval.str("PreviousEval"))));
    rows.push(("Next Eval", context.id(eval.str("NextEval"))));
    rows.push(("Blocked Eval", context.id(eval.str("BlockedEval"))));
    pairs(&rows)
}

fn sections(context: &Context, eval: &Value, allocs: &[Value]) -> String {
    let (ui, verbose) = (&context.ui, context.verbose());
    let mut text = String::new();
    let related = eval.items("RelatedEvals");
    if !related.is_empty() {
        let mut rows = vec![row![
            "ID",
            "Priority",
            "Triggered By",
            "Node ID",
            "Status",
            "Description"
        ]];
        rows.extend(related.iter().map(|one| {
            row![
                context.id(one.str("ID")),
                one.int("Priority"),
                one.str("TriggeredBy"),
                context.id(one.str("NodeID")),
                one.str("Status"),
                one.str("StatusDescription")
            ]
        }));
        text += &format!("\n\n{}\n{}", ui.bold("Related Evaluations"), columns(&rows));
    }
    let plan = eval.at("PlanAnnotations");
    if !plan.members("DesiredTGUpdates").is_empty() {
        text += &format!("\n\n{}\n{}", ui.bold("Plan Annotations"), annotations(plan));
    }
    let preempted = plan.items("PreemptedAllocs");
    if !preempted.is_empty() {
        text += &format!(
            "\n\n{}\n{}",
            ui.bold("Preempted Allocations"),
            render::alloc_list(preempted, verbose)
        );
    }
    if !allocs.is_empty() {
        text += &format!(
            "\n\n{}\n{}",
            ui.bold("Placed Allocations"),
            render::alloc_list(allocs, verbose)
        );
    }
    text += &failures(context, eval);
    let missing = eval.strs("MissingNonNodeResources");
    if !missing.is_empty() {
        let title = context.ui.bold("Missing Resources");
        text += &format!("\n\n{title}\n{}", missing.join("\n"));
    }
    text
}

fn annotations(plan: &Value) -> String {
    const MAYBE: [(&str, &str); 7] = [
        ("Migrate", "Migrate"),
        ("Canary", "Canary"),
        ("Preemptions", "Preemptions"),
        ("Reschedule Now", "RescheduleNow"),
        ("Reschedule Later", "RescheduleLater"),
        ("Disconnect", "Disconnect"),
        ("Reconnect", "Reconnect"),
    ];
    let groups = plan.members("DesiredTGUpdates");
    let shown: Vec<(&str, &str)> = MAYBE
        .into_iter()
        .filter(|(_, member)| groups.iter().any(|(_, update)| update.int(member) > 0))
        .collect();
    let mut head = row![
        "Task Group",
        "Ignore",
        "Place",
        "Stop",
        "InPlace",
        "Destructive"
    ];
    head.extend(shown.iter().map(|(title, _)| (*title).to_owned()));
    let mut rows = vec![head];
    for (name, update) in groups {
        let mut row = row![
            name,
            update.int("Ignore"),
            update.int("Place"),
            update.int("Stop"),
            update.int("InPlaceUpdate"),
            update.int("DestructiveUpdate")
        ];
        row.extend(
            shown
                .iter()
                .map(|(_, member)| update.int(member).to_string()),
        );
        rows.push(row);
    }
    columns(&rows)
}

fn failures(context: &Context, eval: &Value) -> String {
    let failed = eval.members("FailedTGAllocs");
    if failed.is_empty() {
        return String::new();
    }
    let mut text = format!("\n\n{}", context.ui.bold("Failed Placements"));
    for (at, (group, metrics)) in failed.into_iter().enumerate() {
        let count = usize::try_from(metrics.int("CoalescedFailures")).unwrap_or(0) + 1;
        let gap = if at > 0 { "\n" } else { "" };
        let reasons = render::placement_failure(&context.ui, metrics, "  ", false);
        text += &format!(
            "{gap}\nTask Group {group:?} (failed to place {}):\n{reasons}",
            counted(count, "allocation")
        );
    }
    let blocked = eval.str("BlockedEval");
    if !blocked.is_empty() {
        text += &format!(
            "\n\nEvaluation {:?} waiting for additional capacity to place remainder",
            context.id(blocked)
        );
    }
    text
}
