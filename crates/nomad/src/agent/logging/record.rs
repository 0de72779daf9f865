//! One line of the log, as text in the form that operators know or as JSON.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use caravan_model::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// How lines are written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Form {
    pub(crate) json: bool,
    /// With file and line.
    pub(crate) location: bool,
}

/// What was said.
pub(crate) struct Record {
    pub(super) level: Level,
    /// Said by the agent's own crates.
    pub(super) own: bool,
    time: String,
    module: String,
    location: String,
    said: Said,
}

#[derive(Default)]
struct Said {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Record {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let mut said = Said::default();
        event.record(&mut said);
        let metadata = event.metadata();
        let target = metadata.target();
        let file = metadata.file().unwrap_or_default();
        Self {
            level: *metadata.level(),
            own: target.starts_with("caravan_"),
            time: now(),
            module: target
                .strip_prefix("caravan_")
                .unwrap_or(target)
                .replace("::", "."),
            location: format!("{file}:{}", metadata.line().unwrap_or(0)),
            said,
        }
    }

    /// The line, without its end.
    pub(crate) fn line(&self, form: Form) -> String {
        if form.json {
            return self.json(form.location);
        }
        let level = format!("[{}]", self.level);
        let mut line = format!("{} {level:<7} ", self.time);
        if form.location {
            let _ = write!(line, "{}: ", self.location);
        }
        let _ = write!(line, "{}: {}", self.module, self.said.message);
        let mut between = ": ";
        for (name, value) in &self.said.fields {
            let _ = write!(line, "{between}{name}={}", plain(value));
            between = " ";
        }
        line
    }

    fn json(&self, location: bool) -> String {
        let mut object = Map::new();
        let level = self.level.as_str().to_lowercase();
        object.insert("@level".to_owned(), level.into());
        object.insert("@message".to_owned(), self.said.message.as_str().into());
        object.insert("@module".to_owned(), self.module.as_str().into());
        object.insert("@timestamp".to_owned(), self.time.as_str().into());
        if location {
            object.insert("@caller".to_owned(), self.location.as_str().into());
        }
        for (name, value) in &self.said.fields {
            object.insert((*name).to_owned(), value.clone());
        }
        Value::Object(object).to_string()
    }
}

/// Values with blanks are quoted, so that a line can be taken apart.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() || text.contains([' ', '"', '\n', '=']) => {
            format!("{text:?}")
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// To the millisecond, always with three digits.
fn now() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(0);
    let text = Timestamp(seconds * 1_000_000_000).to_string();
    format!(
        "{}.{:03}Z",
        text.trim_end_matches('Z'),
        since.subsec_millis()
    )
}

impl Said {
    fn take(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            ("message", other) => self.message = other.to_string(),
            (name, value) => self.fields.push((name, value)),
        }
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.take(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take(field, value.into());
    }
}
