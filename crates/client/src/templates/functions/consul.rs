//! Functions over Consul: each says which question to its API it needs answered, and makes values of the answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gotmpl::Value;
use serde_json::{Value as Json, json};

use super::super::data::{self, Need};
use super::super::pass::Pass;
use super::{Answer, Function, from_json, list, map, string, text};
use crate::consul::escaped;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("key", |pass, args| {
        let found = pass.ask(key(&text(args, 0)?, false));
        Ok(string(found.and_then(content).unwrap_or_default()))
    }),
    ("keyExists", |pass, args| {
        let found = pass.ask(key(&text(args, 0)?, true));
        Ok(Value::Bool(found.and_then(content).is_some()))
    }),
    ("keyOrDefault", |pass, args| {
        let found = pass.ask(key(&text(args, 0)?, true)).and_then(content);
        let found = found.filter(|found| !found.is_empty());
        Ok(string(found.map_or_else(|| text(args, 1), Ok)?))
    }),
    ("ls", |pass, args| pairs(pass, &text(args, 0)?, true, true)),
    ("safeLs", |pass, args| {
        pairs(pass, &text(args, 0)?, true, false)
    }),
    ("tree", |pass, args| {
        pairs(pass, &text(args, 0)?, false, true)
    }),
    ("safeTree", |pass, args| {
        pairs(pass, &text(args, 0)?, false, false)
    }),
    ("service", |pass, args| {
        instances(pass, "service", &text(args, 0)?)
    }),
    ("connect", |pass, args| {
        instances(pass, "connect", &text(args, 0)?)
    }),
    ("services", |pass, args| {
        let wanted = optional(args)?;
        let wanted = Wanted::of(&wanted);
        let path = format!("/v1/catalog/services{}", wanted.query(&[]));
        let found = answer(pass, path, named("catalog.services", wanted.whole));
        let Some(Json::Object(found)) = found else {
            return Ok(list([]));
        };
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(list(found.into_iter().map(|(name, tags)| {
            map([
                ("Name".to_owned(), string(name)),
                ("Tags".to_owned(), from_json(&tags)),
            ])
        })))
    }),
    ("datacenters", |pass, _| {
        raw(pass, "/v1/catalog/datacenters", "catalog.datacenters")
    }),
    ("node", node),
    ("nodes", |pass, args| {
        let wanted = optional(args)?;
        let wanted = Wanted::of(&wanted);
        let path = format!("/v1/catalog/nodes{}", wanted.query(&[]));
        let found = answer(pass, path, named("catalog.nodes", wanted.whole));
        Ok(sorted(found, wanted.near, &["Node", "Address"]))
    }),
    ("caRoots", |pass, _| {
        let path = "/v1/agent/connect/ca/roots".to_owned();
        let Some(mut found) = answer(pass, path, "connect.caroots".to_owned()) else {
            return Ok(list([]));
        };
        let roots = found.get_mut("Roots").and_then(Json::as_array_mut);
        for root in roots.into_iter().flatten() {
            if let Some(root) = root.as_object_mut() {
                let pem = root.get("RootCert").cloned().unwrap_or_default();
                root.insert("RootCertPEM".to_owned(), pem);
            }
        }
        Ok(from_json(&found["Roots"]))
    }),
    ("caLeaf", |pass, args| {
        let name = text(args, 0)?;
        let path = format!("/v1/agent/connect/ca/leaf/{}", escaped(&name));
        raw(pass, &path, &format!("connect.caleaf({name})"))
    }),
    ("exportedServices", exported),
    ("importedServices", |pass, args| {
        let partition = text(args, 0)?;
        let path = format!("/v1/imported-services?partition={}", escaped(&partition));
        raw(pass, &path, &format!("list.importedServices({partition})"))
    }),
    ("partitions", |pass, _| {
        raw(pass, "/v1/partitions", "list.partitions")
    }),
    ("peerings", |pass, args| {
        let partition = optional(args)?;
        let path = match partition.as_str() {
            "" => "/v1/peerings".to_owned(),
            named => format!("/v1/peerings?partition={}", escaped(named)),
        };
        raw(pass, &path, "list.peerings")
    }),
];

/// What a template names as `tag.name@datacenter~near|filter`; only the name must be there, and for some not even that.
struct Wanted<'a> {
    tag: &'a str,
    name: &'a str,
    datacenter: &'a str,
    near: &'a str,
    filter: &'a str,
    /// All but the filter, as it is written.
    whole: &'a str,
}

impl<'a> Wanted<'a> {
    fn of(text: &'a str) -> Self {
        let cut = |text: &'a str, at: char| text.split_once(at).unwrap_or((text, ""));
        let (whole, filter) = cut(text, '|');
        let (rest, near) = cut(whole, '~');
        let (tagged, datacenter) = cut(rest, '@');
        let (tag, name) = tagged.rsplit_once('.').unwrap_or(("", tagged));
        Self {
            tag,
            name,
            datacenter,
            near,
            filter,
            whole,
        }
    }

