//! Bodies without a schema, such as a driver's `config`.
//!
//! A nested block becomes a list of one map, and so does an attribute whose value is written as an object: drivers
//! expect blocks, and differences are shown with these indexes. An object that comes from a variable stays as it is.

use super::content::{AttributeRef, BlockRef, BodyRef, json_key, json_members};
use super::values::known;
use crate::eval::{Scope, Session};
use crate::syntax::ast::{Body, ExprKind};
use caravan_model::Object;
use serde_json::Value as Json;
use std::borrow::Cow;

/// The content of a block without a schema.
pub(super) fn free_form(cx: &mut Session<'_>, block: &BlockRef<'_>, around: &Scope) -> Object {
    let scope = block.scope.as_ref().unwrap_or(around).clone();
    body(cx, block.body, &scope)
}

fn body(cx: &mut Session<'_>, body: BodyRef<'_>, scope: &Scope) -> Object {
    let mut out = Object::new();
    let (attributes, native) = match body {
        BodyRef::Native(native) => (native_attributes(native), Some(native)),
        BodyRef::Json(_) => (attributes(cx, body), None),
    };
    for attribute in attributes {
        let Some(value) = known(cx, scope, attribute.expr) else {
            continue;
        };
        if value.is_null() {
            continue;
        }
        let wrap = native.is_some() && matches!(attribute.expr.kind, ExprKind::Object { .. });
        let json = match wrap {
            true => Json::Array(vec![value.to_json()]),
            false => value.to_json(),
        };
        out.insert(attribute.name.text.to_string(), json);
    }
    for block in native.map_or(&[][..], |native| &native.blocks) {
        let mut content = self::body(cx, BodyRef::Native(&block.body), scope);
        for label in block.labels.iter().rev() {
            let inner = Json::Array(vec![Json::Object(content)]);
            content = Object::new();
            content.insert(label.text.to_string(), inner);
        }
        match out
            .entry(block.kind.text.to_string())
            .or_insert_with(|| Json::Array(Vec::new()))
        {
            Json::Array(list) => list.push(Json::Object(content)),
            other => *other = Json::Array(vec![other.take(), Json::Object(content)]),
        }
    }
    out
}

fn native_attributes(body: &Body) -> Vec<AttributeRef<'_>> {
    let attributes = body.attributes.iter().map(|attribute| AttributeRef {
        name: Cow::Borrowed(&attribute.name),
        expr: &attribute.expr,
        span: attribute.span,
    });
    attributes.collect()
}

/// The attributes of a body that has no blocks.
pub(crate) fn attributes<'a>(cx: &mut Session<'_>, body: BodyRef<'a>) -> Vec<AttributeRef<'a>> {
    match body {
        BodyRef::Native(body) => {
            if let Some(block) = body.blocks.first() {
                let detail = "Blocks are not allowed here; to set a value, use the equals sign.";
                let summary = format!("Unexpected {:?} block", block.kind.text);
                cx.diags.error(block.header(), summary, detail);
            }
            native_attributes(body)
        }
        BodyRef::Json(expr) => {
            if !matches!(expr.kind, ExprKind::Object { .. } | ExprKind::Tuple { .. }) {
                let detail = "A JSON object is required here.";
                cx.diags
                    .error(expr.start(), "Incorrect JSON value type", detail);
            }
            let members = json_members(expr).into_iter();
            let attributes = members.map(|(key, value)| AttributeRef {
                name: Cow::Owned(json_key(key)),
                expr: value,
                span: key.span.to(value.span),
            });
            attributes.collect()
        }
    }
}
