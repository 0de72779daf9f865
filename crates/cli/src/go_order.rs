//! The order in which the reference declares the members of a job, for `job run -output`.

use serde_json::{Map, Value};

const JOB: &[&str] = &[
    "Region",
    "Namespace",
    "ID",
    "Name",
    "Type",
    "Priority",
    "AllAtOnce",
    "Datacenters",
    "NodePool",
    "Constraints",
    "Affinities",
    "TaskGroups",
    "Update",
    "Multiregion",
    "Spreads",
    "Periodic",
    "ParameterizedJob",
    "Reschedule",
    "Migrate",
    "Meta",
    "UI",
    "Stop",
    "ParentID",
    "Dispatched",
    "DispatchIdempotencyToken",
    "Payload",
    "ConsulNamespace",
    "VaultNamespace",
    "NomadTokenID",
    "Status",
    "StatusDescription",
    "Stable",
    "Version",
    "SubmitTime",
    "CreateIndex",
    "ModifyIndex",
    "JobModifyIndex",
    "VersionTag",
];
const GROUP: &[&str] = &[
    "Name",
    "Count",
    "Constraints",
    "Affinities",
    "Tasks",
    "Spreads",
    "Volumes",
    "RestartPolicy",
    "Disconnect",
    "ReschedulePolicy",
    "EphemeralDisk",
    "Update",
    "Migrate",
    "Networks",
    "Meta",
    "Services",
    "ShutdownDelay",
    "MaxRunDuration",
    "StopAfterClientDisconnect",
    "MaxClientDisconnect",
    "Scaling",
    "Consul",
    "PreventRescheduleOnLost",
];
const TASK: &[&str] = &[
    "Name",
    "Driver",
    "User",
    "Lifecycle",
    "Config",
    "Constraints",
    "Affinities",
    "Env",
    "Services",
    "Resources",
    "RestartPolicy",
    "Meta",
    "KillTimeout",
    "LogConfig",
    "Artifacts",
    "Vault",
    "Consul",
    "Templates",
    "DispatchPayload",
    "VolumeMounts",
    "CSIPluginConfig",
    "Leader",
    "ShutdownDelay",
    "KillSignal",
    "Kind",
    "ScalingPolicies",
    "Secrets",
    "Identity",
    "Identities",
    "Actions",
    "Schedule",
];
const RESOURCES: &[&str] = &[
    "CPU",
    "Cores",
    "MemoryMB",
    "MemoryMaxMB",
    "DiskMB",
    "Networks",
    "Devices",
    "NUMA",
    "SecretsMB",
    "IOPS",
];
const UPDATE: &[&str] = &[
    "Stagger",
    "MaxParallel",
    "HealthCheck",
    "MinHealthyTime",
    "HealthyDeadline",
    "ProgressDeadline",
    "Canary",
    "AutoRevert",
    "AutoPromote",
];
const SERVICE: &[&str] = &[
    "Name",
    "Tags",
    "CanaryTags",
    "EnableTagOverride",
    "PortLabel",
    "AddressMode",
    "Address",
    "Checks",
    "CheckRestart",
    "Connect",
    "Meta",
    "CanaryMeta",
    "TaggedAddresses",
    "TaskName",
    "OnUpdate",
    "Identity",
    "Weights",
    "Provider",
    "Cluster",
    "Kind",
];
const POLICY: &[&str] = &[
    "Attempts",
    "Interval",
    "Delay",
    "DelayFunction",
    "MaxDelay",
    "Unlimited",
    "Mode",
    "RenderTemplates",
];

const TEMPLATE: &[&str] = &[
    "SourcePath",
    "DestPath",
    "EmbeddedTmpl",
    "ChangeMode",
    "ChangeScript",
    "ChangeSignal",
    "Once",
    "Splay",
    "Perms",
    "Uid",
    "Gid",
    "LeftDelim",
    "RightDelim",
    "Envvars",
    "VaultGrace",
    "Wait",
    "ErrMissingKey",
];

/// A job with its members in that order.
pub(crate) fn job(value: &Value) -> Value {
    order(value, "Job")
}

fn known(name: &str) -> &'static [&'static str] {
    match name {
        "Job" => JOB,
        "TaskGroups" => GROUP,
        "Tasks" => TASK,
        "Resources" => RESOURCES,
        "Templates" => TEMPLATE,
        "Update" => UPDATE,
        "Services" => SERVICE,
        "RestartPolicy" | "ReschedulePolicy" | "Reschedule" => POLICY,
        _ => &[],
    }
}

fn order(value: &Value, name: &str) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(|item| order(item, name)).collect()),
        // What users fill in freely is a map there, and maps are sorted.
        Value::Object(_) if matches!(name, "Config" | "Env" | "Meta") => {
            let mut sorted = value.clone();
            sorted.sort_all_objects();
            sorted
        }
        Value::Object(members) => {
            let mut ordered = Map::new();
            for key in known(name) {
                if let Some(member) = members.get(*key) {
                    ordered.insert((*key).to_owned(), order(member, key));
                }
            }
            for (key, member) in members {
                if !ordered.contains_key(key) {
                    ordered.insert(key.clone(), order(member, key));
                }
            }
            Value::Object(ordered)
        }
        other => other.clone(),
    }
}
