//! Types as they are written: `list(string)`, `object({ port = number })`.

use crate::diagnostic::Diags;
use crate::source::Span;
use crate::suggest::did_you_mean;
use crate::syntax::ast::{Expr, ExprKind};
use crate::types::Type;
use std::collections::BTreeMap;

const SUMMARY: &str = "Invalid type specification";
const WORDS: [&str; 9] = [
    "string", "number", "bool", "list", "set", "map", "object", "tuple", "any",
];

/// The type that an expression names, or none after telling why it names none. Only a `constraint` may leave something
/// open: any type, and attributes of objects that need not be there.
pub(crate) fn type_expression(diags: &mut Diags, expr: &Expr, constraint: bool) -> Option<Type> {
    let refuse = |diags: &mut Diags, span: Span, detail: String| -> Option<Type> {
        diags.error(span, SUMMARY, detail);
        None
    };
    if let Some(word) = expr.keyword() {
        return match &*word.text {
            "string" => Some(Type::Text),
            "number" => Some(Type::Number),
            "bool" => Some(Type::Bool),
            "any" if constraint => Some(Type::Any),
            "any" => refuse(
                diags,
                word.span,
                "The keyword \"any\" cannot be used in this type specification: an exact type is required."
                    .to_owned(),
            ),
            "list" | "set" | "map" => refuse(
                diags,
                word.span,
                format!(
                    "The {0} type constructor requires one argument specifying the element type, such as \
                     {0}(string).",
                    word.text
                ),
            ),
            "object" | "tuple" => refuse(
                diags,
                word.span,
                format!(
                    "The {} type constructor requires one argument specifying the types of its members.",
                    word.text
                ),
            ),
            other => {
                let hint = did_you_mean(other, WORDS);
                let detail = format!("The keyword {other:?} is not a valid type specification.{hint}");
                refuse(diags, word.span, detail)
            }
        };
    }
    let ExprKind::Call {
        name, args, open, ..
    } = &expr.kind
    else {
        let detail = "A type specification is either a primitive type keyword (bool, number, string) or a complex type \
                      constructor call, like list(string).";
        return refuse(diags, expr.span, detail.to_owned());
    };
    let [arg] = args.as_slice() else {
        let detail = format!(
            "The {} type constructor requires exactly one argument.",
            name.text
        );
        return refuse(diags, name.span.to(*open), detail);
    };
    match &*name.text {
        "list" => Some(Type::List(type_expression(diags, arg, constraint)?.into())),
        "set" => Some(Type::Set(type_expression(diags, arg, constraint)?.into())),
        "map" => Some(Type::Map(type_expression(diags, arg, constraint)?.into())),
        "tuple" => match &arg.kind {
            ExprKind::Tuple { items, .. } => {
                let types = items
                    .iter()
                    .map(|item| type_expression(diags, item, constraint));
                Some(Type::Tuple(types.collect::<Option<_>>()?))
            }
            _ => refuse(
                diags,
                arg.span,
                "Tuple type constructor requires a list of element types.".to_owned(),
            ),
        },
        "object" => object_type(diags, arg, constraint),
        "optional" => refuse(
            diags,
            name.span,
            "Keyword \"optional\" is valid only as a modifier for object type attributes."
                .to_owned(),
        ),
        other => {
            let hint = did_you_mean(other, WORDS);
            let detail = format!("Keyword {other:?} is not a valid type constructor.{hint}");
            refuse(diags, name.span, detail)
        }
    }
}

fn object_type(diags: &mut Diags, arg: &Expr, constraint: bool) -> Option<Type> {
    let ExprKind::Object { items, .. } = &arg.kind else {
        let detail = "Object type constructor requires a map whose keys are attribute names and whose values are the \
                      corresponding attribute types.";
        diags.error(arg.span, SUMMARY, detail);
        return None;
    };
    let mut types = BTreeMap::new();
    for (key, value) in items {
        let ExprKind::Text(name, _) = &key.kind else {
            diags.error(
                key.span,
                SUMMARY,
                "Object constructor map keys must be attribute names.",
            );
            return None;
        };
        let (value, optional) = match &value.kind {
            ExprKind::Call {
                name, args, open, ..
            } if &*name.text == "optional" => {
                let why = match args.as_slice() {
                    _ if !constraint => "is only for type constraints, not for exact types.",
                    [] => "requires the attribute type as its argument.",
                    [_] => "",
                    _ => "expects only one argument: the attribute type.",
                };
                if !why.is_empty() {
                    let detail = format!("Optional attribute modifier {why}");
                    diags.error(name.span.to(*open), SUMMARY, detail);
                    return None;
                }
                (args.first()?, true)
            }
            _ => (value, false),
        };
        let of = type_expression(diags, value, constraint)?;
        types.insert(name.clone(), (of, optional));
    }
    Some(Type::Object(types))
}
