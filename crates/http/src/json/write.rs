//! Numbers as the reference writes them.
//!
//! What users put into free-form members comes to the reference as JSON, where every number is a float, and it
//! says so when it gives them back: `{"a": 1}` in a task's `Config` is read as `{"a": 1.0}`.

use caravan_codec::{Sink, WriteError, json::Text};

/// Members whose values are free: whatever their authors wrote.
const FREE: [&str; 4] = ["Config", "Policy", "Meta", "Claims"];

/// Compact output.
#[derive(Default)]
pub(super) struct Compact {
    text: Text,
    /// Free-form members are written as they are.
    literal: bool,
    depth: usize,
    /// How deep the free member is that is being written.
    free: Option<usize>,
    in_key: bool,
    /// Whether the value that comes next is that of a free-form member.
    named_free: bool,
}

impl Compact {
    /// Output that leaves free-form members as they are.
    pub(super) fn literal() -> Self {
        Self {
            literal: true,
            ..Self::default()
        }
    }

    /// What was written.
    pub(super) fn finish(self) -> Result<Vec<u8>, WriteError> {
        self.text.finish()
    }

    fn enter(&mut self) {
        self.depth += 1;
        if !self.literal && self.free.is_none() && self.named_free {
            self.free = Some(self.depth);
        }
        self.named_free = false;
    }

    fn leave(&mut self) {
        if self.free == Some(self.depth) {
            self.free = None;
        }
        self.depth -= 1;
        self.named_free = false;
    }
}

impl Sink for Compact {
    fn is_text(&self) -> bool {
        true
    }

    fn nil(&mut self) {
        self.text.nil();
    }

    fn boolean(&mut self, value: bool) {
        self.text.boolean(value);
    }

    fn unsigned(&mut self, value: u64) {
        match self.free {
            Some(_) if !self.in_key => self.float(value as f64),
            _ => self.text.unsigned(value),
        }
    }

    fn signed(&mut self, value: i64) {
        match self.free {
            Some(_) if !self.in_key => self.float(value as f64),
            _ => self.text.signed(value),
        }
    }

    fn float(&mut self, value: f64) {
        match value.is_finite() {
            true => self.text.raw(&float(value)),
            false => self.text.nil(),
        }
    }

    fn single(&mut self, value: f32) {
        self.float(value.into());
    }

    fn text(&mut self, value: &str) {
        if self.in_key {
            self.named_free = FREE.contains(&value);
        }
        self.text.text(value);
    }

    fn binary(&mut self, value: &[u8]) {
        self.text.binary(value);
    }

    fn begin_list(&mut self, length: Option<usize>) {
        self.enter();
        self.text.begin_list(length);
    }

    fn next_item(&mut self) {
        self.text.next_item();
    }

    fn end_list(&mut self) {
        self.leave();
        self.text.end_list();
    }

    fn begin_map(&mut self, length: Option<usize>) {
        self.enter();
        self.text.begin_map(length);
    }

    fn next_key(&mut self) {
        self.in_key = true;
        self.text.next_key();
    }

    fn next_value(&mut self) {
        self.in_key = false;
        self.text.next_value();
    }

    fn end_map(&mut self) {
        self.leave();
        self.text.end_map();
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
