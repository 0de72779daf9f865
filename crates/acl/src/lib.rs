//! Capabilities, what an operation needs, and the one question: may this caller do it?
//!
//! Entry points: [`Policy::parse`] reads the rules of a policy, [`Grants::of`] merges those of one caller,
//! [`Access`] says what an operation needs, [`AclView`] is what a caller has, [`AclView::allows`] decides. With
//! access control off, [`AclView::off`] allows everything.
//!
//! Invariants: a denial anywhere in the rules that match wins; nothing is allowed by default. This crate must
//! never know HTTP, tokens on the wire, or where policies are stored.

pub mod access;
pub mod capability;
mod grants;
mod pattern;
pub mod policy;
pub mod rules;
pub mod view;

pub use access::{Access, Target};
pub use capability::{
    HostVolumeCapability, NamespaceCapability, NodePoolCapability, OperatorCapability,
    SentinelCapability, UnknownWord, VariableCapability,
};
pub use grants::{Grants, NamespaceGrant, VariableGrant, Workload};
pub use policy::{Policy, PolicyError};
pub use rules::{CoarseRule, NamespacePolicy};
pub use view::AclView;
