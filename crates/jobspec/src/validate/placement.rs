//! Constraints, affinities and spreads.

use super::Faults;
use super::pattern::{malformed_semver, malformed_version, regex_problem};
use caravan_model::{Affinity, Constraint, Spread, operand};

/// What constraints may look at besides attributes, device attributes and node meta.
const NODE_TARGETS: [&str; 5] = [
    "${node.unique.id}",
    "${node.datacenter}",
    "${node.unique.name}",
    "${node.class}",
    "${node.pool}",
];

pub(super) fn constraints(constraints: &[Constraint], faults: &mut Faults) {
    for (at, it) in constraints.iter().enumerate() {
        let before = format!("Constraint {} validation failed: ", at + 1);
        faults.nest(&before, constraint(it));
    }
}

pub(super) fn affinities(affinities: &[Affinity], faults: &mut Faults) {
    for (at, it) in affinities.iter().enumerate() {
        let before = format!("Affinity {} validation failed: ", at + 1);
        faults.nest(&before, affinity(it));
    }
}

pub(super) fn spreads(spreads: &[Spread], faults: &mut Faults) {
    for (at, it) in spreads.iter().enumerate() {
        let before = format!("Spread {} validation failed: ", at + 1);
        faults.nest(&before, spread(it));
    }
}

pub(super) fn constraint(constraint: &Constraint) -> Faults {
    let mut faults = Faults::default();
    let (operator, target) = (constraint.operand.as_str(), constraint.r_target.as_str());
    let mut needs_attribute = true;
    match operator {
        "" => faults.add("Missing constraint operand"),
        operand::DISTINCT_HOSTS => needs_attribute = false,
        operand::DISTINCT_PROPERTY => distinct_property(target, &mut faults),
        operand::IS_SET | operand::IS_NOT_SET => faults.add_if(
            !target.is_empty(),
            format!("Operator {operator:?} does not support an RTarget"),
        ),
        operand::SET_CONTAINS | operand::SET_CONTAINS_ALL | operand::SET_CONTAINS_ANY => {
            faults.add_if(
                target.is_empty(),
                "Set contains constraint requires an RTarget",
            );
        }
        operand::REGEXP | operand::VERSION | operand::SEMVER => {
            compile(operator, target, &mut faults);
        }
        "=" | "==" | "is" | "!=" | "not" | "<" | "<=" | ">" | ">=" => faults.add_if(
            target.is_empty(),
            format!("Operator {operator:?} requires an RTarget"),
        ),
        other => faults.add(format!("Unknown constraint type {other:?}")),
    }
    if needs_attribute {
        attribute(&constraint.l_target, &mut faults);
    }
    faults
}

fn attribute(target: &str, faults: &mut Faults) {
    if target.is_empty() {
        faults.add("no attribute provided but is required by operator");
        return;
    }
    let inside = target
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'));
    let supported = match inside {
        None => true,
        Some(name) => {
            NODE_TARGETS.contains(&target)
                || ["attr.", "device.", "meta."]
                    .iter()
                    .any(|root| name.starts_with(root))
        }
    };
    faults.add_if(!supported, format!("unsupported attribute {target:?}"));
}

fn distinct_property(target: &str, faults: &mut Faults) {
    if target.is_empty() {
        return;
    }
    match target.parse::<u64>() {
        Ok(0) => faults.add("Distinct Property must have an allowed count of 1 or greater: 0 < 1"),
        Ok(_) => {}
        Err(error) => {
            let why = match error.kind() {
                std::num::IntErrorKind::PosOverflow => "value out of range",
                _ => "invalid syntax",
            };
            faults.add(format!(
                "Failed to convert RTarget {target:?} to uint64: strconv.ParseUint: parsing {target:?}: {why}"
            ));
        }
    }
}

fn compile(operator: &str, target: &str, faults: &mut Faults) {
    match operator {
        operand::REGEXP => {
            if let Some(why) = regex_problem(target) {
                faults.add(format!("Regular expression failed to compile: {why}"));
            }
        }
        operand::VERSION => {
            if let Some(part) = malformed_version(target) {
                faults.add(format!(
                    "Version constraint is invalid: malformed constraint: {part}"
                ));
            }
        }
        _ => {
            if let Some(part) = malformed_semver(target) {
                faults.add(format!(
                    "Semver constraint is invalid: Malformed constraint: {part}"
                ));
            }
        }
    }
}

pub(super) fn affinity(affinity: &Affinity) -> Faults {
    let mut faults = Faults::default();
    let operator = affinity.operand.as_str();
    match operator {
        "" => faults.add("Missing affinity operand"),
        operand::REGEXP | operand::VERSION | operand::SEMVER => {
            compile(operator, &affinity.r_target, &mut faults);
        }
        operand::SET_CONTAINS | operand::SET_CONTAINS_ALL | operand::SET_CONTAINS_ANY => {
            faults.add_if(
                affinity.r_target.is_empty(),
                "Set contains operators require an RTarget",
            );
        }
        "=" | "==" | "is" | "!=" | "not" | "<" | "<=" | ">" | ">=" => faults.add_if(
            affinity.r_target.is_empty(),
            format!("Operator {operator:?} requires an RTarget"),
        ),
        other => faults.add(format!("Unknown affinity operator {other:?}")),
    }
    faults.add_if(
        affinity.l_target.is_empty(),
        "No LTarget provided but is required",
    );
    match affinity.weight {
        0 => faults.add("Affinity weight cannot be zero"),
        -100..=100 => {}
        _ => faults.add("Affinity weight must be within the range [-100,100]"),
    }
    faults
}

fn spread(spread: &Spread) -> Faults {
    let mut faults = Faults::default();
    faults.add_if(spread.attribute.is_empty(), "Missing spread attribute");
    faults.add_if(
        !(1..=100).contains(&spread.weight),
        "Spread block must have a positive weight from 0 to 100",
    );
    let mut seen = std::collections::BTreeSet::new();
    let mut sum: u64 = 0;
    for target in &spread.spread_target {
        faults.add_if(
            target.percent > 100,
            format!(
                "Spread target percentage for value {:?} must be between 0 and 100",
                target.value
            ),
        );
        faults.add_if(
            !seen.insert(&target.value),
            format!("Spread target value {:?} already defined", target.value),
        );
        sum = sum.saturating_add(target.percent);
    }
    faults.add_if(
        sum > 100,
        format!("Sum of spread target percentages must not be greater than 100%; got {sum}%"),
    );
    faults
}
