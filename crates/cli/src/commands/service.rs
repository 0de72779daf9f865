//! The built-in service registry.

use crate::api::Api;
use crate::command::{COMMAND, Command, FILTER, JSON, PAGE_TOKEN, PER_PAGE, TEMPLATE, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::text;
use crate::format::id;
use crate::json::{Fields, list};
use crate::table::{columns, pairs};
use caravan_sdk::{Query, escape_path};
use serde_json::Value;

pub(super) const COMMANDS: &[&Command] = &[&LIST, &INFO, &DELETE];

const LIST: Command = Command {
    name: "service list",
    synopsis: "Display all registered Nomad services",
    about: "List is used to list the currently registered services.",
    flags: &[JSON, TEMPLATE, text("name", "name", "Not used.")],
    run: all,
    ..COMMAND
};

const INFO: Command = Command {
    name: "service info",
    args: "[options] <service_name>",
    synopsis: "Display an individual Nomad service registration",
    about: "Info is used to read the services registered to a single service name.",
    flags: &[FILTER, JSON, PAGE_TOKEN, PER_PAGE, TEMPLATE, VERBOSE],
    run: info,
    ..COMMAND
};

const DELETE: Command = Command {
    name: "service delete",
    args: "[options] <service_name> <service_id>",
    synopsis: "Deregister a registered service",
    about: "Delete is used to deregister the specified service registration. It should be used with caution and can only remove a single registration, via the service name and service ID, at a time.",
    run: delete,
    ..COMMAND
};

fn tags(service: &Value, sorted: bool) -> String {
    let mut tags = service.strs("Tags");
    if sorted {
        tags.sort_unstable();
    }
    format!("[{}]", tags.join(","))
}

/// Services of one or all namespaces, by name.
fn table(namespaces: &[Value], everywhere: bool) -> String {
    let mut services: Vec<(String, Vec<String>)> = Vec::new();
    for namespace in namespaces {
        for service in namespace.items("Services") {
            let name = service.str("ServiceName");
            let mut row = row![name];
            if everywhere {
                row.push(namespace.str("Namespace").to_owned());
            }
            row.push(tags(service, true));
            services.push((name.to_owned(), row));
        }
    }
    services.sort();
    let mut head = row!["Service Name"];
    if everywhere {
        head.push("Namespace".into());
    }
    head.push("Tags".into());
    let mut rows = vec![head];
    rows.extend(services.into_iter().map(|(_, row)| row));
    columns(&rows)
}

fn all(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let found = api
        .get("/v1/services", Query::new())
        .doing("Error listing service registrations")?;
    if context.data_if_wanted(&found, "[]*api.ServiceRegistrationListStub")? {
        return Ok(0);
    }
    let none = list(&found)
        .iter()
        .all(|namespace| namespace.items("Services").is_empty());
    let text = match none {
        true => "No service registrations found".to_owned(),
        false => table(list(&found), context.config().namespace == "*"),
    };
    context.ui.out(&text);
    Ok(0)
}

/// The name of a service with this name or prefix.
fn find(context: &Context, api: &Api, name: &str) -> Result<String, Failure> {
    const DOING: &str = "Error listing service registrations";
    let found = api
        .get("/v1/services", Query::new().with("prefix", name))
        .doing(DOING)?;
    let mut namespaces = list(&found).to_vec();
    for namespace in &mut namespaces {
        let kept: Vec<Value> = namespace
            .items("Services")
            .iter()
            .filter(|service| service.str("ServiceName").starts_with(name))
            .cloned()
            .collect();
        namespace["Services"] = Value::Array(kept);
    }
    let none = |all: &[Value]| all.iter().all(|one| one.items("Services").is_empty());
    let registered: usize = list(&found)
        .iter()
        .map(|one| one.items("Services").len())
        .sum();
    if none(&namespaces) && registered > 1 {
        // The list does not know prefixes: what is there is told instead of nothing.
        namespaces = list(&found).to_vec();
    }
    let names: Vec<&str> = namespaces
        .iter()
        .flat_map(|namespace| namespace.items("Services"))
        .map(|service| service.str("ServiceName"))
        .collect();
    match names.as_slice() {
        [] => Err(format!("{DOING}: No service registrations with prefix {name:?} found").into()),
        [one] => Ok((*one).to_owned()),
        many if many.contains(&name) => Ok(name.to_owned()),
        _ => {
            let everywhere = context.config().namespace == "*";
            Err(format!(
                "Prefix matched multiple services\n\n{}",
                table(&namespaces, everywhere)
            )
            .into())
        }
    }
}

fn info(context: &mut Context) -> Outcome {
    let name = context.one_arg("<service_name>")?;
    let wants_data = context.wants_data()?;
    let api = context.api()?;
    let path = |name: &str| format!("/v1/service/{}", escape_path(name));
    const DOING: &str = "Error listing service registrations";
    let (mut found, mut meta) = api.get_meta(&path(&name), context.page()).doing(DOING)?;
    if list(&found).is_empty() {
        let name = match find(context, &api, &name) {
            Ok(name) => name,
            Err(failure)
                if context.given.is_set("filter") && failure.message.contains("No service") =>
            {
                context.ui.out("No service registrations found");
                return Ok(0);
            }
            Err(failure) => return Err(failure),
        };
        (found, meta) = api.get_meta(&path(&name), context.page()).doing(DOING)?;
    }
    if wants_data {
        context.data(&found, "[]*api.ServiceRegistration")?;
        return Ok(0);
    }
    let mut services = list(&found).to_vec();
    if services.is_empty() {
        context.ui.out("No service registrations found");
        return Ok(0);
    }
    services.sort_by(|a, b| a.str("JobID").cmp(b.str("JobID")));
    let address = |one: &Value| format!("{}:{}", one.str("Address"), one.int("Port"));
    if context.verbose() {
        let blocks: Vec<String> = services
            .iter()
            .map(|one| {
                pairs(&[
                    ("ID", one.str("ID").to_owned()),
                    ("Service Name", one.str("ServiceName").to_owned()),
                    ("Namespace", one.str("Namespace").to_owned()),
                    ("Job ID", one.str("JobID").to_owned()),
                    ("Alloc ID", one.str("AllocID").to_owned()),
                    ("Node ID", one.str("NodeID").to_owned()),
                    ("Datacenter", one.str("Datacenter").to_owned()),
                    ("Address", address(one)),
                    ("Tags", tags(one, false)),
                ])
            })
            .collect();
        context.ui.out(&blocks.join("\n\n"));
    } else {
        let mut rows = vec![row!["Job ID", "Address", "Tags", "Node ID", "Alloc ID"]];
        rows.extend(services.iter().map(|one| {
            row![
                one.str("JobID"),
                address(one),
                tags(one, false),
                id(one.str("NodeID"), false),
                id(one.str("AllocID"), false)
            ]
        }));
        context.ui.out(&columns(&rows));
    }
    context.next_page(&meta.next_token);
    Ok(0)
}

fn delete(context: &mut Context) -> Outcome {
    context.expect_args(
        2..=2,
        "This command takes two arguments: <service_name> and <service_id>",
    )?;
    let path = format!(
        "/v1/service/{}/{}",
        escape_path(context.given.arg(0)),
        escape_path(context.given.arg(1))
    );
    let api = context.api()?;
    api.delete(&path, Query::new())
        .doing("Error deleting service registration")?;
    context.ui.out("Successfully deleted service registration");
    Ok(0)
}
