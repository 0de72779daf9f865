//! Who leads, who takes part, and which regions there are (http-api §2.7).

use crate::endpoints::{Answered, Call};
use caravan_http::{Answer, ApiError, Meta};

pub(super) fn leader(call: &Call) -> Answered {
    let leader = call
        .shared
        .consensus
        .leader()
        .ok_or_else(ApiError::no_leader)?;
    Answer::json(&leader.address, Meta::none())
}

pub(super) fn peers(call: &Call) -> Answered {
    let peers: Vec<String> = call
        .shared
        .consensus
        .members()
        .into_iter()
        .filter(|member| member.voter)
        .map(|member| member.address)
        .collect();
    Answer::json(&peers, Meta::none())
}

pub(super) fn regions(call: &Call) -> Answered {
    Answer::json(&[&call.shared.config.region], Meta::none())
}
