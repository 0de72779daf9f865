//! The route table of the public API: every route there is, one row each.

mod acl;
mod agent;
mod client;
mod cluster;
mod jobs;
mod nodes;
mod operator;
mod storage;

use std::sync::LazyLock;

use caravan_acl::{Access, NamespaceCapability};

use crate::{
    op::Op,
    route::{Refusal, Route},
};

/// All rows, by theme.
pub const TABLES: &[&[Route]] = &[
    jobs::ROUTES,
    nodes::ROUTES,
    cluster::ROUTES,
    storage::ROUTES,
    client::ROUTES,
    agent::ROUTES,
    operator::ROUTES,
    acl::ROUTES,
];

/// Paths below a known one that are refused in words of their own.
pub const REFUSALS: &[Refusal] = &[
    refusal("/v1/job/*id/tag", 404, "invalid job tag endpoint"),
    refusal("/v1/allocation/*rest", 404, "resource not found"),
    refusal("/v1/client/allocation/*rest", 404, "resource not found"),
    refusal("/v1/client/fs/*rest", 404, "Invalid method"),
    refusal("/v1/agent/pprof/", 404, "Invalid method"),
    refusal("/v1/agent/keyring/*rest", 404, "resource not found"),
    refusal("/v1/operator/raft/*rest", 404, "Invalid method"),
    refusal("/v1/operator/keyring/*rest", 405, "Invalid method"),
    refusal("/v1/operator/autopilot/*rest", 404, "Invalid method"),
    refusal("/v1/volume/csi/*rest", 405, "Invalid method"),
    refusal("/v1/volume/host/*rest", 404, "resource not found"),
];

const fn refusal(path: &'static str, status: u16, text: &'static str) -> Refusal {
    Refusal { path, status, text }
}

/// Any of these capabilities in the namespace.
const fn ns(any_of: &'static [NamespaceCapability]) -> Access {
    Access::Namespace(any_of)
}

/// All rows.
pub fn all() -> impl Iterator<Item = &'static Route> {
    TABLES.iter().copied().flatten()
}

/// The row of an operation (the first, where two paths lead to it).
pub fn of(op: Op) -> &'static Route {
    static BY_OP: LazyLock<Vec<&'static Route>> = LazyLock::new(|| {
        let row = |op: &Op| {
            all()
                .find(|route| route.op == *op)
                .expect("a test finds a row for every operation")
        };
        Op::ALL.iter().map(row).collect()
    });
    BY_OP[op as usize]
}

#[cfg(test)]
mod tests;
