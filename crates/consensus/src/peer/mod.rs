//! Between the nodes: our messages, and the sending side.

pub(crate) mod client;
pub(crate) mod message;
