//! Saving and restoring the whole state (http-api §2.8, server sheet §18).

use crate::endpoints::{Answered, Call};
use crate::propose::{ProposeError, Proposer};
use crate::{archive, clock};
use base64::Engine;
use caravan_http::{Answer, ApiError, Meta};
use caravan_state::{Command, RestorePart};
use std::sync::Arc;

/// How much of a dump one entry of the log holds.
const PART: usize = 4 << 20;

pub(super) async fn save(call: &Call) -> Answered {
    if call.shared.config.data_dir.is_none() {
        return Err(ApiError::internal(
            "failed to open snapshot: open is not supported:",
        ));
    }
    let (state, term, now) = (
        Arc::clone(&call.state),
        call.shared.consensus.status().term,
        clock::now(),
    );
    let packed = tokio::task::spawn_blocking(move || archive::pack(&state, term, now))
        .await
        .map_err(|error| ApiError::internal(error.to_string()))?
        .map_err(|error| ApiError::internal(format!("failed to write snapshot: {error}")))?;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &packed);
    let digest = base64::engine::general_purpose::STANDARD.encode(digest);
    let mut answer = Answer::bytes("application/x-gzip", packed)
        .with_header("Digest", format!("sha-256={digest}"));
    answer.head.meta = Meta::read(call.state.index());
    Ok(answer)
}

/// Puts the state back through the log, so that every server does, and begins to lead anew.
pub(super) async fn restore(call: &Call) -> Answered {
    let body = call.request.body.clone();
    let dump = tokio::task::spawn_blocking(move || archive::unpack(&body))
        .await
        .map_err(|error| ApiError::internal(error.to_string()))?
        .map_err(|error| ApiError::internal(format!("failed to restore from snapshot: {error}")))?;
    let restored = put_back(&call.shared.proposer, &dump).await;
    restored.map_err(|error| match error {
        ProposeError::Refused(refused) => {
            ApiError::internal(format!("failed to restore from snapshot: {refused}"))
        }
        other => other.into(),
    })?;
    call.shared.lead_anew.notify_one();
    Ok(Answer::empty(Meta::none()))
}

/// Puts a dump through the log, part by part.
async fn put_back(proposer: &Proposer, dump: &[u8]) -> Result<(), ProposeError> {
    let restore = clock::uuid();
    let parts = dump.len().div_ceil(PART).max(1);
    for number in 0..parts {
        let bytes = dump.chunks(PART).nth(number).unwrap_or_default().to_vec();
        let (restore, last) = (restore.clone(), number + 1 == parts);
        let part = RestorePart {
            restore,
            number: number as u64,
            last,
            bytes,
        };
        proposer.propose(&Command::RestorePart(part)).await?;
    }
    Ok(())
}
