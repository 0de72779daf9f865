//! Capabilities, what an operation needs, and the one question: may this caller do it?
//!
//! Entry points: [`Access`] says what an operation needs, [`AclView`] is what a caller has (built from policies
//! and roles elsewhere), [`AclView::allows`] decides. With access control off, [`AclView::off`] allows everything.
//!
//! Invariants: a denial anywhere in the rules that match wins; nothing is allowed by default. This crate must
//! never know HTTP, tokens on the wire, or where policies are stored.

pub mod access;
pub mod capability;
pub mod rules;
pub mod view;

pub use access::{Access, Target};
pub use capability::{
    HostVolumeCapability, NamespaceCapability, NodePoolCapability, OperatorCapability, UnknownWord,
    VariableCapability,
};
pub use rules::{CoarseRule, NamespacePolicy};
pub use view::{AclView, Grants, NamespaceGrant, VariableGrant};
