//! Launching parameterized jobs: what a dispatch may bring, and the child that it makes (server sheet §5).

use caravan_model::*;

/// The largest payload, before it is compressed.
const MAX_PAYLOAD: usize = 16 * 1024;

/// Why a dispatch was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DispatchError {
    /// The job is not launched by dispatches.
    #[error("Specified job {0:?} is not a parameterized job")]
    NotParameterized(String),
    /// The job was told to stop.
    #[error("Specified job {0:?} is stopped")]
    Stopped(String),
    /// The job needs a payload.
    #[error("Payload is not provided but required by parameterized job")]
    PayloadMissing,
    /// The job takes no payload.
    #[error("Payload provided but forbidden by parameterized job")]
    PayloadForbidden,
    /// The payload is too large.
    #[error("Payload exceeds maximum size; {0} > {MAX_PAYLOAD}")]
    PayloadTooLarge(usize),
    /// Metadata that the job does not know.
    #[error("Dispatch request included unpermitted metadata keys: [{}]", .0.join(" "))]
    UnpermittedMeta(Vec<String>),
    /// Metadata that the job needs.
    #[error("Dispatch did not provide required meta keys: [{}]", .0.join(" "))]
    MissingMeta(Vec<String>),
    /// The priority is out of bounds.
    #[error("job priority must be between [1, {0}]")]
    Priority(i64),
}

/// The child that a dispatch launches. `random_hex` are eight digits that tell it from others of the same second.
///
/// # Errors
/// What the parent does not allow.
pub fn derive(
    parent: &Job,
    request: &JobDispatchRequest,
    idempotency_token: &str,
    now: UnixNanos,
    random_hex: &str,
    max_priority: i64,
) -> Result<Job, DispatchError> {
    check(parent, request, max_priority)?;
    let prefix = match request.id_prefix_template.as_str() {
        "" => String::new(),
        text => format!("{text}-"),
    };
    let id = format!(
        "{}{}{prefix}{}-{random_hex}",
        parent.id,
        launch_suffix::DISPATCH,
        now.seconds()
    );
    let mut meta = parent.meta.clone();
    meta.extend(request.meta.clone());
    Ok(Job {
        name: id.clone(),
        dispatched: true,
        dispatch_idempotency_token: idempotency_token.to_owned(),
        payload: compress(&request.payload),
        meta,
        priority: if request.priority == 0 {
            parent.priority
        } else {
            request.priority
        },
        submit_time: now,
        ..launched(parent, id)
    })
}

/// A copy of a parent that is a job of its own: nothing that the cluster keeps on the parent goes along.
pub(crate) fn launched(parent: &Job, id: String) -> Job {
    Job {
        id: id.into(),
        parent_id: parent.id.clone(),
        status: String::new(),
        status_description: String::new(),
        stable: false,
        version: 0,
        version_tag: None,
        create_index: 0,
        modify_index: 0,
        job_modify_index: 0,
        ..parent.clone()
    }
}

fn check(
    parent: &Job,
    request: &JobDispatchRequest,
    max_priority: i64,
) -> Result<(), DispatchError> {
    let Some(config) = parent
        .parameterized_job
        .as_ref()
        .filter(|_| parent.is_parameterized())
    else {
        return Err(DispatchError::NotParameterized(parent.id.to_string()));
    };
    if parent.stop {
        return Err(DispatchError::Stopped(parent.id.to_string()));
    }
    match (config.payload.as_str(), request.payload.is_empty()) {
        (payload_rule::REQUIRED, true) => return Err(DispatchError::PayloadMissing),
        (payload_rule::FORBIDDEN, false) => return Err(DispatchError::PayloadForbidden),
        _ => {}
    }
    if request.payload.len() > MAX_PAYLOAD {
        return Err(DispatchError::PayloadTooLarge(request.payload.len()));
    }
    let permitted =
        |key: &String| config.meta_required.contains(key) || config.meta_optional.contains(key);
    let unpermitted: Vec<String> = request
        .meta
        .keys()
        .filter(|key| !permitted(key))
        .cloned()
        .collect();
    if !unpermitted.is_empty() {
        return Err(DispatchError::UnpermittedMeta(unpermitted));
    }
    let mut missing: Vec<String> = config
        .meta_required
        .iter()
        .filter(|key| !request.meta.contains_key(*key))
        .cloned()
        .collect();
    if !missing.is_empty() {
        missing.sort();
        return Err(DispatchError::MissingMeta(missing));
    }
    if request.priority != 0 && !(1..=max_priority).contains(&request.priority) {
        return Err(DispatchError::Priority(max_priority));
    }
    Ok(())
}

/// A payload as it is stored: a Snappy block; nothing stays nothing.
#[must_use]
pub fn compress(payload: &[u8]) -> Vec<u8> {
    if payload.is_empty() {
        return Vec::new();
    }
    snap::raw::Encoder::new()
        .compress_vec(payload)
        .expect("a payload is far smaller than what a block can hold")
}

