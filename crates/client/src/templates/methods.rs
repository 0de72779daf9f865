//! Methods in templates: `scratch.Set "a" 1`, `.Tags.Contains "x"`, `.port.Value`.
//!
//! The engine calls functions only. Before a template is executed, calls of methods are made calls of functions: of those of
//! the scratchpad, whose names have the dot in them, and of those that take the value as their first argument.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::parse::{CommandNode, Expr, ListNode, Node, Parser, PipeNode};
use gotmpl::{Template, TemplateError, Value};

use super::functions::variables::METHODS;

/// What has methods.
const OBJECT: &str = "scratch";
/// Methods of values that have arguments, and the functions that do the same.
const WITH_ARGUMENTS: [(&str, &str); 1] = [("Contains", "in")];
/// The function behind a method without arguments ([`METHODS`]); no template can name it.
pub(super) fn function(method: &str) -> String {
    format!("variable.{method}")
}

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
    for (number, command) in pipe.commands.iter_mut().enumerate() {
        command.args.iter_mut().for_each(in_expression);
        let is_given_something = number > 0 || command.args.len() > 1;
        if let Some(value) = command.args.first_mut().filter(|_| is_given_something)
            && let Some(function) = take_method(value, &WITH_ARGUMENTS)
        {
            command.args.insert(0, function);
        }
    }
}

fn in_expression(expression: &mut Expr) {
    match expression {
        Expr::Pipe(_, pipe) => in_pipe(pipe),
        Expr::Chain(pos, inner, fields) => {
            in_expression(inner);
            let is_object =
                matches!(inner.as_ref(), Expr::Identifier(_, name) if name.as_str() == OBJECT);
            if is_object && !fields.is_empty() {
                let method = fields.remove(0);
                let function = Expr::Identifier(*pos, format!("{OBJECT}.{method}").into());
                *expression = if fields.is_empty() {
                    function
                } else {
                    Expr::Chain(*pos, Box::new(function), std::mem::take(fields))
                };
                return;
            }
        }
        _ => {}
    }
    while let Some(called) = call_of_method(expression) {
        *expression = called;
    }
}

/// The first method in a row of names made a call of its function; what comes after it is asked of what that gives.
fn call_of_method(expression: &Expr) -> Option<Expr> {
    let (Expr::Field(pos, fields) | Expr::Variable(pos, _, fields) | Expr::Chain(pos, _, fields)) =
        expression
    else {
        return None;
    };
    let at = fields
        .iter()
        .position(|name| METHODS.contains(&name.as_str()))?;
    let (before, after) = (fields[..at].to_vec(), fields[at + 1..].to_vec());
    let value = match expression {
        Expr::Variable(_, name, _) => Expr::Variable(*pos, name.clone(), before),
        Expr::Chain(_, inner, _) if before.is_empty() => inner.as_ref().clone(),
        Expr::Chain(_, inner, _) => Expr::Chain(*pos, inner.clone(), before),
        _ if before.is_empty() => Expr::Dot(*pos),
        _ => Expr::Field(*pos, before),
    };
    let function = Expr::Identifier(*pos, function(&fields[at]).into());
    let call = CommandNode {
        pos: *pos,
        args: vec![function, value],
    };
    let call = PipeNode {
        pos: *pos,
        decl: Vec::new(),
        commands: vec![call],
        is_assign: false,
    };
    let call = Expr::Pipe(*pos, call);
    Some(match after.is_empty() {
        true => call,
        false => Expr::Chain(*pos, Box::new(call), after),
    })
}

/// Takes the method that ends an expression away; the function that does the same.
fn take_method(expression: &mut Expr, methods: &[(&str, &str)]) -> Option<Expr> {
    let pos = expression.pos();
    let (Expr::Field(_, fields) | Expr::Variable(_, _, fields) | Expr::Chain(_, _, fields)) =
        expression
    else {
        return None;
    };
    let last = fields.last()?;
    let (_, function) = methods.iter().find(|(method, _)| last == method)?;
    fields.pop();
    match expression {
        Expr::Field(_, fields) if fields.is_empty() => *expression = Expr::Dot(pos),
        Expr::Chain(_, inner, fields) if fields.is_empty() => *expression = inner.as_ref().clone(),
        _ => {}
    }
    Some(Expr::Identifier(pos, (*function).into()))
}
