//! What policies may say, and how they are completed.

use super::*;

fn told(text: &str) -> String {
    Policy::parse(text).expect_err(text).to_string()
}

fn capabilities(text: &str) -> String {
    Policy::parse(text).expect(text).namespaces[0]
        .capabilities
        .join(" ")
}

#[test]
fn shorthands_are_written_out_after_what_is_named() {
    let scale = "list-scaling-policies read-scaling-policy read-job-scaling scale-job read-job submit-recommendation";
    assert_eq!(
        capabilities("namespace \"a\" { policy = \"scale\" }"),
        scale
    );
    assert_eq!(
        capabilities("namespace \"a\" { policy = \"scale\" capabilities = [\"read-fs\"] }"),
        format!("read-fs {scale}")
    );
    assert_eq!(
        capabilities("namespace \"a\" { policy = \"deny\" }"),
        "deny"
    );
    assert!(
        capabilities("namespace \"a\" { policy = \"write\" }")
            .ends_with("host-volume-create host-volume-read")
    );
    assert_eq!(
        capabilities("namespace \"a\" { capabilities = [\"host-volume-write\"] }"),
        "host-volume-write host-volume-register host-volume-create host-volume-delete host-volume-read"
    );
}

#[test]
fn reading_a_variable_lets_one_list_it() {
    let policy =
        Policy::parse("namespace \"a\" { variables { path \"x/*\" { capabilities = [\"read\"] } path \"y\" { capabilities = [\"write\"] } } }")
            .expect("a policy");
    let paths = &policy.namespaces[0]
        .variables
        .as_ref()
        .expect("variables")
        .paths;
    assert_eq!(paths[0].capabilities, ["read", "list"]);
    assert_eq!(paths[1].capabilities, ["write"]);
}

#[test]
fn nothing_is_a_policy_without_rules_but_rubbish_is_none() {
    assert!(Policy::parse(" \n").expect("empty").is_empty());
    assert_eq!(
        told("moon { policy = \"read\" }"),
        "Invalid policy: moon { policy = \"read\" }"
    );
    assert_eq!(
        told("node { policy = \"read\" } moon {}"),
        "Invalid or duplicate policy keys: moon"
    );
    assert_eq!(
        told("node { policy = \"read\" } node { policy = \"write\" }"),
        "Invalid or duplicate policy keys: node"
    );
}

#[test]
fn what_a_rule_does_not_know_says_nothing() {
    let policy = Policy::parse("namespace \"a\" { polcy = \"read\" variables { road \"x\" {} path \"y\" { policy = \"read\" } } }")
        .expect("a policy");
    let rule = &policy.namespaces[0];
    assert_eq!((rule.policy.as_str(), rule.capabilities.len()), ("", 0));
    assert_eq!(
        rule.variables.as_ref().expect("variables").paths[0].capabilities,
        Vec::<String>::new()
    );
    assert!(Policy::parse("agent { policy = \"read\" capabilities = [\"x\"] }").is_ok());
    assert_eq!(
        told("namespace \"a\" { policy = \"read\" policy = \"write\" }"),
        "Invalid or duplicate policy keys: policy"
    );
}

#[test]
fn words_that_the_language_does_not_have_are_named() {
    for (text, expected) in [
        (
            "namespace \"default\" { policy = \"everything\" }",
            "Invalid namespace policy: &acl.NamespacePolicy{Name:\"default\", Policy:\"everything\", Capabilities:[]string(nil), Variables:(*acl.VariablesPolicy)(nil)}",
        ),
        (
            "namespace \"default\" { capabilities = [\"fly\"] }",
            "Invalid namespace capability 'fly': &acl.NamespacePolicy{Name:\"default\", Policy:\"\", Capabilities:[]string{\"fly\"}, Variables:(*acl.VariablesPolicy)(nil)}",
        ),
        (
            "agent { policy = \"list\" }",
            "Invalid agent policy: &acl.AgentPolicy{Policy:\"list\"}",
        ),
        (
            "node { }",
            "Invalid node policy: &acl.NodePolicy{Policy:\"\"}",
        ),
        (
            "node_pool \"a b\" { policy = \"read\" }",
            "Invalid node pool name: &acl.NodePoolPolicy{Name:\"a b\", Policy:\"read\", Capabilities:[]string(nil)}",
        ),
        (
            "sentinel { capabilities = [\"x\"] }",
            "Invalid sentinel capability 'x'",
        ),
        (
            "node \"x\" { policy = \"read\" }",
            "Failed to parse ACL Policy: node x must have no name",
        ),
        (
            "namespace { policy = \"read\" }",
            "Failed to parse ACL Policy: namespace must be a block with a name",
        ),
    ] {
        assert_eq!(told(text), expected);
    }
    assert!(Policy::parse("plugin { policy = \"list\" }").is_ok());
}
