//! How policies merge, and which rule decides, as tables.

use super::*;
use crate::{Access, AclView, Target};
use NamespaceCapability::{ListJobs, ReadJob, SubmitJob};

fn merged(texts: &[&str]) -> Grants {
    let policies: Vec<Policy> = texts
        .iter()
        .map(|text| Policy::parse(text).expect(text))
        .collect();
    Grants::of(&policies)
}

#[test]
fn a_denial_of_the_same_name_wins_whatever_its_place() {
    let deny = "namespace \"a\" { policy = \"deny\" }";
    let write = "namespace \"a\" { policy = \"write\" }";
    for texts in [[deny, write], [write, deny]] {
        assert!(!merged(&texts).in_namespace("a", ListJobs), "{texts:?}");
    }
}

#[test]
fn the_closest_pattern_decides_alone() {
    let grants = merged(&[
        "namespace \"*\" { policy = \"write\" } namespace \"prod-*\" { policy = \"read\" }",
        "namespace \"prod-secret\" { policy = \"deny\" } namespace \"*-api\" { policy = \"deny\" }",
    ]);
    for (namespace, need, allowed) in [
        ("dev", SubmitJob, true),
        ("prod-web", SubmitJob, false),
        ("prod-web", ReadJob, true),
        ("prod-secret", ReadJob, false),
        ("dev-api", ReadJob, false),
        // `prod-*` has five characters of its own, `*-api` four.
        ("prod-api", ReadJob, true),
        ("*", SubmitJob, true),
    ] {
        assert_eq!(
            grants.in_namespace(namespace, need),
            allowed,
            "{namespace} {need}"
        );
    }
}

#[test]
fn coarse_rules_take_the_strongest_word() {
    for (words, reads, writes) in [
        (vec!["read"], true, false),
        (vec!["read", "write"], true, true),
        (vec!["write", "deny", "read"], false, false),
        (vec![], false, false),
    ] {
        let texts: Vec<String> = words
            .iter()
            .map(|word| format!("node {{ policy = \"{word}\" }}"))
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let view = AclView::Client(Box::new(merged(&texts)));
        assert_eq!(
            view.allows(Access::Node(CoarseRule::Read), Target::default()),
            reads,
            "{words:?}"
        );
        assert_eq!(
            view.allows(Access::Node(CoarseRule::Write), Target::default()),
            writes,
            "{words:?}"
        );
    }
}

#[test]
fn writing_plugins_includes_neither_reading_nor_listing() {
    for (word, lists, reads) in [
        ("read", true, true),
        ("list", true, false),
        ("write", false, false),
    ] {
        let grants = merged(&[&format!("plugin {{ policy = \"{word}\" }}")]);
        assert_eq!(grants.on_plugins(CoarseRule::List), lists, "{word}");
        assert_eq!(grants.on_plugins(CoarseRule::Read), reads, "{word}");
    }
}

#[test]
fn operator_rules_come_with_capabilities() {
    use OperatorCapability::{KeyringRead, KeyringRotate, SnapshotSave};
    for (text, needs) in [
        ("operator { policy = \"read\" }", [true, false, false]),
        ("operator { policy = \"write\" }", [true, true, true]),
        (
            "operator { capabilities = [\"snapshot-save\"] }",
            [false, false, true],
        ),
        (
            "operator { policy = \"write\" capabilities = [\"deny\"] }",
            [false, false, false],
        ),
        ("operator { policy = \"deny\" }", [false, false, false]),
    ] {
        let grants = merged(&[text]);
        let has =
            [KeyringRead, KeyringRotate, SnapshotSave].map(|need| grants.operator_capability(need));
        assert_eq!(has, needs, "{text}");
    }
}

#[test]
fn variables_are_matched_by_namespace_and_path_together() {
    use VariableCapability::{List, Read, Write};
    let grants = merged(&[
        "namespace \"*\" { variables { path \"*\" { capabilities = [\"list\"] } } }
         namespace \"prod\" { variables { path \"app/*\" { capabilities = [\"read\"] } path \"app/key\" { capabilities = [\"deny\"] } } }
         namespace \"dev\" { policy = \"read\" variables { path \"app/key\" { capabilities = [\"write\"] } } }",
    ]);
    for (namespace, path, need, allowed) in [
        ("prod", "app/x", Read, true),
        ("prod", "app/x", List, true),
        ("prod", "app/x", Write, false),
        ("prod", "app/key", Read, false),
        ("prod", "other", List, true),
        ("dev", "app/key", Write, true),
        ("dev", "app/key", Read, false),
        ("dev", "app/x", List, true),
        ("elsewhere", "app/x", Read, false),
    ] {
        assert_eq!(
            grants.on_variable(namespace, path, need),
            allowed,
            "{namespace} {path} {need}"
        );
    }
}

#[test]
fn a_workload_reads_its_own_variables_unless_they_are_denied_by_name() {
    use VariableCapability::{List, Read, Write};
    let workload = Workload {
        namespace: "default".to_owned(),
        job: "web".to_owned(),
        group: "g".to_owned(),
        task: "t".to_owned(),
    };
    let mut grants = merged(&["namespace \"default\" { variables {
        path \"nomad/jobs/*\" { capabilities = [\"deny\"] }
        path \"nomad/jobs/web/g\" { capabilities = [\"deny\"] }
    } }"]);
    grants.workload = Some(workload);
    for (namespace, path, need, allowed) in [
        ("default", "nomad/jobs", Read, true),
        ("default", "nomad/jobs/web", List, true),
        ("default", "nomad/jobs/web/g", Read, false),
        ("default", "nomad/jobs/web/g/t", Read, true),
        ("default", "nomad/jobs/web/g/t", Write, false),
        ("default", "nomad/jobs/web/g/u", Read, false),
        ("default", "nomad/jobs/webx", Read, false),
        ("default", "nomad/jobsx", Read, false),
        ("other", "nomad/jobs/web", Read, false),
    ] {
        assert_eq!(
            grants.on_variable(namespace, path, need),
            allowed,
            "{namespace} {path} {need}"
        );
    }
    let view = AclView::Client(Box::new(grants));
    assert!(view.allows(Access::Workload, Target::default()));
    assert!(!view.allows(Access::Namespace(&[ReadJob]), Target::namespace("default")));
}
