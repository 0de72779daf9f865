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
    let nodes = explanation.items("NodesOutOfService");
    if !nodes.is_empty() {
        let title = ui.bold("Nodes That Take No New Work Now");
        out += &format!("\n\n{title}\n{}", some(nodes, verbose, out_of_service));
    }
    out
}

/// How many nodes are named without `-verbose`.
const MOST_NODES: usize = 10;

fn some(rows: &[Value], verbose: bool, line: impl Fn(&Value) -> String) -> String {
    let most = match verbose {
        true => rows.len(),
        false => MOST_NODES,
    };
    let mut lines: Vec<String> = rows.iter().take(most).map(line).collect();
    if rows.len() > most {
        lines.push(format!(
            "and {} more (-verbose shows them)",
            rows.len() - most
        ));
    }
    bullets(&lines)
}

fn out_of_service(node: &Value) -> String {
    format!("{}: {}", node_name(node, "ID", "Name"), node.str("Why"))
}

/// The name of a node, or what is known of it.
fn node_name(of: &Value, id: &str, name: &str) -> String {
    match of.str(name) {
        "" => format::id(of.str(id), false),
        name => name.to_owned(),
    }
}

fn bullets<T: AsRef<str>>(lines: &[T]) -> String {
    let lines = lines.iter().map(|line| format!("  * {}", line.as_ref()));
    lines.collect::<Vec<_>>().join("\n")
}

/// What is said of one row.
type Line = fn(&Value) -> String;

fn render_group(ui: &Ui, group: &Value, verbose: bool) -> String {
    let title = format!("Task Group \"{}\"", group.str("Name"));
    let mut out = format!("\n\n{}\n", ui.bold(&title));
    let counts = [
        "Wanted", "Running", "Starting", "Unknown", "Failed", "Waiting",
    ];
    let rows = [
        counts.map(str::to_owned).to_vec(),
        counts.map(|name| group.int(name).to_string()).to_vec(),
    ];
    out += &columns(&rows);
    out += &render_wait(ui, group, verbose);
    let told: [(&str, &str, Line); 2] = [
        ("What Does Not Run", "Trouble", trouble),
        ("What Was Evicted", "Evicted", evicted),
    ];
    for (title, what, line) in told {
        let rows: Vec<Value> = group
            .items(what)
            .iter()
            .filter(|row| !line(row).is_empty())
            .cloned()
            .collect();
        if !rows.is_empty() {
            out += &format!("\n\n{}\n{}", ui.bold(title), some(&rows, verbose, line));
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

/// Why the rest of a group waits, and what would help it.
fn render_wait(ui: &Ui, group: &Value, verbose: bool) -> String {
    let mut out = String::new();
    if group.lacks("Nodes") {
        return out;
    }
    out += &format!(
        "\n\n{}\n{}",
        ui.bold("Why The Rest Waits"),
        nodes(group.at("Nodes"))
    );
    let blockers: Vec<String> = group.items("Blockers").iter().map(blocker).collect();
    if !blockers.is_empty() {
        out += &format!("\n{}", bullets(&blockers));
    }
    let on = group.items("WaitsOn");
    if !on.is_empty() {
        let title = ui.bold("Nodes That It Waits For");
        let line = |node: &Value| node_name(node, "ID", "Name");
        out += &format!("\n\n{title}\n{}", some(on, verbose, line));
    }
    let remedies = group.strs("Remedies");
    if !remedies.is_empty() {
        let title = ui.bold("What Would Let It Run");
        out += &format!("\n\n{title}\n{}", bullets(&remedies));
    }
    let recorded = format::ago(group.int("Recorded"));
    let eval = group.str("BlockedEval");
    if !eval.is_empty() {
        out += &format!(
            "\n\nRecorded {recorded}. Evaluation \"{}\" tries again as soon as one of these comes about.",
            format::id(eval, verbose)
        );
    } else {
        out += &format!("\n\nRecorded {recorded}.");
    }
    out
}

/// What an allocation failed or hangs on.
fn trouble(alloc: &Value) -> String {
    let last = match (alloc.str("Task"), alloc.str("Last")) {
        (_, "") if alloc.str("ClientStatus") == "pending" => return String::new(),
        (_, "") => "nothing is known of why".to_owned(),
        (task, last) => format!("task \"{task}\": {last}"),
    };
    let again = match (alloc.str("ClientStatus"), alloc.str("FollowupEvalID")) {
        ("pending", _) => String::new(),
        (_, "") => "; it is not tried again as its reschedule policy is".to_owned(),
        (_, eval) => format!(
            "; evaluation \"{}\" tries it again",
            format::id(eval, false)
        ),
    };
    format!(
        "{} \"{}\" on {} is {}: {last}{again}",
        alloc.str("Name"),
        format::id(alloc.str("AllocID"), false),
        alloc.str("NodeName"),
        alloc.str("ClientStatus")
    )
}

/// Who had to make room for whom.
fn evicted(alloc: &Value) -> String {
    let by = format::id(alloc.str("ByAllocID"), false);
    let job = match alloc.str("ByJob") {
        "" => String::new(),
        job => format!(" of job \"{job}\" (priority {})", alloc.int("ByPriority")),
    };
    format!(
        "{} \"{}\" on {} made room for allocation \"{by}\"{job} {}",
        alloc.str("Name"),
        format::id(alloc.str("AllocID"), false),
        alloc.str("NodeName"),
        format::ago(alloc.int("When"))
    )
}

/// How many nodes there were, and where they fell out.
fn nodes(nodes: &Value) -> String {
    format!(
        "Of {} that took new work in pool \"{}\" and the job's datacenters: {} ruled out, {} full.",
        format::counted(usize::try_from(nodes.int("InPool")).unwrap_or(0), "node"),
        nodes.str("Pool"),
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
        "class filtered" => format!("class \"{what}\": {count} of it ruled out"),
        "class exhausted" => format!("class \"{what}\": {count} of it full"),
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
        "Full",
        "Evicts"
    ]];
    rows.extend(placements.iter().map(|placement| {
        let (winner, next) = (placement.at("Winner"), placement.at("Next"));
        let score = |of: &Value| match of.is_null() {
            true => "-".to_owned(),
            false => three_digits(of.at("NormScore")),
        };
        let node = node_name(placement, "NodeID", "NodeName");
        let next_node = match (next.is_null(), placement.str("NextName")) {
            (true, _) => "none".to_owned(),
            (false, "") => format::id(next.str("NodeID"), verbose),
            (false, name) => name.to_owned(),
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
            placement.at("Nodes").int("Exhausted"),
            placement.items("Evicts").len()
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
