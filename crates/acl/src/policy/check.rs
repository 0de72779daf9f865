//! The words of rules: whether the language has them, and what each shorthand stands for (server sheet §13.2).

use super::{NamedRule, NamespaceRule, Policy, PolicyError};
use crate::capability::{
    HostVolumeCapability, NamespaceCapability, NodePoolCapability, OperatorCapability,
    SentinelCapability, UnknownWord, VariableCapability,
};
use crate::rules::{CoarseRule, NamespacePolicy};
use std::str::FromStr;

/// How long a name in a rule may be.
const NAME_LENGTH: usize = 128;

/// Checks every rule, and writes out every shorthand.
pub(super) fn complete(policy: &mut Policy) -> Result<(), PolicyError> {
    for rule in &mut policy.namespaces {
        namespace(rule)?;
    }
    for rule in &mut policy.node_pools {
        named::<NodePoolCapability>(
            "node pool",
            "acl.NodePoolPolicy",
            "_-",
            rule,
            CoarseRule::node_pool,
        )?;
    }
    for rule in &mut policy.host_volumes {
        named::<HostVolumeCapability>(
            "host volume",
            "acl.HostVolumePolicy",
            "-",
            rule,
            CoarseRule::host_volume,
        )?;
    }
    let plain = [
        ("agent", "acl.AgentPolicy", &policy.agent),
        ("node", "acl.NodePolicy", &policy.node),
        ("quota", "acl.QuotaPolicy", &policy.quota),
        ("plugin", "acl.PluginPolicy", &policy.plugin),
    ];
    for (kind, go_type, rule) in plain {
        if let Some(rule) = rule
            && coarse(&rule.policy, kind == "plugin").is_none()
        {
            return Err(wrong(format!(
                "{kind} policy: &{go_type}{{Policy:{}}}",
                quoted(&rule.policy)
            )));
        }
    }
    operator(policy)?;
    if let Some(rule) = &policy.sentinel {
        for word in &rule.capabilities {
            known::<SentinelCapability>(word)
                .map_err(|_| wrong(format!("sentinel capability '{word}'")))?;
        }
    }
    Ok(())
}

fn wrong(what: String) -> PolicyError {
    PolicyError::Rule(what)
}

fn known<T: FromStr<Err = UnknownWord>>(word: &str) -> Result<T, UnknownWord> {
    word.parse()
}

/// A coarse word that rules of this kind have.
fn coarse(word: &str, lists: bool) -> Option<CoarseRule> {
    word.parse()
        .ok()
        .filter(|rule| lists || *rule != CoarseRule::List)
}

/// A text as the reference prints it inside of its own values.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn quoted_list(words: &[String]) -> String {
    match words {
        [] => "[]string(nil)".to_owned(),
        words => format!(
            "[]string{{{}}}",
            words
                .iter()
                .map(|word| quoted(word))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

fn valid_name(name: &str, marks: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '*' || marks.contains(c);
    !name.is_empty() && name.len() <= NAME_LENGTH && name.chars().all(fits)
}

fn shown(rule: &NamespaceRule) -> String {
    let variables = if rule.variables.is_none() {
        "nil"
    } else {
        "…"
    };
    format!(
        "&acl.NamespacePolicy{{Name:{}, Policy:{}, Capabilities:{}, Variables:(*acl.VariablesPolicy)({variables})}}",
        quoted(&rule.name),
        quoted(&rule.policy),
        quoted_list(&rule.capabilities)
    )
}

fn namespace(rule: &mut NamespaceRule) -> Result<(), PolicyError> {
    if !valid_name(&rule.name, "-") {
        return Err(wrong(format!("namespace name: {}", shown(rule))));
    }
    let shorthand: Option<NamespacePolicy> = match rule.policy.as_str() {
        "" => None,
        word => Some(
            word.parse()
                .map_err(|_| wrong(format!("namespace policy: {}", shown(rule))))?,
        ),
    };
    for word in &rule.capabilities {
        known::<NamespaceCapability>(word)
            .map_err(|_| wrong(format!("namespace capability '{word}': {}", shown(rule))))?;
    }
    if let Some(shorthand) = shorthand {
        rule.capabilities
            .extend(shorthand.capabilities().iter().map(ToString::to_string));
    }
    let implied: Vec<String> = rule
        .capabilities
        .iter()
        .filter_map(|word| known::<NamespaceCapability>(word).ok())
        .flat_map(NamespaceCapability::implies)
        .map(ToString::to_string)
        .collect();
    rule.capabilities.extend(implied);
    let Some(variables) = &mut rule.variables else {
        return Ok(());
    };
    for path in &mut variables.paths {
        if path.path_spec.is_empty() {
            return Err(wrong(format!(
                "variables policy: missing path in namespace {}",
                rule.name
            )));
        }
        if path.path_spec.starts_with('/') {
            return Err(wrong(format!(
                "variable path {} in namespace {}: path must not start with a /",
                quoted(&path.path_spec),
                rule.name
            )));
        }
        for word in &path.capabilities {
            known::<VariableCapability>(word).map_err(|_| {
                wrong(format!(
                    "variable capability '{word}' in namespace {}",
                    rule.name
                ))
            })?;
        }
        let has = |word: &str| path.capabilities.iter().any(|held| held == word);
        if has("read") && !has("list") {
            path.capabilities.push(VariableCapability::List.to_string());
        }
    }
    Ok(())
}

fn named<T: FromStr<Err = UnknownWord> + ToString + 'static>(
    kind: &str,
    go_type: &str,
    marks: &str,
    rule: &mut NamedRule,
    of: impl Fn(CoarseRule) -> &'static [T],
) -> Result<(), PolicyError> {
    let shown = |rule: &NamedRule| {
        format!(
            "&{go_type}{{Name:{}, Policy:{}, Capabilities:{}}}",
            quoted(&rule.name),
            quoted(&rule.policy),
            quoted_list(&rule.capabilities)
        )
    };
    if !valid_name(&rule.name, marks) {
        return Err(wrong(format!("{kind} name: {}", shown(rule))));
    }
    let shorthand = match rule.policy.as_str() {
        "" => None,
        word => Some(
            coarse(word, false).ok_or_else(|| wrong(format!("{kind} policy: {}", shown(rule))))?,
        ),
    };
    for word in &rule.capabilities {
        known::<T>(word)
            .map_err(|_| wrong(format!("{kind} capability '{word}': {}", shown(rule))))?;
    }
    if let Some(shorthand) = shorthand {
        rule.capabilities
            .extend(of(shorthand).iter().map(ToString::to_string));
    }
    Ok(())
}

fn operator(policy: &mut Policy) -> Result<(), PolicyError> {
    let Some(rule) = &mut policy.operator else {
        return Ok(());
    };
    let shown = format!(
        "&acl.OperatorPolicy{{Policy:{}, Capabilities:{}}}",
        quoted(&rule.policy),
        quoted_list(&rule.capabilities)
    );
    for word in &rule.capabilities {
        known::<OperatorCapability>(word)
            .map_err(|_| wrong(format!("operator capability '{word}': {shown}")))?;
    }
    if !rule.policy.is_empty() {
        let shorthand = coarse(&rule.policy, false)
            .ok_or_else(|| wrong(format!("operator policy: {shown}")))?;
        rule.capabilities
            .extend(shorthand.operator().iter().map(ToString::to_string));
    }
    Ok(())
}
