//! The content of a body according to a schema, in whichever syntax the body is written.

use super::schema::{BlockType, Schema};
use crate::eval::{Scope, Session};
use crate::source::Span;
use crate::suggest::{did_you_mean, nearest};
use crate::syntax::ast::{Body, Expr, ExprKind, Name};
use std::borrow::Cow;
use std::rc::Rc;

/// A body in either syntax.
#[derive(Clone, Copy)]
pub(crate) enum BodyRef<'a> {
    Native(&'a Body),
    /// An object, or a list of objects that count as one.
    Json(&'a Expr),
}

/// A block, whether it was written or made by a dynamic block.
#[derive(Clone)]
pub(crate) struct BlockRef<'a> {
    pub(crate) kind: Name,
    pub(crate) labels: Vec<Name>,
    pub(crate) open: Span,
    pub(crate) body: BodyRef<'a>,
    /// What names mean in it, when that is not what they mean around it.
    pub(crate) scope: Option<Scope>,
}

/// An attribute of a body.
pub(crate) struct AttributeRef<'a> {
    pub(crate) name: Cow<'a, Name>,
    pub(crate) expr: &'a Expr,
    pub(crate) span: Span,
}

/// What a body contains.
pub(crate) struct Content<'a> {
    pub(crate) attributes: Vec<AttributeRef<'a>>,
    pub(crate) blocks: Vec<BlockRef<'a>>,
    /// What names mean in it.
    pub(crate) scope: Scope,
    /// Where something that is missing would stand.
    pub(crate) start: Span,
}

impl<'a> BlockRef<'a> {
    /// The content of the block; `around` is the scope around it.
    pub(crate) fn content(
        &self,
        cx: &mut Session<'_>,
        around: &Scope,
        schema: &Schema,
    ) -> Content<'a> {
        let scope = self.scope.as_ref().unwrap_or(around);
        content(cx, self.body, scope, schema)
    }

    /// The text of a label; empty when there is none.
    pub(crate) fn label(&self, at: usize) -> String {
        let label = self.labels.get(at);
        label.map_or_else(String::new, |label| label.text.to_string())
    }

    /// The type and the labels.
    pub(crate) fn header(&self) -> Span {
        let last = self.labels.last().unwrap_or(&self.kind);
        self.kind.span.to(last.span)
    }
}

impl BodyRef<'_> {
    /// Where something that is missing would stand.
    pub(crate) fn start(self) -> Span {
        match self {
            Self::Native(body) => body.start,
            Self::Json(expr) => expr.span.at_start(),
        }
    }
}

impl<'a> Content<'a> {
    /// The attribute of this name.
    pub(crate) fn attribute(&self, name: &str) -> Option<&AttributeRef<'a>> {
        self.attributes.iter().find(|it| *it.name.text == *name)
    }

    /// The blocks of this type.
    pub(crate) fn blocks<'s>(&'s self, kind: &'s str) -> impl Iterator<Item = &'s BlockRef<'a>> {
        self.blocks.iter().filter(move |it| *it.kind.text == *kind)
    }

    /// The first block of this type.
    pub(crate) fn block(&self, kind: &str) -> Option<&BlockRef<'a>> {
        self.blocks.iter().find(|it| *it.kind.text == *kind)
    }

    /// Tells of a required attribute that is missing.
    pub(crate) fn require(&self, cx: &mut Session<'_>, name: &str) {
        if self.attribute(name).is_none() {
            missing(cx, self.start, name);
        }
    }
}

pub(super) fn missing(cx: &mut Session<'_>, span: Span, name: &str) {
    let detail = format!("The argument {name:?} is required, but no definition was found.");
    cx.diags.error(span, "Missing required argument", detail);
}

/// The content of a body.
pub(crate) fn content<'a>(
    cx: &mut Session<'_>,
    body: BodyRef<'a>,
    scope: &Scope,
    schema: &Schema,
) -> Content<'a> {
    let mut out = Content {
        attributes: Vec::new(),
        blocks: Vec::new(),
        scope: scope.clone(),
        start: body.start(),
    };
    match body {
        BodyRef::Native(body) => native(cx, body, schema, &mut out),
        BodyRef::Json(expr) => json(cx, expr, schema, &mut out),
    }
    check_singles(cx, schema, &out.blocks);
    out
}

