//! Digests, password hashes and unique ids.

use super::{Call, Fault, Outcome};
use crate::value::Value;
use sha2::Digest;

fn hex(bytes: &[u8]) -> Value {
    Value::from(
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>(),
    )
}

pub(super) fn md5(call: &mut Call<'_>) -> Outcome {
    Ok(hex(&md5::Md5::digest(call.text(0).as_bytes())))
}

pub(super) fn sha1(call: &mut Call<'_>) -> Outcome {
    Ok(hex(&sha1::Sha1::digest(call.text(0).as_bytes())))
}

pub(super) fn sha256(call: &mut Call<'_>) -> Outcome {
    Ok(hex(&sha2::Sha256::digest(call.text(0).as_bytes())))
}

pub(super) fn sha512(call: &mut Call<'_>) -> Outcome {
    Ok(hex(&sha2::Sha512::digest(call.text(0).as_bytes())))
}

/// Dearer hashes would hold up whoever parses the file for seconds.
const MOST_COST: i64 = 12;

/// Each step doubles the work; all that there is to spend is worth about a tenth of a second.
pub(super) fn bcrypt_cost(cost: Option<&Value>) -> usize {
    let cost = match cost {
        Some(Value::Number(number)) => number.as_i64().unwrap_or(MOST_COST),
        _ => 10,
    };
    200 << cost.clamp(0, MOST_COST)
}

pub(super) fn bcrypt(call: &mut Call<'_>) -> Outcome {
    let cost = match call.args.len() {
        1 => 10,
        2 => call.whole(1)?,
        _ => return Err("bcrypt() takes no more than two arguments".into()),
    };
    if !(4..=MOST_COST).contains(&cost) {
        let why = format!("the cost must lie between 4 and {MOST_COST}, but is {cost}");
        return Err(Fault::Argument(1, why));
    }
    let salt = call.random.draw();
    let text = call.text(0);
    if text.len() > 72 {
        return Err("bcrypt: password length exceeds 72 bytes".into());
    }
    match ::bcrypt::hash_with_salt(text.as_bytes(), cost as u32, salt) {
        Ok(parts) => Ok(Value::from(
            parts.format_for_version(::bcrypt::Version::TwoA),
        )),
        Err(error) => Err(error.to_string().into()),
    }
}

pub(super) fn uuidv4(call: &mut Call<'_>) -> Outcome {
    Ok(uuid(call.random.draw(), 4))
}

pub(super) fn uuidv5(call: &mut Call<'_>) -> Outcome {
    let space = call.text(0);
    let known = |last: &str| format!("6ba7b81{last}-9dad-11d1-80b4-00c04fd430c8");
    let space_id = match &*space {
        "dns" => known("0"),
        "url" => known("1"),
        "oid" => known("2"),
        "x500" => known("4"),
        other => other.to_owned(),
    };
    let Some(bytes) = uuid_bytes(&space_id) else {
        let why = format!(
            "uuidv5() doesn't support namespace {space:?}: use dns, url, oid, x500 or a uuid"
        );
        return Err(Fault::Argument(0, why));
    };
    let digest = sha1::Sha1::new()
        .chain_update(bytes)
        .chain_update(call.text(1).as_bytes())
        .finalize();
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    Ok(uuid(first, 5))
}

fn uuid_bytes(text: &str) -> Option<Vec<u8>> {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    if groups != [8, 4, 4, 4, 12] {
        return None;
    }
    let digits = text.replace('-', "");
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

fn uuid(mut bytes: [u8; 16], version: u8) -> Value {
    bytes[6] = bytes[6] & 0x0f | version << 4;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut out = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        out += &format!("{byte:02x}");
    }
    Value::from(out)
}
