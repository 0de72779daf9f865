//! Numbers. What is no number counts as 0.

use gotmpl::{TemplateError, Value};

use super::{Answer, Function, MOST, fail, fraction, list, text, value, whole};

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("sprig_add", |_, args| folded(args, i64::checked_add)),
    ("sprig_add1", |_, args| {
        folded(&[value(args, 0)?.clone(), Value::Int(1)], i64::checked_add)
    }),
    ("sprig_sub", |_, args| folded(args, i64::checked_sub)),
    ("sprig_mul", |_, args| folded(args, i64::checked_mul)),
    ("sprig_div", |_, args| folded(args, i64::checked_div)),
    ("sprig_mod", |_, args| folded(args, i64::checked_rem)),
    ("sprig_max", |_, args| folded(args, |a, b| Some(a.max(b)))),
    ("sprig_min", |_, args| folded(args, |a, b| Some(a.min(b)))),
    ("sprig_addf", |_, args| folded_fractions(args, |a, b| a + b)),
    ("sprig_add1f", |_, args| {
        Ok(Value::Float(fraction(value(args, 0)?) + 1.0))
    }),
    ("sprig_subf", |_, args| folded_fractions(args, |a, b| a - b)),
    ("sprig_mulf", |_, args| folded_fractions(args, |a, b| a * b)),
    ("sprig_divf", |_, args| folded_fractions(args, |a, b| a / b)),
    ("sprig_maxf", |_, args| folded_fractions(args, f64::max)),
    ("sprig_minf", |_, args| folded_fractions(args, f64::min)),
    ("sprig_floor", |_, args| {
        Ok(Value::Float(fraction(value(args, 0)?).floor()))
    }),
    ("sprig_ceil", |_, args| {
        Ok(Value::Float(fraction(value(args, 0)?).ceil()))
    }),
    ("sprig_round", |_, args| {
        let places = whole(value(args, 1)?).clamp(-300, 300);
        let edge = args.get(2).map_or(0.5, fraction);
        let power = 10_f64.powi(i32::try_from(places).unwrap_or(0));
        let shifted = fraction(value(args, 0)?) * power;
        let up = shifted.fract() >= edge;
        let rounded = if up { shifted.ceil() } else { shifted.floor() };
        Ok(Value::Float(rounded / power))
    }),
    ("sprig_int", |_, args| {
        Ok(Value::Int(whole(value(args, 0)?)))
    }),
    ("sprig_float64", |_, args| {
        Ok(Value::Float(fraction(value(args, 0)?)))
    }),
    ("sprig_toDecimal", |_, args| {
        Ok(Value::Int(
            i64::from_str_radix(&text(args, 0)?, 8).unwrap_or(0),
        ))
    }),
    ("sprig_until", |_, args| {
        let to = whole(value(args, 0)?);
        numbers(0, to, if to < 0 { -1 } else { 1 })
    }),
    ("sprig_untilStep", |_, args| {
        let at = |at| value(args, at).map(whole);
        numbers(at(0)?, at(1)?, at(2)?)
    }),
];

fn numbers(from: i64, to: i64, step: i64) -> Answer {
    Ok(list(steps(from, to, step)?.into_iter().map(Value::Int)))
}

/// The numbers from one up or down to another, which is not among them. A step that leads away gives none.
pub(super) fn steps(from: i64, to: i64, step: i64) -> Result<Vec<i64>, TemplateError> {
    let mut all = Vec::new();
    let mut next = Some(from);
    while let Some(at) = next.filter(|at| (step > 0 && *at < to) || (step < 0 && *at > to)) {
        if all.len() == MOST {
            return Err(fail("more numbers than a template may make"));
        }
        all.push(at);
        next = at.checked_add(step);
    }
    Ok(all)
}

fn folded(args: &[Value], join: fn(i64, i64) -> Option<i64>) -> Answer {
    let mut numbers = args.iter().map(whole);
    let first = numbers.next().ok_or_else(|| fail("missing argument 1"))?;
    let result = numbers.try_fold(first, join);
    result
        .map(Value::Int)
        .ok_or_else(|| fail("the result is no number"))
}

fn folded_fractions(args: &[Value], join: fn(f64, f64) -> f64) -> Answer {
    let result = args.iter().map(fraction).reduce(join);
    result
        .map(Value::Float)
        .ok_or_else(|| fail("missing argument 1"))
}
