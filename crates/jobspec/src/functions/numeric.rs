//! Functions of numbers.

use super::{Call, Fault, Outcome};
use crate::number::Number;
use crate::value::Value;
use num_bigint::BigInt;

pub(super) fn abs(call: &mut Call<'_>) -> Outcome {
    let number = call.number(0);
    Ok(Value::Number(match number.is_negative() {
        true => number.negative(),
        false => number,
    }))
}

pub(super) fn ceil(call: &mut Call<'_>) -> Outcome {
    Ok(Value::Number(call.number(0).ceil()))
}

pub(super) fn floor(call: &mut Call<'_>) -> Outcome {
    Ok(Value::Number(call.number(0).floor()))
}

fn float(value: f64) -> Outcome {
    match Number::from_f64(value) {
        Some(number) => Ok(Value::Number(number)),
        None => Err("the result is no number, or one that is too large".into()),
    }
}

pub(super) fn log(call: &mut Call<'_>) -> Outcome {
    let (number, base) = (call.number(0).as_f64(), call.number(1).as_f64());
    float(number.ln() / base.ln())
}

pub(super) fn pow(call: &mut Call<'_>) -> Outcome {
    float(call.number(0).as_f64().powf(call.number(1).as_f64()))
}

pub(super) fn signum(call: &mut Call<'_>) -> Outcome {
    let number = call.number(0);
    let sign = i64::from(!number.is_zero());
    Ok(Value::Number(Number::from(match number.is_negative() {
        true => -sign,
        false => sign,
    })))
}

fn extreme(call: &Call<'_>, better: fn(&Number, &Number) -> bool) -> Outcome {
    let mut best: Option<&Number> = None;
    for value in &call.args {
        if let Value::Number(number) = value
            && best.is_none_or(|best| better(number, best))
        {
            best = Some(number);
        }
    }
    match best {
        Some(number) => Ok(Value::Number(number.clone())),
        None => Err("must pass at least one number".into()),
    }
}

pub(super) fn max(call: &mut Call<'_>) -> Outcome {
    extreme(call, |number, best| number > best)
}

pub(super) fn min(call: &mut Call<'_>) -> Outcome {
    extreme(call, |number, best| number < best)
}

/// Digits of bases up to 62: `0-9`, then `a-z`, then `A-Z`; up to base 36 both cases are the same.
pub(super) fn parseint(call: &mut Call<'_>) -> Outcome {
    if let Some(other) = call.args.first().filter(|it| !matches!(it, Value::Text(_))) {
        let why = format!("first argument must be a string, not {}", other.type_name());
        return Err(Fault::Argument(0, why));
    }
    let text = call.text(0);
    let base = call.whole(1)?;
    if !(2..=62).contains(&base) {
        let why = format!("base must be a whole number between 2 and 62 inclusive, but got {base}");
        return Err(Fault::Argument(1, why));
    }
    let refuse = || Fault::Argument(0, format!("cannot parse {text:?} as a base {base} integer"));
    let digits = text.strip_prefix(['-', '+']).unwrap_or(&text);
    if digits.is_empty() || digits.len() > 1000 {
        return Err(refuse());
    }
    let mut value = BigInt::from(0);
    for digit in digits.bytes() {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'z' => digit - b'a' + 10,
            b'A'..=b'Z' if base <= 36 => digit - b'A' + 10,
            b'A'..=b'Z' => digit - b'A' + 36,
            _ => return Err(refuse()),
        };
        if i64::from(digit) >= base {
            return Err(refuse());
        }
        value = value * base + digit;
    }
    let number = Number::from_big(value);
    Ok(Value::Number(match text.starts_with('-') {
        true => number.negative(),
        false => number,
    }))
}