    /// With more that is asked for.
    fn query(&self, more: &[(&str, &str)]) -> String {
        let own = [("dc", self.datacenter), ("near", self.near)];
        let all = own
            .iter()
            .chain(more)
            .filter(|(_, value)| !value.is_empty());
        let all: Vec<String> = all
            .map(|(name, value)| format!("{name}={}", escaped(value)))
            .collect();
        if all.is_empty() {
            String::new()
        } else {
            format!("?{}", all.join("&"))
        }
    }
}

/// As events name a question.
fn named(kind: &str, whole: &str) -> String {
    if whole.is_empty() {
        kind.to_owned()
    } else {
        format!("{kind}({whole})")
    }
}

fn optional(args: &[Value]) -> Result<String, gotmpl::TemplateError> {
    if args.is_empty() {
        Ok(String::new())
    } else {
        text(args, 0)
    }
}

fn answer(pass: &Pass, path: String, name: String) -> Option<Json> {
    let need = Need::Consul {
        path,
        name,
        optional: false,
    };
    match pass.ask(need) {
        Some(data::Value::Json(found)) => Some(found.clone()),
        _ => None,
    }
}

/// What is answered, as it is; nothing while it is not known.
fn raw(pass: &Pass, path: &str, name: &str) -> Answer {
    let found = answer(pass, path.to_owned(), name.to_owned());
    Ok(found.map_or_else(|| list([]), |found| from_json(&found)))
}

fn key(path: &str, optional: bool) -> Need {
    let wanted = path.split_once('@').unwrap_or((path, ""));
    let datacenter = match wanted.1 {
        "" => String::new(),
        named => format!("?dc={}", escaped(named)),
    };
    let place = escaped(wanted.0.trim_start_matches('/'));
    Need::Consul {
        path: format!("/v1/kv/{place}{datacenter}"),
        name: format!("kv.block({path})"),
        optional,
    }
}

/// What is stored at a key.
fn content(found: &data::Value) -> Option<String> {
    let data::Value::Json(rows) = found else {
        return None;
    };
    rows.get(0).map(decoded)
}

fn decoded(row: &Json) -> String {
    let bytes = STANDARD.decode(row["Value"].as_str().unwrap_or_default());
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}

/// Keys below a prefix: those right below it, or all. Where it may not be `empty`, one without keys is waited for.
fn pairs(pass: &Pass, wanted: &str, flat: bool, empty: bool) -> Answer {
    let (prefix, datacenter) = wanted.split_once('@').unwrap_or((wanted, ""));
    let prefix = prefix.trim_matches('/');
    let datacenter = match datacenter {
        "" => String::new(),
        named => format!("&dc={}", escaped(named)),
    };
    let need = Need::Consul {
        path: format!("/v1/kv/{}?recurse=true{datacenter}", escaped(prefix)),
        name: format!("kv.list({wanted})"),
        optional: empty,
    };
    let Some(data::Value::Json(Json::Array(rows))) = pass.ask(need) else {
        return Ok(list([]));
    };
    let below = rows.iter().filter_map(|row| {
        let key = row["Key"].as_str()?;
        let rest = key.strip_prefix(prefix)?.trim_start_matches('/');
        let passed = rest.is_empty() || rest.ends_with('/') || flat && rest.contains('/');
        (!passed).then(|| {
            map([
                ("Key".to_owned(), string(rest)),
                ("Path".to_owned(), string(key)),
                ("Value".to_owned(), string(decoded(row))),
            ])
        })
    });
    Ok(list(below))
}

/// The instances of a service, or of what stands in front of it: the healthy ones, or those whose health is named.
fn instances(pass: &Pass, kind: &str, wanted: &str) -> Answer {
    let wanted = Wanted::of(wanted);
    let filter = match wanted.filter {
        "" => "passing",
        given => given,
    };
    let only_passing = match filter {
        "passing" => "true",
        _ => "",
    };
    let query = wanted.query(&[("tag", wanted.tag), ("passing", only_passing)]);
    let path = format!("/v1/health/{kind}/{}{query}", escaped(wanted.name));
    let name = format!("health.{kind}({}|{filter})", wanted.whole);
    let found = answer(pass, path, name);
    let Some(Json::Array(found)) = found else {
        return Ok(list([]));
    };
    let fits = |one: &Json| {
        let status = one["Status"].as_str().unwrap_or_default();
        filter == "any" || filter.split(',').any(|wanted| wanted.trim() == status)
    };
    let each = found.iter().map(instance).filter(fits);
    let all = Some(Json::Array(each.collect()));
    Ok(sorted(all, wanted.near, &["Node", "ID"]))
}

