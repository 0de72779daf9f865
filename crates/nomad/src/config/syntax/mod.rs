//! The syntax of agent configuration files: HCL1 or JSON, parsed to one tree in which everything
//! knows its place, so that any later complaint can name file and line.

mod lexer;
mod parser;

pub use parser::{parse_hcl, parse_json};

/// A place in a file; both count from 1. Line 0 means that there is no file (a flag, the environment).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pos {
    pub line: u32,
    pub column: u32,
}

/// A value and where it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub pos: Pos,
    pub value: Value,
}

/// What can stand on the right of a key. Numbers stay text: how they are read depends on the key.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Entry>),
}

/// `key = value`, `key { … }` or `key "label" { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: String,
    pub pos: Pos,
    pub labels: Vec<String>,
    pub node: Node,
}

/// Why a file is not HCL1 or JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: {message}", pos.line, pos.column)]
pub struct SyntaxError {
    pub pos: Pos,
    pub message: String,
}

impl Value {
    /// The kind of this value in words, for messages.
    pub fn describe(&self) -> String {
        match self {
            Value::Null => "null".into(),
            Value::Bool(value) => format!("the boolean {value}"),
            Value::Number(text) => format!("the number {text}"),
            Value::Text(text) => format!("the text {text:?}"),
            Value::List(_) => "a list".into(),
            Value::Object(_) => "a block".into(),
        }
    }
}

#[cfg(test)]
mod tests;
