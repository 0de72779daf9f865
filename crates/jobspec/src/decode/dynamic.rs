//! `dynamic` blocks: one block for each element of a collection.

use super::content::{BlockRef, BodyRef, content, missing, unsupported_block};
use super::schema::{Schema, one};
use crate::eval::{Scope, Session};
use crate::syntax::ast::{Expr, ExprKind, Name};
use crate::types::{Type, convert};
use crate::value::{Members, Value};
use std::rc::Rc;

/// What each block costs of the evaluator's budget: the blocks that are made take a kilobyte and more.
const COST: usize = 32;

const DYNAMIC: Schema = Schema {
    attributes: &["for_each", "iterator", "labels"],
    blocks: &[one("content")],
};

/// The blocks that a dynamic block makes.
pub(super) fn expand<'a>(
    cx: &mut Session<'_>,
    block: &BlockRef<'a>,
    scope: &Scope,
    schema: &Schema,
) -> Vec<BlockRef<'a>> {
    let Some(label) = block.labels.first() else {
        let detail = "A dynamic block must have the type of the blocks to make as its only label.";
        cx.diags
            .error(block.open, "Missing block type for dynamic", detail);
        return Vec::new();
    };
    let Some(kind) = schema.blocks.iter().find(|it| *it.name == *label.text) else {
        unsupported_block(cx, label, schema);
        return Vec::new();
    };
    let body = content(cx, block.body, scope, &DYNAMIC);
    let Some(for_each) = body.attribute("for_each") else {
        missing(cx, body.start, "for_each");
        return Vec::new();
    };
    let labels = body.attribute("labels");
    if labels.is_none() && !kind.labels.is_empty() {
        missing(cx, body.start, "labels");
        return Vec::new();
    }
    let Some(inner) = body.block("content") else {
        let detail = "A dynamic block must have a nested block of type \"content\" to describe the body of each \
                      generated block.";
        cx.diags
            .error(body.start, "Missing dynamic content block", detail);
        return Vec::new();
    };
    let iterator = match body.attribute("iterator") {
        None => label.text.clone(),
        Some(attribute) => match iterator_name(block, attribute.expr) {
            Some(name) => name,
            None => {
                let detail = "The iterator is the name by which the content refers to the current element: a plain word.";
                cx.diags
                    .error(attribute.expr.span, "Invalid iterator name", detail);
                return Vec::new();
            }
        },
    };
    let Some(pairs) = elements(cx, for_each.expr, scope) else {
        return Vec::new();
    };
    let mut made = Vec::new();
    for (key, value) in pairs {
        if !cx.spend(COST, block.header()) {
            return Vec::new();
        }
        let element = Members::from([("key".into(), key), ("value".into(), value)]);
        let scope = scope.with(vec![(iterator.clone(), Value::object(element))]);
        let labels = match labels {
            None => Vec::new(),
            Some(labels) => match label_names(cx, labels.expr, kind.labels.len(), &scope) {
                Some(labels) => labels,
                None => return made,
            },
        };
        made.push(BlockRef {
            kind: label.clone(),
            labels,
            open: inner.open,
            body: inner.body,
            scope: Some(scope),
        });
    }
    made
}

fn iterator_name(block: &BlockRef<'_>, expr: &Expr) -> Option<Rc<str>> {
    match (&expr.kind, block.body) {
        // In the JSON form names are texts.
        (ExprKind::Text(text, _), BodyRef::Json(_)) => Some(text.clone()),
        _ => expr.keyword().map(|name| name.text.clone()),
    }
}

fn elements(cx: &mut Session<'_>, expr: &Expr, scope: &Scope) -> Option<Vec<(Value, Value)>> {
    let value = cx.eval(scope, expr);
    if value.is_unknown() {
        return None;
    }
    let pairs = value.pairs();
    if pairs.is_none() {
        let detail = match value.is_null() {
            true => "Cannot use a null value in for_each.".to_owned(),
            false => format!(
                "Cannot use a {} value in for_each. An iterable collection is required.",
                value.type_name()
            ),
        };
        cx.diags
            .error(expr.span, "Invalid dynamic for_each value", detail);
    }
    pairs
}

fn label_names(
    cx: &mut Session<'_>,
    expr: &Expr,
    count: usize,
    scope: &Scope,
) -> Option<Vec<Name>> {
    let value = cx.eval(scope, expr);
    if value.has_unknown() {
        return None;
    }
    let refuse = |cx: &mut Session<'_>, detail: String| {
        cx.diags
            .error(expr.span, "Invalid dynamic block label", detail);
        None
    };
    let Some(items) = value.items() else {
        return refuse(
            cx,
            format!(
                "The labels must be a list of strings, not a {}.",
                value.type_name()
            ),
        );
    };
    if items.len() != count {
        return refuse(
            cx,
            format!(
                "Blocks of this type have {count} labels, but {} are given.",
                items.len()
            ),
        );
    }
    let mut labels = Vec::new();
    for item in items {
        match convert(item, &Type::Text) {
            Ok(Value::Text(text)) => labels.push(Name {
                text,
                span: expr.span,
            }),
            Ok(_) => return refuse(cx, "A label must not be null.".to_owned()),
            Err(why) => return refuse(cx, format!("A label must be a string: {why}.")),
        }
    }
    Some(labels)
}
