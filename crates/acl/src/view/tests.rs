//! The decision, as a table.

use super::*;
use crate::VariableCapability;
use crate::pattern::covers as glob;
use crate::rules::NamespacePolicy;
use std::collections::BTreeSet;

fn client(rules: &[(&str, NamespacePolicy)]) -> AclView {
    let mut grants = Grants::default();
    for (name, policy) in rules {
        let grant = grants.namespaces.entry((*name).to_owned()).or_default();
        grant.capabilities.extend(policy.capabilities());
    }
    AclView::Client(Box::new(grants))
}

#[test]
fn off_and_management_allow_everything() {
    for view in [AclView::off(), AclView::Management] {
        assert!(view.allows(Access::Management, Target::default()));
        assert!(view.allows(
            Access::Namespace(&[NamespaceCapability::SentinelOverride]),
            Target::namespace("x")
        ));
    }
}

#[test]
fn nothing_is_allowed_by_default() {
    let view = client(&[]);
    assert!(!view.allows(
        Access::Namespace(&[NamespaceCapability::ListJobs]),
        Target::namespace("default")
    ));
    assert!(!view.allows(Access::Node(CoarseRule::Read), Target::default()));
    assert!(!view.allows(Access::Management, Target::default()));
    assert!(view.allows(Access::Anonymous, Target::default()));
}

#[test]
fn the_closest_namespace_rule_counts() {
    use NamespaceCapability::*;
    let view = client(&[
        ("*", NamespacePolicy::Read),
        ("prod-*", NamespacePolicy::Deny),
        ("prod-web", NamespacePolicy::Write),
    ]);
    assert!(view.allows_in_namespace("dev", ReadJob));
    assert!(!view.allows_in_namespace("dev", SubmitJob));
    assert!(!view.allows_in_namespace("prod-db", ReadJob));
    assert!(view.allows_in_namespace("prod-web", SubmitJob));
    assert!(
        view.allows_in_namespace("*", SubmitJob),
        "a star asks for any namespace"
    );
}

#[test]
fn alternatives_and_conjunctions() {
    use NamespaceCapability::*;
    let view = client(&[("default", NamespacePolicy::Scale)]);
    let target = Target::namespace("default");
    assert!(view.allows(Access::Namespace(&[SubmitJob, ScaleJob]), target));
    let both = Access::All(&[
        Access::Namespace(&[ScaleJob]),
        Access::Plugin(CoarseRule::Read),
    ]);
    assert!(!view.allows(both, target));
}

#[test]
fn coarse_rules_include_the_weaker_ones_and_deny_covers_nothing() {
    assert!(CoarseRule::Write.covers(CoarseRule::Read));
    assert!(CoarseRule::Read.covers(CoarseRule::List));
    assert!(!CoarseRule::Read.covers(CoarseRule::Write));
    assert!(!CoarseRule::Deny.covers(CoarseRule::List));
}

#[test]
fn reading_a_variable_implies_listing_it() {
    let mut grants = Grants::default();
    let grant = grants.namespaces.entry("default".into()).or_default();
    grant
        .variables
        .paths
        .insert("app/*".into(), BTreeSet::from([VariableCapability::Read]));
    let view = AclView::Client(Box::new(grants));
    let target = |variable| Target {
        namespace: "default",
        node_pool: "",
        variable,
    };
    assert!(view.allows(Access::Variable(VariableCapability::List), target("app/db")));
    assert!(!view.allows(
        Access::Variable(VariableCapability::Write),
        target("app/db")
    ));
    assert!(!view.allows(Access::Variable(VariableCapability::Read), target("other")));
}

#[test]
fn globs() {
    for (pattern, name, covered) in [
        ("*", "", true),
        ("a*", "a", true),
        ("a*c", "abc", true),
        ("a*c", "ab", false),
        ("*-web-*", "prod-web-1", true),
        ("prod", "prod-1", false),
        ("a*a", "a", false),
    ] {
        assert_eq!(glob(pattern, name), covered, "{pattern} on {name:?}");
    }
}

#[test]
fn words_read_back() {
    for capability in NamespaceCapability::ALL {
        assert_eq!(capability.as_str().parse(), Ok(*capability));
    }
    let err = "fly"
        .parse::<NamespacePolicy>()
        .expect_err("no such policy");
    assert_eq!(
        err.to_string(),
        r#"namespace policy "fly" is not known; expected one of deny, read, write, scale"#
    );
}
