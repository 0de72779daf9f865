//! The workers that schedule on this server (http-api §2.6).

use super::{AgentOps, Answered};
use caravan_http::{Answer, ApiError, ApiRequest, Meta};
use caravan_model::{AgentScheduler, AgentSchedulers, AgentSchedulersConfig};

const KINDS: [&str; 5] = ["service", "batch", "system", "sysbatch", "_core"];

fn kinds() -> Vec<String> {
    KINDS.map(str::to_owned).to_vec()
}

fn count(agent: &AgentOps) -> i64 {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    agent
        .config
        .settings
        .server
        .num_schedulers
        .map_or(workers as i64, |count| count as i64)
}

fn server_id(agent: &AgentOps) -> String {
    format!("{}.{}", agent.config.name, agent.config.settings.region)
}

fn need_server(agent: &AgentOps) -> Result<(), ApiError> {
    agent
        .need_server()
        .map(|_| ())
        .map_err(|_| ApiError::bad_request("server is not enabled"))
}

pub(super) fn list(agent: &AgentOps) -> Answered {
    need_server(agent)?;
    let schedulers = (0..count(agent))
        .map(|number| AgentScheduler {
            id: format!("{}/{number}", server_id(agent)),
            enabled_schedulers: kinds(),
            started: agent.started_at,
            status: "Started".to_owned(),
            workload_status: "WaitingToDequeue".to_owned(),
        })
        .collect();
    Answer::json(
        &AgentSchedulers {
            schedulers,
            server_id: server_id(agent),
        },
        Meta::none(),
    )
}

pub(super) fn config(agent: &AgentOps) -> Answered {
    need_server(agent)?;
    let answer = AgentSchedulersConfig {
        enabled_schedulers: kinds(),
        num_schedulers: count(agent),
        server_id: server_id(agent),
    };
    Answer::json(&answer, Meta::none())
}

pub(super) fn set_config(agent: &AgentOps, request: &ApiRequest) -> Answered {
    need_server(agent)?;
    let wanted: AgentSchedulersConfig = request
        .json()
        .map_err(|error| ApiError::bad_request(format!("Invalid request: {}", error.message)))?;
    let known = wanted
        .enabled_schedulers
        .iter()
        .all(|kind| KINDS.contains(&kind.as_str()));
    if !known
        || !wanted.enabled_schedulers.iter().any(|kind| kind == "_core")
        || wanted.num_schedulers < 0
    {
        return Err(ApiError::bad_request("Invalid request"));
    }
    if wanted.num_schedulers != count(agent) || wanted.enabled_schedulers.len() != KINDS.len() {
        return Err(ApiError::new(
            501,
            "changing the schedulers of a running server is not supported by this version",
        ));
    }
    config(agent)
}
