//! The evaluation monitor: what an evaluation does, line by line, and the deployment that it leads to.

use crate::api::Api;
use crate::failure::{Failure, Outcome};
use crate::format;
use crate::json::{Fields, list};
use crate::monitor::watch_deployment;
use crate::render::placement_failure;
use crate::ui::Ui;
use caravan_sdk::Query;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Between two looks while nothing has changed yet.
const PAUSES: [u64; 4] = [20, 60, 150, 400];
/// Between two looks later on.
const PAUSE: u64 = 1000;

/// How lines are written: times are only shown where every detail is wanted.
struct Lines<'a> {
    ui: &'a mut Ui,
    verbose: bool,
}

impl Lines<'_> {
    fn stamp(&self) -> String {
        match self.verbose {
            true => format!("{}: ", format::time(format::now())),
            false => String::new(),
        }
    }

    fn info(&mut self, text: &str) {
        let line = format!("==> {}{text}", self.stamp());
        let line = self.ui.bold(&line);
        self.ui.out(&line);
    }

    fn output(&mut self, text: &str) {
        let line = format!("    {}{text}", self.stamp());
        self.ui.out(&line);
    }
}

/// What was last seen.
#[derive(Default)]
struct Seen {
    node: String,
    job: String,
    deployment: String,
    status: String,
    allocs: BTreeMap<String, String>,
}

/// Follows an evaluation to its end, and the deployment that comes with it; the exit code.
pub(crate) fn watch_evaluation(
    api: &Api,
    ui: &mut Ui,
    id: &str,
    namespace: &str,
    verbose: bool,
) -> Outcome {
    let mut lines = Lines { ui, verbose };
    let mut id = id.to_owned();
    loop {
        match follow(api, &mut lines, &id, namespace, verbose)? {
            Next::Done(code) => return Ok(code),
            Next::Evaluation(next) => id = next,
        }
    }
}

enum Next {
    Done(u8),
    Evaluation(String),
}

fn follow(
    api: &Api,
    lines: &mut Lines<'_>,
    id: &str,
    namespace: &str,
    verbose: bool,
) -> Result<Next, Failure> {
    let short = |id: &str| format::id(id, verbose);
    lines.info(&format!("Monitoring evaluation \"{}\"", short(id)));
    let eval = until_over(api, lines, id, namespace, verbose)?;
    tell_end(lines, id, &eval, verbose);
    let next = eval.str("NextEval");
    if !next.is_empty() {
        let wait = caravan_model::Duration(eval.int("Wait"));
        lines.info(&format!(
            "Monitoring next evaluation \"{}\" in {wait}",
            short(next)
        ));
        std::thread::sleep(Duration::from_nanos(u64::try_from(wait.0).unwrap_or(0)));
        return Ok(Next::Evaluation(next.to_owned()));
    }
    let deployment = eval.str("DeploymentID");
    if !deployment.is_empty() {
        lines.info(&format!("Monitoring deployment \"{}\"", short(deployment)));
        let status = watch_deployment(
            api,
            lines.ui,
            deployment,
            namespace,
            verbose,
            Duration::from_secs(2),
            "    ",
        )?;
        return Ok(Next::Done(u8::from(status != "successful")));
    }
    let placed_all = eval.members("FailedTGAllocs").is_empty();
    Ok(Next::Done(if placed_all { 0 } else { 2 }))
}

/// Looks at the evaluation, and tells what is new, until it is over.
fn until_over(
    api: &Api,
    lines: &mut Lines<'_>,
    id: &str,
    namespace: &str,
    verbose: bool,
) -> Result<Value, Failure> {
    let mut seen = Seen {
        status: "pending".to_owned(),
        ..Seen::default()
    };
    let mut looks = 0;
    loop {
        let query = || Query::new().namespace(namespace);
        let eval = match api.get(&format!("/v1/evaluation/{id}"), query()) {
            Ok(eval) => eval,
            Err(error) if error.code() == Some(404) => {
                return Err(format!("==> No evaluation with id \"{id}\" found").into());
            }
            Err(error) => {
                return Err(
                    format!("==> {}Error reading evaluation: {error}", lines.stamp()).into(),
                );
            }
        };
        let allocs = api
            .get(&format!("/v1/evaluation/{id}/allocations"), query())
            .map_err(|error| format!("==> {}Error reading allocations: {error}", lines.stamp()))?;
        update(lines, &mut seen, &eval, list(&allocs), verbose);
        if matches!(eval.str("Status"), "complete" | "failed" | "canceled") {
            return Ok(eval);
        }
        let pause = PAUSES.get(looks).copied().unwrap_or(PAUSE);
        looks += 1;
        std::thread::sleep(Duration::from_millis(pause));
    }
}

