//! What a constraint looks at: a literal or a fact of the node (scheduler sheet §8.4).

use caravan_model::Node;
use std::borrow::Cow;

/// A side of a constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Literal(String),
    NodeId,
    NodeName,
    Datacenter,
    Class,
    Pool,
    Attribute(String),
    Meta(String),
    /// An interpolation that no node answers.
    Unknown,
}

impl Target {
    pub(crate) fn parse(text: &str) -> Self {
        if !text.starts_with("${") {
            return Self::Literal(text.to_owned());
        }
        let inner = text
            .strip_prefix("${")
            .and_then(|inner| inner.strip_suffix('}'));
        match inner {
            Some("node.unique.id") => Self::NodeId,
            Some("node.unique.name") => Self::NodeName,
            Some("node.datacenter") => Self::Datacenter,
            Some("node.class") => Self::Class,
            Some("node.pool") => Self::Pool,
            Some(inner) => {
                if let Some(key) = inner.strip_prefix("attr.") {
                    Self::Attribute(key.to_owned())
                } else if let Some(key) = inner.strip_prefix("meta.") {
                    Self::Meta(key.to_owned())
                } else {
                    Self::Unknown
                }
            }
            None => Self::Unknown,
        }
    }

    /// The value on this node, when there is one.
    pub(crate) fn of<'a>(&'a self, node: &'a Node) -> Option<Cow<'a, str>> {
        let text = match self {
            Self::Literal(text) => text,
            Self::NodeId => return Some(Cow::Owned(node.id.to_string())),
            Self::NodeName => &node.name,
            Self::Datacenter => &node.datacenter,
            Self::Class => &node.node_class,
            Self::Pool => &node.node_pool,
            Self::Attribute(key) => node.attributes.get(key)?,
            Self::Meta(key) => node.meta.get(key)?,
            Self::Unknown => return None,
        };
        Some(Cow::Borrowed(text))
    }
}

/// Whether this side of a constraint looks at what computed classes leave out.
pub(crate) fn escapes_class(text: &str) -> bool {
    [
        "${unique.",
        "${node.unique.",
        "${attr.unique.",
        "${meta.unique.",
    ]
    .iter()
    .any(|prefix| text.starts_with(prefix))
}

/// Replaces each `${…}` in a text by its value on the node; `None` when one has no value.
pub(crate) fn interpolate(text: &str, node: &Node) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else {
            break;
        };
        out.push_str(&rest[..start]);
        out.push_str(&Target::parse(&rest[start..=start + length]).of(node)?);
        rest = &rest[start + length + 1..];
    }
    out.push_str(rest);
    Some(out)
}
