//! The event stream: what a caller wants to hear, and lines as they go out.

use std::{collections::BTreeMap, io, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use futures::{Stream, stream};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use crate::{
    answer::{Answer, content_type},
    error::ApiError,
    go,
    query::Query,
};

const HEARTBEAT: Duration = Duration::from_secs(30);

/// What a caller wants to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Keys by topic; `*` stands for all of either.
    pub topics: BTreeMap<String, Vec<String>>,
    /// Start at the first event of this index or later; 0: at the oldest that is kept.
    pub index: u64,
}

impl Subscription {
    /// Reads `topic` and `index`.
    pub fn parse(query: &Query) -> Result<Self, ApiError> {
        let mut topics: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for word in query.all("topic") {
            let mut parts = word.split(':');
            let (topic, key, more) = (
                parts.next().unwrap_or_default(),
                parts.next().unwrap_or("*"),
                parts.next(),
            );
            if more.is_some() {
                return Err(ApiError::bad_request(format!(
                    "Invalid topic query: error parsing topics: Invalid key value pair for topic, topic: {word}"
                )));
            }
            topics
                .entry(topic.to_owned())
                .or_default()
                .push(key.to_owned());
        }
        if topics.is_empty() {
            topics.insert("*".to_owned(), vec!["*".to_owned()]);
        }
        let index = match query.text("index") {
            None => 0,
            Some(text) => text.parse().map_err(|_| {
                let text = go::quote(text);
                ApiError::bad_request(format!(
                    "Unable to parse index: strconv.Atoi: parsing {text}: invalid syntax"
                ))
            })?,
        };
        Ok(Self { topics, index })
    }

    /// Whether an event is wanted. A star among the keys counts only when it is the sole key of its topic.
    pub fn wants<'a>(
        &self,
        topic: &str,
        key: &str,
        filter_keys: impl IntoIterator<Item = &'a str>,
    ) -> bool {
        let keys: Vec<&str> = filter_keys.into_iter().collect();
        [topic, "*"]
            .iter()
            .filter_map(|topic| self.topics.get(*topic))
            .any(|asked| match asked.as_slice() {
                [only] if only == "*" => true,
                asked => asked
                    .iter()
                    .any(|asked| asked == key || keys.contains(&asked.as_str())),
            })
    }
}

/// Answers with lines as they come; each is one JSON object without a newline. A heartbeat comes at once and
/// then whenever nothing was sent for half a minute. The stream ends with its lines.
pub fn answer(lines: mpsc::Receiver<Bytes>) -> Answer {
    Answer::stream(content_type::JSON, body(lines)).with_header("cache-control", "no-cache")
}

/// What those hear who may not hear anything, or who ask for a region that nobody knows: the head of a stream went
/// out before anybody was asked, so nothing follows it.
pub fn refusal() -> Answer {
    Answer::stream(content_type::JSON, stream::empty()).with_header("cache-control", "no-cache")
}

fn body(lines: mpsc::Receiver<Bytes>) -> impl Stream<Item = Result<Bytes, io::Error>> {
    stream::unfold(
        (lines, None),
        |(mut lines, beat): (mpsc::Receiver<Bytes>, Option<Instant>)| async move {
            let Some(beat) = beat else {
                return Some((
                    Ok(Bytes::from_static(b"{}\n")),
                    (lines, Some(Instant::now() + HEARTBEAT)),
                ));
            };
            let mut out = BytesMut::new();
            match timeout_at(beat, lines.recv()).await {
                Ok(None) => return None,
                Err(_) => out.extend_from_slice(b"{}\n"),
                Ok(Some(line)) => {
                    put(&mut out, &line);
                    while out.len() < 64 << 10
                        && let Ok(line) = lines.try_recv()
                    {
                        put(&mut out, &line);
                    }
                }
            }
            Some((Ok(out.freeze()), (lines, Some(Instant::now() + HEARTBEAT))))
        },
    )
}

fn put(out: &mut BytesMut, line: &[u8]) {
    out.extend_from_slice(line);
    out.put_u8(b'\n');
}

#[cfg(test)]
mod tests;
