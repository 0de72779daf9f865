//! Every object but the job family, as recorded: read and written back, JSON keeps members, order, nulls and numbers,
//! and msgpack keeps all.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use caravan_model::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Members whose keys are data: their order says nothing.
const MAPS: [&str; 25] = [
    "Attributes",
    "CSIControllerPlugins",
    "CSINodePlugins",
    "ClaimMappings",
    "ConstraintFiltered",
    "DesiredTGUpdates",
    "Details",
    "Drivers",
    "Dynamic",
    "FailedTGAllocs",
    "HostVolumes",
    "Items",
    "Labels",
    "Links",
    "ListClaimMappings",
    "Matches",
    "Meta",
    "NodesAvailable",
    "Parameters",
    "Pids",
    "Scores",
    "Static",
    "Tags",
    "TaskResources",
    "TaskStates",
];

/// Further such members, and those recorded without any order.
const FREE: [&str; 8] = [
    "config",
    "member",
    "stats",
    "Truncations",
    "RulesJSON",
    "Tasks",
    "TaskLifecycles",
    "TaskGroups",
];

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// What differs, with its path.
fn differences(path: &str, want: &Value, got: &Value, ordered: bool, found: &mut Vec<String>) {
    match (want, got) {
        (Value::Object(want), Value::Object(got)) => {
            let name = last(path);
            let ordered = ordered && !["config", "member", "stats", "RulesJSON"].contains(&name);
            let (mut left, mut right): (Vec<_>, Vec<_>) =
                (want.keys().collect(), got.keys().collect());
            if !ordered || MAPS.contains(&name) || FREE.contains(&name) {
                left.sort();
                right.sort();
            }
            if left != right {
                found.push(format!("{path}: keys {left:?}, got {right:?}"));
            }
            for (key, value) in want {
                if let Some(other) = got.get(key) {
                    differences(&format!("{path}.{key}"), value, other, ordered, found);
                }
            }
        }
        (Value::Array(want), Value::Array(got)) if want.len() == got.len() => {
            for (index, (left, right)) in want.iter().zip(got).enumerate() {
                differences(&format!("{path}[{index}]"), left, right, ordered, found);
            }
        }
        _ if want == got => {}
        _ => found.push(format!("{path}: {want}, got {got}")),
    }
}

fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(name: &str, text: &str) {
    let want: Value = serde_json::from_str(text).unwrap();
    let object: T = serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let got: Value = serde_json::from_str(&serde_json::to_string(&object).unwrap()).unwrap();
    let mut found = Vec::new();
    differences(name, &want, &got, true, &mut found);
    assert!(found.is_empty(), "{}", found.join("\n"));
    let bytes = caravan_codec::msgpack::pack(&object).unwrap();
    let back: T =
        caravan_codec::msgpack::unpack(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(back, object, "{name} in msgpack");
}

macro_rules! golden {
    ($($test:ident: $type:ty = $file:literal),* $(,)?) => {$(
        #[test]
        fn $test() {
            check::<$type>($file, include_str!(concat!("objects/", $file, ".json")));
        }
    )*};
}

golden! {
    acl_auth_method: AclAuthMethod = "ACLAuthMethod",
    acl_auth_method_stub: AclAuthMethodListStub = "ACLAuthMethodListStub",
    acl_binding_rule: AclBindingRule = "ACLBindingRule",
    acl_binding_rule_stub: AclBindingRuleListStub = "ACLBindingRuleListStub",
    acl_policy: AclPolicy = "ACLPolicy",
    acl_policy_stub: AclPolicyListStub = "ACLPolicyListStub",
    acl_role: AclRole = "ACLRole",
    acl_token: AclToken = "ACLToken",
    acl_token_management: AclToken = "ACLTokenManagement",
    acl_token_stub: AclTokenListStub = "ACLTokenListStub",
    agent_health: AgentHealth = "AgentHealth",
    agent_members: AgentMembers = "AgentMembers",
    agent_schedulers: AgentSchedulers = "AgentSchedulers",
    agent_schedulers_config: AgentSchedulersConfig = "AgentSchedulersConfig",
    agent_self: AgentSelf = "AgentSelf",
    alloc_resource_usage: AllocResourceUsage = "AllocResourceUsage",
    alloc_stop_response: AllocStopResponse = "AllocStopResponse",
    allocation: Allocation = "Allocation",
    allocation_stub: AllocationListStub = "AllocationListStub",
    allocation_stub_with_resources: AllocationListStub = "AllocationListStubResources",
    autopilot_configuration: AutopilotConfiguration = "AutopilotConfiguration",
    autopilot_health: AutopilotHealth = "AutopilotHealth",
    client_alloc_restart_response: WriteMeta = "ClientAllocRestartResponse",
    deployment: Deployment = "Deployment",
    deployment_with_canary: Deployment = "DeploymentCanary",
    deployment_update_response: DeploymentUpdateResponse = "DeploymentUpdateResponse",
    evaluation: Evaluation = "Evaluation",
    evaluation_count: EvaluationCount = "EvaluationCount",
    evaluation_delete_response: EvaluationDeleteResponse = "EvaluationDeleteResponse",
    evaluation_with_failed_placement: Evaluation = "EvaluationFailedPlacement",
    evaluation_with_related: Evaluation = "EvaluationRelated",
    event_allocation: Events = "EventAllocation",
    event_deployment: Events = "EventDeployment",
    event_evaluation: Events = "EventEvaluation",
    event_job: Events = "EventJob",
    event_node: Events = "EventNode",
    event_node_pool: Events = "EventNodePool",
    event_service: Events = "EventService",
    event_variable: Events = "EventVariable",
    directory_info: FileInfo = "FileInfo",
    file_info: FileInfo = "FileInfoFile",
    fuzzy_search_response: FuzzySearchResponse = "FuzzySearchResponse",
    host_stats: HostStats = "HostStats",
    host_volume: HostVolume = "HostVolume",
    host_volume_create_response: HostVolumeResponse = "HostVolumeCreateResponse",
    host_volume_delete_response: WriteMeta = "HostVolumeDeleteResponse",
    host_volume_stub: HostVolumeListStub = "HostVolumeListStub",
    jwks: Jwks = "JWKS",
    keyring: Vec<RootKeyMeta> = "Keyring",
    keyring_rotate_response: KeyringRotateResponse = "KeyringRotateResponse",
    metrics_summary: MetricsSummary = "MetricsSummary",
    namespace: Namespace = "Namespace",
    namespace_with_everything: Namespace = "NamespaceFull",
    node: Node = "Node",
    node_drain_response: NodeChangeResponse = "NodeDrainResponse",
    node_eligibility_response: NodeChangeResponse = "NodeEligibilityResponse",
    node_evaluate_response: NodeUpdateResponse = "NodeEvaluateResponse",
    node_stub: NodeListStub = "NodeListStub",
    node_stub_with_resources: NodeListStub = "NodeListStubResources",
    node_meta: NodeMetaResponse = "NodeMeta",
    node_pool: NodePool = "NodePool",
    one_time_token: OneTimeTokenResponse = "OneTimeToken",
    one_time_token_exchange_response: OneTimeTokenExchangeResponse = "OneTimeTokenExchangeResponse",
    raft_configuration: RaftConfiguration = "RaftConfiguration",
    scheduler_configuration: SchedulerConfigurationResponse = "SchedulerConfiguration",
    scheduler_configuration_update: SchedulerConfigurationUpdate = "SchedulerConfigurationUpdate",
    search_response: SearchResponse = "SearchResponse",
    service_stub: ServiceListStub = "ServiceListStub",
    service_registration: ServiceRegistration = "ServiceRegistration",
    task_state_failed: TaskState = "TaskStateFailed",
    upgrade_check_vault: UpgradeCheckVaultResponse = "UpgradeCheckVault",
    variable: Variable = "Variable",
    variable_conflict: Variable = "VariableConflict",
    variable_lock_renew_response: VariableMetadata = "VariableLockRenewResponse",
    variable_locked: Variable = "VariableLocked",
    variable_metadata: VariableMetadata = "VariableMetadata",
}

/// The events must be read as what they are, not as anything.
#[test]
fn event_payloads_are_told_apart() {
    let payload = |text: &str| {
        let events: Events = serde_json::from_str(text).unwrap();
        events.events.into_iter().next().unwrap().payload
    };
    let allocation = payload(include_str!("objects/EventAllocation.json"));
    assert!(matches!(allocation, EventPayload::Allocation(_)));
    let node = payload(include_str!("objects/EventNode.json"));
    assert!(matches!(node, EventPayload::Node { .. }));
    let job = payload(include_str!("objects/EventJob.json"));
    assert!(matches!(job, EventPayload::Job(_)));
    let variable = payload(include_str!("objects/EventVariable.json"));
    assert!(matches!(variable, EventPayload::Variable { .. }));
    let volume = format!(
        r#"{{"Index":1,"Events":[{{"Topic":"HostVolume","Payload":{{"Volume":{}}}}}]}}"#,
        include_str!("objects/HostVolume.json")
    );
    let volume = payload(&volume);
    let EventPayload::Volume {
        volume: EventVolume::Host(volume),
    } = volume
    else {
        panic!("{volume:?}");
    };
    assert_eq!(volume.0.name, "data");
}

/// A plan is not public, but crosses between servers.
#[test]
fn a_plan_survives_msgpack() {
    let alloc: Allocation = serde_json::from_str(include_str!("objects/Allocation.json")).unwrap();
    let deployment: Deployment =
        serde_json::from_str(include_str!("objects/Deployment.json")).unwrap();
    let plan = Plan {
        job: alloc.job.clone(),
        node_allocation: [(alloc.node_id, vec![std::sync::Arc::new(alloc)])].into(),
        deployment: Some(deployment),
        ..Plan::default()
    };
    let bytes = caravan_codec::msgpack::pack(&plan).unwrap();
    assert_eq!(
        caravan_codec::msgpack::unpack::<Plan>(&bytes).unwrap(),
        plan
    );
    let result = PlanResult {
        node_allocation: plan.node_allocation.clone(),
        ..PlanResult::default()
    };
    assert_eq!(result.full_commit(&plan), (true, 1, 1));
}

/// Stubs made from whole objects are the recorded stubs.
#[test]
fn stubs_follow_from_whole_objects() {
    let node: Node = serde_json::from_str(include_str!("objects/Node.json")).unwrap();
    let stub: NodeListStub =
        serde_json::from_str(include_str!("objects/NodeListStub.json")).unwrap();
    assert_eq!(node.stub(false, false), stub);
    let full: NodeListStub =
        serde_json::from_str(include_str!("objects/NodeListStubResources.json")).unwrap();
    assert_eq!(node.stub(true, false), full);
    let alloc: Allocation = serde_json::from_str(include_str!("objects/Allocation.json")).unwrap();
    let stub: AllocationListStub =
        serde_json::from_str(include_str!("objects/AllocationListStubResources.json")).unwrap();
    assert_eq!(alloc.stub(true, true), stub);
}
