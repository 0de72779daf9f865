//! Digests, and notations beside JSON.

use gotmpl::{Template, Value};
use sha2::Digest;

use super::{Answer, Function, fail, list, string, text, to_json};

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("md5sum", |_, args| {
        Ok(string(hex(&md5::Md5::digest(text(args, 0)?))))
    }),
    ("hmacSHA256Hex", |_, args| {
        Ok(string(hex(&hmac(
            text(args, 0)?.as_bytes(),
            text(args, 1)?.as_bytes(),
        ))))
    }),
    ("toTOML", |_, args| toml(args)),
    ("sockaddr", |pass, args| {
        let found = (pass.addresses)(&format!("{{{{ {} }}}}", text(args, 0)?));
        Ok(string(found.map_err(fail)?))
    }),
    ("spew_dump", |_, args| Ok(string(dumped(args)))),
    ("spew_sdump", |_, args| Ok(string(dumped(args)))),
    ("spew_printf", |_, args| formatted(args)),
    ("spew_sprintf", |_, args| formatted(args)),
];

/// As `printf` has it.
fn formatted(args: &[Value]) -> Answer {
    let calls: String = (0..args.len())
        .map(|at| format!(" (index . {at})"))
        .collect();
    let engine = Template::new("").parse(&format!("{{{{ printf{calls} }}}}"))?;
    engine
        .execute_to_string(&list(args.iter().cloned()))
        .map(string)
}

/// Values with their types, one a line.
fn dumped(args: &[Value]) -> String {
    let mut out = String::new();
    for value in args {
        dump(value, 0, &mut out);
        out.push('\n');
    }
    out
}

fn dump(value: &Value, depth: usize, out: &mut String) {
    let pad = " ".repeat(depth);
    let text = match value {
        Value::Nil => "(interface {}) <nil>".to_owned(),
        Value::Bool(on) => format!("(bool) {on}"),
        Value::Int(number) => format!("(int) {number}"),
        Value::Float(number) => format!("(float64) {number}"),
        Value::String(text) => format!("(string) (len={}) {text:?}", text.len()),
        Value::List(items) => {
            out.push_str(&format!("([]interface {{}}) (len={}) {{\n", items.len()));
            for item in items.iter() {
                out.push_str(&format!("{pad} "));
                dump(item, depth + 1, out);
                out.push_str(",\n");
            }
            format!("{pad}}}")
        }
        Value::Map(members) => {
            let count = members.len();
            out.push_str(&format!("(map[string]interface {{}}) (len={count}) {{\n"));
            for (key, item) in members.iter() {
                out.push_str(&format!("{pad} (string) (len={}) {key:?}: ", key.len()));
                dump(item, depth + 1, out);
                out.push_str(",\n");
            }
            format!("{pad}}}")
        }
        other => other.to_string(),
    };
    out.push_str(&text);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hmac(message: &[u8], key: &[u8]) -> Vec<u8> {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key);
    aws_lc_rs::hmac::sign(&key, message).as_ref().to_vec()
}

fn toml(args: &[Value]) -> Answer {
    let value = to_json(args.first().unwrap_or(&Value::Nil));
    let serde_json::Value::Object(members) = value else {
        return Err(fail("only a map can be written as TOML"));
    };
    let mut out = String::new();
    table("", &members, &mut out);
    Ok(string(out.trim()))
}

type Members = serde_json::Map<String, serde_json::Value>;

fn toml_key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !name.is_empty() && name.chars().all(is_bare) {
        true => name.to_owned(),
        false => format!("{name:?}"),
    }
}

/// What is below a heading of its own: a map, or each of a list of maps.
fn tables_of(value: &serde_json::Value) -> Option<(bool, Vec<&Members>)> {
    match value {
        serde_json::Value::Object(members) => Some((false, vec![members])),
        serde_json::Value::Array(items) if !items.is_empty() => {
            let all: Option<Vec<&Members>> = items.iter().map(|item| item.as_object()).collect();
            Some((true, all?))
        }
        _ => None,
    }
}

fn table(path: &str, members: &Members, out: &mut String) {
    let mut below = Vec::new();
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        match tables_of(value) {
            Some(tables) => below.push((name, tables)),
            None => out.push_str(&format!("{} = {}\n", toml_key(name), inline(value))),
        }
    }
    for (name, (listed, tables)) in below {
        let full = match path.is_empty() {
            true => toml_key(name),
            false => format!("{path}.{}", toml_key(name)),
        };
        for members in tables {
            let heading = match listed {
                true => format!("\n[[{full}]]\n"),
                false => format!("\n[{full}]\n"),
            };
            out.push_str(&heading);
            table(&full, members, out);
        }
    }
}

/// A value in one line.
fn inline(value: &serde_json::Value) -> String {
    let joined = |parts: Vec<String>| parts.join(", ");
    match value {
        serde_json::Value::Array(items) => {
            let items = items.iter().filter(|item| !item.is_null());
            format!("[{}]", joined(items.map(inline).collect()))
        }
        serde_json::Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            let pairs =
                members.map(|(name, value)| format!("{} = {}", toml_key(name), inline(value)));
            format!("{{{}}}", joined(pairs.collect()))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_digest() {
        assert_eq!(
            hex(&hmac(b"what do ya want for nothing?", b"Jefe")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn tables_of_toml() {
        let mut out = String::new();
        table(
            "",
            serde_json::json!({"t": {"x": 1}, "s": "q", "n": null, "l": [1, [true, {"a b": "c"}]],
                "r": [{"x": 1, "y": {"z": 2.5}}, {"x": 3}]})
            .as_object()
            .unwrap(),
            &mut out,
        );
        let expected = "s = \"q\"\nl = [1, [true, {\"a b\" = \"c\"}]]\n\n[t]\nx = 1\n\n[[r]]\nx = 1\n\n\
            [r.y]\nz = 2.5\n\n[[r]]\nx = 3\n";
        assert_eq!(out, expected);
    }
}
