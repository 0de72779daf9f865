//! One task: the machine that decides, and the environment it runs in.

pub(crate) mod env;
pub(crate) mod interpolate;
pub(crate) mod machine;
pub(crate) mod restart;
