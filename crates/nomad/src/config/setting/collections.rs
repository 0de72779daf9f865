//! Settings of several values: lists, maps, and blocks that are told apart by a label or a name.

use std::collections::BTreeMap;

use super::scalars::scalar_text;
use super::{Context, Section, Setting, apply_entries, for_each_block};
use crate::config::syntax::{Entry, Value};

impl Setting for Vec<String> {
    fn apply(&mut self, entry: &Entry, cx: &mut Context) {
        let Value::List(items) = &entry.node.value else {
            return cx.expected(&entry.node, "a list such as [\"a\", \"b\"]");
        };
        self.clear();
        for item in items {
            match scalar_text(item) {
                Some(text) => self.push(text),
                None => cx.expected(item, "text"),
            }
        }
    }
}

impl Setting for BTreeMap<String, String> {
    fn apply(&mut self, entry: &Entry, cx: &mut Context) {
        for_each_block(&entry.node, cx, |entries, cx| {
            for inner in entries {
                cx.within(&inner.key, |cx| match scalar_text(&inner.node) {
                    Some(text) => drop(self.insert(inner.key.clone(), text)),
                    None => cx.expected(&inner.node, "text"),
                });
            }
        });
    }
}

impl<T: Setting + Default> Setting for Option<T> {
    fn apply(&mut self, entry: &Entry, cx: &mut Context) {
        self.get_or_insert_with(T::default).apply(entry, cx);
    }
}

/// Blocks told apart by their label: `plugin "docker" { … }`; in JSON the label is a key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labelled<T>(pub BTreeMap<String, T>);

impl<T: Setting + Default> Setting for Labelled<T> {
    fn apply(&mut self, entry: &Entry, cx: &mut Context) {
        if let [label, rest @ ..] = entry.labels.as_slice() {
            let inner = Entry {
                labels: rest.to_vec(),
                ..entry.clone()
            };
            let one = self.0.entry(label.clone()).or_default();
            return cx.within(label, |cx| one.apply(&inner, cx));
        }
        for_each_block(&entry.node, cx, |entries, cx| {
            for inner in entries {
                let one = self.0.entry(inner.key.clone()).or_default();
                cx.within(&inner.key, |cx| one.apply(inner, cx));
            }
        });
    }
}

/// Blocks told apart by a `name` inside; without one it is `default`.
#[derive(Clone, Debug, PartialEq)]
pub struct ByName<T>(pub BTreeMap<String, T>);

impl<T: Default> Default for ByName<T> {
    fn default() -> Self {
        Self(BTreeMap::from([("default".to_owned(), T::default())]))
    }
}

impl<T: Section + Default> Setting for ByName<T> {
    fn apply(&mut self, entry: &Entry, cx: &mut Context) {
        if let Some(label) = entry.labels.first() {
            return cx.problem(
                entry.pos,
                format!("this block takes no label; write name = {label:?} inside"),
            );
        }
        for_each_block(&entry.node, cx, |entries, cx| {
            let named = entries
                .iter()
                .find(|inner| inner.key == "name")
                .and_then(|inner| scalar_text(&inner.node));
            let one = self
                .0
                .entry(named.unwrap_or_else(|| "default".into()))
                .or_default();
            apply_entries(one, entries, cx);
        });
    }
}
