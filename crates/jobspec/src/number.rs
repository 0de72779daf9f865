//! Numbers as the language has them: whole numbers exactly, others with 512 bits, printed as short as possible.
//!
//! So `0.1 + 0.2` is `0.3`, and a third has 154 digits. Numbers that came from floating point arithmetic
//! (`pow`, `log`) keep its 53 bits.

use num_bigint::{BigInt, BigUint, Sign};
use num_integer::Integer;
use num_traits::{One, Signed, ToPrimitive, Zero};
use std::cmp::Ordering;
use std::fmt;

/// Bits kept of a number that is not whole.
const PRECISION: u64 = 512;
/// Numbers beyond 10 to this are refused.
const MOST_EXPONENT: i64 = 4000;

/// A number.
#[derive(Clone, Debug)]
pub(crate) enum Number {
    Whole(i64),
    /// `mantissa * 2^exponent`, rounded to `precision` bits.
    Big(Box<Big>),
}

#[derive(Clone, Debug)]
pub(crate) struct Big {
    mantissa: BigInt,
    exponent: i64,
    precision: u64,
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Whole(value)
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        i64::try_from(value).map_or(Self::Whole(i64::MAX), Self::Whole)
    }
}

impl Number {
    /// Reads decimal digits with an optional sign, fraction and exponent.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        if digits.len() < 18 && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().ok().map(Self::Whole);
        }
        if text.len() > 4 * MOST_EXPONENT as usize {
            return None;
        }
        let (number, exponent) = match digits.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i64>().ok()?),
            None => (digits, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let exponent = exponent - fraction.len() as i64;
        if exponent.abs() > MOST_EXPONENT {
            return None;
        }
        let mut mantissa: BigInt = all.parse().ok()?;
        if text.starts_with('-') {
            mantissa = -mantissa;
        }
        let power = BigInt::from(10).pow(exponent.unsigned_abs() as u32);
        Some(match exponent < 0 {
            true => Self::ratio(&mantissa, &power, PRECISION),
            false => Self::round(mantissa * power, 0, PRECISION),
        })
    }

    /// `mantissa * 2^exponent`, to the nearest of `precision` bits, ties to even.
    fn round(mantissa: BigInt, exponent: i64, precision: u64) -> Self {
        let (sign, mut bits) = mantissa.into_parts();
        let mut exponent = exponent;
        let length = bits.bits();
        if length > precision {
            let extra = length - precision;
            let rest = &bits & ((BigUint::one() << extra) - 1u8);
            let half = BigUint::one() << (extra - 1);
            bits >>= extra;
            exponent += extra as i64;
            if rest > half || (rest == half && bits.bit(0)) {
                bits += 1u8;
            }
        }
        if bits.is_zero() {
            return Self::Whole(0);
        }
        let zeros = bits.trailing_zeros().unwrap_or(0);
        bits >>= zeros;
        exponent += zeros as i64;
        let mantissa = BigInt::from_biguint(sign, bits);
        if (0..64).contains(&exponent)
            && let Some(whole) = (&mantissa << exponent as usize).to_i64()
        {
            return Self::Whole(whole);
        }
        Self::Big(Box::new(Big {
            mantissa,
            exponent,
            precision,
        }))
    }

    fn ratio(top: &BigInt, bottom: &BigInt, precision: u64) -> Self {
        // Enough bits for rounding, and a last one that says whether anything was left.
        let shift = (precision + 2 + bottom.bits()).saturating_sub(top.bits());
        let (quotient, rest) = (top.abs() << shift).div_rem(&bottom.abs());
        let mut mantissa: BigInt = quotient << 1;
        if !rest.is_zero() {
            mantissa += 1;
        }
        if (top.sign() == Sign::Minus) != (bottom.sign() == Sign::Minus) {
            mantissa = -mantissa;
        }
        Self::round(mantissa, -(shift as i64) - 1, precision)
    }

    fn parts(&self) -> (BigInt, i64, u64) {
        match self {
            Self::Whole(whole) => (BigInt::from(*whole), 0, PRECISION),
            Self::Big(big) => (big.mantissa.clone(), big.exponent, big.precision),
        }
    }

    /// Both mantissas over the smaller exponent.
    fn aligned(&self, other: &Self) -> (BigInt, BigInt, i64, u64) {
        let (mut a, ea, pa) = self.parts();
        let (mut b, eb, pb) = other.parts();
        let least = ea.min(eb);
        a <<= (ea - least) as usize;
        b <<= (eb - least) as usize;
        (a, b, least, pa.max(pb))
    }

    pub(crate) fn add(&self, other: &Self) -> Self {
        if let (Self::Whole(a), Self::Whole(b)) = (self, other)
            && let Some(sum) = a.checked_add(*b)
        {
            return Self::Whole(sum);
        }
        let (a, b, exponent, precision) = self.aligned(other);
        Self::round(a + b, exponent, precision)
    }

    pub(crate) fn negative(&self) -> Self {
        if let Self::Whole(whole) = self
            && let Some(negative) = whole.checked_neg()
        {
            return Self::Whole(negative);
        }
        let (mantissa, exponent, precision) = self.parts();
        Self::round(-mantissa, exponent, precision)
    }

    pub(crate) fn subtract(&self, other: &Self) -> Self {
        self.add(&other.negative())
    }

    /// None when the result is beyond what is supported.
    pub(crate) fn multiply(&self, other: &Self) -> Option<Self> {
        if let (Self::Whole(a), Self::Whole(b)) = (self, other)
            && let Some(product) = a.checked_mul(*b)
        {
            return Some(Self::Whole(product));
        }
        let (a, ea, pa) = self.parts();
        let (b, eb, pb) = other.parts();
        Self::round(a * b, ea + eb, pa.max(pb)).supported()
    }

    fn supported(self) -> Option<Self> {
        match &self {
            Self::Big(big) if big.exponent.abs() > MOST_EXPONENT * 4 => None,
            _ => Some(self),
        }
    }

    /// None when `other` is zero.
    pub(crate) fn divide(&self, other: &Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        let (a, b, _, precision) = self.aligned(other);
        Self::ratio(&a, &b, precision).supported()
    }

    /// What is left after dividing towards zero; None when `other` is zero.
    pub(crate) fn remainder(&self, other: &Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        let (a, b, exponent, precision) = self.aligned(other);
        Some(Self::round(a % b, exponent, precision))
    }

    pub(crate) fn is_zero(&self) -> bool {
        matches!(self, Self::Whole(0))
    }

    pub(crate) fn is_negative(&self) -> bool {
        match self {
            Self::Whole(whole) => *whole < 0,
            Self::Big(big) => big.mantissa.is_negative(),
        }
    }

    pub(crate) fn is_whole(&self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Big(big) => big.exponent >= 0,
        }
    }

    /// The value when it is whole and fits.
    pub(crate) fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Whole(whole) => Some(*whole),
            Self::Big(_) => None,
        }
    }

    /// The whole value, however large.
    pub(crate) fn as_big(&self) -> Option<BigInt> {
        match self {
            Self::Whole(whole) => Some(BigInt::from(*whole)),
            Self::Big(big) if big.exponent >= 0 => Some(&big.mantissa << big.exponent as usize),
            Self::Big(_) => None,
        }
    }

    pub(crate) fn from_big(value: BigInt) -> Self {
        Self::round(value, 0, PRECISION)
    }

    pub(crate) fn as_f64(&self) -> f64 {
        match self {
            Self::Whole(whole) => *whole as f64,
            Self::Big(_) => self.to_string().parse().unwrap_or(f64::NAN),
        }
    }

    /// None for infinities and what is no number.
    pub(crate) fn from_f64(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        let bits = value.to_bits();
        let raw = (bits >> 52 & 0x7ff) as i64;
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, exponent) = match raw {
            0 => (fraction, -1074),
            _ => (fraction | 1 << 52, raw - 1075),
        };
        let mantissa = match value.is_sign_negative() {
            true => -BigInt::from(mantissa),
            false => BigInt::from(mantissa),
        };
        Some(Self::round(mantissa, exponent, 53))
    }

    pub(crate) fn floor(&self) -> Self {
        match self {
            Self::Big(big) if big.exponent < 0 => {
                let bottom = BigInt::one() << (-big.exponent) as usize;
                Self::from_big(big.mantissa.div_floor(&bottom))
            }
            _ => self.clone(),
        }
    }

    pub(crate) fn ceil(&self) -> Self {
        self.negative().floor().negative()
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        if let (Self::Whole(a), Self::Whole(b)) = (self, other) {
            return a.cmp(b);
        }
        let (a, b, _, _) = self.aligned(other);
        a.cmp(&b)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(whole) => write!(f, "{whole}"),
            Self::Big(big) => f.write_str(&big.shortest()),
        }
    }
}

