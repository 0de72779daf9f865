//! Addresses written as go-sockaddr templates: `{{ GetInterfaceIP "eth0" }}`,
//! `{{ GetPrivateInterfaces | include "network" "10.0.0.0/8" | attr "address" }}`.

use std::net::IpAddr;

use super::machine::{Interface, Machine};

/// Replaces each `{{ … }}` in `text`. Text without one comes back as it is.
pub fn expand(text: &str, machine: &Machine) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let length = rest[start..]
            .find("}}")
            .ok_or_else(|| format!("the template in {text:?} is never closed with }}}}"))?;
        out.push_str(&rest[..start]);
        out.push_str(&evaluate(
            rest[start + 2..start + length].trim_matches('-').trim(),
            machine,
        )?);
        rest = &rest[start + length + 2..];
    }
    Ok(out + rest)
}

/// What one step of a pipeline hands to the next.
enum Flow {
    Interfaces(Vec<Interface>),
    Text(String),
}

fn evaluate(pipeline: &str, machine: &Machine) -> Result<String, String> {
    let mut flow: Option<Flow> = None;
    for command in split_commands(pipeline) {
        let words = words(&command)?;
        let Some((name, arguments)) = words.split_first() else {
            return Err(format!("a step is empty in {pipeline:?}"));
        };
        flow = Some(match flow {
            None => source(name, arguments, machine)?,
            Some(Flow::Interfaces(list)) => step(name, arguments, list)?,
            Some(Flow::Text(_)) => {
                return Err(format!(
                    "{name} cannot follow what is already text in {pipeline:?}"
                ));
            }
        });
    }
    match flow {
        Some(Flow::Text(text)) => Ok(text),
        Some(Flow::Interfaces(_)) => Err(format!(
            "{pipeline:?} gives interfaces, not an address; end it with | attr \"address\""
        )),
        None => Err("the template is empty".into()),
    }
}

/// Splits at `|`, except inside quotes.
fn split_commands(text: &str) -> Vec<String> {
    let mut commands = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        quoted ^= c == '"';
        match (c, quoted) {
            ('|', false) => commands.push(String::new()),
            _ => commands.last_mut().expect("starts with one").push(c),
        }
    }
    commands
}

