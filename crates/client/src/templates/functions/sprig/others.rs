//! Versions, chance, and encodings that are rarely met.

use gotmpl::Value;
use semver::{Version, VersionReq};

use super::{Function, fail, map, string, text, value, whole};

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("sprig_b32enc", |_, args| {
        Ok(string(base32(text(args, 0)?.as_bytes())))
    }),
    ("sprig_b32dec", |_, args| {
        let of = text(args, 0)?;
        let bytes = unbase32(&of).ok_or_else(|| fail(format!("{of:?} is not base32")))?;
        Ok(string(String::from_utf8_lossy(&bytes)))
    }),
    ("sprig_adler32sum", |_, args| {
        let (mut a, mut b) = (1_u32, 0_u32);
        for byte in text(args, 0)?.bytes() {
            a = (a + u32::from(byte)) % 65_521;
            b = (b + a) % 65_521;
        }
        Ok(string(((b << 16) | a).to_string()))
    }),
    ("sprig_urlJoin", |_, args| {
        let member = |name: &str| value(args, 0).ok()?.field(name).map(ToString::to_string);
        let part = |name: &str, before: &str, after: &str| match member(name) {
            Some(part) if !part.is_empty() => format!("{before}{part}{after}"),
            _ => String::new(),
        };
        let path = member("path").unwrap_or_default();
        Ok(string(format!(
            "{}//{}{}{path}{}{}",
            part("scheme", "", ":"),
            part("userinfo", "", "@"),
            member("host").unwrap_or_default(),
            part("query", "?", ""),
            part("fragment", "#", ""),
        )))
    }),
    ("sprig_shuffle", |_, args| {
        let mut chars: Vec<char> = text(args, 0)?.chars().collect();
        for last in (1..chars.len()).rev() {
            chars.swap(last, usize::try_from(below(last as u64 + 1)?).unwrap_or(0));
        }
        Ok(string(chars.into_iter().collect::<String>()))
    }),
    ("sprig_randInt", |_, args| {
        let (from, to) = (whole(value(args, 0)?), whole(value(args, 1)?));
        if to <= from {
            return Err(fail(format!(
                "there is no number from {from} to below {to}"
            )));
        }
        let more = i64::try_from(below(from.abs_diff(to))?).unwrap_or(0);
        Ok(Value::Int(from.saturating_add(more)))
    }),
    ("sprig_semver", |_, args| {
        let of = text(args, 0)?;
        let version = version(&of).ok_or_else(|| fail(format!("{of:?} is no semantic version")))?;
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        Ok(map([
            ("Major".to_owned(), number(version.major)),
            ("Minor".to_owned(), number(version.minor)),
            ("Patch".to_owned(), number(version.patch)),
            ("Prerelease".to_owned(), string(version.pre.as_str())),
            ("Metadata".to_owned(), string(version.build.as_str())),
            ("Original".to_owned(), string(of)),
        ]))
    }),
    ("sprig_semverCompare", |_, args| {
        let (wanted, of) = (text(args, 0)?, text(args, 1)?);
        let version = version(&of).ok_or_else(|| fail(format!("{of:?} is no semantic version")))?;
        let mut fits = false;
        for choice in wanted.split("||") {
            fits |= satisfies(choice, &version)
                .ok_or_else(|| fail(format!("{wanted:?} is no constraint of versions")))?;
        }
        Ok(Value::Bool(fits))
    }),
    ("sprig_hello", |_, _| Ok(string("Hello!"))),
];

/// Names of the same: nothing of these fails where the other does not, and paths are those of this system.
pub(super) const ALIASES: &[(&str, &str)] = &[
    ("sprig_trimall", "sprig_trimAll"),
    ("sprig_tuple", "sprig_list"),
    ("sprig_push", "sprig_append"),
    ("sprig_biggest", "sprig_max"),
    ("sprig_int64", "sprig_int"),
    ("sprig_atoi", "sprig_int"),
    ("sprig_mustRegexMatch", "sprig_regexMatch"),
    ("sprig_mustRegexFind", "sprig_regexFind"),
    ("sprig_mustRegexFindAll", "sprig_regexFindAll"),
    ("sprig_mustRegexReplaceAll", "sprig_regexReplaceAll"),
    (
        "sprig_mustRegexReplaceAllLiteral",
        "sprig_regexReplaceAllLiteral",
    ),
    ("sprig_mustCompact", "sprig_compact"),
    ("sprig_mustFromJson", "sprig_fromJson"),
    ("sprig_mustToJson", "sprig_toJson"),
    ("sprig_mustToPrettyJson", "sprig_toPrettyJson"),
    ("sprig_mustToRawJson", "sprig_toRawJson"),
    ("sprig_mustDeepCopy", "sprig_deepCopy"),
    ("sprig_mustMerge", "sprig_merge"),
    ("sprig_mustMergeOverwrite", "sprig_mergeOverwrite"),
    ("sprig_mustAppend", "sprig_append"),
    ("sprig_mustPush", "sprig_append"),
    ("sprig_mustPrepend", "sprig_prepend"),
    ("sprig_mustFirst", "sprig_first"),
    ("sprig_mustRest", "sprig_rest"),
    ("sprig_mustLast", "sprig_last"),
    ("sprig_mustInitial", "sprig_initial"),
    ("sprig_mustReverse", "sprig_reverse"),
    ("sprig_mustUniq", "sprig_uniq"),
    ("sprig_mustWithout", "sprig_without"),
    ("sprig_mustHas", "sprig_has"),
    ("sprig_mustSlice", "sprig_slice"),
    ("sprig_mustChunk", "sprig_chunk"),
    ("sprig_osBase", "sprig_base"),
    ("sprig_osClean", "sprig_clean"),
    ("sprig_osDir", "sprig_dir"),
    ("sprig_osExt", "sprig_ext"),
    ("sprig_osIsAbs", "sprig_isAbs"),
];

