//! Paths and methods against the table.

use super::*;
use crate::op::Op;

fn op(method: Method, path: &str) -> (Op, Vec<(String, String)>) {
    match Router::get().find(path, method) {
        Found::Route { route, params } => (route.op, params.0),
        other => panic!("{method} {path}: {other:?}"),
    }
}

fn id(method: Method, path: &str) -> (Op, String) {
    let (op, mut params) = op(method, path);
    (op, params.remove(0).1)
}

/// The rows that were measured at the reference.
#[test]
fn every_route_of_the_reference_is_there() {
    let mut rows = 0;
    for row in include_str!("../routes/reference.txt").lines() {
        let (method, path) = row.split_once(' ').expect("method and path");
        let method = Method::of(&method.parse().expect("a method"));
        let path: String = path
            .split('/')
            .map(|part| if part.starts_with(':') { "some" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        let found = Router::get().find(&path, method);
        let fine = match (&found, path.as_str()) {
            (Found::Route { .. }, _) => true,
            // One row stands for four operations there.
            (Found::Refused(_), "/v1/agent/keyring/some") => true,
            _ => false,
        };
        assert!(fine, "{row}: {found:?}");
        rows += 1;
    }
    assert!(rows > 200, "{rows} rows");
}

#[test]
fn ids_may_hold_slashes() {
    for raw in ["/v1/job/a%2Fperiodic-1", "/v1/job/a/periodic-1"] {
        assert_eq!(
            id(Method::Get, raw),
            (Op::JobRead, "a/periodic-1".to_owned())
        );
        assert_eq!(
            id(Method::Get, &format!("{raw}/allocations")),
            (Op::JobAllocations, "a/periodic-1".to_owned())
        );
        assert_eq!(
            id(Method::Put, &format!("{raw}/periodic/force")),
            (Op::JobPeriodicForce, "a/periodic-1".to_owned())
        );
    }
    assert_eq!(
        id(Method::Get, "/v1/job/x%2Fallocations"),
        (Op::JobRead, "x/allocations".to_owned())
    );
    assert_eq!(
        id(Method::Put, "/v1/var/app/db"),
        (Op::VariableWrite, "app/db".to_owned())
    );
    assert_eq!(
        id(Method::Get, "/v1/node/pool/gpu/colour"),
        (Op::NodePoolRead, "gpu/colour".to_owned())
    );
    assert_eq!(id(Method::Get, "/v1/job/"), (Op::JobRead, String::new()));
}

#[test]
fn the_most_literal_row_wins() {
    assert_eq!(op(Method::Get, "/v1/acl/token/self").0, Op::AclTokenSelf);
    assert_eq!(op(Method::Get, "/v1/acl/token/1").0, Op::AclTokenRead);
    assert_eq!(
        op(Method::Get, "/v1/deployment/allocations/1").0,
        Op::DeploymentAllocations
    );
    assert_eq!(
        op(Method::Put, "/v1/job/j/dispatch/payload").0,
        Op::JobDispatchPayload
    );
    let (found, params) = op(Method::Put, "/v1/job/j/versions/golden/tag");
    assert_eq!((found, params[1].1.as_str()), (Op::JobVersionTag, "golden"));
}

#[test]
fn wrong_methods_have_their_own_words() {
    for (method, path, status, text) in [
        (Method::Delete, "/v1/jobs", 405, "Invalid method"),
        (Method::Post, "/v1/system/gc", 405, "Invalid method"),
        (Method::Put, "/v1/client/metadata", 405, "Invalid method"),
        (Method::Put, "/v1/operator/raft/configuration", 405, ""),
        (Method::Put, "/v1/operator/raft/peer", 404, "Invalid method"),
        (
            Method::Delete,
            "/v1/operator/autopilot/configuration",
            404,
            "Invalid method",
        ),
        (Method::Patch, "/v1/var/app/db", 400, "Invalid method"),
        (Method::Put, "/v1/volume/host/x", 404, "resource not found"),
        (Method::Head, "/v1/jobs", 405, "Invalid method"),
    ] {
        match Router::get().find(path, method) {
            Found::WrongMethod { answer, .. } => {
                assert_eq!((answer.status, answer.text), (status, text), "{path}")
            }
            other => panic!("{method} {path}: {other:?}"),
        }
    }
    assert_eq!(op(Method::Head, "/v1/client/stats").0, Op::ClientStats);
}

#[test]
fn unknown_paths() {
    for path in [
        "/colour",
        "/v1/colour",
        "/v1/",
        "/v1",
        "/v1/jobs/",
        "/v1/agent/colour",
        "/v1/operator/audit",
    ] {
        assert!(
            matches!(Router::get().find(path, Method::Get), Found::Unknown),
            "{path}"
        );
    }
    for (path, text) in [
        ("/v1/allocation/a/colour", "resource not found"),
        ("/v1/client/allocation/a", "resource not found"),
        ("/v1/client/fs/copy/a", "Invalid method"),
        ("/v1/operator/raft/colour", "Invalid method"),
        ("/v1/agent/pprof/", "Invalid method"),
        ("/v1/job/web/versions/a/b/tag", "invalid job tag endpoint"),
    ] {
        match Router::get().find(path, Method::Put) {
            Found::Refused(refusal) => {
                assert_eq!((refusal.status, refusal.text), (404, text), "{path}")
            }
            other => panic!("{path}: {other:?}"),
        }
    }
    assert!(matches!(
        Router::get().find("/v1/job/%zz", Method::Get),
        Found::BadPath
    ));
}

#[test]
fn odd_slashes_are_moved() {
    for (path, to) in [
        ("/v1//jobs", "/v1/jobs"),
        ("/v1/../v1/jobs", "/v1/jobs"),
        ("/v1/./jobs/", "/v1/jobs/"),
        ("/v1/job", "/v1/job/"),
        ("/v1/client/fs", "/v1/client/fs/"),
    ] {
        match Router::get().find(path, Method::Get) {
            Found::Moved(moved) => assert_eq!(moved, to),
            other => panic!("{path}: {other:?}"),
        }
    }
}
