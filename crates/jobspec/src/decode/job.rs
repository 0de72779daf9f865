//! The job itself.

use super::content::{BlockRef, Content};
use super::group::group;
use super::placement::{affinities, constraints, spreads};
use super::policy::{all, inherited, migrate, only, reschedule, update};
use super::schema::{Schema, many, named, one};
use super::task::{secret, task, vault};
use crate::eval::{Scope, Session};
use caravan_model::api::{
    ApiJob, ApiJobUi, ApiJobUiLink, ApiMultiregion, ApiMultiregionRegion, ApiMultiregionStrategy,
    ApiParameterizedJobConfig, ApiPeriodicConfig, ApiTaskGroup,
};

pub(super) const JOB: Schema = Schema {
    attributes: &[
        "id",
        "name",
        "region",
        "namespace",
        "type",
        "priority",
        "all_at_once",
        "datacenters",
        "node_pool",
        "meta",
    ],
    blocks: &[
        many("affinity"),
        many("constraint"),
        named("group"),
        one("meta"),
        one("migrate"),
        one("multiregion"),
        one("parameterized"),
        one("periodic"),
        one("reschedule"),
        named("secret"),
        many("spread"),
        named("task"),
        one("ui"),
        one("update"),
        one("vault"),
    ],
};

const PERIODIC: Schema = Schema {
    attributes: &["enabled", "cron", "crons", "prohibit_overlap", "time_zone"],
    blocks: &[],
};

const PARAMETERIZED: Schema = Schema {
    attributes: &["payload", "meta_required", "meta_optional"],
    blocks: &[],
};

const UI: Schema = Schema {
    attributes: &["description"],
    blocks: &[many("link")],
};

const LINK: Schema = Schema {
    attributes: &["label", "url"],
    blocks: &[],
};

const MULTIREGION: Schema = Schema {
    attributes: &[],
    blocks: &[one("strategy"), named("region")],
};

const STRATEGY: Schema = Schema {
    attributes: &["max_parallel", "on_failure"],
    blocks: &[],
};

const REGION: Schema = Schema {
    attributes: &["count", "datacenters", "node_pool", "meta"],
    blocks: &[one("meta")],
};

pub(super) fn job(cx: &mut Session<'_>, block: &BlockRef<'_>, body: &Content<'_>) -> ApiJob {
    let label = block.label(0);
    let mut groups = Vec::new();
    for task in all(cx, body, "task", task).unwrap_or_default() {
        groups.push(ApiTaskGroup {
            name: Some(task.name.clone()),
            tasks: Some(vec![task]),
            ..ApiTaskGroup::default()
        });
    }
    groups.extend(all(cx, body, "group", group).unwrap_or_default());
    let copies = groups.iter().flat_map(|g| &g.tasks).map(Vec::len).sum();
    let vault = only(cx, body, "vault", vault);
    let vault = inherited(cx, body, vault, copies);
    let secrets = all(cx, body, "secret", secret);
    let secrets = inherited(cx, body, secrets, copies);
    for task in groups.iter_mut().flat_map(|g| g.tasks.iter_mut().flatten()) {
        if task.vault.is_none() {
            task.vault.clone_from(&vault);
        }
        if let Some(secrets) = &secrets {
            task.secrets
                .get_or_insert_default()
                .extend(secrets.iter().cloned());
        }
    }
    ApiJob {
        affinities: affinities(cx, body),
        all_at_once: body.bool(cx, "all_at_once"),
        constraints: constraints(cx, body),
        datacenters: body.texts(cx, "datacenters"),
        id: Some(body.text(cx, "id").unwrap_or_else(|| label.clone())),
        meta: body.text_map(cx, "meta"),
        migrate: only(cx, body, "migrate", migrate),
        multiregion: only(cx, body, "multiregion", multiregion),
        name: Some(body.text(cx, "name").unwrap_or(label)),
        namespace: body.text(cx, "namespace"),
        node_pool: body.text(cx, "node_pool"),
        parameterized_job: only(cx, body, "parameterized", parameterized),
        periodic: only(cx, body, "periodic", periodic),
        priority: body.int(cx, "priority"),
        region: body.text(cx, "region"),
        reschedule: only(cx, body, "reschedule", reschedule),
        spreads: spreads(cx, body),
        task_groups: (!groups.is_empty()).then_some(groups),
        r#type: body.text(cx, "type"),
        ui: only(cx, body, "ui", ui),
        update: only(cx, body, "update", update),
        ..ApiJob::default()
    }
}

fn periodic(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiPeriodicConfig {
    let body = block.content(cx, scope, &PERIODIC);
    let spec = body.text(cx, "cron");
    let specs = body.texts(cx, "crons");
    let is_cron = spec.is_some() || specs.is_some();
    ApiPeriodicConfig {
        enabled: body.bool(cx, "enabled"),
        prohibit_overlap: body.bool(cx, "prohibit_overlap"),
        spec,
        spec_type: is_cron.then(|| "cron".to_owned()),
        specs,
        time_zone: body.text(cx, "time_zone"),
    }
}

fn parameterized(
    cx: &mut Session<'_>,
    block: &BlockRef<'_>,
    scope: &Scope,
) -> ApiParameterizedJobConfig {
    let body = block.content(cx, scope, &PARAMETERIZED);
    ApiParameterizedJobConfig {
        meta_optional: body.texts(cx, "meta_optional"),
        meta_required: body.texts(cx, "meta_required"),
        payload: body.plain_text(cx, "payload"),
    }
}

fn ui(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiJobUi {
    let body = block.content(cx, scope, &UI);
    ApiJobUi {
        description: body.plain_text(cx, "description"),
        links: all(cx, &body, "link", link),
    }
}

fn link(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiJobUiLink {
    let body = block.content(cx, scope, &LINK);
    ApiJobUiLink {
        label: body.plain_text(cx, "label"),
        url: body.plain_text(cx, "url"),
    }
}

fn multiregion(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiMultiregion {
    let body = block.content(cx, scope, &MULTIREGION);
    ApiMultiregion {
        regions: all(cx, &body, "region", region),
        strategy: only(cx, &body, "strategy", strategy),
    }
}

fn strategy(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiMultiregionStrategy {
    let body = block.content(cx, scope, &STRATEGY);
    ApiMultiregionStrategy {
        max_parallel: body.int(cx, "max_parallel"),
        on_failure: body.text(cx, "on_failure"),
    }
}

fn region(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiMultiregionRegion {
    let body = block.content(cx, scope, &REGION);
    ApiMultiregionRegion {
        count: body.int(cx, "count"),
        datacenters: body.texts(cx, "datacenters"),
        meta: body.text_map(cx, "meta"),
        name: block.label(0),
        node_pool: body.plain_text(cx, "node_pool"),
    }
}
