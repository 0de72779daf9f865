//! `operator autopilot`: how servers are looked after.

use crate::command::{COMMAND, Command, JSON, TEMPLATE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::{switch, time, uint};
use crate::json::{Fields, plain, pretty_sorted};
use crate::table::columns_with;
use caravan_sdk::Query;
use serde_json::{Value, json};

const PATH: &str = "/v1/operator/autopilot/configuration";

pub(super) const GET: Command = Command {
    name: "operator autopilot get-config",
    synopsis: "Display the current Autopilot configuration",
    about: "Displays the current Autopilot configuration.",
    flags: &[JSON, TEMPLATE],
    run: get,
    ..COMMAND
};

pub(super) const SET: Command = Command {
    name: "operator autopilot set-config",
    synopsis: "Modify the current Autopilot configuration",
    about: "Modifies the current Autopilot configuration.",
    flags: &[
        switch(
            "cleanup-dead-servers",
            "Remove dead servers when new ones come.",
        ),
        uint(
            "max-trailing-logs",
            "How many entries a healthy server may lag behind.",
        ),
        time(
            "last-contact-threshold",
            "",
            "How long a healthy server may be silent.",
        ),
        time(
            "server-stabilization-time",
            "",
            "How long a new server has to be healthy.",
        ),
        uint(
            "min-quorum",
            "The least number of servers that removals leave.",
        ),
        switch("enable-redundancy-zones", "Not used."),
        switch("disable-upgrade-migration", "Not used."),
        switch("enable-custom-upgrades", "Not used."),
    ],
    run: set,
    ..COMMAND
};

pub(super) const HEALTH: Command = Command {
    name: "operator autopilot health",
    synopsis: "Display the current Autopilot health",
    about: "Displays the current Autopilot health: which servers are well.",
    flags: &[JSON, TEMPLATE],
    run: health,
    ..COMMAND
};

fn get(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let config = api
        .get(PATH, Query::new())
        .doing("Error querying Autopilot configuration")?;
    if context.data_if_wanted(&config, "*api.AutopilotConfiguration")? {
        return Ok(0);
    }
    const MEMBERS: [&str; 8] = [
        "CleanupDeadServers",
        "LastContactThreshold",
        "MaxTrailingLogs",
        "MinQuorum",
        "ServerStabilizationTime",
        "EnableRedundancyZones",
        "DisableUpgradeMigration",
        "EnableCustomUpgrades",
    ];
    let lines: Vec<String> = MEMBERS
        .iter()
        .map(|name| format!("{name} = {}", plain(config.at(name))))
        .collect();
    context.ui.out(&lines.join("\n"));
    Ok(0)
}

fn set(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let mut config = api
        .get(PATH, Query::new())
        .doing("Error querying Autopilot configuration")?;
    let given = &context.given;
    let switches = [
        ("cleanup-dead-servers", "CleanupDeadServers"),
        ("enable-redundancy-zones", "EnableRedundancyZones"),
        ("disable-upgrade-migration", "DisableUpgradeMigration"),
        ("enable-custom-upgrades", "EnableCustomUpgrades"),
    ];
    for (flag, member) in switches {
        if given.is_set(flag) {
            config[member] = json!(given.on(flag));
        }
    }
    for (flag, member) in [
        ("max-trailing-logs", "MaxTrailingLogs"),
        ("min-quorum", "MinQuorum"),
    ] {
        if given.is_set(flag) {
            config[member] = json!(given.int(flag));
        }
    }
    let times = [
        ("last-contact-threshold", "LastContactThreshold"),
        ("server-stabilization-time", "ServerStabilizationTime"),
    ];
    for (flag, member) in times {
        if given.is_set(flag) {
            config[member] = json!(given.time(flag).to_string());
        }
    }
    let index = config.int("ModifyIndex").to_string();
    let stored = api
        .put(PATH, Query::new().with("cas", index), &config)
        .doing("Error setting Autopilot configuration")?;
    if stored.as_bool() == Some(false) {
        return Err("Configuration could not be atomically updated, please try again".into());
    }
    context.ui.out("Configuration updated!");
    Ok(0)
}

fn health(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let health = match api.get("/v1/operator/autopilot/health", Query::new()) {
        Ok(health) => health,
        // 429 says that somebody is not well; the body is the same.
        Err(error) if error.code() == Some(429) => {
            serde_json::from_str(error.body().unwrap_or_default()).unwrap_or_default()
        }
        Err(error) => return Err(format!("Error querying Autopilot health: {error}").into()),
    };
    if context.given.on("json") {
        context.ui.out(&pretty_sorted(&health));
        return Ok(0);
    }
    if context.data_if_wanted(&health, "*api.OperatorHealthReply")? {
        return Ok(0);
    }
    let servers = health.items("Servers");
    let leader = servers.iter().find(|server| server.yes("Leader"));
    let voters: Vec<String> = health
        .strs("Voters")
        .iter()
        .map(|id| format!("\t{id}"))
        .collect();
    let mut text = format!(
        "Healthy: {}\nFailureTolerance: {}\nLeader: {}\nVoters: \n{}\n",
        health.yes("Healthy"),
        health.int("FailureTolerance"),
        leader.map_or("", |leader| leader.str("ID")),
        voters.join("\n")
    );
    let mut rows = vec![row![
        "Name",
        "Address",
        "SerfStatus",
        "LastContact",
        "LastTerm",
        "LastIndex",
        "Healthy",
        "Voter",
        "StableSince"
    ]];
    rows.extend(servers.iter().map(line));
    text += &format!("Servers: \n{}", columns_with(&rows, ""));
    context.ui.out(&text);
    Ok(0)
}

fn line(server: &Value) -> Vec<String> {
    row![
        server.str("Name"),
        server.str("Address"),
        server.str("SerfStatus"),
        server.str("LastContact"),
        server.int("LastTerm"),
        server.int("LastIndex"),
        server.yes("Healthy"),
        server.yes("Voter"),
        server.str("StableSince")
    ]
}
