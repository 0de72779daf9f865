//! One allocation: the machine that decides about its tasks, their health, and where its files are.

pub(crate) mod dir;
pub(crate) mod group;
pub(crate) mod health;
pub(crate) mod machine;
pub(crate) mod status;
