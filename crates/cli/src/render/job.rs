//! Jobs.

use crate::format::{self, nanos};
use crate::json::{Fields, list};
use crate::render::placement_failure;
use crate::table::{columns, pairs};
use crate::ui::Ui;
use caravan_model::PeriodicConfig;
use caravan_model::api::ApiPeriodicConfig;
use serde_json::Value;

/// The list of jobs.
pub(crate) fn job_list(jobs: &[Value], namespaces: bool) -> String {
    let mut head = row!["ID"];
    if namespaces {
        head.push("Namespace".into());
    }
    head.extend(row!["Type", "Priority", "Status", "Submit Date"]);
    let mut rows = vec![head];
    for job in jobs {
        let mut row = row![job.str("ID")];
        if namespaces {
            row.push(job.str("Namespace").to_owned());
        }
        let mut kind = job.str("Type").to_owned();
        if job.yes("Periodic") {
            kind += "/periodic";
        }
        if job.yes("ParameterizedJob") {
            kind += "/parameterized";
        }
        row.extend(row![
            kind,
            job.int("Priority"),
            status(job),
            format::time(nanos(job.at("SubmitTime")))
        ]);
        rows.push(row);
    }
    columns(&rows)
}

/// A job's status, with a mark when somebody stopped it.
pub(crate) fn status(job: &Value) -> String {
    match job.yes("Stop") {
        true => format!("{} (stopped)", job.str("Status")),
        false => job.str("Status").to_owned(),
    }
}

/// The head of a job's status.
pub(crate) fn job_head(job: &Value) -> String {
    let periodic = job.at("Periodic");
    let is_periodic = !periodic.is_null();
    let is_parameterized = !job.lacks("ParameterizedJob") && !job.yes("Dispatched");
    let mut rows = vec![
        ("ID", job.str("ID").to_owned()),
        ("Name", job.str("Name").to_owned()),
        ("Submit Date", format::time(nanos(job.at("SubmitTime")))),
        ("Type", job.str("Type").to_owned()),
        ("Priority", job.int("Priority").to_string()),
        ("Datacenters", job.strs("Datacenters").join(",")),
        ("Namespace", job.str("Namespace").to_owned()),
        ("Node Pool", job.str("NodePool").to_owned()),
        ("Status", status(job)),
        ("Periodic", is_periodic.to_string()),
        ("Parameterized", is_parameterized.to_string()),
    ];
    let token = job.str("DispatchIdempotencyToken");
    if !token.is_empty() {
        rows.push(("Idempotency Token", token.to_owned()));
    }
    if is_periodic && !is_parameterized && periodic.at("Enabled").as_bool().unwrap_or(true) {
        let next = match job.yes("Stop") {
            true => "none (job stopped)".to_owned(),
            false => match next_launch(periodic) {
                Some(next) => format!("{} ({} from now)", format::time(next), format::until(next)),
                None => "none".to_owned(),
            },
        };
        rows.push(("Next Periodic Launch", next));
    }
    pairs(&rows)
}

/// When a periodic job runs next.
pub(crate) fn next_launch(periodic: &Value) -> Option<i64> {
    let periodic: ApiPeriodicConfig = serde_json::from_value(periodic.clone()).ok()?;
    let periodic = PeriodicConfig::from(periodic);
    let next = periodic.next_after(caravan_model::UnixNanos(format::now()))?;
    Some(next.0)
}

