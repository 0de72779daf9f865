//! Jobs as JSON, in the form of the public API: `{"Job": {…}}` or the job alone.
//!
//! Not to be confused with the JSON form of the job language, which has the language's names and [`crate::parse`]
//! reads. Here durations are nanoseconds, and keys are read in any case.

use caravan_model::api::ApiJob;
use caravan_model::request_json;
use serde_json::Value;

/// Reads a job in JSON.
///
/// # Errors
/// Why the text is no job.
pub fn parse_json_job(bytes: &[u8]) -> Result<ApiJob, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| not_json(bytes, &error))?;
    let wrapped = match &value {
        Value::Object(fields) => fields
            .iter()
            .find(|(key, inner)| key.eq_ignore_ascii_case("job") && inner.is_object())
            .map(|(_, inner)| inner.clone()),
        _ => None,
    };
    let job = wrapped.unwrap_or(value);
    if let Some(place) = text_duration(&job, "Job") {
        return Err(format!(
            "json: cannot unmarshal string into Go struct field {place} of type time.Duration"
        ));
    }
    request_json::from_value(job).map_err(|error| error.to_string())
}

fn not_json(bytes: &[u8], error: &serde_json::Error) -> String {
    let text = String::from_utf8_lossy(bytes);
    match text.trim_start().chars().next() {
        _ if error.is_eof() => "unexpected EOF".to_owned(),
        Some(first) if !"{[\"0123456789-tfn".contains(first) => {
            format!("invalid character {first:?} looking for beginning of value")
        }
        _ => match first_stray(bytes, error) {
            Some(stray) => format!("invalid character {stray:?} in JSON: {error}"),
            None => error.to_string(),
        },
    }
}

fn first_stray(bytes: &[u8], error: &serde_json::Error) -> Option<char> {
    let line = bytes
        .split(|byte| *byte == b'\n')
        .nth(error.line().checked_sub(1)?)?;
    let letter = line.get(error.column().checked_sub(1)?)?;
    letter.is_ascii_graphic().then(|| char::from(*letter))
}

/// Members that are durations, in whatever object.
const DURATIONS: [&str; 22] = [
    "KillTimeout",
    "ShutdownDelay",
    "MaxRunDuration",
    "StopAfterClientDisconnect",
    "MaxClientDisconnect",
    "LostAfter",
    "StopOnClientAfter",
    "Interval",
    "Delay",
    "MaxDelay",
    "Stagger",
    "MinHealthyTime",
    "HealthyDeadline",
    "ProgressDeadline",
    "Timeout",
    "Grace",
    "Splay",
    "VaultGrace",
    "TTL",
    "HealthTimeout",
    "ConnectTimeout",
    "Wait",
];

/// The first duration that is given as text, which only job files may: `Task.Job.TaskGroups.Tasks.KillTimeout`.
fn text_duration(value: &Value, path: &str) -> Option<String> {
    match value {
        Value::Array(items) => items.iter().find_map(|item| text_duration(item, path)),
        Value::Object(fields) => fields.iter().find_map(|(key, inner)| {
            // These belong to users.
            if ["Config", "Meta", "Env", "Policy"].contains(&key.as_str()) {
                return None;
            }
            let path = format!("{path}.{key}");
            match inner {
                Value::String(_) if DURATIONS.contains(&key.as_str()) => {
                    Some(format!("{}.{path}", owner(&path)))
                }
                _ => text_duration(inner, &path),
            }
        }),
        _ => None,
    }
}

/// What the object is called that a member belongs to.
fn owner(path: &str) -> &str {
    let mut parts = path.rsplit('.').skip(1);
    match parts.next().unwrap_or_default() {
        "Tasks" => "Task",
        "TaskGroups" => "TaskGroup",
        "Services" => "Service",
        "Checks" => "ServiceCheck",
        "Templates" => "Template",
        "Update" => "UpdateStrategy",
        "Migrate" => "MigrateStrategy",
        "Disconnect" => "DisconnectStrategy",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::parse_json_job;

    #[test]
    fn both_forms_and_any_case_are_read() {
        for text in [
            r#"{"Job": {"ID": "a", "TaskGroups": [{"Name": "g"}]}}"#,
            r#"{"id": "a", "taskgroups": [{"name": "g"}], "sparkle": 1}"#,
        ] {
            let job = parse_json_job(text.as_bytes()).expect(text);
            assert_eq!(job.id.as_deref(), Some("a"));
            let group = &job.task_groups.expect("groups")[0];
            assert_eq!(group.name.as_deref(), Some("g"));
        }
    }

    #[test]
    fn what_is_no_job_is_refused() {
        for (text, why) in [
            ("{\"ID\": \"x\",", "unexpected EOF"),
            (
                "job \"x\" {}",
                "invalid character 'j' looking for beginning of value",
            ),
            (
                r#"{"TaskGroups": [{"Tasks": [{"KillTimeout": "9s"}]}]}"#,
                "json: cannot unmarshal string into Go struct field Task.Job.TaskGroups.Tasks.KillTimeout of type \
                 time.Duration",
            ),
        ] {
            assert_eq!(parse_json_job(text.as_bytes()), Err(why.to_owned()));
        }
    }
}
