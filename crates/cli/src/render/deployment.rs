//! Deployments.

use crate::format::{id, nanos, time_or_na};
use crate::json::Fields;
use crate::table::{columns, pairs};
use crate::ui::Ui;
use serde_json::Value;

/// The list of deployments.
pub(crate) fn deployment_list(deployments: &[Value], verbose: bool) -> String {
    if deployments.is_empty() {
        return "No deployments found".to_owned();
    }
    let mut rows = vec![row!["ID", "Job ID", "Job Version", "Status", "Description"]];
    rows.extend(deployments.iter().map(|one| {
        row![
            id(one.str("ID"), verbose),
            one.str("JobID"),
            one.int("JobVersion"),
            one.str("Status"),
            one.str("StatusDescription")
        ]
    }));
    columns(&rows)
}

/// One deployment.
pub(crate) fn deployment(ui: &Ui, one: &Value, verbose: bool) -> String {
    let head = pairs(&[
        ("ID", id(one.str("ID"), verbose)),
        ("Job ID", one.str("JobID").to_owned()),
        ("Job Version", one.int("JobVersion").to_string()),
        ("Status", one.str("Status").to_owned()),
        ("Description", one.str("StatusDescription").to_owned()),
    ]);
    match one.members("TaskGroups").is_empty() {
        true => head,
        false => format!("{head}\n\n{}\n{}", ui.bold("Deployed"), deployed(one)),
    }
}

/// The table of a deployment's groups.
pub(crate) fn deployed(one: &Value) -> String {
    let groups = one.members("TaskGroups");
    let any = |test: &dyn Fn(&Value) -> bool| groups.iter().any(|(_, group)| test(group));
    let reverts = any(&|group| group.yes("AutoRevert"));
    let canaries = any(&|group| group.int("DesiredCanaries") > 0);
    let deadline = any(&|group| group.int("ProgressDeadline") != 0);
    let mut head = row!["Task Group"];
    let mut add = |on: bool, title: &str| {
        if on {
            head.push(title.to_owned());
        }
    };
    add(reverts, "Auto Revert");
    add(canaries, "Promoted");
    add(true, "Desired");
    add(canaries, "Canaries");
    add(true, "Placed");
    add(true, "Healthy");
    add(true, "Unhealthy");
    add(deadline, "Progress Deadline");
    let mut rows = vec![head];
    for (name, group) in groups {
        let mut row = row![name];
        if reverts {
            row.push(group.yes("AutoRevert").to_string());
        }
        if canaries {
            row.push(match group.int("DesiredCanaries") > 0 {
                true => group.yes("Promoted").to_string(),
                false => "N/A".to_owned(),
            });
        }
        row.push(group.int("DesiredTotal").to_string());
        if canaries {
            row.push(group.int("DesiredCanaries").to_string());
        }
        row.extend(row![
            group.int("PlacedAllocs"),
            group.int("HealthyAllocs"),
            group.int("UnhealthyAllocs")
        ]);
        if deadline {
            row.push(time_or_na(nanos(group.at("RequireProgressBy"))));
        }
        rows.push(row);
    }
    columns(&rows)
}
