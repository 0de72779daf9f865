//! Following what a change leads to, until it is done.

mod deployment;
mod evaluation;

pub(crate) use deployment::watch_deployment;
pub(crate) use evaluation::watch_evaluation;
