//! Syntax: texts into tokens and trees. Knows nothing of jobs, values or functions.

pub(crate) mod ast;
mod body;
mod collection;
mod expression;
mod heredoc;
pub(crate) mod json;
pub(crate) mod lexer;
pub(crate) mod parser;
mod template;
mod traversal;