/// Tells how the evaluation ended, and what it could not place.
fn tell_end(lines: &mut Lines<'_>, id: &str, eval: &Value, verbose: bool) {
    let short = |id: &str| format::id(id, verbose);
    let failed = eval.members("FailedTGAllocs");
    let finished = format!(
        "Evaluation \"{}\" finished with status \"{}\"",
        short(id),
        eval.str("Status")
    );
    if failed.is_empty() {
        return lines.info(&finished);
    }
    lines.info(&format!("{finished} but failed to place all allocations:"));
    for (group, metrics) in failed {
        let count = usize::try_from(metrics.int("CoalescedFailures")).unwrap_or(0) + 1;
        let count = format::counted(count, "allocation");
        lines.output(&format!(
            "Task Group \"{group}\" (failed to place {count}):"
        ));
        let text = placement_failure(lines.ui, metrics, "      ", false);
        if !text.is_empty() {
            lines.ui.out(&text);
        }
    }
    let blocked = eval.str("BlockedEval");
    if !blocked.is_empty() {
        lines.output(&format!(
            "Evaluation \"{}\" waiting for additional capacity to place remainder",
            short(blocked)
        ));
    }
}

fn update(lines: &mut Lines<'_>, seen: &mut Seen, eval: &Value, allocs: &[Value], verbose: bool) {
    let short = |id: &str| format::id(id, verbose);
    let (node, job, deployment) = (
        eval.str("NodeID"),
        eval.str("JobID"),
        eval.str("DeploymentID"),
    );
    if seen.node.is_empty() && !node.is_empty() {
        lines.output(&format!("Evaluation triggered by node \"{}\"", short(node)));
        seen.node = node.to_owned();
    }
    if seen.job.is_empty() && !job.is_empty() {
        lines.output(&format!("Evaluation triggered by job \"{job}\""));
        seen.job = job.to_owned();
    }
    if seen.deployment.is_empty() && !deployment.is_empty() {
        lines.output(&format!(
            "Evaluation within deployment: \"{}\"",
            short(deployment)
        ));
        seen.deployment = deployment.to_owned();
    }
    for alloc in allocs {
        update_alloc(lines, seen, eval, alloc, verbose);
    }
    let status = eval.str("Status");
    if seen.status != status && status != "pending" {
        lines.output(&format!(
            "Evaluation status changed: \"{}\" -> \"{status}\"",
            seen.status
        ));
    }
    seen.status = status.to_owned();
}

fn update_alloc(
    lines: &mut Lines<'_>,
    seen: &mut Seen,
    eval: &Value,
    alloc: &Value,
    verbose: bool,
) {
    let short = |id: &str| format::id(id, verbose);
    let (id, status) = (alloc.str("ID"), alloc.str("ClientStatus"));
    let before = seen.allocs.insert(id.to_owned(), status.to_owned());
    let place = || {
        format!(
            "node \"{}\", group \"{}\"",
            short(alloc.str("NodeID")),
            alloc.str("TaskGroup")
        )
    };
    match before {
        None if alloc.int("CreateIndex") < eval.int("CreateIndex") => {
            lines.output(&format!(
                "Allocation \"{}\" modified: {}",
                short(id),
                place()
            ));
        }
        None if alloc.str("DesiredStatus") == "run" => {
            lines.output(&format!(
                "Allocation \"{}\" created: {}",
                short(id),
                place()
            ));
        }
        Some(before) if before != status => {
            let description = match alloc.str("ClientDescription") {
                "" => String::new(),
                text => format!(" ({text})"),
            };
            lines.output(&format!(
                "Allocation \"{}\" status changed: \"{before}\" -> \"{status}\"{description}",
                short(id)
            ));
        }
        _ => {}
    }
}
