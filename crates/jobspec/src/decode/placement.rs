//! Constraints, affinities and spreads.

use super::content::{BlockRef, Content};
use super::schema::{Schema, named};
use crate::eval::{Scope, Session};
use caravan_model::api::{ApiAffinity, ApiSpread};
use caravan_model::{Constraint, SpreadTarget};

const CONSTRAINT: Schema = Schema {
    attributes: &[
        "attribute",
        "operator",
        "value",
        "version",
        "semver",
        "regexp",
        "distinct_hosts",
        "distinct_property",
        "set_contains",
        "set_contains_all",
        "set_contains_any",
        "is_set",
        "is_not_set",
    ],
    blocks: &[],
};

const AFFINITY: Schema = Schema {
    attributes: &[
        "attribute",
        "operator",
        "value",
        "weight",
        "version",
        "semver",
        "regexp",
        "set_contains",
        "set_contains_all",
        "set_contains_any",
    ],
    blocks: &[],
};

const SPREAD: Schema = Schema {
    attributes: &["attribute", "weight"],
    blocks: &[named("target")],
};

const TARGET: Schema = Schema {
    attributes: &["value", "percent"],
    blocks: &[],
};

/// All constraints of a body, or none when it has none.
pub(super) fn constraints(cx: &mut Session<'_>, body: &Content<'_>) -> Option<Vec<Constraint>> {
    let blocks = body.blocks("constraint");
    let all: Vec<_> = blocks.map(|it| constraint(cx, it, &body.scope)).collect();
    (!all.is_empty()).then_some(all)
}

fn constraint(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> Constraint {
    let body = block.content(cx, scope, &CONSTRAINT);
    let mut out = Constraint {
        l_target: body.plain_text(cx, "attribute"),
        r_target: body.plain_text(cx, "value"),
        operand: body.plain_text(cx, "operator"),
    };
    for shorthand in ["version", "semver", "regexp", "set_contains"] {
        if let Some(value) = body.text(cx, shorthand) {
            out.operand = shorthand.to_owned();
            out.r_target = value;
        }
    }
    if let Some(distinct) = body.bool(cx, "distinct_hosts") {
        out.operand = "distinct_hosts".to_owned();
        out.r_target = distinct.to_string();
    }
    if let Some(property) = body.text(cx, "distinct_property") {
        out.operand = "distinct_property".to_owned();
        out.l_target = property;
    }
    // Known, and without effect; their values still have to be of the right type.
    for ignored in ["set_contains_all", "set_contains_any"] {
        body.text(cx, ignored);
    }
    for ignored in ["is_set", "is_not_set"] {
        body.bool(cx, ignored);
    }
    if out.operand.is_empty() {
        out.operand = "=".to_owned();
    }
    out
}

/// All affinities of a body, or none when it has none.
pub(super) fn affinities(cx: &mut Session<'_>, body: &Content<'_>) -> Option<Vec<ApiAffinity>> {
    let blocks = body.blocks("affinity");
    let all: Vec<_> = blocks.map(|it| affinity(cx, it, &body.scope)).collect();
    (!all.is_empty()).then_some(all)
}

fn affinity(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiAffinity {
    let body = block.content(cx, scope, &AFFINITY);
    let mut out = ApiAffinity {
        l_target: body.plain_text(cx, "attribute"),
        r_target: body.plain_text(cx, "value"),
        operand: body.plain_text(cx, "operator"),
        weight: body.int(cx, "weight"),
    };
    for shorthand in [
        "version",
        "semver",
        "regexp",
        "set_contains",
        "set_contains_all",
        "set_contains_any",
    ] {
        if let Some(value) = body.text(cx, shorthand) {
            out.operand = shorthand.to_owned();
            out.r_target = value;
        }
    }
    if out.operand.is_empty() {
        out.operand = "=".to_owned();
    }
    out
}

/// All spreads of a body, or none when it has none.
pub(super) fn spreads(cx: &mut Session<'_>, body: &Content<'_>) -> Option<Vec<ApiSpread>> {
    let blocks = body.blocks("spread");
    let all: Vec<_> = blocks.map(|it| spread(cx, it, &body.scope)).collect();
    (!all.is_empty()).then_some(all)
}

fn spread(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiSpread {
    let body = block.content(cx, scope, &SPREAD);
    let mut targets = Vec::new();
    for block in body.blocks("target") {
        let target = block.content(cx, &body.scope, &TARGET);
        let value = target.text(cx, "value");
        targets.push(SpreadTarget {
            value: value.unwrap_or_else(|| block.label(0)),
            percent: target.count(cx, "percent").unwrap_or_default(),
        });
    }
    ApiSpread {
        attribute: body.plain_text(cx, "attribute"),
        spread_target: (!targets.is_empty()).then_some(targets),
        weight: body.int(cx, "weight"),
    }
}