/// A stored payload as it was given.
///
/// # Errors
/// When the bytes are no Snappy block.
pub fn decompress(stored: &[u8]) -> Result<Vec<u8>, snap::Error> {
    if stored.is_empty() {
        return Ok(Vec::new());
    }
    snap::raw::Decoder::new().decompress_vec(stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent() -> Job {
        Job {
            id: "encode".into(),
            name: "encode".to_owned(),
            r#type: job_type::BATCH.to_owned(),
            priority: 50,
            version: 3,
            stable: true,
            status: job_status::RUNNING.to_owned(),
            meta: [("kept".to_owned(), "yes".to_owned())].into(),
            parameterized_job: Some(ParameterizedJobConfig {
                payload: payload_rule::OPTIONAL.to_owned(),
                meta_required: vec!["scene".to_owned()],
                meta_optional: vec!["frames".to_owned()],
            }),
            ..Job::default()
        }
    }

    fn request(meta: &[&str]) -> JobDispatchRequest {
        let meta = meta
            .iter()
            .map(|key| ((*key).to_owned(), "1".to_owned()))
            .collect();
        JobDispatchRequest {
            meta,
            ..JobDispatchRequest::default()
        }
    }

    fn refused(parent: &Job, request: &JobDispatchRequest) -> String {
        derive(parent, request, "", UnixNanos(0), "0", 100)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_child_is_a_job_of_its_own() {
        let now = UnixNanos(1_795_252_627_999_999_999);
        let mut request = request(&["scene"]);
        request.payload = b"frame 1".to_vec();
        let child = derive(&parent(), &request, "token", now, "c572458e", 100).expect("allowed");
        assert_eq!(child.id, "encode/dispatch-1795252627-c572458e");
        assert_eq!(
            (child.name.as_str(), child.parent_id.as_str()),
            (child.id.as_str(), "encode")
        );
        assert!(child.dispatched && !child.is_parameterized() && !child.stable);
        assert_eq!((child.version, child.status.as_str()), (0, ""));
        assert_eq!(child.meta.keys().collect::<Vec<_>>(), ["kept", "scene"]);
        assert_eq!(child.dispatch_idempotency_token, "token");
        assert_eq!(child.submit_time, now);
        assert_eq!(decompress(&child.payload).expect("a block"), b"frame 1");
    }

    #[test]
    fn a_prefix_goes_before_the_time() {
        let mut request = request(&["scene"]);
        request.id_prefix_template = "night".to_owned();
        request.priority = 70;
        let child = derive(
            &parent(),
            &request,
            "",
            UnixNanos(5_000_000_000),
            "0a0a0a0a",
            100,
        )
        .expect("allowed");
        assert_eq!(child.id, "encode/dispatch-night-5-0a0a0a0a");
        assert_eq!(child.priority, 70);
    }

    #[test]
    fn refusals() {
        let plain = Job {
            id: "web".into(),
            ..Job::default()
        };
        assert_eq!(
            refused(&plain, &request(&[])),
            "Specified job \"web\" is not a parameterized job"
        );
        let child = Job {
            dispatched: true,
            ..parent()
        };
        assert_eq!(
            refused(&child, &request(&[])),
            "Specified job \"encode\" is not a parameterized job"
        );
        let stopped = Job {
            stop: true,
            ..parent()
        };
        assert_eq!(
            refused(&stopped, &request(&["scene"])),
            "Specified job \"encode\" is stopped"
        );
        assert_eq!(
            refused(&parent(), &request(&["scene", "b", "a"])),
            "Dispatch request included unpermitted metadata keys: [a b]"
        );
        assert_eq!(
            refused(&parent(), &request(&["frames"])),
            "Dispatch did not provide required meta keys: [scene]"
        );
        let ruled = |rule: &str| {
            let mut job = parent();
            if let Some(config) = &mut job.parameterized_job {
                config.payload = rule.to_owned();
            }
            job
        };
        assert_eq!(
            refused(&ruled(payload_rule::REQUIRED), &request(&["scene"])),
            "Payload is not provided but required by parameterized job"
        );
        let with = |size: usize| JobDispatchRequest {
            payload: vec![7; size],
            ..request(&["scene"])
        };
        assert_eq!(
            refused(&ruled(payload_rule::FORBIDDEN), &with(1)),
            "Payload provided but forbidden by parameterized job"
        );
        assert_eq!(
            refused(&parent(), &with(16_385)),
            "Payload exceeds maximum size; 16385 > 16384"
        );
        let urgent = JobDispatchRequest {
            priority: 101,
            ..request(&["scene"])
        };
        assert_eq!(
            refused(&parent(), &urgent),
            "job priority must be between [1, 100]"
        );
    }

    #[test]
    fn the_largest_payload_and_the_highest_priority_are_allowed() {
        let largest = JobDispatchRequest {
            payload: vec![7; MAX_PAYLOAD],
            priority: 100,
            ..request(&["scene"])
        };
        let child = derive(&parent(), &largest, "", UnixNanos(0), "0", 100).expect("allowed");
        assert_eq!(child.priority, 100);
    }

    #[test]
    fn payloads_survive_storage() {
        for payload in [Vec::new(), b"x".to_vec(), vec![3; MAX_PAYLOAD]] {
            assert_eq!(decompress(&compress(&payload)).expect("a block"), payload);
        }
        assert!(decompress(b"\xff\xff\xff").is_err());
    }
}