/// The counts of a job's allocations or children.
pub(crate) fn job_summary(ui: &Ui, job: &Value, summary: &Value) -> String {
    let mut out = String::new();
    let parameterized = !job.lacks("ParameterizedJob") && !job.yes("Dispatched");
    let children = summary.at("Children");
    let has_children = ["Pending", "Running", "Dead"]
        .iter()
        .any(|name| children.int(name) > 0);
    if job.lacks("Periodic") && !parameterized {
        let mut rows = vec![row![
            "Task Group",
            "Queued",
            "Starting",
            "Running",
            "Failed",
            "Complete",
            "Lost",
            "Unknown"
        ]];
        for (name, group) in summary.members("Summary") {
            let mut row = row![name];
            for count in [
                "Queued", "Starting", "Running", "Failed", "Complete", "Lost", "Unknown",
            ] {
                row.push(group.int(count).to_string());
            }
            rows.push(row);
        }
        out += &format!("\n\n{}\n{}", ui.bold("Summary"), columns(&rows));
    }
    if !job.lacks("Periodic") || parameterized || has_children {
        let title = match parameterized {
            true => "Parameterized Job Summary",
            false => "Children Job Summary",
        };
        let rows = [
            row!["Pending", "Running", "Dead"],
            row![
                children.int("Pending"),
                children.int("Running"),
                children.int("Dead")
            ],
        ];
        out += &format!("\n\n{}\n{}", ui.bold(title), columns(&rows));
    }
    out
}

/// The evaluations of a job.
pub(crate) fn job_evaluations(ui: &Ui, evals: &[Value], verbose: bool) -> String {
    let mut evals: Vec<&Value> = evals.iter().collect();
    evals.sort_by_key(|eval| std::cmp::Reverse(eval.int("CreateIndex")));
    let mut rows = vec![row![
        "ID",
        "Priority",
        "Triggered By",
        "Status",
        "Placement Failures"
    ]];
    rows.extend(evals.into_iter().map(|eval| {
        row![
            format::id(eval.str("ID"), verbose),
            eval.int("Priority"),
            eval.str("TriggeredBy"),
            eval.str("Status"),
            placement_failures(eval)
        ]
    }));
    format!("\n\n{}\n{}", ui.bold("Evaluations"), columns(&rows))
}

/// Whether an evaluation could not place everything.
pub(crate) fn placement_failures(eval: &Value) -> String {
    match eval.str("Status") {
        "blocked" => "N/A - In Progress".to_owned(),
        _ => (!eval.members("FailedTGAllocs").is_empty()).to_string(),
    }
}

/// The most groups whose failure is shown.
const MOST_GROUPS: usize = 5;

/// Why the newest evaluation with failures failed, while something is blocked.
pub(crate) fn job_failures(ui: &Ui, evals: &[Value]) -> String {
    let blocked = evals.iter().any(|eval| eval.str("Status") == "blocked");
    let failing = evals
        .iter()
        .filter(|eval| !eval.members("FailedTGAllocs").is_empty());
    let Some(newest) = failing
        .max_by_key(|eval| eval.int("CreateIndex"))
        .filter(|_| blocked)
    else {
        return String::new();
    };
    let mut out = format!("\n\n{}", ui.bold("Placement Failure"));
    for (at, (group, metrics)) in newest.members("FailedTGAllocs").into_iter().enumerate() {
        if at == MOST_GROUPS {
            out += &format!(
                "\n\nPlacement failures truncated. To see remainder run:\nnomad eval-status {}",
                newest.str("ID")
            );
            break;
        }
        let gap = if at > 0 { "\n" } else { "" };
        out += &format!(
            "{gap}\nTask Group \"{group}\":\n{}",
            placement_failure(ui, metrics, "  ", false)
        );
    }
    out
}

