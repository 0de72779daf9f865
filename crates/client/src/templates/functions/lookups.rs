//! Functions that read data from elsewhere: variables and services of the cluster, Consul, Vault.

use std::sync::Arc;

use caravan_model::ServiceRegistration;
use gotmpl::Value;
use sha2::{Digest, Sha256};

use super::super::data::{self, Need};
use super::super::engine::Pass;
use super::{Answer, Function, from_json, list, map, number, string, text};

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("nomadVar", |pass, args| {
        let path = text(args, 0)?;
        items(
            pass,
            Need::Variable {
                path,
                optional: false,
            },
        )
    }),
    ("nomadVarExists", |pass, args| {
        let path = text(args, 0)?;
        Ok(Value::Bool(is_there(
            pass,
            Need::Variable {
                path,
                optional: true,
            },
        )))
    }),
    ("nomadVarList", variables),
    ("nomadVarListSafe", variables),
    ("nomadService", services),
    ("nomadServices", |pass, _| {
        let found = names(pass, Need::ServiceNames);
        Ok(list(found.into_iter().map(|name| {
            map([
                ("Name".to_owned(), string(name)),
                ("Tags".to_owned(), list([])),
            ])
        })))
    }),
    ("key", |pass, args| {
        let path = text(args, 0)?;
        Ok(string(
            key(
                pass,
                Need::Key {
                    path,
                    optional: false,
                },
            )
            .unwrap_or_default(),
        ))
    }),
    ("keyExists", |pass, args| {
        let path = text(args, 0)?;
        Ok(Value::Bool(is_there(
            pass,
            Need::Key {
                path,
                optional: true,
            },
        )))
    }),
    ("keyOrDefault", |pass, args| {
        let path = text(args, 0)?;
        let found = key(
            pass,
            Need::Key {
                path,
                optional: true,
            },
        )
        .filter(|found| !found.is_empty());
        Ok(string(found.map_or_else(|| text(args, 1), Ok)?))
    }),
    ("ls", |pass, args| pairs(pass, args, true)),
    ("safeLs", |pass, args| pairs(pass, args, true)),
    ("tree", |pass, args| pairs(pass, args, false)),
    ("safeTree", |pass, args| pairs(pass, args, false)),
    ("service", |pass, args| {
        let name = text(args, 0)?;
        // `tag.name`, and `name|filter`, which asks for what is healthy anyway.
        let name = name.split('|').next().unwrap_or_default().to_owned();
        Ok(pass
            .ask(Need::ConsulService(name))
            .map_or_else(|| list([]), json_of))
    }),
    ("services", |pass, _| {
        let found = pass.ask(Need::ConsulServiceNames);
        let Some(data::Value::Json(serde_json::Value::Object(found))) = found else {
            return Ok(list([]));
        };
        Ok(list(found.iter().map(|(name, tags)| {
            map([
                ("Name".to_owned(), string(name)),
                ("Tags".to_owned(), from_json(tags)),
            ])
        })))
    }),
    ("datacenters", |pass, _| {
        Ok(list(names(pass, Need::Datacenters).into_iter().map(string)))
    }),
    ("secrets", |pass, args| {
        let path = text(args, 0)?;
        Ok(list(
            names(pass, Need::SecretNames(path)).into_iter().map(string),
        ))
    }),
    ("secret", |pass, args| {
        let path = text(args, 0)?;
        Ok(pass.ask(Need::Secret(path)).map_or(Value::Nil, json_of))
    }),
];

fn json_of(value: &data::Value) -> Value {
    match value {
        data::Value::Json(found) => from_json(found),
        _ => Value::Nil,
    }
}

fn is_there(pass: &Pass, need: Need) -> bool {
    !matches!(pass.ask(need), None | Some(data::Value::Absent))
}

fn key(pass: &Pass, need: Need) -> Option<String> {
    match pass.ask(need) {
        Some(data::Value::Text(found)) => Some(found.clone()),
        _ => None,
    }
}

fn names(pass: &Pass, need: Need) -> Vec<String> {
    match pass.ask(need) {
        Some(data::Value::Names(found)) => found.clone(),
        _ => Vec::new(),
    }
}

fn items(pass: &Pass, need: Need) -> Answer {
    match pass.ask(need) {
        Some(data::Value::Items(items)) => Ok(map(items
            .iter()
            .map(|(key, value)| (key.clone(), string(value))))),
        _ => Ok(Value::Nil),
    }
}

fn variables(pass: &Pass, args: &[Value]) -> Answer {
    let prefix = if args.is_empty() {
        String::new()
    } else {
        text(args, 0)?
    };
    let found = names(pass, Need::Variables(prefix));
    Ok(list(
        found
            .iter()
            .map(|path| map([("Path".to_owned(), string(path))])),
    ))
}

/// Keys below a prefix: those right below it, or all.
fn pairs(pass: &Pass, args: &[Value], flat: bool) -> Answer {
    let prefix = text(args, 0)?.trim_matches('/').to_owned();
    let Some(data::Value::Pairs(found)) = pass.ask(Need::Keys(prefix.clone())) else {
        return Ok(list([]));
    };
    let below = found.iter().filter_map(|(key, value)| {
        let rest = key.strip_prefix(&prefix)?.trim_start_matches('/');
        let passed = rest.is_empty() || rest.ends_with('/') || flat && rest.contains('/');
        (!passed).then(|| {
            map([
                ("Key".to_owned(), string(rest)),
                ("Path".to_owned(), string(key)),
                ("Value".to_owned(), string(value)),
            ])
        })
    });
    Ok(list(below))
}

fn services(pass: &Pass, args: &[Value]) -> Answer {
    // `nomadService "name"`, or with a count and a hash before it.
    let name = text(args, args.len().saturating_sub(1))?;
    let Some(data::Value::Services(found)) = pass.ask(Need::Service(name)) else {
        return Ok(list([]));
    };
    let mut found: Vec<&Arc<ServiceRegistration>> = found.iter().collect();
    if args.len() == 3 {
        let hash = text(args, 1)?;
        let rank = |service: &&Arc<ServiceRegistration>| {
            Sha256::digest(format!("{hash}{}", service.alloc_id)).to_vec()
        };
        found.sort_by_key(rank);
        found.truncate(usize::try_from(number(args, 0)?).unwrap_or(0));
    }
    Ok(list(
        found.into_iter().map(|service| service_value(service)),
    ))
}

fn service_value(service: &ServiceRegistration) -> Value {
    map([
        ("ID".to_owned(), string(&service.id)),
        ("Name".to_owned(), string(&service.service_name)),
        ("Address".to_owned(), string(&service.address)),
        ("Port".to_owned(), Value::Int(service.port)),
        ("Tags".to_owned(), list(service.tags.iter().map(string))),
        ("JobID".to_owned(), string(service.job_id.as_str())),
        ("AllocID".to_owned(), string(service.alloc_id.to_string())),
        ("NodeID".to_owned(), string(service.node_id.to_string())),
        ("Datacenter".to_owned(), string(&service.datacenter)),
        ("Namespace".to_owned(), string(service.namespace.as_str())),
    ])
}
