//! Objects as the reference's client knows them: the API leaves out what is empty in allocations, evaluations, networks
//! and ports, and sends some members that the client does not have. JSON and templates show the client's shape.

use caravan_codec::json;
use caravan_model::api::ApiJob;
use serde_json::{Map, Value, json};

/// What a member holds when it was left out.
#[derive(Clone, Copy)]
enum Blank {
    Text,
    Number,
    No,
    Nothing,
    Transition,
}

use Blank::{No, Nothing, Number, Text, Transition};

const ALLOCATION: &[(&str, Blank)] = &[
    ("AllocModifyIndex", Number),
    ("AllocatedResources", Nothing),
    ("ClientDescription", Text),
    ("ClientStatus", Text),
    ("CreateIndex", Number),
    ("CreateTime", Number),
    ("DeploymentID", Text),
    ("DeploymentStatus", Nothing),
    ("DesiredDescription", Text),
    ("DesiredStatus", Text),
    ("DesiredTransition", Transition),
    ("EvalID", Text),
    ("FollowupEvalID", Text),
    ("ID", Text),
    ("Job", Nothing),
    ("JobID", Text),
    ("Metrics", Nothing),
    ("ModifyIndex", Number),
    ("ModifyTime", Number),
    ("Name", Text),
    ("Namespace", Text),
    ("NetworkStatus", Nothing),
    ("NextAllocation", Text),
    ("NodeID", Text),
    ("NodeName", Text),
    ("PreemptedAllocations", Nothing),
    ("PreemptedByAllocation", Text),
    ("PreviousAllocation", Text),
    ("RescheduleTracker", Nothing),
    ("Resources", Nothing),
    ("Services", Nothing),
    ("TaskGroup", Text),
    ("TaskResources", Nothing),
    ("TaskStates", Nothing),
];

const EVALUATION: &[(&str, Blank)] = &[
    ("AnnotatePlan", No),
    ("BlockedEval", Text),
    ("ClassEligibility", Nothing),
    ("CreateIndex", Number),
    ("CreateTime", Number),
    ("DeploymentID", Text),
    ("EscapedComputedClass", No),
    ("FailedTGAllocs", Nothing),
    ("ID", Text),
    ("JobID", Text),
    ("JobModifyIndex", Number),
    ("ModifyIndex", Number),
    ("ModifyTime", Number),
    ("MissingNonNodeResources", Nothing),
    ("Namespace", Text),
    ("NextEval", Text),
    ("NodeID", Text),
    ("NodeModifyIndex", Number),
    ("PlanAnnotations", Nothing),
    ("PreviousEval", Text),
    ("Priority", Number),
    ("QueuedAllocations", Nothing),
    ("QuotaLimitReached", Text),
    ("RelatedEvals", Nothing),
    ("SnapshotIndex", Number),
    ("Status", Text),
    ("StatusDescription", Text),
    ("TriggeredBy", Text),
    ("Type", Text),
    ("Wait", Number),
    ("WaitUntil", Nothing),
];

const NETWORK: &[(&str, Blank)] = &[
    ("CIDR", Text),
    ("CNI", Nothing),
    ("DNS", Nothing),
    ("Device", Text),
    ("DynamicPorts", Nothing),
    ("Hostname", Text),
    ("IP", Text),
    ("MBits", Nothing),
    ("Mode", Text),
    ("ReservedPorts", Nothing),
];

const PORT: &[(&str, Blank)] = &[
    ("HostNetwork", Text),
    ("IgnoreCollision", No),
    ("Label", Text),
    ("To", Number),
    ("Value", Number),
];

const MAPPING: &[(&str, Blank)] = &[
    ("HostIP", Text),
    ("IgnoreCollision", No),
    ("Label", Text),
    ("To", Number),
    ("Value", Number),
];

