//! The job language: job files into jobs, with every error of a file told at once.
//!
//! The way through: [`parse`] reads a file (native syntax or its JSON form) into an [`caravan_model::api::ApiJob`],
//! where "not given" and "zero" still differ; [`canonicalize`] fills in the defaults; [`validate`] tells everything
//! that is wrong with it. [`format_source`] lays out a file anew.
//!
//! Invariants: pure functions of their arguments; no files (but through [`Files`]), no clock, no environment, no
//! randomness (but from [`Inputs::seed`]). Work is bounded whatever the source says.
//! It must never know the state of a cluster.

mod admission;
mod canonical;
mod decode;
mod diagnostic;
mod duration;
mod eval;
mod files;
mod format;
mod functions;
mod inputs;
mod json_job;
mod locals;
mod locate;
mod number;
mod parse;
mod source;
mod suggest;
mod syntax;
mod type_expression;
mod types;
mod validate;
mod value;
mod variables;

pub use admission::{Admission, Cluster, NoCluster, admit};
pub use canonical::{canonicalize, complete};
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use files::{FileError, Files};
pub use format::{format_bytes, format_source};
pub use inputs::{Inputs, Source, VarFile};
pub use json_job::parse_json_job;
pub use locate::locate;
pub use parse::{Parsed, parse};
pub use source::{Position, Range};
pub use validate::{error_text, validate, warning_text};
