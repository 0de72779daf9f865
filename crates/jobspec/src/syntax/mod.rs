//! Syntax: texts into tokens and trees. Knows nothing of jobs, values or functions.

pub(crate) mod ast;
pub(crate) mod expression;
pub(crate) mod heredoc;
pub(crate) mod json;
pub(crate) mod lexer;
pub(crate) mod parser;
pub(crate) mod template;

#[cfg(test)]
mod tests;
