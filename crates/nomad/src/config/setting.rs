//! How a written value lands in a typed setting. Applying a later file onto the same settings *is*
//! the merge: scalars and lists are replaced, maps merged, blocks applied key by key.
//!
//! `section!` declares a block once: its keys, types and defaults. From that one list come the struct,
//! what is known (so that anything else can be refused) and what is accepted but has no effect yet.
//! Here is how blocks are applied; what a key may hold is in `scalars`, `collections` and `free_form`.

use super::syntax::{Entry, Node, Value};

mod collections;
mod free_form;
mod problems;
mod scalars;
mod spelling;

pub use collections::{ByName, Labelled};
pub use free_form::FreeForm;
pub use problems::{Context, Origin, Problem};
pub use spelling::closest;

/// Something that a written value can be applied to.
pub trait Setting {
    fn apply(&mut self, entry: &Entry, cx: &mut Context);
}

/// A block with a fixed set of keys.
pub trait Section {
    const KEYS: &'static [&'static str];
    /// The setting behind `key` and, when it has no effect yet, why.
    fn slot(&mut self, key: &str) -> Option<(&mut dyn Setting, Option<&'static str>)>;
}

/// Applies the entries of one block (or of a whole file) to a section.
pub fn apply_entries<S: Section>(section: &mut S, entries: &[Entry], cx: &mut Context) {
    for entry in entries {
        match section.slot(&entry.key) {
            Some(_) if entry.node.value == Value::Null => {}
            Some((setting, later)) => cx.within(&entry.key, |cx| {
                if let Some(why) = later {
                    cx.warn(
                        entry.pos,
                        format!("accepted, but without effect so far: {why}"),
                    );
                }
                setting.apply(entry, cx);
            }),
            None => {
                let hint = closest(&entry.key, S::KEYS)
                    .map(|name| format!("; did you mean {name:?}?"))
                    .unwrap_or_default();
                cx.problem(entry.pos, format!("unexpected key {:?}{hint}", entry.key));
            }
        }
    }
}

/// Applies an entry that must be a block without labels; a JSON list of blocks is applied in order.
pub fn apply_section<S: Section>(section: &mut S, entry: &Entry, cx: &mut Context) {
    if let Some(label) = entry.labels.first() {
        return cx.problem(
            entry.pos,
            format!("this block takes no label, found {label:?}"),
        );
    }
    for_each_block(&entry.node, cx, |entries, cx| {
        apply_entries(section, entries, cx)
    });
}

/// Calls `body` for the block, or for each block of a list.
pub fn for_each_block(node: &Node, cx: &mut Context, mut body: impl FnMut(&[Entry], &mut Context)) {
    match &node.value {
        Value::Object(entries) => body(entries, cx),
        Value::List(items) => {
            for item in items {
                match &item.value {
                    Value::Object(entries) => body(entries, cx),
                    _ => cx.expected(item, "a block"),
                }
            }
        }
        _ => cx.expected(node, "a block"),
    }
}

macro_rules! section {
    ($(#[$meta:meta])* $name:ident { $( $(#[$field_meta:meta])* $key:ident : $ty:ty = $default:expr $(, later $why:expr)? ; )* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name { $( $(#[$field_meta])* pub $key: $ty, )* }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $key: $default, )* }
            }
        }

        impl $crate::config::setting::Section for $name {
            const KEYS: &'static [&'static str] = &[$( $crate::config::setting::plain(stringify!($key)), )*];

            fn slot(&mut self, key: &str) -> Option<(&mut dyn $crate::config::setting::Setting, Option<&'static str>)> {
                $( if key == $crate::config::setting::plain(stringify!($key)) {
                    let later: &[&'static str] = &[$( $why )?];
                    return Some((&mut self.$key, later.first().copied()));
                } )*
                None
            }
        }

        impl $crate::config::setting::Setting for $name {
            fn apply(&mut self, entry: &$crate::config::syntax::Entry, cx: &mut $crate::config::setting::Context) {
                $crate::config::setting::apply_section(self, entry, cx);
            }
        }
    };
}
pub(crate) use section;

/// `r#type` is the key `type`.
pub(crate) const fn plain(name: &str) -> &str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}
