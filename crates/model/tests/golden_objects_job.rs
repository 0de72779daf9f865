//! Objects of the job family, as recorded, read and written back: same members, order, nulls and numbers.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use caravan_model::api::ApiJob;
use caravan_model::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Members whose keys are data: their order says nothing.
const MAPS: [&str; 16] = [
    "Config",
    "Env",
    "Meta",
    "Policy",
    "Target",
    "Summary",
    "TaskGroups",
    "VariableFlags",
    "Updates",
    "DesiredTGUpdates",
    "GetterOptions",
    "GetterHeaders",
    "Header",
    "Volumes",
    "CanaryMeta",
    "TaggedAddresses",
];

/// What differs, with its path. Keys of structs must come in the same order where `ordered`.
fn differences(path: &str, want: &Value, got: &Value, ordered: bool, found: &mut Vec<String>) {
    match (want, got) {
        (Value::Object(want), Value::Object(got)) => {
            let is_map = MAPS.iter().any(|map| path.ends_with(&format!(".{map}")));
            let (mut left, mut right): (Vec<_>, Vec<_>) =
                (want.keys().collect(), got.keys().collect());
            if is_map || !ordered {
                left.sort();
                right.sort();
            }
            if left != right {
                found.push(format!("{path}: keys {left:?}, got {right:?}"));
            }
            let free = matches!(path.rsplit('.').next(), Some("Config" | "Policy"));
            for (key, value) in want {
                if let Some(other) = got.get(key) {
                    differences(
                        &format!("{path}.{key}"),
                        value,
                        other,
                        ordered && !free,
                        found,
                    );
                }
            }
        }
        (Value::Array(want), Value::Array(got)) if want.len() == got.len() => {
            for (index, (left, right)) in want.iter().zip(got).enumerate() {
                differences(&format!("{path}[{index}]"), left, right, ordered, found);
            }
        }
        _ if want == got => {}
        _ => found.push(format!("{path}: {want}, got {got}")),
    }
}

fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    name: &str,
    text: &str,
    ordered: bool,
) {
    let want: Value = serde_json::from_str(text).unwrap();
    let object: T = serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let got: Value = serde_json::from_str(&serde_json::to_string(&object).unwrap()).unwrap();
    let mut found = Vec::new();
    differences(name, &want, &got, ordered, &mut found);
    assert!(found.is_empty(), "{}", found.join("\n"));
    let bytes = caravan_codec::msgpack::pack(&object).unwrap();
    let back: T =
        caravan_codec::msgpack::unpack(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(back, object, "{name} in msgpack");
}

macro_rules! golden {
    ($($test:ident: $type:ty = $file:literal),* $(,)?) => {$(
        #[test]
        fn $test() {
            check::<$type>($file, include_str!(concat!("objects/", $file, ".json")), true);
        }
    )*};
}

golden! {
    job: Job = "Job",
    job_as_users_write_it: ApiJob = "ApiJobCanonical",
    list_stub: JobListStub = "JobListStub",
    summary: JobSummary = "JobSummary",
    status: JobStatus = "JobStatus",
    versions: JobVersions = "JobVersions",
    plan_response: JobPlanResponse = "JobPlanResponse",
    plan_response_of_a_new_job: JobPlanResponse = "JobPlanResponseNew",
    register_response: JobRegisterResponse = "JobRegisterResponse",
    scale_response: JobRegisterResponse = "JobScaleResponse",
    scale_status: JobScaleStatus = "JobScaleStatus",
    submission: JobSubmission = "JobSubmission",
    validate_response: JobValidateResponse = "JobValidateResponse",
    dispatch_response: JobDispatchResponse = "JobDispatchResponse",
    deregister_response: JobDeregisterResponse = "JobDeregisterResponse",
    stability_response: JobStabilityResponse = "JobStabilityResponse",
    action: JobAction = "JobAction",
    periodic_force_response: PeriodicForceResponse = "PeriodicForceResponse",
    scaling_policy: ScalingPolicy = "ScalingPolicy",
    scaling_policy_stub: ScalingPolicyListStub = "ScalingPolicyListStub",
}

/// Parsed job files that together use every block. Lists and maps in them tell `null` from empty.
#[test]
fn parsed_job_files_keep_every_member() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/objects/parsed");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        check::<ApiJob>(&path.file_name().unwrap().to_string_lossy(), &text, false);
        count += 1;
    }
    assert!(count > 10, "{count} job files in {folder}");
}

/// The stored form of the same jobs loses nothing on its way through JSON and msgpack, and has no unset members left.
#[test]
fn stored_jobs_survive_json_and_msgpack() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/objects/parsed");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let written: ApiJob =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let job = Job::from(written.clone());
        assert_eq!(job.id.as_str(), written.id.as_deref().unwrap_or_default());
        let json = serde_json::to_string(&job).unwrap();
        assert_eq!(
            serde_json::from_str::<Job>(&json).unwrap(),
            job,
            "{}",
            path.display()
        );
        let bytes = caravan_codec::msgpack::pack(&job).unwrap();
        assert_eq!(
            caravan_codec::msgpack::unpack::<Job>(&bytes).unwrap(),
            job,
            "{}",
            path.display()
        );
        check::<Job>("Job", &json, true);
    }
}
