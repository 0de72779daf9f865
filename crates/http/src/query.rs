//! Query parameters, with the errors that a bad one gives.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{error::ApiError, go};

/// The parameters in the order given; a name may come twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query(pub Vec<(String, String)>);

impl Query {
    /// Splits and decodes the part of the URL behind `?`. Pairs that cannot be decoded are passed over.
    pub fn parse(raw: &str) -> Self {
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((go::unescape_query(key)?, go::unescape_query(value)?))
        };
        Self(
            raw.split('&')
                .filter(|part| !part.is_empty() && !part.contains(';'))
                .filter_map(pair)
                .collect(),
        )
    }

    /// The first value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether the name is there at all, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The first value, when it is there and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Every value of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Adds or replaces a parameter.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.retain(|(key, _)| key != name);
        self.0.push((name.to_owned(), value.into()));
    }

    /// A boolean; `None` when absent or empty. A bad one is a 500, as the reference has it.
    pub fn bool(&self, name: &str) -> Result<Option<bool>, ApiError> {
        let Some(value) = self.text(name) else {
            return Ok(None);
        };
        go::parse_bool(value).map(Some).ok_or_else(|| {
            unparsed(
                name,
                value,
                "bool",
                format_args!("strconv.ParseBool: parsing {}", go::quote(value)),
            )
        })
    }

    /// A boolean that is false when absent.
    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        Ok(self.bool(name)?.unwrap_or(false))
    }

    /// An unsigned number; `None` when absent or empty.
    pub fn uint(&self, name: &str) -> Result<Option<u64>, ApiError> {
        self.number(name, "uint64", "strconv.ParseUint")
    }

    /// A number; `None` when absent or empty.
    pub fn int(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.number(name, "int", "strconv.Atoi")
    }

    fn number<T: FromStr>(
        &self,
        name: &str,
        kind: &str,
        parser: &str,
    ) -> Result<Option<T>, ApiError> {
        let Some(value) = self.text(name) else {
            return Ok(None);
        };
        value.parse().map(Some).map_err(|_| {
            unparsed(
                name,
                value,
                kind,
                format_args!("{parser}: parsing {}", go::quote(value)),
            )
        })
    }

    pub(crate) fn index(&self) -> Result<u64, ApiError> {
        match self.text("index") {
            None => Ok(0),
            Some(value) => value
                .parse()
                .map_err(|_| ApiError::bad_request("Invalid index")),
        }
    }

    pub(crate) fn wait(&self) -> Result<Option<u64>, ApiError> {
        let Some(value) = self.text("wait") else {
            return Ok(None);
        };
        let wait: caravan_model::Duration = value
            .parse()
            .map_err(|_| ApiError::bad_request("Invalid wait time"))?;
        Ok(Some(u64::try_from(wait.0 / 1_000_000).unwrap_or(0)))
    }

    pub(crate) fn stale(&self) -> Result<bool, ApiError> {
        match self.get("stale") {
            None => Ok(false),
            Some("") => Ok(true),
            Some(value) => go::parse_bool(value).ok_or_else(|| {
                ApiError::bad_request("Expect `true` or `false` for `stale` query string parameter")
            }),
        }
    }

    pub(crate) fn per_page(&self) -> Result<i64, ApiError> {
        match self.text("per_page") {
            None => Ok(0),
            Some(value) => value.parse().map_err(|_| {
                ApiError::bad_request("Expect a number for `per_page` query string parameter")
            }),
        }
    }
}

fn unparsed(name: &str, value: &str, kind: &str, cause: std::fmt::Arguments<'_>) -> ApiError {
    ApiError::new(
        500,
        format!(
            "Failed to parse value of {} ({value}) as a {kind}: {cause}: invalid syntax",
            go::quote(name)
        ),
    )
}

#[cfg(test)]
mod tests;
