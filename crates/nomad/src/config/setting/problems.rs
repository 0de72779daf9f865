//! What is wrong with a configuration, and where it was written.

use std::fmt;
use std::path::PathBuf;

use crate::config::syntax::{Node, Pos};

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    File(PathBuf),
    Flag(String),
    Environment(String),
}

/// A complaint with its place: `agent.hcl:3:5: client: …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub origin: Origin,
    pub pos: Pos,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File(path) => write!(
                out,
                "{}:{}:{}: {}",
                path.display(),
                self.pos.line,
                self.pos.column,
                self.message
            ),
            Origin::Flag(name) => write!(out, "-{name}: {}", self.message),
            Origin::Environment(name) => write!(out, "{name}: {}", self.message),
        }
    }
}

/// What applying entries collects: all problems of a file, not only the first.
#[derive(Debug)]
pub struct Context {
    pub origin: Origin,
    pub path: Vec<String>,
    pub problems: Vec<Problem>,
    pub warnings: Vec<Problem>,
}

impl Context {
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            path: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn located(&self, pos: Pos, message: String) -> Problem {
        let path = self.path.join(".");
        let prefix = if path.is_empty() {
            String::new()
        } else {
            format!("{path}: ")
        };
        Problem {
            origin: self.origin.clone(),
            pos,
            message: prefix + &message,
        }
    }

    pub fn problem(&mut self, pos: Pos, message: impl Into<String>) {
        let problem = self.located(pos, message.into());
        self.problems.push(problem);
    }

    pub fn warn(&mut self, pos: Pos, message: impl Into<String>) {
        let warning = self.located(pos, message.into());
        self.warnings.push(warning);
    }

    pub(super) fn expected(&mut self, node: &Node, what: &str) {
        self.problem(
            node.pos,
            format!("expected {what}, found {}", node.value.describe()),
        );
    }

    /// Runs `body` with `key` added to the path that messages name.
    pub fn within(&mut self, key: &str, body: impl FnOnce(&mut Self)) {
        self.path.push(key.to_owned());
        body(self);
        self.path.pop();
    }
}
