//! Policies: the rules of one, read from its text, checked, and with every shorthand written out.
//!
//! The serde shape of [`Policy`] is the member `RulesJSON` of the public API.

mod blocks;
mod check;
mod text;

use serde::Serialize;

/// A policy's rules, as read: shorthands stay, and stand beside the capabilities that they are for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    #[serde(with = "caravan_model::shape::nullable")]
    pub namespaces: Vec<NamespaceRule>,
    #[serde(with = "caravan_model::shape::nullable")]
    pub node_pools: Vec<NamedRule>,
    #[serde(with = "caravan_model::shape::nullable")]
    pub host_volumes: Vec<NamedRule>,
    pub agent: Option<PlainRule>,
    pub node: Option<PlainRule>,
    pub operator: Option<OperatorRule>,
    pub quota: Option<PlainRule>,
    pub plugin: Option<PlainRule>,
    pub sentinel: Option<SentinelRule>,
    /// The text.
    pub raw: String,
    /// Keys that mean nothing; a policy that has some is refused, so there never are any.
    #[serde(rename = "ExtraKeysHCL", with = "caravan_model::shape::nullable")]
    pub extra_keys: Vec<String>,
}

/// A rule that is one word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PlainRule {
    pub policy: String,
}

/// The rule on the cluster's operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct OperatorRule {
    pub policy: String,
    #[serde(with = "caravan_model::shape::nullable")]
    pub capabilities: Vec<String>,
}

/// The rule on policies of the Sentinel language, which are read and mean nothing here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SentinelRule {
    #[serde(with = "caravan_model::shape::nullable")]
    pub capabilities: Vec<String>,
}

/// A rule on node pools or host volumes of a name or pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NamedRule {
    pub name: String,
    pub policy: String,
    #[serde(with = "caravan_model::shape::nullable")]
    pub capabilities: Vec<String>,
}

/// A rule on namespaces of a name or pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NamespaceRule {
    pub name: String,
    pub policy: String,
    #[serde(with = "caravan_model::shape::nullable")]
    pub capabilities: Vec<String>,
    pub variables: Option<VariablesRule>,
}

/// The rules on variables inside of a namespace rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct VariablesRule {
    #[serde(with = "caravan_model::shape::nullable")]
    pub paths: Vec<PathRule>,
}

/// A rule on variables of a path or pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PathRule {
    pub path_spec: String,
    #[serde(with = "caravan_model::shape::nullable")]
    pub capabilities: Vec<String>,
}

/// Why a text is no policy. The sentences are those that the API shows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The text cannot be read.
    #[error("Failed to parse ACL Policy: {0}")]
    Text(String),
    /// There is no rule in it.
    #[error("Invalid policy: {0}")]
    NoRule(String),
    /// There are keys that mean nothing, or twice what may be once.
    #[error("Invalid or duplicate policy keys: {}", .0.join(", "))]
    Keys(Vec<String>),
    /// A rule says what no rule of its kind can.
    #[error("Invalid {0}")]
    Rule(String),
}

impl Policy {
    /// Reads, checks and completes a policy. A text without anything in it is a policy without rules.
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let mut policy = Self {
            raw: text.to_owned(),
            ..Self::default()
        };
        if text.trim().is_empty() {
            return Ok(policy);
        }
        let body = text::read(text).map_err(|error| PolicyError::Text(error.to_string()))?;
        let unknown = blocks::fill(&mut policy, body)?;
        if policy.is_empty() {
            return Err(PolicyError::NoRule(text.to_owned()));
        }
        if !unknown.is_empty() {
            return Err(PolicyError::Keys(unknown));
        }
        check::complete(&mut policy)?;
        Ok(policy)
    }

    fn is_empty(&self) -> bool {
        let lists = self.namespaces.is_empty()
            && self.node_pools.is_empty()
            && self.host_volumes.is_empty();
        let plain = [&self.agent, &self.node, &self.quota, &self.plugin];
        lists
            && plain.iter().all(|rule| rule.is_none())
            && self.operator.is_none()
            && self.sentinel.is_none()
    }
}

#[cfg(test)]
mod tests;
