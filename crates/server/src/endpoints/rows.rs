//! Finds single rows by the ids that paths carry.

use super::Call;
use caravan_http::ApiError;
use caravan_model::*;
use std::str::FromStr;

/// A full id out of a path, with the reference's words for one that is none.
pub(crate) fn full_id<T: FromStr>(text: &str, object: &str) -> Result<T, ApiError> {
    if text.len() != 36 {
        return Err(ApiError::id_length(object));
    }
    text.parse().map_err(|_| ApiError::id_length(object))
}

impl Call {
    /// The id that the path names.
    pub(crate) fn id<T: FromStr>(&self, object: &str) -> Result<T, ApiError> {
        full_id(self.request.param("id"), object)
    }
}

/// The allocation as a list shows it.
pub(crate) fn stub(alloc: &Allocation) -> AllocationListStub {
    alloc.stub(false, true)
}
