//! What a call says besides its path, and what the answer says besides its body.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// Query parameters; region and namespace left out come from the client's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    params: BTreeMap<String, String>,
    /// More values of names that may come several times.
    more: Vec<(String, String)>,
}

impl Query {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.params.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a parameter beside others of its name.
    #[must_use]
    pub fn also(mut self, name: &str, value: impl Into<String>) -> Self {
        self.more.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a parameter unless its value is empty.
    #[must_use]
    pub fn with_some(self, name: &str, value: &str) -> Self {
        match value.is_empty() {
            true => self,
            false => self.with(name, value),
        }
    }

    /// Adds `name=true` when it holds.
    #[must_use]
    pub fn flag(self, name: &str, on: bool) -> Self {
        match on {
            true => self.with(name, "true"),
            false => self,
        }
    }

    /// In this namespace.
    #[must_use]
    pub fn namespace(self, name: &str) -> Self {
        self.with_some("namespace", name)
    }

    /// In this region.
    #[must_use]
    pub fn region(self, name: &str) -> Self {
        self.with_some("region", name)
    }

    /// Any server may answer.
    #[must_use]
    pub fn stale(self) -> Self {
        self.with("stale", "")
    }

    /// Answer when there is something newer than `index`, or after `wait`.
    #[must_use]
    pub fn blocking(self, index: u64, wait: Duration) -> Self {
        self.with("index", index.to_string())
            .with("wait", format!("{}ms", wait.as_millis()))
    }

    pub(crate) fn default_param(&mut self, name: &str, value: &str) {
        if !value.is_empty() && !self.params.contains_key(name) {
            self.params.insert(name.to_owned(), value.to_owned());
        }
    }

    /// The text after `?`, sorted by name but for what comes several times; empty when there is nothing.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut out = String::new();
        let more = self.more.iter().map(|(name, value)| (name, value));
        for (name, value) in self.params.iter().chain(more) {
            if !out.is_empty() {
                out.push('&');
            }
            escape(&mut out, name, b"-_.~");
            out.push('=');
            escape(&mut out, value, b"-_.~");
        }
        out
    }
}

/// A path segment with everything escaped that would end or change it, `/` included.
#[must_use]
pub fn escape_path(segment: &str) -> String {
    let mut out = String::new();
    escape(&mut out, segment, b"-_.~$&+:=@");
    out
}

fn escape(out: &mut String, text: &str, plain: &[u8]) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            out.push(byte as char);
        } else if byte == b' ' && !plain.contains(&b'$') {
            out.push('+');
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// What an answer's headers say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// The index that the answer is as of; ask again with it to wait for a change.
    pub index: u64,
    /// Whether the answering server knew a leader.
    pub known_leader: bool,
    /// Where the next page starts; empty on the last.
    pub next_token: String,
}

impl Meta {
    pub(crate) fn read(headers: &http::HeaderMap) -> Self {
        let text = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        Self {
            index: text("x-nomad-index").parse().unwrap_or_default(),
            known_leader: text("x-nomad-knownleader") == "true",
            next_token: text("x-nomad-nexttoken"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_sorted_and_escaped() {
        let query = Query::new()
            .with("prefix", "a b/c")
            .with("per_page", "20")
            .flag("all", false);
        assert_eq!(query.encode(), "per_page=20&prefix=a+b%2Fc");
        assert_eq!(escape_path("a/b c"), "a%2Fb%20c");
    }

    #[test]
    fn a_name_may_come_several_times() {
        let query = Query::new()
            .also("topic", "Job:*")
            .also("topic", "Node")
            .with("index", "3");
        assert_eq!(query.encode(), "index=3&topic=Job%3A%2A&topic=Node");
    }
}