/// The object in the shape of the type `type_name`; as it is when that does not differ.
pub(crate) fn of(mut value: Value, type_name: &str) -> Value {
    match type_name {
        "*api.Job" | "[]*api.Job" => each(&mut value, job),
        "*api.Allocation" | "[]*api.Allocation" => each(&mut value, allocation),
        "[]*api.AllocationListStub" => ports(&mut value),
        "*api.Evaluation" | "[]*api.Evaluation" => each(&mut value, |one| fill(one, EVALUATION)),
        "[]command.JobJson" => each(&mut value, |one| {
            if let Some(evals) = one.get_mut("Evaluations") {
                each(evals, |eval| fill(eval, EVALUATION));
            }
            if let Some(allocs) = one.get_mut("Allocations") {
                ports(allocs);
            }
        }),
        "*api.JobPlanResponse" => {
            without(&mut value, &["Index"]);
            if let Some(evals) = value.get_mut("CreatedEvals") {
                each(evals, |eval| fill(eval, EVALUATION));
            }
        }
        "*api.Node" => without(
            &mut value,
            &[
                "ComputedClass",
                "IdentitySigningKeyID",
                "LastAllocUpdateIndex",
                "LastMissedHeartbeatIndex",
                "SecretID",
            ],
        ),
        "*api.ACLAuthMethod"
        | "*api.ACLBindingRule"
        | "*api.ACLRole"
        | "*api.ACLToken"
        | "*api.NodePool"
        | "[]*api.ACLPolicyListStub"
        | "[]*api.ACLRoleListStub"
        | "[]*api.ACLTokenListStub"
        | "[]*api.NodePool" => each(&mut value, |one| without(one, &["Hash"])),
        _ => {}
    }
    value
}

/// Every item of a list, or the one object that it is.
fn each(value: &mut Value, change: impl Fn(&mut Value)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(change),
        Value::Object(_) => change(value),
        _ => {}
    }
}

fn without(value: &mut Value, names: &[&str]) {
    if let Value::Object(members) = value {
        members.retain(|name, _| !names.contains(&name.as_str()));
    }
}

fn fill(value: &mut Value, members: &[(&str, Blank)]) {
    let Value::Object(object) = value else {
        return;
    };
    for (name, blank) in members {
        if object.contains_key(*name) {
            continue;
        }
        let value = match blank {
            Text => json!(""),
            Number => json!(0),
            No => json!(false),
            Nothing => Value::Null,
            Transition => json!({"Migrate": null, "Reschedule": null}),
        };
        object.insert((*name).to_owned(), value);
    }
}

/// A job with the members that only submissions have.
fn job(value: &mut Value) {
    let known = json::decode::<ApiJob>(value.to_string().as_bytes(), "api");
    if let Ok(Ok(shaped)) = known.map(|job| json::to_value(&job)) {
        *value = shaped;
    }
}

fn allocation(value: &mut Value) {
    without(value, &["AllocStates", "SharedResources", "SigningKeyID"]);
    fill(value, ALLOCATION);
    if let Some(job) = value.get_mut("Job").filter(|job| job.is_object()) {
        self::job(job);
    }
    ports(value);
}

/// Networks and ports, wherever they are within an allocation.
fn ports(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(ports),
        Value::Object(members) => members
            .iter_mut()
            .for_each(|(name, value)| named(name, value)),
        _ => {}
    }
}

fn named(name: &str, value: &mut Value) {
    let members = match name {
        "Job" | "Config" | "Meta" | "Env" => return,
        "Networks" => NETWORK,
        "DynamicPorts" | "ReservedPorts" => PORT,
        "Ports" => MAPPING,
        _ => &[],
    };
    each(value, |one| fill(one, members));
    ports(value);
}

/// Members whose value is a map, so that anything may be looked up in it.
const MAPS: &[&str] = &[
    "Attributes",
    "CSIControllerPlugins",
    "CSINodePlugins",
    "ClassEligibility",
    "ClassExhausted",
    "ClassFiltered",
    "Config",
    "ConstraintFiltered",
    "Details",
    "DimensionExhausted",
    "Drivers",
    "Dynamic",
    "Env",
    "FailedTGAllocs",
    "HostNetworks",
    "HostVolumes",
    "Items",
    "Labels",
    "Links",
    "Meta",
    "NodesAvailable",
    "Options",
    "Parameters",
    "QueuedAllocations",
    "Scores",
    "Static",
    "Summary",
    "Tags",
    "Target",
    "TaskGroups",
    "TaskLifecycles",
    "TaskResources",
    "TaskStates",
    "VariableFlags",
    "Volumes",
];

/// Members whose value is a list also when it is null.
const LISTS: &[&str] = &[
    "Actions",
    "Affinities",
    "Allocations",
    "Args",
    "Artifacts",
    "CanaryTags",
    "Checks",
    "Constraints",
    "Datacenters",
    "Devices",
    "DynamicPorts",
    "Evaluations",
    "Events",
    "Identities",
    "MetaOptional",
    "MetaRequired",
    "Networks",
    "Payload",
    "PlacedCanaries",
    "Policies",
    "Ports",
    "PreemptedAllocations",
    "RelatedEvals",
    "ReservedPorts",
    "Roles",
    "ScoreMetaData",
    "Secrets",
    "Services",
    "Spreads",
    "Tasks",
    "Templates",
    "VolumeMounts",
];

