//! Scaling policies of groups and tasks.

use super::content::{BlockRef, Content};
use super::free_form::free_form;
use super::schema::{Schema, one};
use crate::eval::{Scope, Session};
use caravan_model::api::ApiScalingPolicy;
use caravan_model::scaling_type;

const SCALING: Schema = Schema {
    attributes: &["enabled", "min", "max", "type"],
    blocks: &[one("policy")],
};

fn scaling(cx: &mut Session<'_>, body: &Content<'_>) -> ApiScalingPolicy {
    let policy = body.block("policy");
    ApiScalingPolicy {
        enabled: body.bool(cx, "enabled"),
        max: body.int(cx, "max"),
        min: body.int(cx, "min"),
        policy: policy.map(|block| free_form(cx, block, &body.scope)),
        r#type: body.plain_text(cx, "type"),
        ..ApiScalingPolicy::default()
    }
}

/// The scaling policy of a group's count.
pub(super) fn group_scaling(
    cx: &mut Session<'_>,
    block: &BlockRef<'_>,
    scope: &Scope,
) -> ApiScalingPolicy {
    let body = block.content(cx, scope, &SCALING);
    body.require(cx, "max");
    let mut policy = scaling(cx, &body);
    if policy.r#type.is_empty() {
        policy.r#type = scaling_type::HORIZONTAL.to_owned();
    } else if policy.r#type != scaling_type::HORIZONTAL {
        let detail = format!(
            "task group scaling policy had invalid type: {:?}",
            policy.r#type
        );
        let span = body
            .attribute("type")
            .map_or(block.header(), |a| a.expr.span);
        cx.diags.error(span, "Invalid group scaling type", detail);
    }
    policy
}

/// The scaling policies of a task's resources.
pub(super) fn task_scaling(
    cx: &mut Session<'_>,
    task: &Content<'_>,
) -> Option<Vec<ApiScalingPolicy>> {
    let mut policies = Vec::new();
    let mut seen: Vec<(&str, &BlockRef<'_>)> = Vec::new();
    for block in task.blocks("scaling") {
        let kind = match block.labels.first().map(|label| &*label.text) {
            Some("cpu") => scaling_type::VERTICAL_CPU,
            Some("mem") => scaling_type::VERTICAL_MEM,
            _ => {
                let span = block.labels.first().map_or(block.open, |label| label.span);
                let detail = "scaling policy name must be \"cpu\" or \"mem\"";
                cx.diags.error(span, "Invalid scaling policy name", detail);
                continue;
            }
        };
        if let Some((_, other)) = seen.iter().find(|(known, _)| *known == kind) {
            let label = block.label(0);
            let detail = format!(
                "Only one scaling {label} block is allowed. Another was defined at {}.",
                cx.diags.at(other.header())
            );
            let summary = format!("Duplicate scaling {label:?} block");
            cx.diags.error(block.header(), summary, detail);
            continue;
        }
        seen.push((kind, block));
        let body = block.content(cx, &task.scope, &SCALING);
        let mut policy = scaling(cx, &body);
        if policy.r#type.is_empty() {
            policy.r#type = kind.to_owned();
        } else if policy.r#type != kind {
            let detail = format!(
                "task scaling policy {:?} had invalid type: {:?}",
                block.label(0),
                policy.r#type
            );
            let span = body
                .attribute("type")
                .map_or(block.header(), |a| a.expr.span);
            cx.diags.error(span, "Invalid task scaling type", detail);
        }
        policies.push(policy);
    }
    (!policies.is_empty()).then_some(policies)
}
