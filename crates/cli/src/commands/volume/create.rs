//! `volume create` and `volume register`: from a specification file.

use crate::api::Api;
use crate::command::{COMMAND, Command, DETACH, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{switch, text};
use crate::hostfiles::read_or_stdin;
use crate::json::Fields;
use crate::specfile::{self, Body};
use caravan_sdk::{Query, escape_path};
use serde_json::{Map, Value, json};
use std::time::Duration;

pub(super) const CREATE: Command = Command {
    name: "volume create",
    args: "[options] <input>",
    synopsis: "Create an external volume",
    about: "Creates a volume in an external storage provider or on a host and registers it in Nomad. If the supplied path is \"-\" the volume file is read from stdin.",
    flags: &[
        text("id", "id", "Update the volume with this id."),
        switch("policy-override", "Override soft policies."),
        DETACH,
        VERBOSE,
    ],
    run: |context| apply(context, true),
    ..COMMAND
};

pub(super) const REGISTER: Command = Command {
    name: "volume register",
    args: "[options] <input>",
    synopsis: "Create or update volumes",
    about: "Registers an existing volume in Nomad. If the supplied path is \"-\" the volume file is read from stdin.",
    flags: &[
        text("id", "id", "Update the volume with this id."),
        switch("policy-override", "Override soft policies."),
        VERBOSE,
    ],
    run: |context| apply(context, false),
    ..COMMAND
};

fn apply(context: &mut Context, create: bool) -> Outcome {
    let path = context.one_arg("<input>")?;
    let bytes = read_or_stdin(&path).map_err(|error| format!("Failed to read file: {error}"))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let body = match text.trim_start().starts_with('{') {
        true => return from_json(context, &text, create),
        false => specfile::parse(&text)
            .map_err(|error| format!("Error parsing the volume definition: {error}"))?,
    };
    match body.text("type").as_str() {
        "host" => host(context, host_volume(&body)?, create),
        "csi" => csi(context, csi_volume(&body)?, create),
        "" => Err("Error parsing the volume definition: type must be specified".into()),
        other => Err(format!("Error unknown volume type: {other}").into()),
    }
}

fn from_json(context: &mut Context, text: &str, create: bool) -> Outcome {
    let volume = crate::json::parse(text.as_bytes())
        .map_err(|error| format!("Error parsing the volume definition: {error}"))?;
    match volume.str("type").to_owned() + volume.str("Type") {
        kind if kind == "csi" => csi(context, volume, create),
        _ => host(context, volume, create),
    }
}

/// A size in bytes of a number or a text such as `10GiB`.
fn bytes(value: &Value) -> Result<u64, Failure> {
    let text = match value {
        Value::Null => return Ok(0),
        Value::Number(number) => return Ok(number.as_u64().unwrap_or_default()),
        other => other.as_str().unwrap_or_default().trim().to_lowercase(),
    };
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, unit) = (text[..end].parse::<f64>(), text[end..].trim());
    let factor: f64 = match unit {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "ki" | "kib" => 1024.0,
        "mi" | "mib" => 1_048_576.0,
        "gi" | "gib" => 1_073_741_824.0,
        "ti" | "tib" => 1_099_511_627_776.0,
        _ => {
            return Err(format!("Error parsing the volume definition: {text:?} is no size").into());
        }
    };
    match number {
        Ok(number) => Ok((number * factor) as u64),
        Err(_) => Err(format!("Error parsing the volume definition: {text:?} is no size").into()),
    }
}

fn capabilities(body: &Body) -> Vec<Value> {
    let all = body
        .blocks
        .iter()
        .filter(|block| block.kind == "capability");
    all.map(|block| {
        json!({
            "AccessMode": block.body.text("access_mode"),
            "AttachmentMode": block.body.text("attachment_mode"),
        })
    })
    .collect()
}

fn constraints(body: &Body) -> Vec<Value> {
    let all = body
        .blocks
        .iter()
        .filter(|block| block.kind == "constraint");
    all.map(|block| {
        let operand = match block.body.text("operator").as_str() {
            "" => "=".to_owned(),
            operator => operator.to_owned(),
        };
        json!({
            "LTarget": block.body.text("attribute"),
            "RTarget": block.body.text("value"),
            "Operand": operand,
        })
    })
    .collect()
}

fn present(value: Value) -> Value {
    match value {
        Value::Object(mut members) => {
            members.retain(|_, value| !value.is_null());
            Value::Object(members)
        }
        other => other,
    }
}

fn host_volume(body: &Body) -> Result<Value, Failure> {
    Ok(present(json!({
        "ID": body.value("id"),
        "Name": body.value("name"),
        "Namespace": body.value("namespace"),
        "PluginID": body.value("plugin_id"),
        "NodePool": body.value("node_pool"),
        "NodeID": body.value("node_id"),
        "HostPath": body.value("host_path"),
        "CapacityBytes": bytes(&body.value("capacity"))?,
        "RequestedCapacityMinBytes": bytes(&body.value("capacity_min"))?,
        "RequestedCapacityMaxBytes": bytes(&body.value("capacity_max"))?,
        "RequestedCapabilities": capabilities(body),
        "Constraints": constraints(body),
        "Parameters": body.map("parameters"),
    })))
}

