//! The evaluator: expressions into values.
//!
//! Total work is bounded: whoever writes a file that computes without end gets an error, not a busy server.
//! Errors are told where they are; the value is then [`Value::Unknown`], and evaluation goes on.

mod call;
mod collection;
mod expression;
mod operator;
mod template;
mod traversal;

pub(crate) use traversal::look_up;

use crate::diagnostic::Diags;
use crate::files::Files;
use crate::source::Span;
use crate::syntax::ast::Expr;
use crate::value::{MOST_DEPTH, MOST_WEIGHT, Value};
use std::rc::Rc;

/// What evaluation of one source may use up in all.
const BUDGET: usize = 1_000_000;

/// Everything that evaluation needs besides the expression.
pub(crate) struct Session<'a> {
    pub(crate) diags: Diags,
    /// None where functions must not read files.
    pub(crate) files: Option<&'a dyn Files>,
    /// What `uuidv4` and `bcrypt` draw from.
    pub(crate) random: Random,
    budget: usize,
    told_exhausted: bool,
    /// How many expressions around this one may fail without anybody hearing of it.
    quiet: usize,
}

/// A stream of bytes that looks random and depends on the seed only.
pub(crate) struct Random {
    seed: [u8; 32],
    drawn: u64,
}

impl Random {
    pub(crate) fn draw(&mut self) -> [u8; 16] {
        use sha2::{Digest, Sha256};
        self.drawn += 1;
        let digest = Sha256::new()
            .chain_update(self.seed)
            .chain_update(self.drawn.to_be_bytes())
            .finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        bytes
    }
}

impl<'a> Session<'a> {
    pub(crate) fn new(files: Option<&'a dyn Files>, seed: [u8; 32]) -> Self {
        Self {
            diags: Diags::default(),
            files,
            random: Random { seed, drawn: 0 },
            budget: BUDGET,
            told_exhausted: false,
            quiet: 0,
        }
    }

    /// Takes from the budget. Once it is used up everything is unknown.
    pub(crate) fn spend(&mut self, amount: usize, span: Span) -> bool {
        if self.budget >= amount {
            self.budget -= amount;
            return true;
        }
        self.budget = 0;
        if !std::mem::replace(&mut self.told_exhausted, true) {
            self.diags.error(
                span,
                "Expression too expensive",
                "Evaluating this file takes more work or memory than a job file may use; it would have to be \
                 generated outside of the job file.",
            );
        }
        false
    }

    /// Whether an error is worth a guess at what was meant: that takes longer than the error.
    pub(crate) fn guesses(&self) -> bool {
        self.quiet == 0 && !self.diags.is_full()
    }

    /// The value of an expression whose errors may go unheard.
    pub(crate) fn eval_quietly(&mut self, scope: &Scope, expr: &Expr) -> Value {
        self.quiet += 1;
        let value = self.eval(scope, expr);
        self.quiet -= 1;
        value
    }

    /// The value, unless it is too large.
    pub(crate) fn bounded(&mut self, value: Value, span: Span) -> Value {
        let weight = value.weight();
        if !self.spend(weight.min(MOST_WEIGHT), span) {
            return Value::Unknown;
        }
        if weight > MOST_WEIGHT || value.depth() > MOST_DEPTH {
            return self.fail(
                span,
                "Value too large",
                "This value has more parts or levels than a job file may use.",
            );
        }
        value
    }

    pub(crate) fn fail(&mut self, span: Span, summary: &str, detail: impl Into<String>) -> Value {
        self.diags.error(span, summary, detail);
        Value::Unknown
    }
}

/// What names mean.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope(Option<Rc<Frame>>);

#[derive(Debug)]
struct Frame {
    names: Vec<(Rc<str>, Value)>,
    names_allowed: Names,
    parent: Scope,
}

/// What happens to a name that nobody defined.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Names {
    /// It is for the runtime: its own text is the value.
    Runtime,
    /// It is an error, as is any name.
    Forbidden,
    /// Only these of `var`.
    OnlyVariable(Rc<str>),
}

impl Scope {
    /// A scope with nothing around it.
    pub(crate) fn root(names: Vec<(Rc<str>, Value)>, names_allowed: Names) -> Self {
        Self(Some(Rc::new(Frame {
            names,
            names_allowed,
            parent: Self(None),
        })))
    }

    /// No names at all.
    pub(crate) fn forbidden() -> Self {
        Self::root(Vec::new(), Names::Forbidden)
    }

    /// This scope with more names.
    pub(crate) fn with(&self, names: Vec<(Rc<str>, Value)>) -> Self {
        Self(Some(Rc::new(Frame {
            names,
            names_allowed: self.names_allowed(),
            parent: self.clone(),
        })))
    }

    fn names_allowed(&self) -> Names {
        let frame = self.0.as_ref();
        frame.map_or(Names::Runtime, |frame| frame.names_allowed.clone())
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let mut scope = self;
        while let Some(frame) = &scope.0 {
            if let Some((_, value)) = frame.names.iter().find(|(known, _)| **known == *name) {
                return Some(value);
            }
            scope = &frame.parent;
        }
        None
    }
}