fn native<'a>(cx: &mut Session<'_>, body: &'a Body, schema: &Schema, out: &mut Content<'a>) {
    for attribute in &body.attributes {
        let name = &attribute.name;
        if !schema.attributes.contains(&&*name.text) {
            unsupported_attribute(cx, name, schema);
            continue;
        }
        out.attributes.push(AttributeRef {
            name: Cow::Borrowed(name),
            expr: &attribute.expr,
            span: attribute.span,
        });
    }
    for block in &body.blocks {
        let block = BlockRef {
            kind: block.kind.clone(),
            labels: block.labels.clone(),
            open: block.open,
            body: BodyRef::Native(&block.body),
            scope: None,
        };
        add_block(cx, block, schema, out);
    }
}

fn add_block<'a>(
    cx: &mut Session<'_>,
    block: BlockRef<'a>,
    schema: &Schema,
    out: &mut Content<'a>,
) {
    if &*block.kind.text == "dynamic" {
        let made = super::dynamic::expand(cx, &block, &out.scope, schema);
        out.blocks.extend(made);
        return;
    }
    match schema.blocks.iter().find(|it| *it.name == *block.kind.text) {
        None => unsupported_block(cx, &block.kind, schema),
        Some(kind) => {
            if check_labels(cx, &block, kind) {
                out.blocks.push(block);
            }
        }
    }
}

fn unsupported_attribute(cx: &mut Session<'_>, name: &Name, schema: &Schema) {
    if cx.diags.is_full() {
        return;
    }
    let text = &name.text;
    let hint = match nearest(text, schema.attributes.iter().copied()) {
        _ if schema.blocks.iter().any(|block| *block.name == **text) => {
            format!(" Did you mean to define a block of type {text:?}?")
        }
        Some(meant) => format!(" Did you mean {meant:?}?"),
        None => match nearest(text, schema.blocks.iter().map(|block| block.name)) {
            Some(meant) => format!(" Did you mean to define a block of type {meant:?}?"),
            None => String::new(),
        },
    };
    let detail = format!("An argument named {text:?} is not expected here.{hint}");
    cx.diags.error(name.span, "Unsupported argument", detail);
}

pub(super) fn unsupported_block(cx: &mut Session<'_>, name: &Name, schema: &Schema) {
    if cx.diags.is_full() {
        return;
    }
    let text = &name.text;
    let hint = match schema.attributes.contains(&&**text) {
        true => format!(
            " Did you mean to define argument {text:?}? If so, use the equals sign to assign it a value."
        ),
        false => did_you_mean(text, schema.blocks.iter().map(|block| block.name)),
    };
    let detail = format!("Blocks of type {text:?} are not expected here.{hint}");
    cx.diags.error(name.span, "Unsupported block type", detail);
}

fn check_labels(cx: &mut Session<'_>, block: &BlockRef<'_>, kind: &BlockType) -> bool {
    let (name, wanted) = (kind.name, kind.labels);
    if block.labels.len() < wanted.len() {
        let summary = format!("Missing {} for {name}", wanted[block.labels.len()]);
        let detail = format!(
            "All {name} blocks must have {} labels ({}).",
            wanted.len(),
            wanted.join(", ")
        );
        cx.diags.error(block.open, summary, detail);
        return false;
    }
    if let Some(extra) = block.labels.get(wanted.len()) {
        let detail = match wanted.len() {
            0 => format!("No labels are expected for {name} blocks."),
            count => format!(
                "Only {count} labels ({}) are expected for {name} blocks.",
                wanted.join(", ")
            ),
        };
        let summary = format!("Extraneous label for {name}");
        cx.diags.error(extra.span, summary, detail);
        return false;
    }
    true
}

