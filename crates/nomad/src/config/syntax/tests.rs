//! What HCL1 files may look like, and what is said about those that are broken.

use super::*;

fn keys(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.key.as_str()).collect()
}

fn object(entry: &Entry) -> &[Entry] {
    match &entry.node.value {
        Value::Object(entries) => entries,
        other => panic!("{} is {}", entry.key, other.describe()),
    }
}

fn text(entry: &Entry) -> &str {
    match &entry.node.value {
        Value::Text(text) => text,
        other => panic!("{} is {}", entry.key, other.describe()),
    }
}

#[test]
fn quoted_dotted_and_nested_keys_are_hcl1() {
    let entries = parse_hcl(
        "\"advertise\" = { \"http\" = \"1.2.3.4\" }\nclient { options { driver.allowlist = \"docker\"\n\"a.b\" = 1 } }\n",
    )
    .expect("valid");
    assert_eq!(keys(&entries), ["advertise", "client"]);
    let options = object(&object(&entries[1])[0]);
    assert_eq!(keys(options), ["driver.allowlist", "a.b"]);
    assert_eq!(options[1].node.value, Value::Number("1".into()));
}

#[test]
fn nested_blocks_may_share_a_line() {
    let entries =
        parse_hcl("topology { segments { rack = \"R1\" } } plugin \"x\" { a = 0x1F b = [1, 2,], }")
            .expect("valid");
    assert_eq!(keys(&entries), ["topology", "plugin"]);
    assert_eq!(entries[1].labels, ["x"]);
    assert_eq!(
        object(&entries[1])[0].node.value,
        Value::Number("0x1F".into())
    );
}

#[test]
fn comments_heredocs_and_escapes() {
    let source = "# one\n// two\n/* three\n*/ a = <<EOF\nx \"y\"\nEOF\nb = <<-END\n    in\n      deeper\n    END\nc = \"q\\\"\\u00e9 ${env \"X\"}\"\n";
    let entries = parse_hcl(source).expect("valid");
    assert_eq!(text(&entries[0]), "x \"y\"\n");
    assert_eq!(text(&entries[1]), "in\n  deeper\n");
    assert_eq!(text(&entries[2]), "q\"é ${env \"X\"}");
    assert_eq!(
        entries[2].pos,
        Pos {
            line: 11,
            column: 1
        }
    );
}

#[test]
fn json_has_the_same_tree() {
    let entries = parse_json("{\"client\": {\"enabled\": true, \"n\": -1.5},\n \"s\": \"\\ud83d\\ude00\", \"l\": [null]}").expect("valid");
    assert_eq!(keys(&entries), ["client", "s", "l"]);
    assert_eq!(text(&entries[1]), "😀");
    assert_eq!(entries[1].pos, Pos { line: 2, column: 2 });
}

#[test]
fn broken_files_name_the_place() {
    for (source, expected) in [
        (
            "a = ",
            "1:5: expected a value for \"a\", found the end of the file",
        ),
        ("a = b", "1:5: text must be quoted: a = \"b\""),
        (
            "client {\n  enabled = true\n",
            "2:3: this block is never closed with `}`",
        ),
        (
            "a = \"x\nb = 1",
            "1:5: this text is not closed with `\"` on its line",
        ),
        ("a = 'x'", "1:5: text is written in double quotes"),
        ("a = [1 2]", "1:8: expected `,` or `]`, found `2`"),
        ("a = 30s", "1:5: `30s` is not a number; text must be quoted"),
        (
            "a = <<EOF\nx\n",
            "1:5: this heredoc is never closed with `EOF`",
        ),
        ("/* x", "1:1: this comment is never closed with `*/`"),
        ("}", "1:1: expected the name of an option, found `}`"),
        (
            "a",
            "1:2: expected `=` or `{` after \"a\", found the end of the file",
        ),
        (
            "a = \"\\q\"",
            "1:6: unknown escape; write `\\\\` for a backslash",
        ),
    ] {
        assert_eq!(
            parse_hcl(source).expect_err(source).to_string(),
            expected,
            "{source:?}"
        );
    }
    for (source, expected) in [
        ("{\"a\": 1,}", "1:9: JSON allows no comma before the end"),
        ("[]", "1:1: expected an object, found a list"),
        ("{\"a\" 1}", "1:7: expected `:` after \"a\""),
        ("{} x", "1:4: expected the end of the file, found `x`"),
    ] {
        assert_eq!(
            parse_json(source).expect_err(source).to_string(),
            expected,
            "{source:?}"
        );
    }
}

#[test]
fn nesting_is_bounded() {
    let deep = "a = ".to_string() + &"[".repeat(100_000);
    assert!(
        parse_hcl(&deep)
            .expect_err("too deep")
            .message
            .contains("nested deeper")
    );
    let deep = "a {".repeat(100_000);
    assert!(
        parse_hcl(&deep)
            .expect_err("too deep")
            .message
            .contains("nested deeper")
    );
}
