//! Constraints compiled once and asked of many nodes (scheduler sheet §8.5).

use super::target::{Target, escapes_class};
use super::version::Conditions;
use caravan_model::{Affinity, Constraint, Node, operand, regexp};
use regex::Regex;
use std::collections::BTreeSet;

/// What a constraint compares by.
#[derive(Clone, Debug)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    IsSet,
    IsNotSet,
    Version {
        strict: bool,
    },
    Regexp,
    ContainsAll,
    ContainsAny,
    /// Not known: nothing satisfies it.
    Never,
}

impl Operator {
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            operand::EQUAL | "==" | "is" => Self::Equal,
            operand::NOT_EQUAL | "not" => Self::NotEqual,
            operand::LESS => Self::Less,
            operand::LESS_OR_EQUAL => Self::LessOrEqual,
            operand::GREATER => Self::Greater,
            operand::GREATER_OR_EQUAL => Self::GreaterOrEqual,
            operand::IS_SET => Self::IsSet,
            operand::IS_NOT_SET => Self::IsNotSet,
            operand::VERSION => Self::Version { strict: false },
            operand::SEMVER => Self::Version { strict: true },
            operand::REGEXP => Self::Regexp,
            operand::SET_CONTAINS | operand::SET_CONTAINS_ALL => Self::ContainsAll,
            operand::SET_CONTAINS_ANY => Self::ContainsAny,
            _ => Self::Never,
        }
    }
}

/// The right side, prepared where it is the same for every node.
#[derive(Clone, Debug)]
enum Prepared {
    Nothing,
    Regex(Option<Regex>),
    Conditions(Option<Conditions>),
    Members(BTreeSet<String>),
}

/// A constraint or affinity, ready to be asked of nodes.
#[derive(Clone, Debug)]
pub(crate) struct Predicate {
    left: Target,
    right: Target,
    operator: Operator,
    prepared: Prepared,
    /// Whether it looks at what computed classes leave out.
    pub(crate) escapes: bool,
    /// How a refusal is counted.
    pub(crate) reason: String,
}

impl Predicate {
    pub(crate) fn of_constraint(constraint: &Constraint) -> Self {
        // exhaustive
        let Constraint {
            l_target,
            r_target,
            operand,
        } = constraint;
        Self::new(l_target, operand, r_target)
    }

    pub(crate) fn of_affinity(affinity: &Affinity) -> Self {
        // exhaustive
        let Affinity {
            l_target,
            r_target,
            operand,
            weight: _,
        } = affinity;
        Self::new(l_target, operand, r_target)
    }

    fn new(left: &str, operand: &str, right: &str) -> Self {
        let operator = Operator::parse(operand);
        let target = Target::parse(right);
        let prepared = match &target {
            Target::Literal(text) => prepare(&operator, text),
            _ => Prepared::Nothing,
        };
        Self {
            left: Target::parse(left),
            right: target,
            operator,
            prepared,
            escapes: escapes_class(left) || escapes_class(right),
            reason: format!("{left} {operand} {right}").trim().to_owned(),
        }
    }

    /// Whether the node satisfies it.
    pub(crate) fn holds(&self, node: &Node) -> bool {
        let left = self.left.of(node);
        let right = self.right.of(node);
        match self.operator {
            Operator::IsSet => return left.is_some(),
            Operator::IsNotSet => return left.is_none(),
            // A missing value counts as an empty one.
            Operator::NotEqual => {
                return left.as_deref().unwrap_or("") != right.as_deref().unwrap_or("");
            }
            _ => {}
        }
        let (Some(left), Some(right)) = (left, right) else {
            return false;
        };
        match &self.prepared {
            Prepared::Nothing => compare(
                &self.operator,
                &left,
                &right,
                &prepare(&self.operator, &right),
            ),
            prepared => compare(&self.operator, &left, &right, prepared),
        }
    }
}

/// Whether `left operator right` holds for two texts.
pub(crate) fn texts_hold(operator: &Operator, left: &str, right: &str) -> bool {
    match operator {
        Operator::IsSet => true,
        Operator::IsNotSet => false,
        Operator::NotEqual => left != right,
        _ => compare(operator, left, right, &prepare(operator, right)),
    }
}

fn prepare(operator: &Operator, right: &str) -> Prepared {
    match operator {
        Operator::Regexp => {
            let usual = regexp::translated(right).ok();
            Prepared::Regex(usual.and_then(|usual| Regex::new(&usual).ok()))
        }
        Operator::Version { strict } => Prepared::Conditions(Conditions::parse(right, *strict)),
        Operator::ContainsAll | Operator::ContainsAny => {
            let members = right.split(',').map(|member| member.trim().to_owned());
            Prepared::Members(members.collect())
        }
        _ => Prepared::Nothing,
    }
}

fn compare(operator: &Operator, left: &str, right: &str, prepared: &Prepared) -> bool {
    let has = |member: &String| left.split(',').any(|have| have.trim() == member);
    match (operator, prepared) {
        (Operator::Equal, _) => left == right,
        (Operator::Less, _) => order(left, right).is_lt(),
        (Operator::LessOrEqual, _) => order(left, right).is_le(),
        (Operator::Greater, _) => order(left, right).is_gt(),
        (Operator::GreaterOrEqual, _) => order(left, right).is_ge(),
        (Operator::Regexp, Prepared::Regex(Some(regex))) => regex.is_match(left),
        (Operator::Version { .. }, Prepared::Conditions(Some(conditions))) => {
            conditions.admit(left)
        }
        (Operator::ContainsAll, Prepared::Members(members)) => members.iter().all(has),
        (Operator::ContainsAny, Prepared::Members(members)) => {
            left.split(',').any(|have| members.contains(have.trim()))
        }
        _ => false,
    }
}

/// As whole numbers, else as numbers, else as texts.
fn order(left: &str, right: &str) -> std::cmp::Ordering {
    if let (Ok(left), Ok(right)) = (left.parse::<i64>(), right.parse::<i64>()) {
        return left.cmp(&right);
    }
    if let (Ok(left), Ok(right)) = (left.parse::<f64>(), right.parse::<f64>()) {
        return left.total_cmp(&right);
    }
    left.cmp(right)
}