fn csi_volume(body: &Body) -> Result<Value, Failure> {
    let mut volume = present(json!({
        "ID": body.value("id"),
        "Name": body.value("name"),
        "ExternalID": body.value("external_id"),
        "Namespace": body.value("namespace"),
        "PluginID": body.value("plugin_id"),
        "SnapshotID": body.value("snapshot_id"),
        "CloneID": body.value("clone_id"),
        "RequestedCapacityMin": bytes(&body.value("capacity_min"))?,
        "RequestedCapacityMax": bytes(&body.value("capacity_max"))?,
        "RequestedCapabilities": capabilities(body),
        "Parameters": body.map("parameters"),
        "Secrets": body.map("secrets"),
        "Context": body.map("context"),
    }));
    if let Some(options) = body.block("mount_options") {
        volume["MountOptions"] = present(json!({
            "FSType": options.value("fs_type"),
            "MountFlags": options.value("mount_flags"),
        }));
    }
    Ok(volume)
}

fn host(context: &mut Context, mut volume: Value, create: bool) -> Outcome {
    if context.given.is_set("id") {
        volume["ID"] = json!(context.given.text("id"));
    }
    let api = context.api()?;
    let (route, doing) = match create {
        true => ("create", "Error creating volume"),
        false => ("register", "Error registering volume"),
    };
    let body = json!({"Volume": volume, "PolicyOverride": context.given.on("policy-override")});
    let query = Query::new().namespace(volume.str("Namespace"));
    let answer = api
        .put(&format!("/v1/volume/host/{route}"), query, &body)
        .doing(doing)?;
    warn(context, answer.str("Warnings"));
    let stored = answer.at("Volume");
    let (name, id) = (stored.str("Name"), stored.str("ID"));
    if !create {
        context
            .ui
            .out(&format!("Host volume {name} registered with ID {id}"));
        return Ok(0);
    }
    if context.given.on("detach") {
        context
            .ui
            .out(&format!("Created host volume {name} with ID {id}"));
        return Ok(0);
    }
    context
        .ui
        .out(&format!("==> Created host volume {name} with ID {id}"));
    wait(context, &api, stored)
}

/// Until the volume can be used.
fn wait(context: &mut Context, api: &Api, volume: &Value) -> Outcome {
    let path = format!("/v1/volume/host/{}", escape_path(volume.str("ID")));
    let mut told = false;
    loop {
        let query = Query::new().namespace(volume.str("Namespace"));
        let now = api
            .get(&path, query)
            .doing("Error monitoring host volume")?;
        match now.str("State") {
            "ready" => {
                let id = context.id(volume.str("ID"));
                let at = crate::format::time(crate::format::now());
                context
                    .ui
                    .out(&format!("  ✓ Host volume {id:?} ready\n\n    {at}"));
                return Ok(0);
            }
            "unavailable" => {
                return Err(format!("Host volume {:?} is unavailable", volume.str("ID")).into());
            }
            _ if !told => {
                told = true;
                let id = context.id(volume.str("ID"));
                context.ui.out(&format!(
                    "    Waiting for host volume {id:?} to become ready"
                ));
            }
            _ => {}
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn csi(context: &mut Context, volume: Value, create: bool) -> Outcome {
    let api = context.api()?;
    let id = volume.str("ID").to_owned();
    let query = Query::new().namespace(volume.str("Namespace"));
    let body = json!({"Volumes": [volume], "PolicyOverride": context.given.on("policy-override")});
    if !create {
        let path = format!("/v1/volume/csi/{}", escape_path(&id));
        let answer = api
            .put(&path, query, &body)
            .doing("Error registering volume")?;
        warn(context, answer.str("Warnings"));
        context.ui.out(&format!("Volume {id:?} registered"));
        return Ok(0);
    }
    let path = format!("/v1/volume/csi/{}/create", escape_path(&id));
    let answer = api
        .put(&path, query, &body)
        .doing("Error creating volume")?;
    warn(context, answer.str("Warnings"));
    for volume in answer.items("Volumes") {
        context.ui.out(&format!(
            "Created external volume {} with ID {}",
            volume.str("ExternalID"),
            volume.str("ID")
        ));
    }
    Ok(0)
}

fn warn(context: &mut Context, text: &str) {
    if !text.is_empty() {
        let text = context
            .ui
            .paint("1;33", &format!("Volume Warnings:\n{text}"));
        context.ui.out(&format!("{text}\n"));
    }
}

/// `key=value` pairs of a flag.
pub(super) fn pairs_of(context: &Context, flag: &str) -> Result<Map<String, Value>, Failure> {
    let mut map = Map::new();
    for pair in context.given.list(flag) {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(format!("Secret must be in the format: -{flag} key=value").into());
        };
        map.insert(key.to_owned(), json!(value));
    }
    Ok(map)
}
