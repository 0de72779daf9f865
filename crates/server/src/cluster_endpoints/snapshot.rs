//! Saving and restoring the whole state (http-api §2.8, server sheet §18).

use crate::endpoints::{Answered, Call};
use caravan_http::ApiError;

pub(super) async fn save(call: &Call) -> Answered {
    if call.shared.config.data_dir.is_none() {
        return Err(ApiError::internal(
            "failed to open snapshot: open is not supported:",
        ));
    }
    Err(ApiError::new(
        501,
        "saving snapshots is not supported by this version",
    ))
}

pub(super) async fn restore(call: &Call) -> Answered {
    if !call.request.body.starts_with(&[0x1f, 0x8b]) {
        return Err(ApiError::internal(
            "failed to restore from snapshot: failed to decompress snapshot: unexpected EOF",
        ));
    }
    Err(ApiError::new(
        501,
        "restoring snapshots is not supported by this version",
    ))
}
