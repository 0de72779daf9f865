//! The rollout as a whole: steps in order, and the nodes that it may use.

use crate::format::counted;
use crate::json::Fields;
use crate::ui::Ui;
use serde_json::Value;

/// What is counted, in the words of the diff.
const KINDS: [(&str, &str); 7] = [
    ("Canary", "canary"),
    ("Place", "create"),
    ("DestructiveUpdate", "create/destroy update"),
    ("Stop", "destroy"),
    ("InPlaceUpdate", "in-place update"),
    ("Migrate", "migrate"),
    ("Ignore", "ignore"),
];

/// The section of `job plan -rollout`.
pub(crate) fn rollout(ui: &Ui, rollout: &Value) -> String {
    let mut lines = vec![ui.bold("Rollout:")];
    let refused = rollout.str("Refused");
    if !refused.is_empty() {
        let text = format!("- WARNING: Running the job would be refused: {refused}");
        lines.push(ui.paint("33", &text));
    }
    let steps = rollout.items("Steps");
    lines.push(match (steps.len(), rollout.at("Deployment").as_bool()) {
        (0, _) => "- Nothing is created or destroyed.".to_owned(),
        (1, Some(true)) => "- One step, watched by a deployment.".to_owned(),
        (1, _) => "- One step, without a deployment.".to_owned(),
        (many, Some(true)) => format!(
            "- {many} steps, watched by a deployment; each begins when the one before is healthy."
        ),
        (many, _) => format!("- {many} steps, without a deployment."),
    });
    for (at, step) in steps.iter().enumerate() {
        lines.push(format!("  {:>2}. {}", at + 1, words(step, rollout)));
    }
    if rollout.at("Truncated").as_bool() == Some(true) {
        lines.push("      and more".to_owned());
    }
    let nodes = rollout.members("Nodes");
    if !nodes.is_empty() {
        lines.push("- Nodes that could take one more allocation now:".to_owned());
    }
    for (group, found) in nodes {
        let names = named(found.strs("CandidateNames"), found.int("Candidates"));
        lines.push(format!(
            "  Task Group \"{group}\": {}{names}",
            counted(number(found.int("Candidates")), "node")
        ));
        for reason in found.items("Excluded") {
            let names = named(reason.strs("Names"), reason.int("Count"));
            lines.push(format!(
                "    * {} not: {}{names}",
                counted(number(reason.int("Count")), "node"),
                reason.str("Reason")
            ));
        }
    }
    lines.join("\n") + "\n"
}

fn number(count: i64) -> usize {
    usize::try_from(count).unwrap_or(0)
}

/// What one step does, in one line.
fn words(step: &Value, rollout: &Value) -> String {
    let mut parts = Vec::new();
    let promoted = step.strs("Promotes").join(", ");
    if !promoted.is_empty() {
        parts.push(match step.at("AutoPromote").as_bool() {
            Some(true) => format!("canaries of {promoted} are promoted when they are healthy"),
            _ => format!("after somebody has promoted the canaries of {promoted}"),
        });
    }
    for (group, updates) in step.members("Updates") {
        let counts: Vec<String> = KINDS
            .iter()
            .map(|(member, word)| (updates.int(member), word))
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        let nodes = rollout.at("Nodes").at(group);
        let new = updates.int("Place") + updates.int("Canary");
        let waits = match new > 0 && nodes.at("Candidates").as_i64() == Some(0) {
            true => ", for which there is no node now",
            false => "",
        };
        parts.push(format!("{group} ({}{waits})", counts.join(", ")));
    }
    parts.join("; ")
}

/// Names in brackets, with dots when there are more.
fn named(names: Vec<&str>, of: i64) -> String {
    let more = if number(of) > names.len() {
        ", …"
    } else {
        ""
    };
    match names.is_empty() {
        true => String::new(),
        false => format!(" ({}{more})", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::rollout;
    use crate::ui::Ui;
    use serde_json::json;

    #[test]
    fn steps_and_nodes_are_told() {
        let answer = json!({
            "Deployment": true,
            "Refused": "",
            "Steps": [
                {"Promotes": null, "Updates": {"api": {"Place": 1}, "web": {"Canary": 1, "Ignore": 2}}},
                {"Promotes": ["web"], "AutoPromote": false, "Updates": {"web": {"Stop": 1, "DestructiveUpdate": 1}}},
            ],
            "Nodes": {"api": {"Candidates": 0, "CandidateNames": null, "Excluded": null}, "web": {
                "Candidates": 2, "CandidateNames": ["n1", "n2"],
                "Excluded": [{"Reason": "the node drains", "Count": 11, "Names": ["n3"]}],
            }},
        });
        let expected = "Rollout:\n- 2 steps, watched by a deployment; each begins when the one before is healthy.\n   1. api (1 create, \
                        for which there is no node now); web (1 canary, 2 ignore)\n   2. after somebody has promoted the canaries of web; web (1 create/destroy \
                        update, 1 destroy)\n- Nodes that could take one more allocation now:\n  Task Group \"api\": 0 \
                        nodes\n  Task Group \"web\": 2 nodes \
                        (n1, n2)\n    * 11 nodes not: the node drains (n3, …)\n";
        assert_eq!(rollout(&Ui::plain(), &answer), expected);
    }
}
