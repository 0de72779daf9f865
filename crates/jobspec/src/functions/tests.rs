//! Functions against a table of calls and results.

use crate::eval::{Names, Scope, Session};
use crate::syntax::parser::parse_expression;
use crate::types::{Type, convert};
use crate::value::Value;

fn eval(source: &str) -> Result<String, String> {
    let mut session = Session::new(None, [7; 32]);
    let file = session.diags.sources.add("test", source);
    let expr = parse_expression(file, &mut session.diags);
    let value = match expr {
        Some(expr) => session.eval(&Scope::root(Vec::new(), Names::Runtime), &expr),
        None => Value::Unknown,
    };
    if let Some(first) = session.diags.list.first() {
        return Err(format!("{}: {}", first.summary, first.detail));
    }
    match convert(&value, &Type::Text) {
        Ok(Value::Text(text)) => Ok(text.to_string()),
        other => Ok(format!("{other:?}")),
    }
}

#[test]
fn the_table() {
    let table = include_str!("tests/calls.txt");
    let mut failures = String::new();
    for line in table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (call, expected) = line.rsplit_once(" => ").expect(line);
        let actual = match eval(call) {
            Ok(text) => text.replace('\n', "\\n"),
            Err(why) => format!("error {}", why.replace('\n', "\\n")),
        };
        let matches = match expected.strip_suffix('…') {
            Some(start) => actual.starts_with(start),
            None => actual == expected,
        };
        if !matches {
            failures += &format!("{call}\n  expected {expected}\n  got      {actual}\n");
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn appetite_is_bounded() {
    for source in [
        r#"format("%1000000000d", 1)"#,
        r#"format("%.999999999f", 1)"#,
        "range(0, 1000000000)",
        "setproduct(range(1000), range(1000), range(1000))",
        r#"indent(1000000000, "a\nb\n")"#,
        r#"join(",", [for a in range(1000) : join(",", [for b in range(1000) : "0123456789012345678901234567890123456789"])])"#,
        "[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : 1]]]",
        "length([for a in range(1000) : length([for b in range(1000) : length([for c in range(1000) : 1])])])",
        r#"replace(replace(replace(format("%1000d", 1), " ", format("%1000d", 1)), " ", format("%1000d", 1)), " ", "xxxxxxxxxxxx")"#,
        r#"regex_replace(format("%100000d", 1), "", format("%100000d", 1))"#,
        r#"bcrypt("x", 31)"#,
        "1e999999999",
        r#"yamldecode("a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n")"#,
    ] {
        assert!(eval(source).is_err(), "{source}");
    }
    let deep = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(eval(&deep).is_err());
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(eval(&deep).is_err());
    assert!(eval(&"-".repeat(100_000)).is_err());
    assert!(eval(&format!("1{}", "+1".repeat(100_000))).is_err());
    assert!(eval(&"\"${".repeat(100_000)).is_err());
    assert!(eval(&format!("1{}", "?1:1".repeat(100_000))).is_err());
}