const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn base32(bytes: &[u8]) -> String {
    let mut out = String::new();
    for group in bytes.chunks(5) {
        let mut bits = [0_u8; 8];
        for (place, byte) in bits.iter_mut().skip(3).zip(group) {
            *place = *byte;
        }
        let bits = u64::from_be_bytes(bits);
        let digits = (group.len() * 8).div_ceil(5);
        for number in 0..8 {
            let value = usize::try_from((bits >> (35 - 5 * number)) & 31).unwrap_or(0);
            out.push(if number < digits {
                char::from(DIGITS[value])
            } else {
                '='
            });
        }
    }
    out
}

fn unbase32(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut held, mut out) = (0_u32, 0, Vec::new());
    for byte in text.trim_end_matches('=').bytes() {
        let value = DIGITS.iter().position(|digit| *digit == byte)?;
        bits = ((bits << 5) | u32::try_from(value).ok()?) & 0xfff;
        held += 5;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    Some(out)
}

/// A number by chance, each below the bound as likely.
fn below(bound: u64) -> Result<u64, gotmpl::TemplateError> {
    let most = u64::MAX - u64::MAX % bound.max(1);
    loop {
        let mut bytes = [0; 8];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|error| fail(error.to_string()))?;
        let number = u64::from_ne_bytes(bytes);
        if number < most {
            return Ok(number % bound.max(1));
        }
    }
}

/// Versions may begin with `v`, and leave numbers out.
fn version(text: &str) -> Option<Version> {
    let text = text.trim().trim_start_matches('v');
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, more) = text.split_at(end);
    let missing = 2_usize.saturating_sub(numbers.matches('.').count());
    Version::parse(&format!("{numbers}{}{more}", ".0".repeat(missing))).ok()
}

/// Whether a version fits one constraint: parts between commas or spaces, all of which hold.
fn satisfies(constraint: &str, version: &Version) -> Option<bool> {
    if let Some((low, high)) = constraint.split_once(" - ") {
        return Some(
            one(&format!(">={}", low.trim()), version)?
                && one(&format!("<={}", high.trim()), version)?,
        );
    }
    // `>= 1.2` is one part.
    let mut joined = constraint.trim().to_owned();
    for operator in ['=', '>', '<', '~', '^'] {
        while joined.contains(&format!("{operator} ")) {
            joined = joined.replace(&format!("{operator} "), &operator.to_string());
        }
    }
    let mut all = true;
    for part in joined.split([',', ' ']).filter(|part| !part.is_empty()) {
        all &= match part.strip_prefix("!=") {
            Some(not) => !one(&format!("={not}"), version)?,
            None => one(part, version)?,
        };
    }
    Some(all)
}

fn one(part: &str, version: &Version) -> Option<bool> {
    let part = part
        .replace("=>", ">=")
        .replace("=<", "<=")
        .replace(['x', 'X'], "*");
    let (operator, number) = part.split_at(part.find(|c: char| !"=<>~^".contains(c)).unwrap_or(0));
    let number = number.trim_start_matches('v');
    let operator = match operator {
        "" if !number.contains('*') => "=",
        "~>" => "~",
        other => other,
    };
    let requirement = VersionReq::parse(&format!("{operator}{number}")).ok()?;
    Some(requirement.matches(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_goes_both_ways() {
        for (plain, written) in [
            ("", ""),
            ("f", "MY======"),
            ("foob", "MZXW6YQ="),
            ("foobar", "MZXW6YTBOI======"),
        ] {
            assert_eq!(base32(plain.as_bytes()), written);
            assert_eq!(unbase32(written).as_deref(), Some(plain.as_bytes()));
        }
        assert!(unbase32("a1").is_none());
    }

    #[test]
    fn constraints_of_versions() {
        let fits = |constraint: &str, of: &str| {
            satisfies(constraint, &version(of).expect("a version")).expect("a constraint")
        };
        for (constraint, of, expected) in [
            ("^1.2.0", "1.9.3", true),
            ("^1.2.0", "2.0.0", false),
            ("~1.2.3", "v1.2.9", true),
            (">= 1.2, < 2", "1.5", true),
            (">=1.2 <2", "2.0.0", false),
            ("1.2.x", "1.2.7", true),
            ("1.2.3", "1.2.4", false),
            ("!=1.2.3", "1.2.4", true),
            ("1.2 - 1.4.5", "1.4.5", true),
            ("*", "3.0.0", true),
            (">=1.0.0", "1.1.0-beta", false),
        ] {
            assert_eq!(fits(constraint, of), expected, "{constraint} {of}");
        }
        assert!(satisfies(">=x.y.z.w", &version("1.0.0").expect("a version")).is_none());
    }
}