fn words(command: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = command.trim();
    while !rest.is_empty() {
        let (word, tail) = match rest.strip_prefix('"') {
            Some(quoted) => quoted
                .split_once('"')
                .ok_or_else(|| format!("a quote is never closed in {command:?}"))?,
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = tail.trim_start();
    }
    Ok(words)
}

fn default_interfaces(machine: &Machine) -> Vec<Interface> {
    machine
        .interfaces
        .iter()
        .filter(|one| Some(&one.name) == machine.default_interface.as_ref())
        .cloned()
        .collect()
}

/// Those of `all` that fit, the default route's interface first, IPv4 before IPv6.
fn preferred(machine: &Machine, fits: impl Fn(&Interface) -> bool) -> Vec<Interface> {
    let mut list: Vec<Interface> = machine
        .interfaces
        .iter()
        .filter(|one| one.is_up() && fits(one))
        .cloned()
        .collect();
    list.sort_by_key(|one| {
        (
            Some(&one.name) != machine.default_interface.as_ref(),
            one.address.is_ipv6(),
        )
    });
    list
}

/// The address that other machines most likely reach this one at: a private one before a public one.
pub fn preferred_address(machine: &Machine) -> Option<IpAddr> {
    let first =
        |fits: fn(&Interface) -> bool| preferred(machine, fits).first().map(|one| one.address);
    first(Interface::is_private).or_else(|| first(Interface::is_public))
}

fn source(name: &str, arguments: &[String], machine: &Machine) -> Result<Flow, String> {
    let argument = || {
        arguments
            .first()
            .ok_or_else(|| format!("{name} needs the name of an interface"))
    };
    let named = |wanted: &String| -> Vec<Interface> {
        machine
            .interfaces
            .iter()
            .filter(|one| one.name == *wanted)
            .cloned()
            .collect()
    };
    let one = |list: Vec<Interface>| {
        Flow::Text(
            list.first()
                .map(|one| one.address.to_string())
                .unwrap_or_default(),
        )
    };
    let all = |list: Vec<Interface>| {
        Flow::Text(
            list.iter()
                .map(|one| one.address.to_string())
                .collect::<Vec<_>>()
                .join(" "),
        )
    };
    Ok(match name {
        "GetAllInterfaces" => Flow::Interfaces(machine.interfaces.clone()),
        "GetDefaultInterfaces" => Flow::Interfaces(default_interfaces(machine)),
        "GetPrivateInterfaces" => Flow::Interfaces(preferred(machine, Interface::is_private)),
        "GetPublicInterfaces" => Flow::Interfaces(preferred(machine, Interface::is_public)),
        "GetPrivateIP" => one(preferred(machine, Interface::is_private)),
        "GetPrivateIPs" => all(preferred(machine, Interface::is_private)),
        "GetPublicIP" => one(preferred(machine, Interface::is_public)),
        "GetPublicIPs" => all(preferred(machine, Interface::is_public)),
        "GetInterfaceIP" => one(named(argument()?)),
        "GetInterfaceIPs" => all(named(argument()?)),
        _ => return Err(format!("unknown function {name:?} in an address template")),
    })
}

fn step(name: &str, arguments: &[String], mut list: Vec<Interface>) -> Result<Flow, String> {
    let argument = |index: usize| {
        arguments
            .get(index)
            .ok_or_else(|| format!("{name} needs {} arguments", index + 1))
    };
    let count = || {
        argument(0)?
            .parse::<usize>()
            .map_err(|_| format!("{name} needs a number"))
    };
    match name {
        "include" | "exclude" => {
            let (selector, value) = (argument(0)?, argument(1)?);
            let mut kept = Vec::new();
            for one in list {
                if selects(selector, value, &one)? == (name == "include") {
                    kept.push(one);
                }
            }
            list = kept;
        }
        "sort" => sort(&mut list, argument(0)?)?,
        "limit" => list.truncate(count()?),
        "offset" => drop(list.drain(..count()?.min(list.len()))),
        "unique" => {
            let keys = list
                .iter()
                .map(|one| attribute(argument(0)?, one))
                .collect::<Result<Vec<_>, _>>()?;
            let mut index = 0;
            list.retain(|_| {
                index += 1;
                !keys[..index - 1].contains(&keys[index - 1])
            });
        }
        "attr" => {
            let first = list
                .first()
                .map(|one| attribute(argument(0)?, one))
                .transpose()?;
            return Ok(Flow::Text(first.unwrap_or_default()));
        }
        "join" => {
            let parts = list
                .iter()
                .map(|one| attribute(argument(0)?, one))
                .collect::<Result<Vec<_>, _>>()?;
            return Ok(Flow::Text(parts.join(argument(1)?)));
        }
        _ => return Err(format!("unknown function {name:?} in an address template")),
    }
    Ok(Flow::Interfaces(list))
}

fn attribute(name: &str, one: &Interface) -> Result<String, String> {
    Ok(match name {
        "address" => one.address.to_string(),
        "name" => one.name.clone(),
        "network" | "string" => format!("{}/{}", one.address, one.prefix),
        "type" => if one.address.is_ipv4() {
            "IPv4"
        } else {
            "IPv6"
        }
        .into(),
        "flags" => one.flags.join("|"),
        _ => return Err(format!("unknown attribute {name:?} in an address template")),
    })
}

fn selects(selector: &str, value: &str, one: &Interface) -> Result<bool, String> {
    let pattern = || {
        regex::Regex::new(value)
            .map_err(|error| format!("{value:?} is not a regular expression: {error}"))
    };
    Ok(match selector {
        "name" => pattern()?.is_match(&one.name),
        "address" => pattern()?.is_match(&one.address.to_string()),
        "type" => match value.to_ascii_lowercase().as_str() {
            "ip" => true,
            "ipv4" => one.address.is_ipv4(),
            "ipv6" => one.address.is_ipv6(),
            _ => return Err(format!("unknown type {value:?} in an address template")),
        },
        "flags" | "flag" => value.split('|').all(|flag| match flag {
            "forwardable" => one.is_private() || one.is_public(),
            _ => one.flags.contains(&flag),
        }),
        "network" => value
            .split('|')
            .map(|cidr| within(one.address, cidr))
            .collect::<Result<Vec<_>, _>>()?
            .contains(&true),
        "rfc" => match value {
            "1918" => one.address.is_ipv4() && one.is_private(),
            "6598" | "6890" => one.is_private(),
            _ => return Err(format!("unknown RFC {value:?} in an address template")),
        },
        _ => {
            return Err(format!(
                "unknown selector {selector:?} in an address template"
            ));
        }
    })
}

/// Whether an address is in a network such as `10.0.0.0/8`.
pub fn within(address: IpAddr, cidr: &str) -> Result<bool, String> {
    let bad = || format!("{cidr:?} is not a network such as \"10.0.0.0/8\"");
    let (network, prefix) = cidr.split_once('/').ok_or_else(bad)?;
    let network: IpAddr = network.parse().map_err(|_| bad())?;
    let prefix: u32 = prefix.parse().map_err(|_| bad())?;
    let (a, b, bits) = match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(u32::from(a)), u128::from(u32::from(b)), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a), u128::from(b), 128),
        _ => return Ok(false),
    };
    let shift = bits - u32::min(prefix, bits);
    if prefix > bits {
        return Err(bad());
    }
    Ok(a.checked_shr(shift).unwrap_or(0) == b.checked_shr(shift).unwrap_or(0))
}

