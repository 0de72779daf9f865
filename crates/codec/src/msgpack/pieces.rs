//! Pieces of values, packed. Nothing here depends on the type that is written.

use std::io::{self, Write};

use rmp::encode;

use crate::write::Sink;

/// How many bytes are gathered before they are poured out.
const POURED: usize = 256 << 10;

/// Packed bytes that grow, or are poured out every now and then.
#[derive(Default)]
pub(super) struct Packed<'o> {
    bytes: Vec<u8>,
    /// The lists and maps that have begun; the head of those whose length is not known yet is put before them when
    /// they end.
    open: Vec<Option<Unknown>>,
    /// How many of them have no head yet: their bytes cannot leave.
    unknown: usize,
    out: Option<&'o mut dyn Write>,
    /// The first time that pouring failed; what follows is dropped.
    failed: Option<io::Error>,
}

/// A list or map whose head is not written yet.
struct Unknown {
    /// Where in the bytes it begins.
    at: usize,
    length: u32,
}

/// rmp writes into memory, which takes everything.
fn done<T, E>(result: Result<T, E>) {
    debug_assert!(result.is_ok(), "memory takes everything");
}

/// A length as the format can hold it.
fn short(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl<'o> Packed<'o> {
    /// Bytes that leave while they are made.
    pub(super) fn poured(out: &'o mut dyn Write) -> Self {
        Self {
            out: Some(out),
            ..Self::default()
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Pours what is left.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.pour();
        self.failed.map_or(Ok(()), Err)
    }

    fn pour(&mut self) {
        if let Some(out) = &mut self.out {
            if self.failed.is_none() {
                self.failed = out.write_all(&self.bytes).err();
            }
            self.bytes.clear();
        }
    }

    fn begin(&mut self, length: Option<usize>) -> Option<u32> {
        let unknown = Unknown {
            at: self.bytes.len(),
            length: 0,
        };
        self.unknown += usize::from(length.is_none());
        self.open.push(length.is_none().then_some(unknown));
        length.map(short)
    }

    fn count(&mut self) {
        if self.out.is_some() && self.unknown == 0 && self.bytes.len() >= POURED {
            self.pour();
        }
        if let Some(Some(unknown)) = self.open.last_mut() {
            unknown.length += 1;
        }
    }

    fn end(&mut self, head: fn(&mut Vec<u8>, u32)) {
        if let Some(Some(unknown)) = self.open.pop() {
            self.unknown -= 1;
            let mut begins = Vec::with_capacity(5);
            head(&mut begins, unknown.length);
            self.bytes.splice(unknown.at..unknown.at, begins);
        }
    }
}

fn list_head(bytes: &mut Vec<u8>, length: u32) {
    done(encode::write_array_len(bytes, length));
}

fn map_head(bytes: &mut Vec<u8>, length: u32) {
    done(encode::write_map_len(bytes, length));
}

impl Sink for Packed<'_> {
    fn is_text(&self) -> bool {
        false
    }

    fn nil(&mut self) {
        done(encode::write_nil(&mut self.bytes));
    }

    fn boolean(&mut self, value: bool) {
        done(encode::write_bool(&mut self.bytes, value));
    }

    fn unsigned(&mut self, value: u64) {
        done(encode::write_uint(&mut self.bytes, value));
    }

    fn signed(&mut self, value: i64) {
        done(encode::write_sint(&mut self.bytes, value));
    }

    fn float(&mut self, value: f64) {
        done(encode::write_f64(&mut self.bytes, value));
    }

    fn single(&mut self, value: f32) {
        done(encode::write_f32(&mut self.bytes, value));
    }

    fn text(&mut self, value: &str) {
        done(encode::write_str(&mut self.bytes, value));
    }

    fn binary(&mut self, value: &[u8]) {
        done(encode::write_bin(&mut self.bytes, value));
    }

    fn begin_list(&mut self, length: Option<usize>) {
        if let Some(length) = self.begin(length) {
            list_head(&mut self.bytes, length);
        }
    }

    fn next_item(&mut self) {
        self.count();
    }

    fn end_list(&mut self) {
        self.end(list_head);
    }

    fn begin_map(&mut self, length: Option<usize>) {
        if let Some(length) = self.begin(length) {
            map_head(&mut self.bytes, length);
        }
    }

    fn next_key(&mut self) {
        self.count();
    }

    fn next_value(&mut self) {}

    fn end_map(&mut self) {
        self.end(map_head);
    }
}
