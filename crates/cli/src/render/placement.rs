//! Why something could not be placed.

use crate::json::{Fields, list, plain};
use crate::table::columns;
use crate::ui::Ui;
use serde_json::Value;

/// The reasons, one line each behind `prefix`; `scores` adds how nodes were ranked.
pub(crate) fn placement_failure(ui: &Ui, metrics: &Value, prefix: &str, scores: bool) -> String {
    let mut lines = Vec::new();
    let mut add = |text: String| lines.push(format!("{prefix}* {text}"));
    if metrics.int("NodesEvaluated") == 0 {
        add("No nodes were eligible for evaluation".into());
    }
    for (datacenter, available) in metrics.members("NodesAvailable") {
        if available.as_i64() == Some(0) {
            add(format!(
                "No nodes are available in datacenter \"{datacenter}\""
            ));
        }
    }
    for (class, count) in metrics.members("ClassFiltered") {
        add(format!(
            "Class \"{class}\": {count} nodes excluded by filter"
        ));
    }
    for (constraint, count) in metrics.members("ConstraintFiltered") {
        let text = format!("Constraint \"{constraint}\": {count} nodes excluded by filter");
        add(match constraint.contains("missing drivers") {
            true => ui.paint("31", &text),
            false => text,
        });
    }
    let exhausted = metrics.int("NodesExhausted");
    if exhausted > 0 {
        add(format!("Resources exhausted on {exhausted} nodes"));
    }
    for (class, count) in metrics.members("ClassExhausted") {
        add(format!("Class \"{class}\" exhausted on {count} nodes"));
    }
    for (dimension, count) in metrics.members("DimensionExhausted") {
        add(format!(
            "Dimension \"{dimension}\" exhausted on {count} nodes"
        ));
    }
    for quota in metrics.strs("QuotaExhausted") {
        add(format!("Quota limit hit \"{quota}\""));
    }
    if scores {
        let table = score_table(metrics.at("ScoreMetaData"));
        if !table.is_empty() {
            lines.push(table);
        }
    }
    lines.join("\n")
}

/// How nodes were ranked.
pub(crate) fn score_table(scored: &Value) -> String {
    let nodes = list(scored);
    let mut names: Vec<&str> = nodes
        .iter()
        .flat_map(|node| node.members("Scores"))
        .map(|(name, _)| name)
        .collect();
    names.sort_unstable();
    names.dedup();
    if nodes.is_empty() {
        return String::new();
    }
    let mut head = row!["Node"];
    head.extend(names.iter().map(|name| (*name).to_owned()));
    head.push("final score".into());
    let mut rows = vec![head];
    for node in nodes {
        let mut row = row![node.str("NodeID")];
        let scores = node.at("Scores");
        row.extend(names.iter().map(|name| three_digits(scores.at(name))));
        row.push(three_digits(node.at("NormScore")));
        rows.push(row);
    }
    columns(&rows)
}

/// A number as `%.3g` writes it.
pub(crate) fn three_digits(value: &Value) -> String {
    let number = value.as_f64().unwrap_or_default();
    if number == 0.0 {
        return "0".to_owned();
    }
    let rounded: f64 = format!("{number:.2e}").parse().unwrap_or(number);
    let exponent = rounded.abs().log10().floor();
    if !(-4.0..3.0).contains(&exponent) {
        let text = format!("{rounded:.2e}");
        let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
        let mantissa = match mantissa.contains('.') {
            true => mantissa.trim_end_matches('0').trim_end_matches('.'),
            false => mantissa,
        };
        let power: i32 = power.parse().unwrap_or_default();
        let sign = if power < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", power.abs());
    }
    plain(&Value::from(rounded))
        .trim_end_matches(".0")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_have_three_digits() {
        for (number, text) in [
            (0.0476571, "0.0477"),
            (0.0, "0"),
            (1.0, "1"),
            (0.5, "0.5"),
            (-1.0, "-1"),
            (0.00001234, "1.23e-05"),
            (1234.0, "1.23e+03"),
        ] {
            assert_eq!(three_digits(&json!(number)), text);
        }
    }
}
