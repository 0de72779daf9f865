//! Filter expressions: `Type == "batch" and not ID matches "^a"`.
//!
//! Entry point: [`Filter`]. An expression is parsed once and asked of whole objects, whatever serde makes of them.

mod datum;
mod eval;
mod parse;
mod tree;

use serde::Serialize;

pub use eval::EvalError;
pub use parse::ParseError;

/// A parsed expression.
#[derive(Debug)]
pub struct Filter {
    root: tree::Expression,
    /// The members of the object that the expression looks at; the others are not even written out.
    wanted: Vec<String>,
}

impl Filter {
    /// Parses an expression; the error names the place and what could have stood there.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let root = parse::parse(text)?;
        let mut wanted = Vec::new();
        root.members(&mut wanted);
        Ok(Self { root, wanted })
    }

    /// Whether the object passes.
    pub fn matches<T: Serialize + ?Sized>(&self, object: &T) -> Result<bool, EvalError> {
        let datum =
            datum::of(object, &self.wanted).map_err(|error| EvalError(error.to_string()))?;
        eval::matches(&self.root, &datum)
    }
}

#[cfg(test)]
mod tests;
