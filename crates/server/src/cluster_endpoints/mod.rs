//! The endpoints of everything that is no job: see the files.

use crate::endpoints::{Answered, Call};
use caravan_http::ApiError;

pub(crate) async fn dispatch(call: Call) -> Answered {
    Err(ApiError::internal(format!("{} is not answered here", call.request.op.name())))
}
