//! What `job plan` says below the diff.

use crate::format::{counted, nanos, time_of_zone, until};
use crate::json::Fields;
use crate::render::placement_failure;
use crate::table::columns;
use crate::ui::Ui;
use serde_json::Value;
use std::collections::BTreeMap;

/// The dry run and what would be preempted.
pub(crate) fn plan(ui: &Ui, answer: &Value, job: &Value) -> String {
    let mut out = format!(
        "{}\n{}\n",
        ui.bold("Scheduler dry-run:") + ui.sgr("0"),
        dry_run(ui, answer, job) + ui.sgr("0")
    );
    out.push('\n');
    out
}

fn dry_run(ui: &Ui, answer: &Value, job: &Value) -> String {
    let mut lines = Vec::new();
    let failed = answer.members("FailedTGAllocs");
    if failed.is_empty() {
        let done = ui.paint("32", "- All tasks successfully allocated.");
        lines.push(format!("{}{done}", ui.sgr("1")));
    } else {
        let system = matches!(job.str("Type"), "system" | "sysbatch");
        let warning = match system {
            true => "- WARNING: Failed to place allocations on all nodes.",
            false => "- WARNING: Failed to place all allocations.",
        };
        lines.push(format!("{}{}", ui.sgr("1"), ui.paint("33", warning)));
        for (at, (group, metrics)) in failed.iter().enumerate() {
            if at > 0 {
                lines.push(String::new());
            }
            let count = usize::try_from(metrics.int("CoalescedFailures")).unwrap_or(0) + 1;
            let title = format!(
                "Task Group \"{group}\" (failed to place {}):\n",
                counted(count, "allocation")
            );
            let why = placement_failure(ui, metrics, "    ", false);
            let why = ui.paint("33", why.trim_end_matches('\n'));
            lines.push(format!("  {}{why}", ui.paint("33", &title)));
        }
    }
    let rolling = answer
        .items("CreatedEvals")
        .iter()
        .find(|eval| eval.str("TriggeredBy") == "rolling-update");
    if let Some(eval) = rolling {
        if !failed.is_empty() {
            lines.push(String::new());
        }
        let wait = caravan_model::Duration(eval.int("Wait"));
        lines.push(ui.paint(
            "32",
            &format!("- Rolling update, next evaluation will be in {wait}."),
        ));
    }
    let next = nanos(answer.at("NextPeriodicLaunch"));
    if next != 0 && job.lacks("ParameterizedJob") {
        lines.push(ui.paint(
            "32",
            &format!(
                "- If submitted now, next periodic launch would be at {} ({} from now).",
                time_of_zone(next, job.at("Periodic").str("TimeZone")),
                until(next)
            ),
        ));
    }
    lines.join("\n")
}

/// The allocations that would make room, if any.
pub(crate) fn preemptions(ui: &Ui, answer: &Value) -> String {
    let preempted = answer.at("Annotations").items("PreemptedAllocs");
    if preempted.is_empty() {
        return String::new();
    }
    let title = ui.paint("1;33", "Preemptions:");
    let mut by_job: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    for alloc in preempted {
        let job = (
            alloc.str("JobID"),
            alloc.str("Namespace"),
            alloc.str("JobType"),
        );
        *by_job.entry(job).or_default() += 1;
    }
    let mut rows;
    if preempted.len() < 10 {
        rows = vec![row!["Alloc ID", "Job ID", "Task Group"]];
        rows.extend(
            preempted
                .iter()
                .map(|alloc| row![alloc.str("ID"), alloc.str("JobID"), alloc.str("TaskGroup")]),
        );
    } else if by_job.len() < 10 {
        rows = vec![row!["Job ID", "Namespace", "Job Type", "Preemptions"]];
        rows.extend(
            by_job
                .iter()
                .map(|((job, namespace, kind), count)| row![job, namespace, kind, count]),
        );
    } else {
        let mut by_type: BTreeMap<&str, usize> = BTreeMap::new();
        for alloc in preempted {
            *by_type.entry(alloc.str("JobType")).or_default() += 1;
        }
        rows = vec![row!["Job Type", "Preemptions"]];
        rows.extend(by_type.iter().map(|(kind, count)| row![kind, count]));
    }
    format!("{title}\n\n{}\n", columns(&rows))
}
