//! Saving and restoring the whole state (http-api §2.8, server sheet §18).

use crate::endpoints::{Answered, Call};
use crate::propose::{ProposeError, Proposer};
use crate::server::Shared;
use crate::{archive, clock};
use base64::Engine;
use bytes::Bytes;
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

/// Puts the state back through the log, so that every server does, and begins to lead anew: also when the caller goes
/// away meanwhile, for a dump is not left in the middle, and queues of the state before are not worked on.
pub(super) async fn restore(call: &Call) -> Answered {
    let (shared, body) = (Arc::clone(&call.shared), call.request.body.clone());
    let restored = tokio::spawn(async move { put_back(&shared, body).await });
    restored
        .await
        .map_err(|error| ApiError::internal(error.to_string()))??;
    Ok(Answer::empty(Meta::none()))
}

async fn put_back(shared: &Shared, body: Bytes) -> Result<(), ApiError> {
    let refused =
        |why: String| ApiError::internal(format!("failed to restore from snapshot: {why}"));
    let dump = tokio::task::spawn_blocking(move || archive::unpack(&body))
        .await
        .map_err(|error| ApiError::internal(error.to_string()))?
        .map_err(refused)?;
    propose(&shared.proposer, &dump)
        .await
        .map_err(|error| match error {
            ProposeError::Refused(why) => refused(why.to_string()),
            other => other.into(),
        })?;
    shared.lead_anew.notify_one();
    Ok(())
}

/// Puts a dump through the log, part by part.
async fn propose(proposer: &Proposer, dump: &[u8]) -> Result<(), ProposeError> {
    let restore = clock::uuid();
    let (mut number, mut left) = (0, dump);
    loop {
        let (bytes, rest) = left.split_at(left.len().min(PART));
        let part = RestorePart {
            restore: restore.clone(),
            number,
            last: rest.is_empty(),
            bytes: bytes.to_vec(),
        };
        proposer.propose(&Command::RestorePart(part)).await?;
        if rest.is_empty() {
            return Ok(());
        }
        (number, left) = (number + 1, rest);
    }
}
