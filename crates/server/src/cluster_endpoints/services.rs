//! Services of the cluster's own registry (http-api §2.9).

use crate::endpoints::list::{self, Keyed};
use crate::endpoints::{Answered, Call};
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::{Command, ScopedKey, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const TABLES: &[Table] = &[Table::Services];
const CHOOSE_FORM: &str =
    "failed to choose services: Parameter for choose must be in form '<number>|<key>'";

/// Names and tags by namespace. Tags keep the order in which instances first named them.
pub(super) fn list(call: &Call) -> Answered {
    let mut found: BTreeMap<NamespaceName, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    for service in call
        .state
        .services()
        .filter(|service| call.in_scope(&service.namespace))
    {
        let names = found.entry(service.namespace.clone()).or_default();
        let tags = names.entry(service.service_name.clone()).or_default();
        let known: BTreeSet<String> = tags.iter().cloned().collect();
        tags.extend(
            service
                .tags
                .iter()
                .filter(|tag| !known.contains(*tag))
                .cloned(),
        );
    }
    let stub = |(service_name, tags)| ServiceStub { service_name, tags };
    let shown: Vec<ServiceListStub> = found
        .into_iter()
        .map(|(namespace, names)| {
            let mut services: Vec<ServiceStub> = names.into_iter().map(stub).collect();
            // A name comes after those that go on from it.
            services.sort_by_cached_key(|service| service.service_name.clone() + "~");
            ServiceListStub {
                namespace,
                services,
            }
        })
        .collect();
    // A registry that nothing was ever written to is as old as the cluster.
    call.object(&shown, call.state.index_of_any(TABLES), TABLES)
}

pub(super) fn read(call: &Call) -> Answered {
    let name = call.request.param("name");
    let mut rows: Vec<Keyed<ServiceRegistration>> = call
        .state
        .services()
        .filter(|service| call.in_scope(&service.namespace) && service.service_name == name)
        .map(|service| Keyed {
            key: format!("{}.{}", service.namespace, service.id),
            row: Arc::clone(service),
        })
        .collect();
    if let Some(choice) = call.request.query.text("choose") {
        rows = choose(rows, choice)?;
    }
    let mut answer = list::answer(call, TABLES, rows, ServiceRegistration::clone)?;
    answer.head.meta.index = answer.head.meta.index.map(|index| index.max(1));
    Ok(answer)
}

/// The `<number>` instances that a `<key>` is bound to, the same ones each time while they exist.
fn choose(
    mut rows: Vec<Keyed<ServiceRegistration>>,
    choice: &str,
) -> Result<Vec<Keyed<ServiceRegistration>>, ApiError> {
    let wanted = choice.split_once('|').filter(|(_, key)| !key.contains('|'));
    let (count, key) = wanted
        .and_then(|(count, key)| Some((count.parse::<usize>().ok()?, key)))
        .ok_or_else(|| ApiError::bad_request(CHOOSE_FORM))?;
    rows.sort_by_cached_key(|row| super::content_hash(&(&row.row.id, key)));
    rows.truncate(count);
    Ok(rows)
}

pub(super) async fn delete(call: &Call) -> Answered {
    let namespace = call.request.namespace().to_owned();
    let services = vec![ScopedKey::new(namespace, call.request.param("id"))];
    let applied = call.propose(Command::DeleteServices { services }).await?;
    Ok(Answer::empty(Meta::write(applied.index)))
}
