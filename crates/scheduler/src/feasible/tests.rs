//! Every operator on every kind of value, as a table.

use super::drivers;
use super::predicate::Predicate;
use caravan_model::{Constraint, DriverInfo, Node};

fn node() -> Node {
    let mut node = Node {
        name: "n1".into(),
        datacenter: "dc1".into(),
        ..Node::default()
    };
    for (key, value) in [
        ("kernel.name", "linux"),
        ("cores", "8"),
        ("version", "1.7.3"),
        ("pre", "1.7.0-rc1"),
    ] {
        node.attributes.insert(key.into(), value.into());
    }
    node.meta.insert("tags".into(), "a, b,c".into());
    node
}

#[test]
fn a_driver_must_be_found_and_well_or_else_be_told_of_by_an_attribute() {
    let wants = ["exec".to_owned()].into();
    for (detected, healthy, expected) in [
        (true, true, true),
        (true, false, false),
        (false, true, false),
    ] {
        let mut node = node();
        node.attributes.insert("driver.exec".into(), "1".into());
        let info = DriverInfo {
            detected,
            healthy,
            ..DriverInfo::default()
        };
        node.drivers.insert("exec".to_owned(), info);
        assert_eq!(
            drivers::has(&node, &wants),
            expected,
            "{detected} {healthy}"
        );
    }
    for (attribute, expected) in [("1", true), ("true", true), ("0", false), ("yes", false)] {
        let mut node = node();
        node.attributes
            .insert("driver.exec".into(), attribute.into());
        assert_eq!(drivers::has(&node, &wants), expected, "{attribute}");
    }
    assert!(!drivers::has(&node(), &wants));
}

#[test]
fn operators_of_constraints() {
    let table = "
        ${attr.kernel.name} = linux : yes
        ${attr.kernel.name} = windows : no
        ${attr.none} = linux : no
        ${attr.none} != linux : yes
        ${attr.none} is_set  : no
        ${attr.none} is_not_set  : yes
        ${attr.cores} >= 8 : yes
        ${attr.cores} < 10 : yes
        ${attr.cores} > abc : no
        ${attr.version} version >= 1.5, < 2 : yes
        ${attr.version} version ~> 1.7.1 : yes
        ${attr.version} version ~> 1.6.1 : no
        ${attr.version} version = 1.7.3 : yes
        ${attr.pre} version >= 1.6 : no
        ${attr.pre} semver >= 1.6.0 : yes
        ${attr.version} semver ~> 1.6 : no
        ${attr.kernel.name} regexp ^lin : yes
        ${attr.kernel.name} regexp [ : no
        ${meta.tags} set_contains a,c : yes
        ${meta.tags} set_contains a,d : no
        ${meta.tags} set_contains_any d,b : yes
        ${node.datacenter} = dc1 : yes
        ${node.unique.name} = n1 : yes
        linux = ${attr.kernel.name} : yes
        ${nope.x} = y : no
        ${attr.cores} bogus 8 : no
    ";
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (rule, expected) = line.rsplit_once(" : ").expect("a rule and a verdict");
        let mut parts = rule.splitn(3, ' ');
        let mut next = || parts.next().unwrap_or("").to_owned();
        let constraint = Constraint {
            l_target: next(),
            operand: next(),
            r_target: next(),
        };
        let holds = Predicate::of_constraint(&constraint).holds(&node());
        assert_eq!(holds, expected == "yes", "{line}");
    }
}
