//! A filter as a tree: what is asked of which member.

use regex::Regex;

/// One node of the tree.
#[derive(Debug)]
pub(super) enum Expression {
    Or(Box<Self>, Box<Self>),
    And(Box<Self>, Box<Self>),
    Not(Box<Self>),
    /// `any`, or with `all` every, element of a list or map passes; the names stand for key and value in it.
    Each {
        all: bool,
        selector: Selector,
        names: Vec<String>,
        inner: Box<Self>,
    },
    Match {
        selector: Selector,
        negated: bool,
        test: Test,
    },
}

/// What is asked of a value.
#[derive(Debug)]
pub(super) enum Test {
    Equal(String),
    Empty,
    Nil,
    Contains(String),
    Matches {
        source: String,
        regex: Option<Box<Regex>>,
    },
}

/// The way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selector(pub(super) Vec<String>);

impl Expression {
    /// The members of the object that are looked at.
    pub(super) fn members(&self, out: &mut Vec<String>) {
        match self {
            Self::Or(left, right) | Self::And(left, right) => {
                left.members(out);
                right.members(out);
            }
            Self::Not(inner) => inner.members(out),
            Self::Each {
                selector, inner, ..
            } => {
                out.extend(selector.0.first().cloned());
                inner.members(out);
            }
            Self::Match { selector, .. } => out.extend(selector.0.first().cloned()),
        }
    }
}
