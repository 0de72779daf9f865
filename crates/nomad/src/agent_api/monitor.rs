//! The agent's own log, followed over the API (http-api §3.4).

use super::{AgentOps, Answered};
use crate::agent::{Form, verbosity};
use caravan_http::frames::{self, Frame};
use caravan_http::{ApiError, ApiRequest, Op};
use tokio::sync::mpsc;

/// Lines that may wait for a slow reader; then it misses some.
const WAITING: usize = 64;
/// `info`, when nothing is asked for.
const USUAL: usize = 3;

pub(super) fn follow(agent: &AgentOps, request: &ApiRequest) -> Answered {
    let query = &request.query;
    let level = query.text("log_level").and_then(verbosity).unwrap_or(USUAL);
    let form = Form {
        json: query.flag("log_json")?,
        location: query.flag("log_include_location")?,
    };
    let plain = query.flag("plain")?;
    let mut log = agent.reloader.log.follow(level);
    let (sender, received) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        loop {
            let record = tokio::select! {
                record = log.next() => record,
                () = sender.closed() => return,
            };
            let Some(record) = record else { return };
            let data = (record.line(form) + "\n").into();
            if sender
                .send(Ok(Frame {
                    data,
                    ..Frame::default()
                }))
                .await
                .is_err()
            {
                return;
            }
        }
    });
    Ok(frames::answer_now(
        received,
        if plain {
            frames::Form::Plain
        } else {
            frames::Form::Json
        },
    ))
}

/// What is wrong with a request to follow or to export the log.
pub(super) fn check(request: &ApiRequest) -> Result<(), ApiError> {
    let query = &request.query;
    super::one_target(request)?;
    if let Some(level) = query.text("log_level")
        && (verbosity(level).is_none() || level.eq_ignore_ascii_case("off"))
    {
        return Err(ApiError::bad_request(format!("Unknown log level: {level}")));
    }
    if let Some(text) = query.text("log_json")
        && query.bool("log_json").is_err()
    {
        return Err(ApiError::bad_request(format!(
            "Unknown option for log json: strconv.ParseBool: parsing {text:?}: invalid syntax"
        )));
    }
    let exported = request.op == Op::AgentMonitorExport;
    if exported && query.text("service_name").is_none() && query.text("on_disk").is_none() {
        return Err(ApiError::bad_request(
            "Either -service-name or -on-disk must be set",
        ));
    }
    Ok(())
}