fn sort(list: &mut [Interface], keys: &str) -> Result<(), String> {
    for key in keys.split(',').rev().map(str::trim) {
        let (key, backwards) = key
            .strip_prefix('-')
            .map_or((key.trim_start_matches('+'), false), |key| (key, true));
        match key {
            "default" => {}
            "address" => list.sort_by_key(|one| one.address),
            "name" => list.sort_by(|a, b| a.name.cmp(&b.name)),
            "type" => list.sort_by_key(|one| one.address.is_ipv6()),
            "size" => list.sort_by_key(|one| one.prefix),
            "private" => list.sort_by_key(|one| !one.is_private()),
            _ => return Err(format!("unknown sort key {key:?} in an address template")),
        }
        if backwards {
            list.reverse();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        let one = |name: &str, address: &str, prefix, flags: &[&'static str]| Interface {
            name: name.into(),
            address: address.parse().expect("an address"),
            prefix,
            flags: flags.to_vec(),
        };
        Machine {
            interfaces: vec![
                one("lo", "127.0.0.1", 8, &["up", "loopback"]),
                one("eth0", "fd00::5", 64, &["up", "broadcast"]),
                one("eth1", "192.168.3.4", 24, &["up", "broadcast"]),
                one("eth0", "10.1.2.3", 16, &["up", "broadcast"]),
                one("wan", "203.0.113.9", 24, &["up"]),
            ],
            default_interface: Some("eth0".into()),
            ..Machine::default()
        }
    }

    #[test]
    fn templates_become_addresses() {
        for (template, expected) in [
            ("1.2.3.4", "1.2.3.4"),
            ("{{ GetInterfaceIP \"eth1\" }}", "192.168.3.4"),
            ("{{GetPrivateIP}}:4647", "10.1.2.3:4647"),
            ("{{ GetPublicIP }}", "203.0.113.9"),
            ("{{ GetInterfaceIP \"none\" }}", ""),
            (
                "{{ GetAllInterfaces | include \"network\" \"192.168.0.0/16\" | attr \"address\" }}",
                "192.168.3.4",
            ),
            (
                "{{ GetAllInterfaces | exclude \"flags\" \"loopback\" | include \"type\" \"ipv4\" | sort \"-address\" | limit 1 | attr \"name\" }}",
                "wan",
            ),
            (
                "{{ GetPrivateInterfaces | include \"rfc\" \"1918\" | join \"address\" \",\" }}",
                "10.1.2.3,192.168.3.4",
            ),
            (
                "{{ GetDefaultInterfaces | include \"name\" \"^eth(0|1)$\" | offset 1 | attr \"address\" }}",
                "10.1.2.3",
            ),
            (
                "{{ GetAllInterfaces | unique \"name\" | join \"name\" \" \" }}",
                "lo eth0 eth1 wan",
            ),
        ] {
            assert_eq!(
                expand(template, &machine()).as_deref(),
                Ok(expected),
                "{template}"
            );
        }
    }

    #[test]
    fn broken_templates_say_what_is_wrong() {
        for (template, expected) in [
            ("{{ GetPrivateIP", "never closed"),
            ("{{ GetMyIP }}", "unknown function \"GetMyIP\""),
            (
                "{{ GetPrivateInterfaces }}",
                "gives interfaces, not an address",
            ),
            (
                "{{ GetAllInterfaces | include \"network\" \"10\" | attr \"address\" }}",
                "is not a network",
            ),
            ("{{ GetInterfaceIP }}", "needs the name of an interface"),
        ] {
            let message = expand(template, &machine()).expect_err(template);
            assert!(message.contains(expected), "{message}");
        }
    }
}
