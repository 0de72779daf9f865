//! How the whole cluster schedules and looks after its servers (http-api §2.8).

use crate::endpoints::{Answered, Call};
use crate::propose::ProposeError;
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::{Applied, ApplyError, Command, Table};
use std::sync::Arc;

/// The index of a check-and-set, when one is asked for.
fn cas(call: &Call) -> Result<Option<u64>, ApiError> {
    let Some(text) = call.request.query.text("cas") else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|_| {
        ApiError::bad_request(format!(
            "Error parsing cas value: strconv.ParseUint: parsing {text:?}: invalid syntax"
        ))
    })
}

/// Proposes a change with a check; `None` when the check failed.
async fn checked(call: &Call, command: Command) -> Result<Option<Arc<Applied>>, ApiError> {
    match call.shared.proposer.propose(&command).await {
        Ok(applied) => Ok(Some(applied)),
        Err(ProposeError::Refused(ApplyError::IndexMismatch { .. })) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn parsed<T: serde::de::DeserializeOwned>(call: &Call, what: &str) -> Result<T, ApiError> {
    call.request.json().map_err(|error| {
        ApiError::bad_request(format!("Error parsing {what} config: {}", error.message))
    })
}

pub(super) fn autopilot(call: &Call) -> Answered {
    match call.state.autopilot_config() {
        Some(config) => Answer::json(config.as_ref(), Meta::none()),
        None => Err(ApiError::not_found("autopilot configuration not found")),
    }
}

pub(super) async fn set_autopilot(call: &Call) -> Answered {
    let check_index = cas(call)?;
    let config: AutopilotConfiguration = parsed(call, "autopilot")?;
    let done = checked(
        call,
        Command::SetAutopilotConfig {
            config: Box::new(config),
            check_index,
        },
    )
    .await?;
    Answer::json(&done.is_some(), Meta::none())
}

pub(super) fn scheduler(call: &Call) -> Answered {
    let config = call.state.scheduler_config();
    let index = config.map_or(0, |config| config.modify_index);
    let answer = SchedulerConfigurationResponse {
        scheduler_config: config.map(|config| SchedulerConfiguration::clone(config)),
        meta: QueryMeta {
            index,
            known_leader: true,
            ..QueryMeta::default()
        },
    };
    call.object(&answer, index, &[Table::SchedulerConfig])
}

pub(super) async fn set_scheduler(call: &Call) -> Answered {
    let check_index = cas(call)?;
    let config: SchedulerConfiguration = parsed(call, "scheduler")?;
    if !matches!(
        config.scheduler_algorithm.as_str(),
        "" | "binpack" | "spread"
    ) {
        return Err(ApiError::bad_request(format!(
            "invalid scheduler algorithm: {}",
            config.scheduler_algorithm
        )));
    }
    let done = checked(
        call,
        Command::SetSchedulerConfig {
            config: Box::new(config),
            check_index,
        },
    )
    .await?;
    let index = done.as_ref().map_or_else(
        || call.shared.store.snapshot().index(),
        |applied| applied.index,
    );
    Answer::json(
        &SchedulerConfigurationUpdate {
            updated: done.is_some(),
            index,
        },
        Meta::write(index),
    )
}

/// Jobs that take secrets from Vault have to name an identity; this edition accepts no others.
pub(super) fn upgrade_check(call: &Call) -> Answered {
    if call.request.param("check") != "vault-workload-identity" {
        return Err(ApiError::not_found(format!(
            "Path /v1/operator/upgrade-check/{} not found",
            call.request.param("check")
        )));
    }
    let index = call.state.index_of(Table::Jobs).max(1);
    let answer = UpgradeCheckVaultResponse {
        jobs_without_vault_identity: Some(Vec::new()),
        outdated_nodes: Some(Vec::new()),
        vault_tokens: None,
        meta: QueryMeta {
            index,
            known_leader: true,
            ..QueryMeta::default()
        },
    };
    Answer::json(&answer, Meta::read(index))
}