/// Members whose number is a duration.
const DURATIONS: &[&str] = &[
    "AllocationTime",
    "Deadline",
    "Delay",
    "Grace",
    "HealthTimeout",
    "HealthyDeadline",
    "HeartbeatTTL",
    "Interval",
    "KillTimeout",
    "LostAfter",
    "MaxClientDisconnect",
    "MaxDelay",
    "MaxRunDuration",
    "MinHealthyTime",
    "NodeIdentityTTL",
    "ProgressDeadline",
    "ShutdownDelay",
    "Splay",
    "Stagger",
    "StopAfterClientDisconnect",
    "StopOnClientAfter",
    "TTL",
    "Timeout",
    "VaultGrace",
    "Wait",
];

/// Members that hold a moment, also when it is null.
const TIMES: &[&str] = &[
    "FinishedAt",
    "ForceDeadline",
    "LastRestart",
    "NextPeriodicLaunch",
    "RequireProgressBy",
    "ResourceExhausted",
    "StableSince",
    "StartedAt",
    "Timestamp",
    "UpdateTime",
    "UpdatedAt",
    "WaitUntil",
];

/// Whether a number in the member of this name is a duration, in nanoseconds.
pub(crate) fn is_duration(name: &str) -> bool {
    DURATIONS.contains(&name)
}

/// Whether the member of this name is a moment.
pub(crate) fn is_time(name: &str) -> bool {
    TIMES.contains(&name)
}

/// What null stands for in the member of this name: an empty map, an empty list, or nothing.
pub(crate) fn blank(name: &str) -> Value {
    match name {
        name if LISTS.contains(&name) => Value::Array(Vec::new()),
        name if MAPS.contains(&name) => Value::Object(Map::new()),
        _ => Value::Null,
    }
}

/// Whether the member of this name is a map.
pub(crate) fn is_map(name: &str) -> bool {
    MAPS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_evaluation_leaves_out_is_there_again() {
        let eval = of(json!({"ID": "a", "Priority": 50}), "*api.Evaluation");
        assert_eq!(eval["Priority"], 50);
        assert_eq!(eval["BlockedEval"], "");
        assert_eq!(eval["QueuedAllocations"], Value::Null);
        assert_eq!(eval["WaitUntil"], Value::Null);
    }

    #[test]
    fn an_allocation_has_its_ports_in_full_and_no_members_of_the_server() {
        let port = json!({"Label": "http", "Value": 8080});
        let shared = json!({"Networks": [{"DynamicPorts": [port]}], "Ports": [port]});
        let alloc = json!({
            "ID": "a", "SigningKeyID": "k", "AllocatedResources": {"Shared": shared},
            "Job": {"ID": "web", "TaskGroups": [{"Name": "g", "Networks": [{"Mode": "host"}]}]},
        });
        let alloc = of(alloc, "*api.Allocation");
        assert!(alloc.get("SigningKeyID").is_none());
        assert_eq!(alloc["NextAllocation"], "");
        let shared = &alloc["AllocatedResources"]["Shared"];
        let network = &shared["Networks"][0];
        assert_eq!(network["MBits"], Value::Null);
        assert_eq!(network["DynamicPorts"][0]["HostNetwork"], "");
        assert_eq!(shared["Ports"][0]["HostIP"], "");
        assert_eq!(alloc["Job"]["TaskGroups"][0]["Networks"][0]["Device"], "");
        assert_eq!(alloc["Job"]["Migrate"], Value::Null);
    }

    #[test]
    fn a_job_of_the_server_is_a_job_of_the_client() {
        let server = json!({
            "ID": "web", "Stop": false, "Update": {"Stagger": 30000000000_i64, "MaxParallel": 1},
            "TaskGroups": [{"Name": "g", "Count": 2, "Tasks": [{"Name": "t", "LogConfig": {"MaxFiles": 10}}]}],
        });
        let job = of(server, "*api.Job");
        assert_eq!(job["Reschedule"], Value::Null);
        let task = &job["TaskGroups"][0]["Tasks"][0];
        assert_eq!(task["LogConfig"]["Enabled"], Value::Null);
        assert_eq!(task["LogConfig"]["MaxFiles"], 10);
    }
}
