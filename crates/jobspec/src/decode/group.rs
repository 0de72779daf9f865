//! Task groups.

use super::content::BlockRef;
use super::network::network;
use super::placement::{affinities, constraints, spreads};
use super::policy::{
    all, disconnect, ephemeral_disk, inherited, migrate, only, reschedule, restart, update,
};
use super::scaling::group_scaling;
use super::schema::{Schema, many, named, one};
use super::service::service;
use super::task::{consul, secret, task, vault};
use super::volume::volume;
use crate::eval::{Scope, Session};
use caravan_model::api::ApiTaskGroup;
use std::collections::BTreeMap;

const GROUP: Schema = Schema {
    attributes: &[
        "count",
        "meta",
        "shutdown_delay",
        "max_run_duration",
        "stop_after_client_disconnect",
        "max_client_disconnect",
        "prevent_reschedule_on_lost",
    ],
    blocks: &[
        many("affinity"),
        many("constraint"),
        one("consul"),
        one("disconnect"),
        one("ephemeral_disk"),
        one("meta"),
        one("migrate"),
        many("network"),
        one("reschedule"),
        one("restart"),
        one("scaling"),
        named("secret"),
        many("service"),
        many("spread"),
        named("task"),
        one("update"),
        one("vault"),
        named("volume"),
    ],
};

pub(super) fn group(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiTaskGroup {
    let body = block.content(cx, scope, &GROUP);
    let mut tasks = all(cx, &body, "task", task);
    let copies = tasks.as_ref().map_or(0, Vec::len);
    let vault = only(cx, &body, "vault", vault);
    let vault = inherited(cx, &body, vault, copies);
    let secrets = all(cx, &body, "secret", secret);
    let secrets = inherited(cx, &body, secrets, copies);
    for task in tasks.iter_mut().flatten() {
        if task.vault.is_none() {
            task.vault.clone_from(&vault);
        }
        if let Some(secrets) = &secrets {
            // A task with secrets of its own gets those once more, not the group's: recorded behaviour.
            let given = task.secrets.clone().unwrap_or_else(|| secrets.clone());
            task.secrets.get_or_insert_default().extend(given);
        }
    }
    let volumes = all(cx, &body, "volume", volume).map(|volumes| {
        let named = volumes.into_iter().map(|it| (it.name.clone(), it));
        named.collect::<BTreeMap<_, _>>()
    });
    ApiTaskGroup {
        affinities: affinities(cx, &body),
        constraints: constraints(cx, &body),
        consul: only(cx, &body, "consul", consul),
        count: body.int(cx, "count"),
        disconnect: only(cx, &body, "disconnect", disconnect),
        ephemeral_disk: only(cx, &body, "ephemeral_disk", ephemeral_disk),
        max_client_disconnect: body.duration(cx, "max_client_disconnect"),
        max_run_duration: body.duration(cx, "max_run_duration"),
        meta: body.text_map(cx, "meta"),
        migrate: only(cx, &body, "migrate", migrate),
        name: Some(block.label(0)),
        networks: all(cx, &body, "network", network),
        prevent_reschedule_on_lost: body.bool(cx, "prevent_reschedule_on_lost"),
        reschedule_policy: only(cx, &body, "reschedule", reschedule),
        restart_policy: only(cx, &body, "restart", restart),
        scaling: only(cx, &body, "scaling", group_scaling),
        services: all(cx, &body, "service", service),
        shutdown_delay: body.duration(cx, "shutdown_delay"),
        spreads: spreads(cx, &body),
        stop_after_client_disconnect: body.duration(cx, "stop_after_client_disconnect"),
        tasks,
        update: only(cx, &body, "update", update),
        volumes,
    }
}
