//! Scaling policies (http-api §2.9).

use crate::endpoints::{Answered, Call};
use caravan_model::*;
use caravan_state::Table;

const TABLES: &[Table] = &[Table::ScalingPolicies];

fn target<'a>(policy: &'a ScalingPolicy, name: &str) -> &'a str {
    policy.target.get(name).map_or("", String::as_str)
}

pub(super) fn list(call: &Call) -> Answered {
    let prefix = call.request.options.prefix.as_str();
    let job = call.request.query.text("job");
    let kind = call.request.query.text("type");
    let rows: Vec<ScalingPolicyListStub> = call
        .state
        .scaling_policies()
        .filter(|policy| call.in_scope(&target(policy, "Namespace").into()))
        .filter(|policy| policy.id.starts_with(prefix))
        .filter(|policy| job.is_none_or(|job| target(policy, "Job") == job))
        .filter(|policy| kind.is_none_or(|kind| policy.r#type == kind))
        .map(|policy| ScalingPolicyListStub {
            id: policy.id.clone(),
            enabled: policy.enabled,
            r#type: policy.r#type.clone(),
            target: policy.target.clone(),
            create_index: policy.create_index,
            modify_index: policy.modify_index,
        })
        .collect();
    call.object(&rows, call.state.index_of_any(TABLES), TABLES)
}

pub(super) fn read(call: &Call) -> Answered {
    let id = call.request.param("id").to_owned();
    match call.state.scaling_policy(&id) {
        Some(policy) => {
            call.permit_in(&target(policy, "Namespace").into())?;
            call.object(&**policy, policy.modify_index, TABLES)
        }
        None => {
            let index = call.state.index_of_any(TABLES).max(1);
            Err(caravan_http::ApiError::not_found("policy not found")
                .with_meta(call.head(index, TABLES)))
        }
    }
}
