//! Numbers as the reference writes them.
//!
//! What users put into free-form members comes to the reference as JSON, where every number is a float, and it
//! says so when it gives them back: `{"a": 1}` in a task's `Config` is read as `{"a": 1.0}`.

use std::io;

use serde_json::ser::Formatter;

/// Members whose values are free: whatever their authors wrote.
const FREE: [&str; 4] = ["Config", "Policy", "Meta", "Claims"];
const LONGEST: usize = 6;

/// Compact output.
#[derive(Default)]
pub(super) struct Compact {
    /// Free-form members are written as they are.
    literal: bool,
    depth: usize,
    /// How deep the free member is that is being written.
    free: Option<usize>,
    key: Key,
}

/// The name of the member that comes next.
#[derive(Default)]
struct Key {
    writing: bool,
    len: usize,
    text: [u8; LONGEST],
}

impl Key {
    fn push(&mut self, fragment: &str) {
        for byte in fragment.bytes().take(LONGEST + 1) {
            if let Some(place) = self.text.get_mut(self.len) {
                *place = byte;
            }
            self.len += 1;
        }
    }

    fn is_free(&self) -> bool {
        self.text
            .get(..self.len)
            .is_some_and(|text| FREE.iter().any(|name| name.as_bytes() == text))
    }
}

impl Compact {
    /// Output that leaves free-form members as they are.
    pub(super) fn literal() -> Self {
        Self {
            literal: true,
            ..Self::default()
        }
    }

    fn enter(&mut self) {
        self.depth += 1;
        if !self.literal && self.free.is_none() && self.key.is_free() {
            self.free = Some(self.depth);
        }
        self.key.len = 0;
    }

    fn leave(&mut self) {
        if self.free == Some(self.depth) {
            self.free = None;
        }
        self.depth -= 1;
    }
}

macro_rules! integers {
    ($($name:ident: $type:ty,)+) => { $(
        fn $name<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: $type) -> io::Result<()> {
            match self.free {
                Some(_) => writer.write_all(float(value as f64).as_bytes()),
                None => serde_json::ser::CompactFormatter.$name(writer, value),
            }
        }
    )+ };
}

impl Formatter for Compact {
    integers! {
        write_i8: i8, write_i16: i16, write_i32: i32, write_i64: i64,
        write_u8: u8, write_u16: u16, write_u32: u32, write_u64: u64,
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(float(value).as_bytes())
    }

    fn write_f32<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        writer.write_all(float(f64::from(value)).as_bytes())
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if self.key.writing {
            self.key.push(fragment);
        }
        writer.write_all(fragment.as_bytes())
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.key.len = 0;
        self.key.writing = true;
        if first {
            Ok(())
        } else {
            writer.write_all(b",")
        }
    }

    fn end_object_key<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.key.writing = false;
        Ok(())
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        // A name is for its own value only, be that `null`.
        self.key.len = 0;
        Ok(())
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.enter();
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.leave();
        writer.write_all(b"}")
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.enter();
        writer.write_all(b"[")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.leave();
        writer.write_all(b"]")
    }
}

fn float(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{value:e}");
        return if text.contains("e-") {
            text
        } else {
            text.replace('e', "e+")
        };
    }
    let text = format!("{value}");
    if text.contains('.') {
        text
    } else {
        text + ".0"
    }
}
