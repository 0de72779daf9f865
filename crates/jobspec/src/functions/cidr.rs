//! Addresses and prefixes of networks.

use super::{Call, Fault, Outcome};
use crate::value::Value;
use num_bigint::BigInt;
use num_traits::ToPrimitive;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A prefix: its first address as a number, its length, and the length of an address.
#[derive(Clone, Copy)]
struct Prefix {
    first: u128,
    length: u32,
    bits: u32,
}

impl Prefix {
    fn argument(call: &Call<'_>) -> Result<Self, Fault> {
        let text = call.text(0);
        Self::parse(&text).ok_or_else(|| {
            Fault::Argument(
                0,
                format!("invalid CIDR expression: invalid CIDR address: {text}"),
            )
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let length: u32 = length.parse().ok()?;
        let (value, bits) = match address.parse().ok()? {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        let prefix = Self {
            first: value & mask(length, bits),
            length,
            bits,
        };
        (length <= bits).then_some(prefix)
    }

    fn address(self, value: u128) -> String {
        match self.bits {
            32 => Ipv4Addr::from(value as u32).to_string(),
            _ => Ipv6Addr::from(value).to_string(),
        }
    }

    fn text(self) -> String {
        format!("{}/{}", self.address(self.first), self.length)
    }
}

fn mask(length: u32, bits: u32) -> u128 {
    let ones = u128::MAX.checked_shl(bits - length.min(bits)).unwrap_or(0);
    match bits {
        32 => ones & u128::from(u32::MAX),
        _ => ones,
    }
}

fn whole(call: &Call<'_>, at: usize) -> Result<BigInt, Fault> {
    let why = || Fault::Argument(at, "a whole number is required".to_owned());
    call.number(at).as_big().ok_or_else(why)
}

pub(super) fn cidrhost(call: &mut Call<'_>) -> Outcome {
    let prefix = Prefix::argument(call)?;
    let number = whole(call, 1)?;
    let room = prefix.bits - prefix.length;
    let count = BigInt::from(1) << room;
    let offset = match number.sign() {
        num_bigint::Sign::Minus => &count + &number,
        _ => number.clone(),
    };
    let fits = offset >= BigInt::from(0) && offset < count;
    match offset.to_u128().filter(|_| fits) {
        Some(offset) => Ok(Value::from(prefix.address(prefix.first | offset))),
        None => Err(format!(
            "prefix of {} does not accommodate a host numbered {number}",
            prefix.length
        )
        .into()),
    }
}

pub(super) fn cidrnetmask(call: &mut Call<'_>) -> Outcome {
    let prefix = Prefix::argument(call)?;
    match prefix.bits {
        32 => Ok(Value::from(prefix.address(mask(prefix.length, 32)))),
        _ => Err(Fault::Argument(
            0,
            "IPv6 networks cannot have a netmask".to_owned(),
        )),
    }
}

pub(super) fn cidrsubnet(call: &mut Call<'_>) -> Outcome {
    let prefix = Prefix::argument(call)?;
    let new_bits = call.whole(1)?;
    let number = whole(call, 2)?;
    let length = i64::from(prefix.length).saturating_add(new_bits);
    if new_bits < 0 || length > i64::from(prefix.bits) {
        return Err(format!(
            "insufficient address space to extend prefix of {} by {new_bits}",
            prefix.length
        )
        .into());
    }
    let length = length as u32;
    let fits = number >= BigInt::from(0) && number < BigInt::from(1) << new_bits as usize;
    let Some(value) = number.to_u128().filter(|_| fits) else {
        return Err(format!(
            "prefix extension of {new_bits} does not accommodate a subnet numbered {number}"
        )
        .into());
    };
    let shifted = value.checked_shl(prefix.bits - length).unwrap_or(0);
    let subnet = Prefix {
        first: prefix.first | shifted,
        length,
        ..prefix
    };
    Ok(Value::from(subnet.text()))
}

/// Subnets one after the other, each at the next place that its length allows.
pub(super) fn cidrsubnets(call: &mut Call<'_>) -> Outcome {
    let prefix = Prefix::argument(call)?;
    let mut next = BigInt::from(prefix.first);
    let end = &next + (BigInt::from(1) << (prefix.bits - prefix.length));
    let mut out = Vec::new();
    for at in 1..call.args.len() {
        let new_bits = call.whole(at)?;
        if new_bits < 1 {
            return Err(Fault::Argument(
                at,
                "must extend prefix by at least one bit".to_owned(),
            ));
        }
        let length = i64::from(prefix.length).saturating_add(new_bits);
        if length > i64::from(prefix.bits) {
            let why = format!(
                "would extend prefix to {length} bits, which is too long for an address of {} bits",
                prefix.bits
            );
            return Err(Fault::Argument(at, why));
        }
        let size = BigInt::from(1) << (prefix.bits - length as u32);
        let start: BigInt = (&next + &size - 1) / &size * &size;
        next = &start + &size;
        let Some(first) = start.to_u128().filter(|_| next <= end) else {
            let why = format!(
                "not enough remaining address space for a subnet with a prefix of {length} bits"
            );
            return Err(Fault::Argument(at, why));
        };
        let subnet = Prefix {
            first,
            length: length as u32,
            ..prefix
        };
        out.push(Value::from(subnet.text()));
    }
    Ok(Value::list(out))
}