impl Big {
    /// The shortest digits that no other number of this precision is nearer to.
    fn shortest(&self) -> String {
        let sign = if self.mantissa.is_negative() { "-" } else { "" };
        let bits = self.mantissa.magnitude().clone();
        if self.exponent >= 0 && bits.bits() + self.exponent as u64 <= self.precision {
            return format!("{sign}{}", bits << self.exponent as usize);
        }
        // Mantissa of full length, and its neighbours half a step away; all in quarters of a step.
        let shift = self.precision - bits.bits();
        let full = bits << shift;
        let exponent = self.exponent - shift as i64 - 2;
        let even = !full.bit(0);
        let is_power = full.count_ones() == 1;
        let middle: BigUint = &full << 2;
        let upper = &middle + 2u8;
        let lower = &middle - if is_power { 1u8 } else { 2u8 };
        let scale = exponent.min(0).unsigned_abs();
        let digits = |value: &BigUint| match exponent < 0 {
            true => (value * BigUint::from(5u8).pow(scale as u32)).to_string(),
            false => (value << exponent as usize).to_string(),
        };
        let upper = digits(&upper);
        let pad = |text: String| "0".repeat(upper.len() - text.len()) + &text;
        let (middle, lower) = (pad(digits(&middle)), pad(digits(&lower)));
        let kept = shorten(&lower, &middle, &upper, even);
        format!("{sign}{}", place_point(&kept, upper.len(), scale as usize))
    }
}

