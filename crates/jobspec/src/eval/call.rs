//! Calls of functions. `try`, `can` and `convert` see expressions; all others see values.

use super::{Scope, Session};
use crate::functions::{self, Call, Fault};
use crate::source::Span;
use crate::suggest::did_you_mean;
use crate::syntax::ast::{Expr, ExprKind, Name};
use crate::type_expression::type_expression;
use crate::types::convert;
use crate::value::Value;

impl Session<'_> {
    pub(super) fn call(&mut self, scope: &Scope, expr: &Expr) -> Value {
        let ExprKind::Call {
            name,
            args,
            expand,
            close,
            ..
        } = &expr.kind
        else {
            return Value::Unknown;
        };
        let at = expr.start();
        match &*name.text {
            "try" => return self.try_each(scope, args, at),
            "can" if args.len() == 1 => {
                let before = self.diags.list.len();
                let value = self.eval_quietly(scope, &args[0]);
                let failed = self.diags.failed_since(before) || value.has_unknown();
                self.diags.list.truncate(before);
                return Value::Bool(!failed);
            }
            "convert" if args.len() == 2 => return self.convert_call(scope, args, at),
            _ => {}
        }
        let Some(function) = functions::find(&name.text) else {
            let hint = match conversion(&name.text) {
                Some(to) => format!(" Write convert(value, {to}) instead."),
                None => did_you_mean(&name.text, functions::names()),
            };
            let detail = format!("There is no function named {:?}.{hint}", name.text);
            return self.fail(name.span, "Call to unknown function", detail);
        };
        let Some((values, spans)) = self.arguments(scope, args, *expand) else {
            return Value::Unknown;
        };
        if let Some(value) = self.wrong_count(name, function, &values, &spans, *close) {
            return value;
        }
        if values.iter().any(Value::has_unknown) {
            return Value::Unknown;
        }
        let cost = values.iter().map(Value::cost).sum::<usize>() + function.cost(&values);
        if !self.spend(cost, at) {
            return Value::Unknown;
        }
        let result = functions::prepare(function, values).and_then(|args| {
            let mut call = Call {
                args,
                files: self.files,
                random: &mut self.random,
            };
            (function.run)(&mut call)
        });
        match result {
            Ok(value) => self.bounded(value, at),
            Err(Fault::Call(why)) => self.call_failed(name, &why, at),
            Err(Fault::Argument(index, why)) => {
                let parameter = function.parameter(index).map_or("", |p| p.name);
                let detail = format!("Invalid value for {parameter:?} parameter: {why}.");
                let span = spans.get(index).copied().unwrap_or(at);
                self.fail(span, "Invalid function argument", detail)
            }
        }
    }

    fn call_failed(&mut self, name: &Name, why: &str, at: Span) -> Value {
        let detail = format!("Call to function {:?} failed: {why}.", name.text);
        self.fail(at, "Error in function call", detail)
    }

    /// Values and places of arguments, a last list spread out.
    fn arguments(
        &mut self,
        scope: &Scope,
        args: &[Expr],
        expand: bool,
    ) -> Option<(Vec<Value>, Vec<Span>)> {
        let mut values: Vec<Value> = args.iter().map(|arg| self.eval(scope, arg)).collect();
        let mut spans: Vec<Span> = args.iter().map(Expr::start).collect();
        if expand && let (Some(last), Some(span)) = (values.pop(), spans.pop()) {
            if last.is_unknown() {
                return None;
            }
            let Some(items) = last.items() else {
                let detail = "The expanding argument (indicated by ...) must be of a tuple, list, or set type.";
                self.fail(span, "Invalid expanding argument value", detail);
                return None;
            };
            spans.extend(std::iter::repeat_n(span, items.len()));
            values.extend_from_slice(items);
        }
        Some((values, spans))
    }

    fn wrong_count(
        &mut self,
        name: &Name,
        function: &functions::Function,
        values: &[Value],
        spans: &[Span],
        close: Span,
    ) -> Option<Value> {
        let (least, most) = (function.parameters.len(), function.most());
        let at_least = if function.rest.is_some() {
            "at least "
        } else {
            ""
        };
        if values.len() < least {
            let missing = function.parameters[values.len()].name;
            let detail = format!(
                "Function {:?} expects {at_least}{least} argument(s). Missing value for {missing:?}.",
                name.text
            );
            return Some(self.fail(close, "Not enough function arguments", detail));
        }
        if values.len() > most {
            let detail = format!("Function {:?} expects only {most} argument(s).", name.text);
            let span = spans.get(most).copied().unwrap_or(close);
            return Some(self.fail(span, "Too many function arguments", detail));
        }
        None
    }

    fn try_each(&mut self, scope: &Scope, args: &[Expr], at: Span) -> Value {
        let before = self.diags.list.len();
        let mut tried = String::new();
        for arg in args {
            let value = self.eval_quietly(scope, arg);
            if !self.diags.failed_since(before) && !value.has_unknown() {
                self.diags.list.truncate(before);
                return value;
            }
            for failure in self.diags.list.drain(before..) {
                let place = failure.range.map(|range| format!(" (at {range})"));
                tried += &format!(
                    "\n- {}{}\n  {}",
                    failure.summary,
                    place.unwrap_or_default(),
                    failure.detail
                );
            }
        }
        let why = match args.is_empty() {
            true => "at least one argument is required".to_owned(),
            false => format!(
                "no expression succeeded:{tried}\n\nAt least one expression must produce a successful result"
            ),
        };
        let detail = format!("Call to function \"try\" failed: {why}.");
        self.fail(at, "Error in function call", detail)
    }

    fn convert_call(&mut self, scope: &Scope, args: &[Expr], at: Span) -> Value {
        let value = self.eval(scope, &args[0]);
        let Some(to) = type_expression(&mut self.diags, &args[1], true) else {
            return Value::Unknown;
        };
        match convert(&value, &to) {
            Ok(value) => self.bounded(value, at),
            Err(why) => {
                let detail = format!("Invalid value for \"value\" parameter: {why}.");
                self.fail(args[0].start(), "Invalid function argument", detail)
            }
        }
    }
}

/// The type that a function of Terraform's converts to.
fn conversion(name: &str) -> Option<&'static str> {
    Some(match name {
        "tobool" => "bool",
        "tolist" => "list(string)",
        "tomap" => "map(string)",
        "tonumber" => "number",
        "toset" => "set(string)",
        "tostring" => "string",
        _ => return None,
    })
}
