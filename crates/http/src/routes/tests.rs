//! The table is complete and consistent.

use std::collections::BTreeSet;

use super::*;

#[test]
fn every_operation_has_a_row_and_no_row_twice() {
    let reached: BTreeSet<Op> = all().map(|route| route.op).collect();
    let missing: Vec<_> = Op::ALL.iter().filter(|op| !reached.contains(op)).collect();
    assert!(missing.is_empty(), "without a route: {missing:?}");
    let rows: Vec<_> = all().collect();
    for (at, one) in rows.iter().enumerate() {
        for other in &rows[at + 1..] {
            let twice = one.path == other.path && one.methods.overlaps(other.methods);
            assert!(
                !twice,
                "{} leads to {:?} and {:?}",
                one.path, one.op, other.op
            );
        }
    }
}

#[test]
fn an_operation_needs_the_same_on_all_its_paths() {
    for route in all() {
        let first = of(route.op);
        assert_eq!(first.op, route.op);
        assert_eq!(first.access, route.access, "{}", route.path);
        assert_eq!(first.forward, route.forward, "{}", route.path);
        assert_eq!(first.blocking, route.blocking, "{}", route.path);
        assert_eq!(first.reads, route.reads, "{}", route.path);
    }
}

#[test]
fn only_reads_of_servers_block() {
    for route in all().filter(|route| route.blocking) {
        assert_eq!(
            route.forward,
            crate::route::Forward::AnyServer,
            "{}",
            route.path
        );
        assert!(
            route.methods.contains(crate::method::Method::Get),
            "{}",
            route.path
        );
    }
}
