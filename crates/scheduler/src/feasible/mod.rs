//! Whether a node can take a group at all: one checker a file (scheduler sheet §8).

pub(crate) mod devices;
pub(crate) mod drivers;
pub(crate) mod networks;
pub(crate) mod predicate;
pub(crate) mod target;
pub(crate) mod version;
pub(crate) mod volumes;

#[cfg(test)]
mod tests;
