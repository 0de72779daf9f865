//! An explanation as text.

use crate::format;
use crate::json::Fields;
use crate::render::three_digits;
use crate::table::{columns, pairs};
use crate::ui::Ui;
use serde_json::Value;

/// The whole text.
pub(super) fn render(ui: &Ui, explanation: &Value, verbose: bool) -> String {
    let mut out = pairs(&[
        ("ID", explanation.str("ID")),
        ("Namespace", explanation.str("Namespace")),
        ("Type", explanation.str("Type")),
        ("Status", explanation.str("Status")),
    ]);
    let reasons = explanation.strs("Reasons");
    if !reasons.is_empty() {
        out += &format!("\n\n{}", bullets(&reasons));
    }
    for group in explanation.items("TaskGroups") {
        out += &render_group(ui, group, verbose);
    }
    out
}

fn bullets<T: AsRef<str>>(lines: &[T]) -> String {
    let lines = lines.iter().map(|line| format!("  * {}", line.as_ref()));
    lines.collect::<Vec<_>>().join("\n")
}

fn render_group(ui: &Ui, group: &Value, verbose: bool) -> String {
    let title = format!("Task Group \"{}\"", group.str("Name"));
    let mut out = format!("\n\n{}\n", ui.bold(&title));
    let rows = [
        row!["Wanted", "Running", "Starting", "Unknown", "Waiting"],
        row![
            group.int("Wanted"),
            group.int("Running"),
            group.int("Starting"),
            group.int("Unknown"),
            group.int("Waiting")
        ],
    ];
    out += &columns(&rows);
    if !group.lacks("Nodes") {
        out += &format!(
            "\n\n{}\n{}",
            ui.bold("Why The Rest Waits"),
            nodes(group.at("Nodes"))
        );
        let blockers: Vec<String> = group.items("Blockers").iter().map(blocker).collect();
        if !blockers.is_empty() {
            out += &format!("\n{}", bullets(&blockers));
        }
        let remedies = group.strs("Remedies");
        if !remedies.is_empty() {
            let title = ui.bold("What Would Let It Run");
            out += &format!("\n\n{title}\n{}", bullets(&remedies));
        }
        let eval = group.str("BlockedEval");
        if !eval.is_empty() {
            out += &format!(
                "\n\nEvaluation \"{}\" tries again as soon as one of these comes about.",
                format::id(eval, verbose)
            );
        }
    }
    let placements = group.items("Placements");
    if !placements.is_empty() {
        out += &format!(
            "\n\n{}\n{}",
            ui.bold("Why There"),
            placement_table(placements, verbose)
        );
        if verbose {
            for placement in placements {
                out += &render_scores(ui, placement);
            }
        }
    }
    out
}

/// How many nodes there were, and where they fell out.
fn nodes(nodes: &Value) -> String {
    format!(
        "Of {} in pool \"{}\", {} in the job's datacenters, {} evaluated: {} ruled out, {} full.",
        format::counted(usize::try_from(nodes.int("InPool")).unwrap_or(0), "node"),
        nodes.str("Pool"),
        nodes.int("Available"),
        nodes.int("Evaluated"),
        nodes.int("Filtered"),
        nodes.int("Exhausted"),
    )
}

fn blocker(blocker: &Value) -> String {
    let what = blocker.str("What");
    let count = format::counted(usize::try_from(blocker.int("Nodes")).unwrap_or(0), "node");
    match blocker.str("Kind") {
        "constraint" => format!("{what}: ruled out {count}"),
        "resource" => format!("{what}: not enough left on {count}"),
        _ => format!("quota \"{what}\": used up"),
    }
}

fn placement_table(placements: &[Value], verbose: bool) -> String {
    let mut rows = vec![row![
        "Alloc ID",
        "Node",
        "Score",
        "Next Best",
        "Its Score",
        "Decided By",
        "Ruled Out",
        "Full"
    ]];
    rows.extend(placements.iter().map(|placement| {
        let (winner, next) = (placement.at("Winner"), placement.at("Next"));
        let score = |of: &Value| match of.is_null() {
            true => "-".to_owned(),
            false => three_digits(of.at("NormScore")),
        };
        let node = match placement.str("NodeName") {
            "" => format::id(placement.str("NodeID"), verbose),
            name => name.to_owned(),
        };
        let next_node = match next.is_null() {
            true => "none".to_owned(),
            false => format::id(next.str("NodeID"), verbose),
        };
        let decisive = match placement.str("Decisive") {
            "" => "-",
            name => name,
        };
        row![
            format::id(placement.str("AllocID"), verbose),
            node,
            score(winner),
            next_node,
            score(next),
            decisive,
            placement.at("Nodes").int("Filtered"),
            placement.at("Nodes").int("Exhausted")
        ]
    }));
    columns(&rows)
}

fn render_scores(ui: &Ui, placement: &Value) -> String {
    let title = format!("Placement of \"{}\"", placement.str("AllocID"));
    let mut out = format!("\n\n{}\n{}", ui.bold(&title), nodes(placement.at("Nodes")));
    let blockers: Vec<String> = placement.items("Blockers").iter().map(blocker).collect();
    if !blockers.is_empty() {
        out += &format!("\n{}", bullets(&blockers));
    }
    let table = crate::render::score_table(placement.at("Scored"));
    if !table.is_empty() {
        out += &format!("\n{table}");
    }
    out
}
