//! What an operation needs of its caller.

use crate::{
    capability::{NamespaceCapability, NodePoolCapability, OperatorCapability, VariableCapability},
    rules::CoarseRule,
};

/// What an operation needs. Every route and every internal call names one; there is no default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing: open to all, without a token.
    Anonymous,
    /// Any valid token; the anonymous one counts, unless the operation refuses it itself.
    AnyToken,
    /// Any of these capabilities in the namespace of the request, or of the object when it has one of its own.
    Namespace(&'static [NamespaceCapability]),
    /// Any rule at all on the namespace.
    AnyNamespaceRule,
    /// A task or service that proves itself by its identity, whatever its rules.
    Workload,
    /// Every rule that the caller has filters what is answered; nothing is refused here.
    Filtered,
    /// The caller may do it to what is its own (a policy held, the token itself); else management.
    ManagementOrOwn,
    /// A management token.
    Management,
    /// The node rule.
    Node(CoarseRule),
    /// The agent rule.
    Agent(CoarseRule),
    /// The operator rule.
    Operator(CoarseRule),
    /// An operator capability; management has them all.
    OperatorCapability(OperatorCapability),
    /// The plugin rule.
    Plugin(CoarseRule),
    /// The quota rule.
    Quota(CoarseRule),
    /// A capability on the node pool named.
    NodePool(NodePoolCapability),
    /// A capability on the path of the variable.
    Variable(VariableCapability),
    /// Depends on what the request asks for (event topics, search contexts): the operation decides.
    ByContent,
    /// A secret that is no token (a migrate token, an exchange secret): the operation checks it.
    OwnSecret,
    /// All of these.
    All(&'static [Access]),
    /// One of these.
    Any(&'static [Access]),
}

/// What the operation is about, as far as a rule can name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target<'a> {
    pub namespace: &'a str,
    pub node_pool: &'a str,
    pub variable: &'a str,
}

impl<'a> Target<'a> {
    /// Something in a namespace.
    pub fn namespace(namespace: &'a str) -> Self {
        Self {
            namespace,
            ..Self::default()
        }
    }
}
