//! JSON as users and the API write and read it.
//!
//! Written as compact as it can be, or indented by two spaces. Reading follows the reference: only the first value
//! counts, names match in any case, unknown ones are passed over, `null` is the zero value, and errors have its words.
//! Types say `#[serde(default)]` for what may be absent.

mod error;
mod probe;
mod read;
mod scan;

use serde::{Serialize, de::DeserializeOwned};

use crate::write::{Sink, WriteError, write};

pub use error::DecodeError;

/// JSON that grows.
#[derive(Default)]
pub struct Text {
    bytes: Vec<u8>,
    /// Whether what has begun goes on in new lines.
    pretty: bool,
    /// For each list and map that has begun whether something is in it.
    open: Vec<bool>,
    in_key: bool,
    /// A key that is no text.
    odd_key: bool,
}

impl Text {
    /// Text that breaks lines and indents them.
    #[must_use]
    pub fn pretty() -> Self {
        Self {
            pretty: true,
            ..Self::default()
        }
    }

    /// What was written.
    ///
    /// # Errors
    /// A map whose keys are no texts or numbers.
    pub fn finish(self) -> Result<Vec<u8>, WriteError> {
        match self.odd_key {
            false => Ok(self.bytes),
            true => Err(WriteError::new("key must be a string")),
        }
    }

    /// Puts a piece that is JSON already; as a key it becomes a text.
    pub fn raw(&mut self, text: &str) {
        let quote: &[u8] = if self.in_key { b"\"" } else { b"" };
        self.bytes.extend_from_slice(quote);
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.extend_from_slice(quote);
    }

    fn begin(&mut self, with: u8) {
        self.odd_key |= self.in_key;
        self.bytes.push(with);
        self.open.push(false);
    }

    fn next(&mut self) {
        let Some(filled) = self.open.last_mut() else {
            return;
        };
        if std::mem::replace(filled, true) {
            self.bytes.push(b',');
        }
        self.line();
    }

    fn line(&mut self) {
        if self.pretty {
            self.bytes.push(b'\n');
            let indented = self.bytes.len() + 2 * self.open.len();
            self.bytes.resize(indented, b' ');
        }
    }

    fn end(&mut self, with: u8) {
        if self.open.pop() == Some(true) {
            self.line();
        }
        self.bytes.push(with);
    }

    /// Writes by serde_json's own rules.
    fn value<T: Serialize + ?Sized>(&mut self, value: &T) {
        let written = serde_json::to_writer(&mut self.bytes, value);
        debug_assert!(written.is_ok(), "memory takes everything");
    }
}

impl Sink for Text {
    fn is_text(&self) -> bool {
        true
    }

    fn nil(&mut self) {
        self.raw("null");
    }

    fn boolean(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    fn unsigned(&mut self, value: u64) {
        match self.in_key {
            true => self.raw(&value.to_string()),
            false => self.value(&value),
        }
    }

    fn signed(&mut self, value: i64) {
        match self.in_key {
            true => self.raw(&value.to_string()),
            false => self.value(&value),
        }
    }

    fn float(&mut self, value: f64) {
        self.odd_key |= self.in_key;
        self.value(&value);
    }

    fn single(&mut self, value: f32) {
        self.odd_key |= self.in_key;
        self.value(&value);
    }

    fn text(&mut self, value: &str) {
        self.value(value);
    }

    fn binary(&mut self, value: &[u8]) {
        self.begin_list(None);
        for byte in value {
            self.next_item();
            self.unsigned((*byte).into());
        }
        self.end_list();
    }

    fn begin_list(&mut self, _: Option<usize>) {
        self.begin(b'[');
    }

    fn next_item(&mut self) {
        self.next();
    }

    fn end_list(&mut self) {
        self.end(b']');
    }

    fn begin_map(&mut self, _: Option<usize>) {
        self.begin(b'{');
    }

    fn next_key(&mut self) {
        self.next();
        self.in_key = true;
    }

    fn next_value(&mut self) {
        self.in_key = false;
        let colon: &[u8] = if self.pretty { b": " } else { b":" };
        self.bytes.extend_from_slice(colon);
    }

    fn end_map(&mut self) {
        self.end(b'}');
    }
}

/// Writes a value without a blank.
///
/// # Errors
/// What the value's own way of writing itself refuses, and maps whose keys are no texts.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, WriteError> {
    let mut text = Text::default();
    write(value, &mut text)?;
    text.finish()
}

/// The same as a text.
///
/// # Errors
/// As [`to_vec`].
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String, WriteError> {
    to_vec(value).map(utf8)
}

/// Writes a value over lines that are indented by two spaces.
///
/// # Errors
/// As [`to_vec`].
pub fn to_string_pretty<T: Serialize + ?Sized>(value: &T) -> Result<String, WriteError> {
    let mut text = Text::pretty();
    write(value, &mut text)?;
    text.finish().map(utf8)
}

fn utf8(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("only texts and ASCII were written")
}

/// A value as a tree: what it writes, read again, so that no code is made for trees alone.
///
/// # Errors
/// As [`to_vec`].
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<serde_json::Value, WriteError> {
    let bytes = to_vec(value)?;
    serde_json::from_slice(&bytes).map_err(|error| WriteError::new(error.to_string()))
}

/// Reads the first value of a body into `T`. In error texts its name gets the prefix `<package>.`, the package where
/// the reference keeps it.
///
/// # Errors
/// No value at all, text that is not JSON, or a value of another type than the member's.
pub fn decode<T: DeserializeOwned>(body: &[u8], package: &str) -> Result<T, DecodeError> {
    let value = scan::first_value(body)?;
    T::deserialize(read::Reader::root(&value, package))
}
