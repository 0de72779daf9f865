//! Input variables: declarations, and values from all the places that may give one.
//!
//! Later ones win: default, environment, variable files in order, the text given with a parse request, `-var` in
//! order.

mod declaration;
mod files;

use crate::decode::BlockRef;
use crate::eval::{Names, Scope, Session};
use crate::inputs::Inputs;
use crate::source::Span;
use crate::syntax::ast::Expr;
use crate::syntax::parser::parse_expression;
use crate::types::{Type, convert};
use crate::value::{Members, Value};
use declaration::{Declaration, declare, declare_short};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The prefix of environment variables that set one.
const ENV_PREFIX: &str = "NOMAD_VAR_";

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Origin {
    Default,
    Environment,
    File,
    Argument,
}

impl Origin {
    fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Environment => "env",
            Self::File => "varfile",
            Self::Argument => "cmd",
        }
    }
}

/// A value with where it came from.
struct Given {
    value: Value,
    origin: Origin,
    /// None when it was not written in a file.
    span: Option<Span>,
}

/// All variables with their values, and what is stored with the job about them.
#[derive(Default)]
pub(crate) struct Variables {
    declared: BTreeMap<Rc<str>, Declaration>,
    given: BTreeMap<Rc<str>, Given>,
    /// Values of simple variables from the environment and arguments, as they were given.
    pub(crate) flags: BTreeMap<String, String>,
    /// Text of all variable files, and of what was given for variables that are not simple.
    pub(crate) text: String,
}

impl Variables {
    /// Reads declarations from the `variable` and `variables` blocks of a file.
    pub(crate) fn declare(&mut self, cx: &mut Session<'_>, blocks: &[BlockRef<'_>]) {
        for block in blocks {
            let declarations = match &*block.kind.text {
                "variable" => declare(cx, block).into_iter().collect(),
                "variables" => declare_short(cx, block),
                _ => continue,
            };
            for declaration in declarations {
                let name = declaration.name.clone();
                if self.declared.contains_key(&name) {
                    let detail = format!("Duplicate {name} variable definition found.");
                    cx.diags.error_nowhere("Duplicate variable", detail);
                    continue;
                }
                if let Some((value, span)) = declaration.default.clone() {
                    self.give(name.clone(), value, Origin::Default, Some(span));
                }
                self.declared.insert(name, declaration);
            }
        }
    }

    fn give(&mut self, name: Rc<str>, value: Value, origin: Origin, span: Option<Span>) {
        let given = Given {
            value,
            origin,
            span,
        };
        self.given.insert(name, given);
    }

    /// Takes values from everywhere but the declarations.
    pub(crate) fn collect(&mut self, cx: &mut Session<'_>, inputs: &Inputs<'_>) {
        for (key, raw) in &inputs.env {
            let Some(name) = key.strip_prefix(ENV_PREFIX) else {
                continue;
            };
            if self.declared.contains_key(name) {
                self.raw(cx, name, raw, Origin::Environment);
            }
        }
        files::collect(self, cx, inputs);
        for argument in &inputs.vars {
            let Some((name, raw)) = argument.split_once('=') else {
                continue;
            };
            if self.declared.contains_key(name) {
                self.raw(cx, name, raw, Origin::Argument);
                continue;
            }
            let detail = format!(
                "A {name:?} variable was passed in the command line but was not found in known variables. To declare \
                 variable {name:?}, place this block in your job file"
            );
            self.flags.insert(name.to_owned(), raw.to_owned());
            let summary = "Undefined -var variable";
            match inputs.strict {
                true => cx.diags.error_nowhere(summary, detail),
                false => cx.diags.warning(None, summary, detail),
            }
        }
    }

    /// A value that was given as text.
    fn raw(&mut self, cx: &mut Session<'_>, name: &str, raw: &str, origin: Origin) {
        let of = self.declared[name].of.clone();
        let name: Rc<str> = name.into();
        let simple = matches!(of, None | Some(Type::Text | Type::Number));
        match simple {
            true => {
                self.flags.insert(name.to_string(), raw.to_owned());
            }
            false => {
                self.text += &format!(
                    "{}{name} = {raw}",
                    if self.text.is_empty() { "" } else { "\n" }
                )
            }
        }
        let (value, span) = match simple {
            true => (Value::from(raw), None),
            false => match parsed(cx, &name, raw, origin) {
                Some((value, span)) => (value, Some(span)),
                None => {
                    self.give(name, Value::Unknown, origin, None);
                    return;
                }
            },
        };
        match convert(&value, of.as_ref().unwrap_or(&Type::Any)) {
            Ok(value) => self.give(name, value, origin, span),
            Err(why) => {
                let (summary, detail) = match origin {
                    Origin::Argument => (
                        "Invalid argument value for -var variable",
                        format!(
                            "The received arg value for {name} is not compatible with the variable's type constraint: \
                             {why}."
                        ),
                    ),
                    _ => (
                        "Invalid value for variable",
                        format!(
                            "The value for {name} is not compatible with the variable's type constraint: {why}."
                        ),
                    ),
                };
                match span {
                    Some(span) => cx.diags.error(span, summary, detail),
                    None => cx.diags.error_outside(summary, detail),
                }
                self.give(name, Value::Unknown, origin, None);
            }
        }
    }

    /// The `var` object. Tells of variables without a value and of values that are refused.
    pub(crate) fn resolve(&mut self, cx: &mut Session<'_>) -> Value {
        let mut out = Members::new();
        for (name, declaration) in &self.declared {
            let Some(given) = self.given.get(name) else {
                let detail = "A used variable must be set or have a default value; see \
                              https://developer.hashicorp.com/nomad/docs/reference/hcl2/variables  for details.";
                cx.diags
                    .error_nowhere(format!("Unset variable {name:?}"), detail);
                out.insert(name.clone(), Value::Unknown);
                continue;
            };
            if !given.value.has_unknown() {
                validate(cx, declaration, given);
            }
            out.insert(name.clone(), given.value.clone());
        }
        Value::object(out)
    }
}

