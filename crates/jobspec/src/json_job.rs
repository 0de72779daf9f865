//! Jobs as JSON, in the form of the public API: `{"Job": {…}}` or the job alone.
//!
//! Not to be confused with the JSON form of the job language, which has the language's names and [`crate::parse`]
//! reads. Here durations are nanoseconds, and keys are read in any case.

use caravan_codec::json;
use caravan_model::api::ApiJob;
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Submission {
    job: Option<ApiJob>,
}

/// Reads a job in JSON.
///
/// # Errors
/// Why the text is no job.
pub fn parse_json_job(bytes: &[u8]) -> Result<ApiJob, String> {
    let read = |bytes: &[u8]| json::decode::<Submission>(bytes, "api").map(|found| found.job);
    let job = match read(bytes) {
        Ok(None) => read(&[b"{\"Job\":", bytes, b"}"].concat()),
        found => found,
    };
    job.map(Option::unwrap_or_default)
        .map_err(|error| error.to_string())
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
