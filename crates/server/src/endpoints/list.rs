//! Lists: what is asked for out of a table, filtered, in order, page by page.

use super::{Answered, Call};
use caravan_http::{Answer, ApiError};
use caravan_state::Table;
use serde::Serialize;
use std::sync::Arc;

/// A row with the key that orders it and names the page that begins with it.
pub(crate) struct Keyed<T> {
    pub(crate) key: String,
    pub(crate) row: Arc<T>,
}

/// The key of rows that are listed by age: the index in front, so that text order is age.
pub(crate) fn age_key(create_index: u64, id: impl std::fmt::Display) -> String {
    format!("{create_index:020}.{id}")
}

/// Answers a list. Rows come in any order; keys decide it. The filter looks at whole rows, not at what is shown.
pub(crate) fn answer<T: Serialize, S: Serialize>(
    call: &Call,
    tables: &[Table],
    mut rows: Vec<Keyed<T>>,
    show: impl Fn(&T) -> S,
) -> Answered {
    let options = &call.request.options;
    rows.sort_by(|a, b| {
        if options.reverse {
            b.key.cmp(&a.key)
        } else {
            a.key.cmp(&b.key)
        }
    });
    if !options.next_token.is_empty() {
        let token = page_token(&options.next_token);
        rows.retain(|row| {
            if options.reverse {
                row.key <= token
            } else {
                row.key >= token
            }
        });
    }
    let filter = super::list::filter_of(call)?;
    let wanted = match options.per_page {
        0 => usize::MAX,
        // Less than nothing is nothing, with a next page that is the same.
        count => usize::try_from(count).unwrap_or(0),
    };
    let mut shown = Vec::new();
    let mut next = None;
    for Keyed { key, row } in &rows {
        if let Some(filter) = &filter
            && !filter.keep(row.as_ref())?
        {
            continue;
        }
        if shown.len() == wanted {
            next = Some(shown_token(key));
            break;
        }
        shown.push(show(row));
    }
    Answer::json(&shown, call.tables_meta(tables).next(next))
}

/// Keys carry zeros in front so that they sort; tokens are shown without them.
fn shown_token(key: &str) -> String {
    match key.split_once('.') {
        Some((index, rest))
            if index.len() == 20 && index.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            format!("{}.{rest}", index.trim_start_matches('0'))
        }
        _ => key.to_owned(),
    }
}

fn page_token(token: &str) -> String {
    match token.split_once('.') {
        Some((index, rest))
            if !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            format!("{index:0>20}.{rest}")
        }
        _ => token.to_owned(),
    }
}

/// The filter that the request asks for.
pub(crate) struct RowFilter(caravan_http::Filter);

impl RowFilter {
    pub(crate) fn keep<T: Serialize>(&self, row: &T) -> Result<bool, ApiError> {
        caravan_http::page::lets_through(Some(&self.0), row)
    }
}

pub(crate) fn filter_of(call: &Call) -> Result<Option<RowFilter>, ApiError> {
    Ok(caravan_http::page::page_filter(&call.request.options)?.map(RowFilter))
}

/// Refuses a prefix that cannot be one of a UUID.
pub(crate) fn check_id_prefix(call: &Call, object: &str) -> Result<(), ApiError> {
    caravan_http::prefix::check_uuid_prefix(object, &call.request.options.prefix)
}

/// Keys for a listing of objects with UUIDs: by age, or by id when a prefix is given.
pub(crate) fn id_or_age_key(call: &Call, create_index: u64, id: impl std::fmt::Display) -> String {
    if call.request.options.prefix.is_empty() {
        age_key(create_index, id)
    } else {
        id.to_string()
    }
}