/// The value of a text that is an expression.
fn parsed(cx: &mut Session<'_>, name: &str, raw: &str, origin: Origin) -> Option<(Value, Span)> {
    let place = match origin {
        Origin::Environment => "env",
        _ => "arguments",
    };
    let file = format!("<value for var.{name} from {place}>");
    let file = cx.diags.sources.add(file, raw);
    let expr = parse_expression(file, &mut cx.diags)?;
    let value = cx.eval(&Scope::forbidden(), &expr);
    Some((value, expr.span))
}

/// Checks a value against the rules of its declaration.
fn validate(cx: &mut Session<'_>, declaration: &Declaration, given: &Given) {
    let name = &declaration.name;
    let object = Members::from([(name.clone(), given.value.clone())]);
    let names = vec![("var".into(), Value::object(object))];
    let scope = Scope::root(names, Names::OnlyVariable(name.clone()));
    for rule in &declaration.rules {
        let files = cx.files.take();
        let result = cx.eval(&scope, &rule.condition);
        cx.files = files;
        let detail = match convert(&result, &Type::Bool) {
            Ok(Value::Bool(true)) | Ok(Value::Unknown) => continue,
            Ok(Value::Bool(false)) => format!(
                "{}\n\nThis was checked by the validation rule at {}.",
                rule.message,
                cx.diags.at(rule.span)
            ),
            _ => {
                let detail = "Validation condition expression must return either true or false.";
                let span = rule.condition.span;
                cx.diags
                    .error(span, "Invalid variable validation result", detail);
                continue;
            }
        };
        let summary = format!("Invalid value for {} variable", given.origin.name());
        match given.span {
            Some(span) => cx.diags.error(span, summary, detail),
            None => cx.diags.error_outside(summary, detail),
        }
    }
}

/// The value of an expression that may not refer to anything.
fn constant(cx: &mut Session<'_>, expr: &Expr) -> Value {
    cx.eval(&Scope::forbidden(), expr)
}
