//! Functions that read data from elsewhere: services of the cluster, secrets of Vault.

use std::sync::Arc;

use caravan_model::ServiceRegistration;
use gotmpl::Value;
use sha2::{Digest, Sha256};

use super::super::data::{self, Need};
use super::super::pass::Pass;
use super::{Answer, Function, fail, from_json, list, map, number, string, text};

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("nomadService", services),
    ("nomadServices", |pass, _| {
        let found = match pass.ask(Need::ServiceTags) {
            Some(data::Value::Tags(found)) => found,
            _ => return Ok(list([])),
        };
        Ok(list(found.iter().map(|(name, tags)| {
            map([
                ("Name".to_owned(), string(name)),
                ("Tags".to_owned(), list(tags.iter().map(string))),
            ])
        })))
    }),
    ("secrets", |pass, args| {
        let path = text(args, 0)?;
        Ok(list(
            names(pass, Need::SecretNames(path)).into_iter().map(string),
        ))
    }),
    ("secret", |pass, args| {
        let need = written(args)?;
        Ok(pass.ask(need).map_or(Value::Nil, json_of))
    }),
    ("pkiCert", |pass, args| {
        let Some(data::Value::Json(found)) = pass.ask(written(args)?) else {
            return Ok(Value::Nil);
        };
        let data = &found["Data"];
        let chain = from_json(&data["ca_chain"]);
        Ok(map([
            ("Cert".to_owned(), from_json(&data["certificate"])),
            ("Key".to_owned(), from_json(&data["private_key"])),
            ("CA".to_owned(), from_json(&data["issuing_ca"])),
            ("CAChain".to_owned(), chain),
        ]))
    }),
];

fn json_of(value: &data::Value) -> Value {
    match value {
        data::Value::Json(found) => from_json(found),
        _ => Value::Nil,
    }
}

fn names(pass: &Pass, need: Need) -> Vec<String> {
    match pass.ask(need) {
        Some(data::Value::Names(found)) => found.clone(),
        _ => Vec::new(),
    }
}

/// A path of Vault and what is written to it, as `name=value`; nothing: it is read.
fn written(args: &[Value]) -> Result<Need, gotmpl::TemplateError> {
    let path = text(args, 0)?;
    let pairs: Vec<String> = args.iter().skip(1).map(ToString::to_string).collect();
    match pairs.iter().find(|pair| !pair.contains('=')) {
        Some(pair) => Err(fail(format!("{pair:?} is not written as name=value"))),
        None => Ok(Need::Secret { path, pairs }),
    }
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