/// The shortest digits between the bounds (all of one length); what is cut off counts as zeros.
fn shorten(lower: &str, middle: &str, upper: &str, inclusive: bool) -> Vec<u8> {
    let (l, m, u) = (lower.as_bytes(), middle.as_bytes(), upper.as_bytes());
    let rest_is_zero = |bytes: &[u8]| bytes.iter().all(|b| *b == b'0');
    for at in 0..m.len() {
        let down = l[..=at] != m[..=at] || inclusive && rest_is_zero(&l[at + 1..]);
        let above = m[..=at] != u[..=at];
        let up = above && {
            let mut next = m[..=at].to_vec();
            increment(&mut next);
            next.as_slice() < &u[..=at]
                || next == u[..=at] && (inclusive || !rest_is_zero(&u[at + 1..]))
        };
        let down = down || rest_is_zero(&m[at + 1..]);
        if !down && !up {
            continue;
        }
        let mut kept = m[..=at].to_vec();
        let round_up = match (down, up) {
            (true, true) => m.get(at + 1).is_some_and(|next| match next.cmp(&b'5') {
                Ordering::Equal => !rest_is_zero(&m[at + 2..]) || kept[at] % 2 == 1,
                other => other == Ordering::Greater,
            }),
            (_, up) => up && !down,
        };
        if round_up {
            increment(&mut kept);
        }
        return kept;
    }
    m.to_vec()
}

/// Adds one at the last digit; the bounds leave room for it.
fn increment(digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
}

/// Digits of a number whose full length is `length`, the last `scale` of them after the point.
fn place_point(kept: &[u8], length: usize, scale: usize) -> String {
    let mut text: String = kept.iter().map(|b| char::from(*b)).collect();
    text.extend(std::iter::repeat_n('0', length - kept.len()));
    if text.len() <= scale {
        text.insert_str(0, &"0".repeat(scale + 1 - text.len()));
    }
    let (whole, fraction) = text.split_at(text.len() - scale);
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    match fraction.is_empty() {
        true => whole.to_owned(),
        false => format!("{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    fn number(text: &str) -> Number {
        Number::parse(text).expect(text)
    }

    #[test]
    fn they_print_as_they_were_written() {
        for text in [
            "0",
            "-4",
            "1.5",
            "0.0000001",
            "0.1",
            "12345678901234567890",
            "9223372036854775808",
            "3.141592653589793238462643383279",
            "-0.25",
            "602000000000000000000000",
        ] {
            assert_eq!(number(text).to_string(), text);
        }
        assert_eq!(number("1e3").to_string(), "1000");
        assert_eq!(number("4.0").to_string(), "4");
        assert_eq!(number("1e-10").to_string(), "0.0000000001");
        assert!(Number::parse("1e999999999").is_none());
        assert!(Number::parse("1.2.3").is_none());
    }

    #[test]
    fn arithmetic_is_decimal_enough() {
        assert_eq!(number("0.1").add(&number("0.2")).to_string(), "0.3");
        let third = number("1").divide(&number("3")).unwrap().to_string();
        assert_eq!(third, format!("0.{}5", "3".repeat(154)));
        assert_eq!(
            number("-7").remainder(&number("4")).unwrap().to_string(),
            "-3"
        );
        assert!(number("1").divide(&number("0")).is_none());
        assert_eq!(number("-4.1").floor().to_string(), "-5");
        assert_eq!(number("4.1").ceil().to_string(), "5");
    }

    #[test]
    fn floats_keep_their_precision() {
        let float = |value: f64| Number::from_f64(value).unwrap().to_string();
        assert_eq!(float(2.9999999999999996), "2.9999999999999996");
        assert_eq!(float(2f64.sqrt()), "1.4142135623730951");
        assert_eq!(float(1024.0), "1024");
        assert_eq!(float(1e-7), "0.0000001");
        assert!(Number::from_f64(f64::INFINITY).is_none());
    }
}
