//! From blocks to rules: which block is which rule, which members it has. Whether the words in them are words of
//! the language is not asked here. A member that a rule does not have says nothing, as in the reference; only a block
//! that is no rule, or is there twice, is told.

use super::text::{Body, Member, Value};
use super::{
    NamedRule, NamespaceRule, OperatorRule, PathRule, PlainRule, Policy, PolicyError, SentinelRule,
    VariablesRule,
};

/// Fills the policy from its blocks; what is returned are the keys that mean nothing or are there twice.
pub(super) fn fill(policy: &mut Policy, body: Body) -> Result<Vec<String>, PolicyError> {
    let mut unknown = Vec::new();
    for member in body.0 {
        let kind = member.keys[0].clone();
        match kind.as_str() {
            "namespace" => {
                for (name, body) in labelled(member)? {
                    policy.namespaces.push(namespace(name, body, &mut unknown)?);
                }
            }
            "node_pool" => named(&mut policy.node_pools, member, &mut unknown)?,
            "host_volume" => named(&mut policy.host_volumes, member, &mut unknown)?,
            "agent" => plain(&mut policy.agent, member, &mut unknown)?,
            "node" => plain(&mut policy.node, member, &mut unknown)?,
            "quota" => plain(&mut policy.quota, member, &mut unknown)?,
            "plugin" => plain(&mut policy.plugin, member, &mut unknown)?,
            "operator" => {
                let rule = rule(only(member)?, &mut unknown)?;
                once(
                    &mut policy.operator,
                    OperatorRule {
                        policy: rule.0,
                        capabilities: rule.1,
                    },
                    &kind,
                    &mut unknown,
                );
            }
            "sentinel" => {
                let rule = rule(only(member)?, &mut unknown)?;
                once(
                    &mut policy.sentinel,
                    SentinelRule {
                        capabilities: rule.1,
                    },
                    &kind,
                    &mut unknown,
                );
            }
            _ => unknown.push(kind),
        }
    }
    Ok(unknown)
}

fn wrong(what: String) -> PolicyError {
    PolicyError::Text(what)
}

fn once<T>(slot: &mut Option<T>, rule: T, kind: &str, unknown: &mut Vec<String>) {
    if slot.replace(rule).is_some() {
        unknown.push(kind.to_owned());
    }
}

fn plain(
    slot: &mut Option<PlainRule>,
    member: Member,
    unknown: &mut Vec<String>,
) -> Result<(), PolicyError> {
    let kind = member.keys[0].clone();
    let (policy, _) = rule(only(member)?, unknown)?;
    once(slot, PlainRule { policy }, &kind, unknown);
    Ok(())
}

fn named(
    rules: &mut Vec<NamedRule>,
    member: Member,
    unknown: &mut Vec<String>,
) -> Result<(), PolicyError> {
    for (name, body) in labelled(member)? {
        let (policy, capabilities) = rule(body, unknown)?;
        rules.push(NamedRule {
            name,
            policy,
            capabilities,
        });
    }
    Ok(())
}

fn namespace(
    name: String,
    body: Body,
    unknown: &mut Vec<String>,
) -> Result<NamespaceRule, PolicyError> {
    let (variables, rest): (Vec<_>, Vec<_>) = body
        .0
        .into_iter()
        .partition(|member| member.keys[0] == "variables");
    let (policy, capabilities) = rule(Body(rest), unknown)?;
    let mut rule = NamespaceRule {
        name,
        policy,
        capabilities,
        variables: None,
    };
    for member in variables {
        let paths = &mut rule
            .variables
            .get_or_insert_with(VariablesRule::default)
            .paths;
        for member in only(member)?
            .0
            .into_iter()
            .filter(|member| member.keys[0] == "path")
        {
            for (path_spec, body) in labelled(member)? {
                let (_, capabilities) = self::rule(body, unknown)?;
                paths.push(PathRule {
                    path_spec,
                    capabilities,
                });
            }
        }
    }
    Ok(rule)
}

/// The members that most rules have.
fn rule(body: Body, unknown: &mut Vec<String>) -> Result<(String, Vec<String>), PolicyError> {
    let (mut policy, mut capabilities) = (String::new(), Vec::new());
    let mut seen: Vec<String> = Vec::new();
    for member in body.0 {
        let key = member.keys.join(" ");
        match (key.as_str(), member.value) {
            ("policy", Value::Text(text)) => policy = text,
            ("capabilities", Value::List(items)) => {
                for item in items {
                    match item {
                        Value::Text(text) => capabilities.push(text),
                        _ => return Err(wrong("a capability must be a text".to_owned())),
                    }
                }
            }
            ("policy", _) => return Err(wrong("policy must be a text".to_owned())),
            ("capabilities", _) => {
                return Err(wrong("capabilities must be a list of texts".to_owned()));
            }
            _ => continue,
        }
        if seen.contains(&key) {
            unknown.push(key);
        } else {
            seen.push(key);
        }
    }
    Ok((policy, capabilities))
}

/// The block of a rule without a name.
fn only(member: Member) -> Result<Body, PolicyError> {
    let kind = member.keys.join(" ");
    match member.value {
        Value::Block(body) if member.keys.len() == 1 => Ok(body),
        Value::List(items) if member.keys.len() == 1 => {
            let mut members = Vec::new();
            for item in items {
                match item {
                    Value::Block(body) => members.extend(body.0),
                    _ => return Err(wrong(format!("{kind} must be a block"))),
                }
            }
            Ok(Body(members))
        }
        Value::Block(_) => Err(wrong(format!("{kind} must have no name"))),
        _ => Err(wrong(format!("{kind} must be a block"))),
    }
}

/// The blocks of rules with a name: `kind "name" { … }`, `kind = { name = { … } }`, or a list of such.
fn labelled(member: Member) -> Result<Vec<(String, Body)>, PolicyError> {
    let kind = member.keys[0].clone();
    let fault = || wrong(format!("{kind} must be a block with a name"));
    match (member.keys.len(), member.value) {
        (2, Value::Block(body)) => Ok(vec![(member.keys[1].clone(), body)]),
        (1, Value::Block(body)) => body
            .0
            .into_iter()
            .map(|inner| match inner.value {
                Value::Block(body) if inner.keys.len() == 1 => Ok((inner.keys[0].clone(), body)),
                _ => Err(fault()),
            })
            .collect(),
        (1, Value::List(items)) => {
            let mut all = Vec::new();
            for value in items {
                all.extend(labelled(Member {
                    keys: vec![kind.clone()],
                    value,
                })?);
            }
            Ok(all)
        }
        _ => Err(fault()),
    }
}