fn check_singles(cx: &mut Session<'_>, schema: &Schema, blocks: &[BlockRef<'_>]) {
    for kind in schema.blocks.iter().filter(|kind| kind.single) {
        let mut same = blocks.iter().filter(|block| *block.kind.text == *kind.name);
        let Some(first) = same.next() else { continue };
        for other in same {
            let detail = format!(
                "Only one {} block is allowed. Another was defined at {}.",
                kind.name,
                cx.diags.at(first.header())
            );
            let summary = format!("Duplicate {} block", kind.name);
            cx.diags.error(other.header(), summary, detail);
        }
    }
}

/// Members of an object, or of each object of a list.
pub(crate) fn json_members(expr: &Expr) -> Vec<(&Expr, &Expr)> {
    match &expr.kind {
        ExprKind::Object { items, .. } => items.iter().map(|(key, value)| (key, value)).collect(),
        ExprKind::Tuple { items, .. } => items
            .iter()
            .filter(|item| matches!(item.kind, ExprKind::Object { .. }))
            .flat_map(json_members)
            .collect(),
        _ => Vec::new(),
    }
}

/// The text and place of a key.
pub(crate) fn json_key(key: &Expr) -> Name {
    let text: Rc<str> = match &key.kind {
        ExprKind::Text(text, _) => text.clone(),
        _ => "".into(),
    };
    Name {
        text,
        span: key.span,
    }
}

fn json<'a>(cx: &mut Session<'_>, expr: &'a Expr, schema: &Schema, out: &mut Content<'a>) {
    if !matches!(expr.kind, ExprKind::Object { .. } | ExprKind::Tuple { .. }) {
        let detail = "Either a JSON object or a JSON array of objects is required here.";
        cx.diags
            .error(expr.start(), "Incorrect JSON value type", detail);
        return;
    }
    for (key, value) in json_members(expr) {
        let name = json_key(key);
        if schema.attributes.contains(&&*name.text) {
            let span = name.span.to(value.span);
            out.attributes.push(AttributeRef {
                name: Cow::Owned(name),
                expr: value,
                span,
            });
            continue;
        }
        let labels = match schema.blocks.iter().find(|it| *it.name == *name.text) {
            Some(kind) => kind.labels.len(),
            None if &*name.text == "dynamic" => 1,
            None if &*name.text == "//" || cx.diags.is_full() => continue,
            None => {
                let known = schema.attributes.iter().copied();
                let known = known.chain(schema.blocks.iter().map(|block| block.name));
                let lower = name.text.to_lowercase();
                let hint = match known.clone().find(|it| *it == lower) {
                    Some(it) => format!(" Did you mean {it:?}?"),
                    None => did_you_mean(&name.text, known),
                };
                let detail = format!("No argument or block type is named {:?}.{hint}", name.text);
                let summary = "Extraneous JSON object property";
                cx.diags.error(name.span, summary, detail);
                continue;
            }
        };
        json_blocks(cx, &name, value, labels, Vec::new(), schema, out);
    }
}

/// Blocks of one type: objects of objects, one level for each label; lists at any level.
fn json_blocks<'a>(
    cx: &mut Session<'_>,
    kind: &Name,
    value: &'a Expr,
    labels_left: usize,
    labels: Vec<Name>,
    schema: &Schema,
    out: &mut Content<'a>,
) {
    match &value.kind {
        ExprKind::Null => {}
        ExprKind::Tuple { items, .. } => {
            for item in items {
                json_blocks(cx, kind, item, labels_left, labels.clone(), schema, out);
            }
        }
        ExprKind::Object { .. } if labels_left > 0 => {
            for (key, inner) in json_members(value) {
                let mut labels = labels.clone();
                labels.push(json_key(key));
                json_blocks(cx, kind, inner, labels_left - 1, labels, schema, out);
            }
        }
        ExprKind::Object { .. } => {
            let block = BlockRef {
                kind: kind.clone(),
                labels,
                open: value.start(),
                body: BodyRef::Json(value),
                scope: None,
            };
            add_block(cx, block, schema, out);
        }
        _ => {
            let detail = "A JSON object, or a JSON array of objects, is required here.";
            cx.diags
                .error(value.start(), "Incorrect JSON value type", detail);
        }
    }
}
