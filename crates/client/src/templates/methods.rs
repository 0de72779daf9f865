//! Methods in templates: `scratch.Set "a" 1`.
//!
//! The engine calls functions only. Before a template is executed, calls of methods are made calls of functions whose names have
//! the dot in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::parse::{Expr, ListNode, Node, Parser, PipeNode};
use gotmpl::{Template, TemplateError, Value};

/// What has methods.
const OBJECT: &str = "scratch";
/// The name that the text outside of all definitions is kept by.
const BODY: &str = "";

/// Parses `source`, which [`execute`] renders.
pub(super) fn parse(
    engine: Template,
    source: &str,
    delims: (&str, &str),
) -> Result<Template, TemplateError> {
    // Also finds what is defined twice.
    let mut parsed = engine.parse(source)?;
    let (mut body, definitions) = Parser::new(source, delims.0, delims.1)?.parse()?;
    // An empty one takes the place of none.
    let definitions = definitions
        .into_iter()
        .filter(|one| !one.body.is_empty_tree());
    for mut definition in definitions {
        in_list(&mut definition.body);
        parsed = parsed.add_parse_tree(&definition.name, definition.body);
    }
    in_list(&mut body);
    Ok(parsed.add_parse_tree(BODY, body))
}

/// What a template that was [`parse`]d gives.
pub(super) fn execute(template: &Template) -> Result<String, TemplateError> {
    template.execute_template_to_string(BODY, &Value::Map(Arc::new(BTreeMap::new())))
}

fn in_list(list: &mut ListNode) {
    for node in &mut list.nodes {
        match node {
            Node::List(inner) => in_list(inner),
            Node::Action(action) => in_pipe(&mut action.pipe),
            Node::If(branch) | Node::Range(branch) | Node::With(branch) => {
                in_pipe(&mut branch.pipe);
                in_list(&mut branch.body);
                branch.else_body.as_mut().into_iter().for_each(in_list);
            }
            Node::Template(call) => call.pipe.as_mut().into_iter().for_each(in_pipe),
            Node::Define(define) => in_list(&mut define.body),
            Node::Text(_) | Node::Break(_) | Node::Continue(_) => {}
        }
    }
}

fn in_pipe(pipe: &mut PipeNode) {
    for command in &mut pipe.commands {
        command.args.iter_mut().for_each(in_expression);
    }
}

fn in_expression(expression: &mut Expr) {
    match expression {
        Expr::Pipe(_, pipe) => in_pipe(pipe),
        Expr::Chain(pos, inner, fields) => {
            in_expression(inner);
            let is_object =
                matches!(inner.as_ref(), Expr::Identifier(_, name) if name.as_str() == OBJECT);
            if !is_object || fields.is_empty() {
                return;
            }
            let method = fields.remove(0);
            let function = Expr::Identifier(*pos, format!("{OBJECT}.{method}").into());
            *expression = if fields.is_empty() {
                function
            } else {
                Expr::Chain(*pos, Box::new(function), std::mem::take(fields))
            };
        }
        _ => {}
    }
}