/// Allocations that will be tried again later.
pub(crate) fn job_reschedules(
    ui: &Ui,
    job: &Value,
    allocs: &[Value],
    evals: &[Value],
    verbose: bool,
) -> String {
    let mut rows = Vec::new();
    for group in job.items("TaskGroups") {
        let name = group.str("Name");
        let of_group = allocs.iter().filter(|alloc| alloc.str("TaskGroup") == name);
        let Some(latest) = of_group.max_by_key(|alloc| alloc.int("CreateTime")) else {
            continue;
        };
        let followup = latest.str("FollowupEvalID");
        let found = evals
            .iter()
            .find(|eval| eval.str("ID") == followup && eval.str("Status") == "pending");
        let Some(eval) = found.filter(|_| !followup.is_empty()) else {
            continue;
        };
        let at = nanos(eval.at("WaitUntil"));
        if at > format::now() {
            let wait =
                caravan_model::Duration((at - format::now()) / 1_000_000_000 * 1_000_000_000);
            let mut row = row![
                name,
                format::id(followup, verbose),
                format!("{wait} from now")
            ];
            if verbose {
                row.insert(1, reschedule_policy(group.at("ReschedulePolicy")));
            }
            rows.push(row);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let mut head = row!["Task Group", "Eval ID", "Eval Time"];
    if verbose {
        head.insert(1, "Reschedule Policy".to_owned());
    }
    rows.insert(0, head);
    format!(
        "\n\n{}\n{}",
        ui.bold("Future Rescheduling Attempts"),
        columns(&rows)
    )
}

/// A policy in a few words: how often, and how the delay grows.
fn reschedule_policy(policy: &Value) -> String {
    let length = |name: &str| caravan_model::Duration(policy.int(name));
    let often = match policy.yes("Unlimited") {
        true => "unlimited".to_owned(),
        false => format!("{} in {}", policy.int("Attempts"), length("Interval")),
    };
    format!(
        "{often} with {} delay, max_delay = {}",
        policy.str("DelayFunction"),
        length("MaxDelay")
    )
}

/// The actions that a job's tasks offer.
pub(crate) fn job_actions(ui: &Ui, job: &Value) -> String {
    let mut rows = Vec::new();
    for group in job.items("TaskGroups") {
        for task in group.items("Tasks") {
            for action in task.items("Actions") {
                rows.push(row![
                    action.str("Name"),
                    group.str("Name"),
                    task.str("Name")
                ]);
            }
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    rows.sort();
    rows.insert(0, row!["Action Name", "Task Group", "Task"]);
    format!("\n\n{}\n{}", ui.bold("Actions"), columns(&rows))
}

/// Jobs that this one launched, in that order.
pub(crate) fn children(ui: &Ui, title: &str, none: &str, parent: &str, jobs: &Value) -> String {
    let mut children: Vec<&Value> = list(jobs)
        .iter()
        .filter(|job| job.str("ParentID") == parent)
        .collect();
    // Ids tell them apart by the second only.
    children.sort_by_key(|child| child.int("CreateIndex"));
    let mut rows: Vec<_> = children
        .into_iter()
        .map(|child| row![child.str("ID"), status(child)])
        .collect();
    if rows.is_empty() {
        return format!("\n\n{none}");
    }
    rows.insert(0, row!["ID", "Status"]);
    format!("\n\n{}\n{}", ui.bold(title), columns(&rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn children_of_one_second_stand_as_they_were_launched() {
        let child = |id: &str, index: u64| json!({"ID": id, "ParentID": "p", "Status": "dead", "CreateIndex": index});
        let jobs = json!([
            child("p/dispatch-5-aa", 12),
            child("p/dispatch-5-cc", 9),
            child("p/dispatch-5-bb", 10)
        ]);
        let text = children(&Ui::plain(), "Dispatched Jobs", "none", "p", &jobs);
        let places: Vec<_> = ["cc", "bb", "aa"]
            .map(|name| text.find(&format!("p/dispatch-5-{name}")))
            .into();
        assert!(
            places.iter().all(Option::is_some) && places.is_sorted(),
            "{text}"
        );
    }

    #[test]
    fn a_reschedule_policy_is_told_in_a_few_words() {
        let limited = json!({
            "Attempts": 1, "Interval": 86_400_000_000_000_i64, "DelayFunction": "constant", "MaxDelay": 0, "Unlimited": false,
        });
        assert_eq!(
            reschedule_policy(&limited),
            "1 in 24h0m0s with constant delay, max_delay = 0s"
        );
        let unlimited = json!({
            "Attempts": 0, "DelayFunction": "exponential", "MaxDelay": 3_600_000_000_000_i64, "Unlimited": true,
        });
        assert_eq!(
            reschedule_policy(&unlimited),
            "unlimited with exponential delay, max_delay = 1h0m0s"
        );
    }
}
