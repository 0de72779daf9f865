//! Values from variable files.

use super::{Origin, Variables, constant};
use crate::decode::{BodyRef, attributes};
use crate::eval::Session;
use crate::inputs::{Inputs, VarFile};
use crate::syntax::json::parse_json;
use crate::syntax::parser::parse_file;
use crate::types::{Type, convert};
use crate::value::Value;

/// Takes the values of all variable files, in order.
pub(super) fn collect(variables: &mut Variables, cx: &mut Session<'_>, inputs: &Inputs<'_>) {
    for file in &inputs.var_files {
        if !variables.text.is_empty() {
            variables.text.push_str("\n\n");
        }
        variables.text.push_str(&file.text);
        collect_file(variables, cx, file, inputs.strict);
    }
}

fn collect_file(variables: &mut Variables, cx: &mut Session<'_>, file: &VarFile, strict: bool) {
    let id = cx.diags.sources.add(&*file.name, &*file.text);
    if file.text.trim_start_matches(' ').starts_with('{') {
        if let Some(expr) = parse_json(id, &mut cx.diags) {
            assign(variables, cx, BodyRef::Json(&expr), strict);
        }
        return;
    }
    let mut body = parse_file(id, &mut cx.diags);
    for block in std::mem::take(&mut body.blocks) {
        if &*block.kind.text != "variable" {
            let detail = format!(
                "Blocks of type {:?} are not expected here.",
                block.kind.text
            );
            cx.diags
                .error(block.kind.span, "Unsupported block type", detail);
            continue;
        }
        let name = block.labels.first().map_or("", |label| &label.text);
        let detail = format!(
            "A .var file is used to assign values to variables that have already been declared in job files, not to \
             declare new variables. To declare variable {name:?}, place this block in one of your job files\n\nTo set a \
             value for this variable in {}, use the definition syntax instead:\n    {name} = <value>",
            file.name
        );
        let summary = "Variable declaration in a .var file";
        cx.diags.error(block.kind.span, summary, detail);
    }
    assign(variables, cx, BodyRef::Native(&body), strict);
}

fn assign(variables: &mut Variables, cx: &mut Session<'_>, body: BodyRef<'_>, strict: bool) {
    for attribute in attributes(cx, body) {
        let name = attribute.name.text.clone();
        let Some(declaration) = variables.declared.get(&name) else {
            let detail = format!(
                "A {name:?} variable was set but was not found in known variables. To declare variable {name:?}, place \
                 this block in your job files"
            );
            match strict {
                true => cx.diags.error_nowhere("Undefined variable", detail),
                false => cx
                    .diags
                    .warning(Some(attribute.name.span), "Undefined variable", detail),
            }
            continue;
        };
        let value = constant(cx, attribute.expr);
        let of = declaration.of.clone().unwrap_or(Type::Any);
        let value = convert(&value, &of).unwrap_or_else(|why| {
            let detail = format!(
                "The value for {name} is not compatible with the variable's type constraint: {why}."
            );
            let span = attribute.expr.span;
            cx.diags.error(span, "Invalid value for variable", detail);
            Value::Unknown
        });
        variables.give(name, value, Origin::File, Some(attribute.expr.span));
    }
}
