//! Prefixes of IDs, and whole ones, as lookups check them.

use crate::error::ApiError;

/// Checks a prefix of a UUID: hexadecimal digits, an even number of them, hyphens where they may be.
/// `object` is how the error calls the thing: `alloc`, `eval`, `node`, `deployment`.
pub fn check_uuid_prefix(object: &str, prefix: &str) -> Result<(), ApiError> {
    let digits = || prefix.chars().filter(|c| *c != '-');
    if digits().count() % 2 != 0 {
        return Err(ApiError::id_prefix_length(object));
    }
    match digits().find(|c| !c.is_ascii_hexdigit()) {
        Some(digit) => Err(ApiError::id_prefix_digit(object, digit)),
        None => Ok(()),
    }
}

/// Checks a whole UUID by its length and digits.
pub fn check_uuid(object: &str, id: &str) -> Result<(), ApiError> {
    if id.len() != 36 {
        return Err(ApiError::id_length(object));
    }
    check_uuid_prefix(object, id)
}

/// A prefix as searches take it: an odd last digit is left out.
pub fn even_prefix(prefix: &str) -> &str {
    let digits = prefix.chars().filter(|c| *c != '-').count();
    match prefix.char_indices().next_back() {
        Some((at, _)) if digits % 2 != 0 => &prefix[..at],
        _ => prefix,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        for (prefix, text) in [
            ("", None),
            ("ab12", None),
            ("abc", Some("Input (without hyphens) must be even length")),
            (
                "xyzw",
                Some("Invalid UUID: encoding/hex: invalid byte: U+0078 'x'"),
            ),
            ("01234567-89", None),
        ] {
            let expected = text.map_or(Ok(()), |text| {
                Err(ApiError::internal(format!(
                    "alloc lookup failed: index error: {text}"
                )))
            });
            assert_eq!(check_uuid_prefix("alloc", prefix), expected, "{prefix}");
        }
        assert_eq!(
            check_uuid("node", "abc").expect_err("too short").message,
            "node lookup failed: index error: UUID must be 36 characters"
        );
        assert_eq!(
            (even_prefix("abc"), even_prefix("abcd"), even_prefix("")),
            ("ab", "abcd", "")
        );
    }
}
