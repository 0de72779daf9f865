//! Declarations of variables.

use super::constant;
use crate::decode::{BlockRef, Schema, attributes, many};
use crate::eval::{Scope, Session};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, Name};
use crate::syntax::parser::parse_expression;
use crate::type_expression::type_expression;
use crate::types::{Type, convert, type_of};
use crate::value::Value;
use std::rc::Rc;

const VARIABLE: Schema = Schema {
    attributes: &["type", "default", "description"],
    blocks: &[many("validation")],
};

const VALIDATION: Schema = Schema {
    attributes: &["condition", "error_message"],
    blocks: &[],
};

/// A variable that may be given a value.
pub(super) struct Declaration {
    pub(super) name: Rc<str>,
    /// None when any text will do.
    pub(super) of: Option<Type>,
    pub(super) default: Option<(Value, Span)>,
    pub(super) rules: Vec<Rule>,
}

/// What a value must satisfy.
pub(super) struct Rule {
    pub(super) condition: Rc<Expr>,
    pub(super) message: String,
    pub(super) span: Span,
}

/// A `variable` block; none when its name is wrong.
pub(super) fn declare(cx: &mut Session<'_>, block: &BlockRef<'_>) -> Option<Declaration> {
    let label = block.labels.first()?;
    if !is_name(&label.text) {
        let detail = "A name must start with a letter or underscore and may contain only letters, digits, underscores, \
                      and dashes.";
        cx.diags.error(label.span, "Invalid variable name", detail);
        return None;
    }
    let scope = Scope::forbidden();
    let body = block.content(cx, &scope, &VARIABLE);
    let of = body
        .attribute("type")
        .map(|attribute| declared_type(cx, attribute.expr));
    let failed = matches!(of, Some(None));
    let mut of = of.flatten();
    let mut default = None;
    if let Some(attribute) = body.attribute("default") {
        let value = constant(cx, attribute.expr);
        let span = attribute.expr.span;
        let converted = convert(&value, of.as_ref().unwrap_or(&Type::Any));
        let value = converted.unwrap_or_else(|why| {
            let detail = format!(
                "This default value is not compatible with the variable's type constraint: {why}."
            );
            let summary = "Invalid default value for variable";
            cx.diags.error(attribute.expr.span, summary, detail);
            Value::Unknown
        });
        if of.is_none() && !value.is_null() && !value.has_unknown() {
            of = Some(type_of(&value));
        }
        default = Some((value, span));
    }
    if failed {
        // The type was refused already; that values do not have it is no news.
        of = None;
        default = Some((Value::Unknown, label.span));
    }
    body.attribute("description")
        .map(|it| constant(cx, it.expr));
    let rules = rules(cx, &body.blocks, &scope);
    Some(Declaration {
        name: label.text.clone(),
        of,
        default,
        rules,
    })
}

fn declared_type(cx: &mut Session<'_>, expr: &Expr) -> Option<Type> {
    // In the JSON form types are texts.
    if let ExprKind::Text(text, _) = &expr.kind
        && cx
            .diags
            .sources
            .file(expr.span.file)
            .text
            .trim_start()
            .starts_with('{')
    {
        let name = cx.diags.sources.file(expr.span.file).name.clone();
        let file = cx.diags.sources.add(name, text.clone());
        let inner = parse_expression(file, &mut cx.diags)?;
        return type_expression(&mut cx.diags, &inner, false);
    }
    type_expression(&mut cx.diags, expr, false)
}

fn rules(cx: &mut Session<'_>, blocks: &[BlockRef<'_>], scope: &Scope) -> Vec<Rule> {
    let mut rules = Vec::new();
    for block in blocks {
        let body = block.content(cx, scope, &VALIDATION);
        body.require(cx, "condition");
        body.require(cx, "error_message");
        let (Some(condition), Some(message)) =
            (body.attribute("condition"), body.attribute("error_message"))
        else {
            continue;
        };
        let text = constant(cx, message.expr);
        let Ok(Value::Text(text)) = convert(&text, &Type::Text) else {
            let detail = "The error message must be a string that does not depend on anything.";
            let summary = "Invalid validation error message";
            cx.diags.error(message.expr.start(), summary, detail);
            continue;
        };
        rules.push(Rule {
            condition: Rc::new(condition.expr.clone()),
            message: text.to_string(),
            span: block.kind.span,
        });
    }
    rules
}

/// A `variables` block: names with defaults.
pub(super) fn declare_short(cx: &mut Session<'_>, block: &BlockRef<'_>) -> Vec<Declaration> {
    let mut out = Vec::new();
    for attribute in attributes(cx, block.body) {
        let value = constant(cx, attribute.expr);
        let known = !value.is_null() && !value.has_unknown();
        out.push(Declaration {
            name: Name::clone(&attribute.name).text,
            of: known.then(|| type_of(&value)),
            default: Some((value, attribute.expr.span)),
            rules: Vec::new(),
        });
    }
    out
}

fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters
        .next()
        .is_some_and(|first| first == '_' || unicode_ident::is_xid_start(first))
        && letters.all(|letter| letter == '-' || unicode_ident::is_xid_continue(letter))
}
