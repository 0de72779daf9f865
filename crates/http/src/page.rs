//! Pages of a list: where one begins, how long it is, where the next begins, and what the filter lets through.

use std::{cmp::Ordering, fmt};

use serde::Serialize;

use crate::{error::ApiError, filter::Filter, request::QueryOptions};

/// The place of an element in its list, and the text that stands for it in `next_token`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Token {
    /// `ID` or a name.
    Id(String),
    /// `namespace.ID`.
    Named(String, String),
    /// `createIndex.ID`.
    Created(u64, String),
    /// A modify index.
    Modified(u64),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => f.write_str(id),
            Self::Named(namespace, id) => write!(f, "{namespace}.{id}"),
            Self::Created(index, id) => write!(f, "{index}.{id}"),
            Self::Modified(index) => write!(f, "{index}"),
        }
    }
}

impl Token {
    /// Where this element stands to a token that the caller sent, which is read in the shape of this one.
    fn against(&self, sent: &str) -> Ordering {
        match self {
            Self::Id(id) => id.as_str().cmp(sent),
            Self::Named(namespace, id) => {
                let (other, rest) = sent.split_once('.').unwrap_or((sent, ""));
                (namespace.as_str(), id.as_str()).cmp(&(other, rest))
            }
            Self::Created(index, id) => {
                let (other, rest) = sent.split_once('.').unwrap_or((sent, ""));
                (*index, id.as_str()).cmp(&(other.parse().unwrap_or(0), rest))
            }
            Self::Modified(index) => index.cmp(&sent.parse().unwrap_or(0)),
        }
    }
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// The token of the first element of the next page.
    pub next: Option<String>,
}

/// Which way a list runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
}

impl Order {
    /// Ascending unless `reverse` is asked for.
    pub fn of(options: &QueryOptions) -> Self {
        if options.reverse {
            Self::Descending
        } else {
            Self::Ascending
        }
    }
}

/// Cuts the page that `options` ask for out of `items`, which come in the order `order`.
///
/// The filter sees whole objects, before they become stubs. A page size below 0 gives an empty page.
pub fn page<T, I>(
    items: I,
    order: Order,
    options: &QueryOptions,
    token: impl Fn(&T) -> Token,
) -> Result<Page<T>, ApiError>
where
    T: Serialize,
    I: IntoIterator<Item = T>,
{
    let filter = page_filter(options)?;
    let mut page = Page {
        items: Vec::new(),
        next: None,
    };
    let sent = options.next_token.as_str();
    let mut reached = sent.is_empty();
    for item in items {
        if !reached {
            let place = token(&item).against(sent);
            reached = match order {
                Order::Ascending => place.is_ge(),
                Order::Descending => place.is_le(),
            };
        }
        if !reached || !lets_through(filter.as_ref(), &item)? {
            continue;
        }
        let full = options.per_page != 0
            && usize::try_from(options.per_page).map_or(true, |size| page.items.len() >= size);
        if full {
            page.next = Some(token(&item).to_string());
            break;
        }
        page.items.push(item);
    }
    Ok(page)
}

/// The filter of the request, if it has one.
pub fn page_filter(options: &QueryOptions) -> Result<Option<Filter>, ApiError> {
    if options.filter.is_empty() {
        return Ok(None);
    }
    Filter::parse(&options.filter).map(Some).map_err(|error| {
        ApiError::bad_request(format!(
            "failed to create result paginator: failed to read filter expression: {error}"
        ))
    })
}

/// Whether an element passes the filter.
pub fn lets_through<T: Serialize>(filter: Option<&Filter>, item: &T) -> Result<bool, ApiError> {
    let Some(filter) = filter else {
        return Ok(true);
    };
    filter
        .matches(item)
        .map_err(|error| ApiError::bad_request(format!("failed to read result page: {error}")))
}

#[cfg(test)]
mod tests;
