//! Digests, and notations beside JSON.

use gotmpl::Value;
use sha2::Digest;

use super::{Answer, Function, fail, string, text, to_json};

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
    ("spew_dump", |_, args| {
        Ok(string(format!("{:#?}", args.first())))
    }),
    ("spew_sdump", |_, args| {
        Ok(string(format!("{:#?}", args.first())))
    }),
    ("spew_printf", |_, args| Ok(string(format!("{args:?}")))),
    ("spew_sprintf", |_, args| Ok(string(format!("{args:?}")))),
];

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
    Ok(string(out.trim_end()))
}

fn table(path: &str, members: &serde_json::Map<String, serde_json::Value>, out: &mut String) {
    let key = |name: &str| {
        let bare = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if bare {
            name.to_owned()
        } else {
            format!("{name:?}")
        }
    };
    let (tables, plain): (Vec<_>, Vec<_>) =
        members.iter().partition(|(_, value)| value.is_object());
    for (name, value) in plain.into_iter().filter(|(_, value)| !value.is_null()) {
        out.push_str(&format!("{} = {value}\n", key(name)));
    }
    for (name, value) in tables {
        let full = if path.is_empty() {
            key(name)
        } else {
            format!("{path}.{}", key(name))
        };
        out.push_str(&format!("\n[{full}]\n"));
        if let Some(members) = value.as_object() {
            table(&full, members, out);
        }
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
            serde_json::json!({"t": {"x": 1}, "s": "q"})
                .as_object()
                .unwrap(),
            &mut out,
        );
        assert_eq!(out, "s = \"q\"\n\n[t]\nx = 1\n");
    }
}
