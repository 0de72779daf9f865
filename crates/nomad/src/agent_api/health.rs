//! Whether the agent does what it is for (http-api §2.6).

use super::{AgentOps, Answered};
use caravan_http::{Answer, ApiError, ApiRequest, Meta};
use caravan_model::{AgentHealth, AgentRoleHealth};

fn role(fault: Option<&str>) -> AgentRoleHealth {
    AgentRoleHealth {
        message: fault.unwrap_or("ok").to_owned(),
        ok: fault.is_none(),
    }
}

pub(super) fn health(agent: &AgentOps, request: &ApiRequest) -> Answered {
    let asked = request.query.get("type").unwrap_or_default();
    let wants = |name: &str| asked.is_empty() || asked == name;
    let leader = agent
        .server
        .as_ref()
        .map(|server| server.consensus().leader().is_some());
    let mut answer = AgentHealth::default();
    if wants("client") {
        if agent.has_node {
            let alone = agent
                .upstream
                .as_ref()
                .is_some_and(|upstream| upstream.servers().is_empty());
            answer.client = Some(role(alone.then_some("no known servers")));
        } else if asked == "client" {
            answer.client = Some(role(Some("client not enabled")));
        }
    }
    if wants("server") {
        match leader {
            Some(led) => answer.server = Some(role((!led).then_some("no leader"))),
            None if asked == "server" => answer.server = Some(role(Some("server not enabled"))),
            None => {}
        }
    }
    let well = [&answer.client, &answer.server]
        .into_iter()
        .flatten()
        .all(|role| role.ok);
    if well {
        return Answer::json(&answer, Meta::none());
    }
    let text =
        serde_json::to_string(&answer).map_err(|error| ApiError::internal(error.to_string()))?;
    Err(ApiError::internal(text))
}
