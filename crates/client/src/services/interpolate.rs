//! References in what a job says of a service, replaced by what they stand for in a task.

use caravan_model::{Service, ServiceCheck};

use crate::task::env::TaskEnv;

pub(super) fn service(service: &Service, env: &TaskEnv) -> Service {
    let mut service = service.clone();
    let replace = |text: &mut String| *text = env.replace(text);
    [
        &mut service.name,
        &mut service.port_label,
        &mut service.address,
    ]
    .into_iter()
    .for_each(replace);
    let tags = service.tags.iter_mut().chain(&mut service.canary_tags);
    tags.for_each(replace);
    let values = service.meta.iter_mut().chain(&mut service.canary_meta);
    let values = values.chain(&mut service.tagged_addresses);
    values.for_each(|(_, value)| replace(value));
    for check in &mut service.checks {
        texts(check).for_each(replace);
    }
    service
}

fn texts(check: &mut ServiceCheck) -> impl Iterator<Item = &mut String> {
    [
        &mut check.name,
        &mut check.path,
        &mut check.protocol,
        &mut check.port_label,
        &mut check.command,
        &mut check.method,
        &mut check.body,
        &mut check.grpc_service,
        &mut check.initial_status,
        &mut check.notes,
    ]
    .into_iter()
    .chain(&mut check.args)
    .chain(check.header.values_mut().flatten())
}
