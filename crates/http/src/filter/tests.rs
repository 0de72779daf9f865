//! Expressions against one object, and the texts of errors.

use std::collections::BTreeMap;

use super::*;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Job {
    #[serde(rename = "ID")]
    id: &'static str,
    priority: i64,
    version: u64,
    stop: bool,
    weight: f64,
    datacenters: Vec<&'static str>,
    meta: Option<BTreeMap<&'static str, &'static str>>,
    #[serde(rename = "Attributes")]
    attributes: BTreeMap<&'static str, &'static str>,
    periodic: Option<Periodic>,
    task_groups: Vec<Group>,
    #[serde(skip_serializing_if = "str::is_empty")]
    dropped: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Periodic {
    spec: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Group {
    name: &'static str,
    count: i64,
}

fn job() -> Job {
    Job {
        id: "app-a",
        priority: 60,
        version: 3,
        stop: false,
        weight: 0.5,
        datacenters: vec!["*", "dc1"],
        meta: Some(BTreeMap::from([("team", "red"), ("with space", "x")])),
        attributes: BTreeMap::from([("kernel.name", "linux")]),
        periodic: Some(Periodic { spec: "@daily" }),
        task_groups: vec![
            Group {
                name: "web",
                count: 2,
            },
            Group {
                name: "db",
                count: 1,
            },
        ],
        dropped: "",
    }
}

fn bare() -> Job {
    Job {
        meta: None,
        periodic: None,
        ..job()
    }
}

#[test]
fn expressions() {
    for (text, expected) in [
        (r#"ID == "app-a""#, true),
        ("ID == app", false),
        ("ID != other", true),
        ("ID==`app-a`", true),
        ("Priority == 60", true),
        ("Priority != 60 or Version == 3", true),
        ("Version == 3 and Stop == false", true),
        ("not Stop == true", true),
        ("not (Stop == false or Priority == 1)", false),
        ("Weight == 0.5", true),
        // `and` binds tighter.
        ("Stop == true and Priority == 1 or Version == 3", true),
        ("Stop == true and (Priority == 1 or Version == 3)", false),
        (r#""dc1" in Datacenters"#, true),
        ("dc2 not in Datacenters", true),
        (r#"Datacenters contains "*""#, true),
        ("Datacenters not contains dc1", false),
        (r#"ID contains "pp-""#, true),
        ("team in Meta", true),
        ("Meta contains team", true),
        ("Meta.team == red", true),
        (r#"Meta["with space"] == x"#, true),
        (r#"Attributes["kernel.name"] != linux"#, false),
        (r#""/Meta/team" == red"#, true),
        ("Meta.none == red", false),
        ("Meta.none != red", true),
        (r#"ID matches "^app-[ab]$""#, true),
        ("ID not matches `^app`", false),
        ("ID not matches `{`", true),
        ("Meta is empty", false),
        ("Meta is not empty", true),
        ("Dropped is empty", true),
        ("Periodic is nil", false),
        ("Periodic is not nil", true),
        ("Periodic.Spec == \"@daily\"", true),
        ("TaskGroups.1.Name == db", true),
        ("any TaskGroups as g { g.Count == 2 }", true),
        ("all TaskGroups as g { g.Count == 2 }", false),
        ("any Meta as (k, v) { k == team and v == red }", true),
        ("  ID == app-a  ", true),
    ] {
        // A bareword has no dash.
        let text = text.replace("== app-a ", "== \"app-a\" ");
        let filter = Filter::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(filter.matches(&job()), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_nil() {
    for (text, expected) in [
        ("Meta is empty", true),
        ("team not in Meta", true),
        ("Meta.team == red", false),
        ("Meta.team != red", true),
        ("Periodic is nil", true),
    ] {
        assert_eq!(
            Filter::parse(text).expect(text).matches(&bare()),
            Ok(expected),
            "{text}"
        );
    }
}

#[test]
fn objects_that_do_not_fit() {
    for (text, expected) in [
        (
            "Colour == red",
            r#"error finding value in datum: /Colour at part 0: couldn't find key: struct field with name "Colour""#,
        ),
        (
            "Periodic.Spec == x",
            "error finding value in datum: /Periodic/Spec: at part 1, invalid value kind: invalid",
        ),
        (
            "Priority == abc",
            r#"error getting match value in expression: strconv.ParseInt: parsing "abc": invalid syntax"#,
        ),
        (
            "Priority matches x",
            "value of type int is not convertible to []byte",
        ),
        (
            r#"ID matches "[""#,
            "failed to compile regular expression \"[\": error parsing regexp: missing closing ]: `[`",
        ),
        (
            "ID matches `a**`",
            "failed to compile regular expression \"a**\": error parsing regexp: invalid nested repetition operator: `**`",
        ),
    ] {
        let error = Filter::parse(text)
            .expect(text)
            .matches(&bare())
            .expect_err(text);
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn text_that_does_not_parse() {
    let value = r#""-", "0", "\"", "`", [ \t\r\n], [1-9] or [a-zA-Z]"#;
    for (text, expected) in [
        ("Type === batch", format!("1:8 (7): no match found, expected: {value}")),
        ("Status ==", format!("1:10 (9): no match found, expected: {value}")),
        ("Type", r#"1:5 (4): no match found, expected: "!=", ".", "==", "[", [ \t\r\n] or [a-zA-Z0-9_/]"#.to_owned()),
        (
            "a b c",
            r#"1:3 (2): no match found, expected: "!=", "==", "contains", "in", "is", "matches", "not" or [ \t\r\n]"#
                .to_owned(),
        ),
        (
            "==",
            r#"1:1 (0): no match found, expected: "(", "-", "0", "\"", "`", "all", "any", "not", [ \t\r\n], [1-9] or [a-zA-Z]"#
                .to_owned(),
        ),
    ] {
        assert_eq!(Filter::parse(text).expect_err(text).to_string(), expected, "{text}");
    }
}