fn instance(one: &Json) -> Json {
    let (service, node) = (&one["Service"], &one["Node"]);
    let own = service["Address"].as_str().filter(|text| !text.is_empty());
    json!({
        "ID": service["ID"], "Name": service["Service"], "Port": service["Port"], "Tags": service["Tags"],
        "Address": own.or(node["Address"].as_str()), "ServiceMeta": service["Meta"],
        "ServiceTaggedAddresses": service["TaggedAddresses"], "Weights": service["Weights"], "Checks": one["Checks"],
        "Namespace": service["Namespace"],
        "Node": node["Node"], "NodeID": node["ID"], "NodeAddress": node["Address"],
        "NodeDatacenter": node["Datacenter"], "NodeTaggedAddresses": node["TaggedAddresses"],
        "NodeMeta": node["Meta"], "Status": status(&one["Checks"]),
    })
}

/// The worst of all checks; what is being maintained counts as that.
fn status(checks: &Json) -> &'static str {
    let all = || checks.as_array().into_iter().flatten();
    let maintained = all().any(|check| {
        let id = check["CheckID"].as_str().unwrap_or_default();
        id == "_node_maintenance" || id.starts_with("_service_maintenance:")
    });
    let has = |status: &str| all().any(|check| check["Status"] == status);
    match () {
        () if maintained => "maintenance",
        () if has("critical") => "critical",
        () if has("warning") => "warning",
        () => "passing",
    }
}

/// In the order of some members, unless Consul orders by nearness.
fn sorted(found: Option<Json>, near: &str, by: &[&str]) -> Value {
    let Some(Json::Array(mut all)) = found else {
        return list([]);
    };
    if near.is_empty() {
        let of = |one: &Json| -> Vec<String> {
            let texts = by
                .iter()
                .map(|name| one[*name].as_str().unwrap_or_default());
            texts.map(str::to_owned).collect()
        };
        all.sort_by_key(of);
    }
    list(all.iter().map(from_json))
}

/// A node and its services; without a name, the one that the agent is on.
fn node(pass: &Pass, args: &[Value]) -> Answer {
    let given = optional(args)?;
    let (name, datacenter) = given.split_once('@').unwrap_or((&given, ""));
    let own;
    let name = if name.is_empty() {
        let path = "/v1/agent/self".to_owned();
        let Some(found) = answer(pass, path, "agent.self".to_owned()) else {
            return Ok(Value::Nil);
        };
        own = found["Config"]["NodeName"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        own.as_str()
    } else {
        name
    };
    let datacenter = match datacenter {
        "" => String::new(),
        named => format!("?dc={}", escaped(named)),
    };
    let path = format!("/v1/catalog/node/{}{datacenter}", escaped(name));
    let Some(found) = answer(pass, path, named("catalog.node", &given)) else {
        return Ok(Value::Nil);
    };
    let services = found["Services"].as_object().into_iter().flatten();
    let services = services.map(|(_, service)| {
        json!({
            "ID": service["ID"], "Service": service["Service"], "Tags": service["Tags"], "Meta": service["Meta"],
            "Port": service["Port"], "Address": service["Address"],
            "EnableTagOverride": service["EnableTagOverride"],
        })
    });
    let services = Json::Array(services.collect());
    if found["Node"].is_null() {
        return Ok(Value::Nil);
    }
    Ok(map([
        ("Node".to_owned(), from_json(&found["Node"])),
        (
            "Services".to_owned(),
            sorted(Some(services), "", &["Service", "ID"]),
        ),
    ]))
}

/// What a partition lets others use, and whom.
fn exported(pass: &Pass, args: &[Value]) -> Answer {
    let partition = text(args, 0)?;
    let path = format!(
        "/v1/config/exported-services?partition={}",
        escaped(&partition)
    );
    let found = answer(pass, path, format!("list.exportedServices({partition})"));
    let entries = found
        .as_ref()
        .and_then(Json::as_array)
        .into_iter()
        .flatten();
    let services = entries
        .filter_map(|entry| entry["Services"].as_array())
        .flatten();
    Ok(list(services.map(|service| {
        let consumers = || service["Consumers"].as_array().into_iter().flatten();
        let of = |kind: &str| {
            let all = consumers().filter_map(|consumer| consumer[kind].as_str());
            list(all.filter(|name| !name.is_empty()).map(string))
        };
        let consumers = map([
            ("Partitions".to_owned(), of("Partition")),
            ("Peers".to_owned(), of("Peer")),
            ("SamenessGroups".to_owned(), of("SamenessGroup")),
        ]);
        map([
            ("Service".to_owned(), from_json(&service["Name"])),
            ("Consumers".to_owned(), consumers),
        ])
    })))
}
