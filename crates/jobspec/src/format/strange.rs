//! Files whose comments are in another encoding: their bytes are carried through the layout as they are.

use super::format_source;
use crate::diagnostic::Diagnostics;
use crate::inputs::Source;
use crate::parse::{outside_comments, readable};

/// Lays out a file as [`format_source`] does, and keeps the bytes of comments that are not UTF-8.
///
/// # Errors
/// The file's syntax errors, among them what is not UTF-8 outside of comments.
pub fn format_bytes(source: &Source) -> Result<Vec<u8>, Diagnostics> {
    let plain = || format_source(source).map(String::into_bytes);
    let (text, places) = readable(&source.bytes);
    if places.is_empty() || outside_comments(&text, &places).is_some() {
        return plain();
    }
    let Some(stand_ins) = stand_ins(&text) else {
        return plain();
    };
    let mut text = String::with_capacity(source.bytes.len() * 2);
    for chunk in source.bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|&byte| stand_ins.of(byte)));
    }
    let text = format_source(&Source::new(source.name.clone(), text))?;
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match stand_ins.byte(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Ok(bytes)
}

/// A character of nobody's alphabet for each byte, counted from the first.
struct StandIns(u32);

/// Characters that the text does not use.
fn stand_ins(text: &str) -> Option<StandIns> {
    let blocks = (0xf_0000..=0xf_ff00).step_by(256);
    let free = |first: &u32| !text.chars().any(|c| c as u32 & !0xff == *first);
    blocks.into_iter().find(free).map(StandIns)
}

impl StandIns {
    fn of(&self, byte: u8) -> char {
        char::from_u32(self.0 + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    fn byte(&self, c: char) -> Option<u8> {
        let above = (c as u32).checked_sub(self.0)?;
        u8::try_from(above).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_keep_their_encoding() {
        let source = Source::new("t.hcl", &b"a   = 1 # caf\xe9\nbcd = 2\n"[..]);
        let laid_out = format_bytes(&source).unwrap();
        assert_eq!(laid_out, b"a   = 1 # caf\xe9\nbcd = 2\n");
        let crooked = Source::new("t.hcl", &b"a=1 // \xff\xfe\n"[..]);
        assert_eq!(format_bytes(&crooked).unwrap(), b"a = 1 // \xff\xfe\n");
    }

    #[test]
    fn elsewhere_it_is_an_error() {
        let source = Source::new("t.hcl", &b"a = \"caf\xe9\" # caf\xe9\n"[..]);
        let errors = format_bytes(&source).unwrap_err();
        assert_eq!(errors.list[0].summary, "Invalid character encoding");
    }
}
