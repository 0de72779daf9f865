//! `operator scheduler`: how allocations are placed.

use crate::command::{COMMAND, Command, JSON, TEMPLATE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::{text, uint};
use crate::json::{Fields, plain};
use crate::table::pairs;
use caravan_sdk::{Query, parse_bool};
use serde_json::json;

const PATH: &str = "/v1/operator/scheduler/configuration";

pub(super) const GET: Command = Command {
    name: "operator scheduler get-config",
    synopsis: "Display the current scheduler configuration",
    about: "Displays the current scheduler configuration.",
    flags: &[JSON, TEMPLATE],
    run: get,
    ..COMMAND
};

pub(super) const SET: Command = Command {
    name: "operator scheduler set-config",
    synopsis: "Modify the current scheduler configuration",
    about: "Modifies the current scheduler configuration.",
    flags: &[
        text(
            "check-index",
            "index",
            "Only if the configuration's modify index is this.",
        ),
        text(
            "scheduler-algorithm",
            "binpack|spread",
            "How nodes are ranked.",
        ),
        text(
            "memory-oversubscription",
            "bool",
            "Whether tasks may use more memory than they reserve.",
        ),
        text(
            "reject-job-registration",
            "bool",
            "Whether jobs are refused.",
        ),
        text("pause-eval-broker", "bool", "Whether nothing is scheduled."),
        text(
            "preempt-batch-scheduler",
            "bool",
            "Whether batch jobs may push others out.",
        ),
        text(
            "preempt-service-scheduler",
            "bool",
            "Whether service jobs may push others out.",
        ),
        text(
            "preempt-sysbatch-scheduler",
            "bool",
            "Whether sysbatch jobs may push others out.",
        ),
        text(
            "preempt-system-scheduler",
            "bool",
            "Whether system jobs may push others out.",
        ),
        uint(
            "node-limit-for-feasibility-checks",
            "How many nodes are looked at; 0 for all.",
        ),
    ],
    run: set,
    ..COMMAND
};

fn get(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let answer = api
        .get(PATH, Query::new())
        .doing("Error querying scheduler configuration")?;
    if context.data_if_wanted(&answer, "*api.SchedulerConfigurationResponse")? {
        return Ok(0);
    }
    let config = answer.at("SchedulerConfig");
    let preemption = config.at("PreemptionConfig");
    let truth = |name: &str| config.yes(name).to_string();
    let preempts = |name: &str| preemption.yes(name).to_string();
    context.ui.out(&pairs(&[
        (
            "Scheduler Algorithm",
            config.str("SchedulerAlgorithm").to_owned(),
        ),
        (
            "Memory Oversubscription",
            truth("MemoryOversubscriptionEnabled"),
        ),
        ("Reject Job Registration", truth("RejectJobRegistration")),
        ("Pause Eval Broker", truth("PauseEvalBroker")),
        (
            "Preemption System Scheduler",
            preempts("SystemSchedulerEnabled"),
        ),
        (
            "Preemption Service Scheduler",
            preempts("ServiceSchedulerEnabled"),
        ),
        (
            "Preemption Batch Scheduler",
            preempts("BatchSchedulerEnabled"),
        ),
        (
            "Preemption SysBatch Scheduler",
            preempts("SysBatchSchedulerEnabled"),
        ),
        (
            "Node Limit For Feasibility Checks",
            plain(&json!(config.int("NodeLimitForFeasibilityChecks"))),
        ),
        ("Modify Index", config.int("ModifyIndex").to_string()),
    ]));
    Ok(0)
}

fn set(context: &mut Context) -> Outcome {
    context.no_args()?;
    let given = &context.given;
    let top = [
        ("memory-oversubscription", "MemoryOversubscriptionEnabled"),
        ("reject-job-registration", "RejectJobRegistration"),
        ("pause-eval-broker", "PauseEvalBroker"),
    ];
    let preemption = [
        ("preempt-batch-scheduler", "BatchSchedulerEnabled"),
        ("preempt-service-scheduler", "ServiceSchedulerEnabled"),
        ("preempt-sysbatch-scheduler", "SysBatchSchedulerEnabled"),
        ("preempt-system-scheduler", "SystemSchedulerEnabled"),
    ];
    for (flag, _) in top.iter().chain(&preemption) {
        if given.is_set(flag) && parse_bool(given.text(flag)).is_none() {
            let value = given.text(flag);
            return Err(context.usage(&format!(
                "invalid boolean value {value:?} for -{flag}: parse error"
            )));
        }
    }
    let index = given.text("check-index").to_owned();
    if !index.is_empty() && index.parse::<u64>().is_err() {
        return Err(format!(
            "Error parsing check-index value {index:?}: strconv.ParseUint: parsing {index:?}: invalid syntax"
        )
        .into());
    }
    let api = context.api()?;
    let answer = api
        .get(PATH, Query::new())
        .doing("Error querying for scheduler configuration")?;
    let mut config = answer.at("SchedulerConfig").clone();
    if given.is_set("scheduler-algorithm") {
        config["SchedulerAlgorithm"] = json!(given.text("scheduler-algorithm"));
    }
    for (flag, member) in top {
        if given.is_set(flag) {
            config[member] = json!(given.on(flag));
        }
    }
    for (flag, member) in preemption {
        if given.is_set(flag) {
            config["PreemptionConfig"][member] = json!(given.on(flag));
        }
    }
    if given.is_set("node-limit-for-feasibility-checks") {
        config["NodeLimitForFeasibilityChecks"] =
            json!(given.int("node-limit-for-feasibility-checks"));
    }
    let query = Query::new().with_some("cas", &index);
    let stored = api
        .put(PATH, query, &config)
        .doing("Error setting scheduler configuration")?;
    if !stored.yes("Updated") && !index.is_empty() {
        return Err(format!(
            "Error performing check index set: check-index {index} does not match does not match current state value {}",
            config.int("ModifyIndex")
        )
        .into());
    }
    context.ui.out("Scheduler configuration updated!");
    Ok(0)
}
