//! The JSON of a task event: every member always there; stored form: only what was set.

use super::{Said, TaskEvent, TypedDetails, interned};
use crate::shape;
use crate::small_map::SmallMap;
use crate::time::{Duration, UnixNanos};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The public JSON, in the reference's order.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Public<'a> {
    #[serde(rename = "Type")]
    r#type: &'a str,
    time: UnixNanos,
    message: &'a str,
    display_message: &'a str,
    details: &'a SmallMap<String, String>,
    fails_task: bool,
    restart_reason: &'a str,
    setup_error: &'a str,
    driver_error: &'a str,
    exit_code: i64,
    signal: i64,
    kill_timeout: Duration,
    kill_error: &'a str,
    kill_reason: &'a str,
    start_delay: i64,
    download_error: &'a str,
    validation_error: &'a str,
    disk_limit: i64,
    failed_sibling: &'a str,
    vault_error: &'a str,
    task_signal_reason: &'a str,
    task_signal: &'a str,
    driver_message: &'a str,
    generic_source: &'a str,
}

/// What is stored.
#[derive(Serialize)]
struct Stored<'a> {
    #[serde(rename = "Type")]
    r#type: &'a str,
    #[serde(rename = "Time")]
    time: UnixNanos,
    #[serde(rename = "Message", skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(rename = "DisplayMessage", skip_serializing_if = "Option::is_none")]
    display: Option<&'a str>,
    #[serde(rename = "Details", skip_serializing_if = "SmallMap::is_empty")]
    details: &'a SmallMap<String, String>,
    #[serde(rename = "FailsTask", skip_serializing_if = "shape::is_default")]
    fails_task: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    typed: Option<&'a TypedDetails>,
}

/// Either form.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "PascalCase")]
struct Read {
    #[serde(rename = "Type")]
    r#type: String,
    time: UnixNanos,
    message: String,
    display_message: Option<String>,
    #[serde(deserialize_with = "shape::null_default")]
    details: SmallMap<String, String>,
    fails_task: bool,
    #[serde(rename = "typed")]
    typed: Option<Box<TypedDetails>>,
    restart_reason: String,
    setup_error: String,
    driver_error: String,
    exit_code: i64,
    signal: i64,
    kill_timeout: Duration,
    kill_error: String,
    kill_reason: String,
    start_delay: i64,
    download_error: String,
    validation_error: String,
    disk_limit: i64,
    failed_sibling: String,
    vault_error: String,
    task_signal_reason: String,
    task_signal: String,
    driver_message: String,
    generic_source: String,
}

impl Serialize for TaskEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // exhaustive
        let Self {
            r#type,
            time,
            said: _,
        } = self;
        // exhaustive
        let Said {
            message,
            display_override,
            details,
            fails_task,
            typed,
        } = self.said();
        if !serializer.is_human_readable() {
            return Stored {
                r#type,
                time: *time,
                message,
                display: display_override.as_deref(),
                details,
                fails_task: *fails_task,
                typed: typed.as_deref(),
            }
            .serialize(serializer);
        }
        let none = TypedDetails::default();
        // exhaustive
        let TypedDetails {
            restart_reason,
            setup_error,
            driver_error,
            exit_code,
            signal,
            kill_timeout,
            kill_error,
            kill_reason,
            start_delay,
            download_error,
            validation_error,
            disk_limit,
            failed_sibling,
            vault_error,
            task_signal_reason,
            task_signal,
            driver_message,
            generic_source,
        } = typed.as_deref().unwrap_or(&none);
        Public {
            r#type,
            time: *time,
            message,
            display_message: &self.display_message(),
            details,
            fails_task: *fails_task,
            restart_reason,
            setup_error,
            driver_error,
            exit_code: *exit_code,
            signal: *signal,
            kill_timeout: *kill_timeout,
            kill_error,
            kill_reason,
            start_delay: *start_delay,
            download_error,
            validation_error,
            disk_limit: *disk_limit,
            failed_sibling,
            vault_error,
            task_signal_reason,
            task_signal,
            driver_message,
            generic_source,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TaskEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Read::deserialize(deserializer)?;
        let loose = TypedDetails {
            restart_reason: read.restart_reason,
            setup_error: read.setup_error,
            driver_error: read.driver_error,
            exit_code: read.exit_code,
            signal: read.signal,
            kill_timeout: read.kill_timeout,
            kill_error: read.kill_error,
            kill_reason: read.kill_reason,
            start_delay: read.start_delay,
            download_error: read.download_error,
            validation_error: read.validation_error,
            disk_limit: read.disk_limit,
            failed_sibling: read.failed_sibling,
            vault_error: read.vault_error,
            task_signal_reason: read.task_signal_reason,
            task_signal: read.task_signal,
            driver_message: read.driver_message,
            generic_source: read.generic_source,
        };
        let typed = read.typed.unwrap_or_else(|| Box::new(loose));
        let said = Said {
            message: read.message,
            display_override: None,
            details: read.details,
            fails_task: read.fails_task,
            typed: (*typed != TypedDetails::default()).then_some(typed),
        };
        let mut event = Self {
            r#type: interned(read.r#type),
            time: read.time,
            said: (said != *Said::NOTHING).then(|| Box::new(said)),
        };
        let display = read
            .display_message
            .filter(|text| !text.is_empty() && *text != event.derived_message());
        if let Some(text) = display {
            event.said_mut().display_override = Some(text.into_boxed_str());
        }
        Ok(event)
    }
}
