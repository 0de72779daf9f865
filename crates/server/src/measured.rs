//! Under which names a server's work is counted and timed (server sheet §21).

use caravan_http::Op;
use caravan_http::Op::*;
use caravan_state::Command;

/// What one kind of request counts under, and what its time is noted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Measured {
    pub(crate) rate: &'static str,
    pub(crate) time: Option<&'static str>,
}

/// Makes the table: rate of the operations, their timers.
macro_rules! measured {
    ($($area:literal, $kind:literal: $($op:ident $(=> $time:literal)?),+;)+) => {
        /// The names of an operation that a server answers; none for those of which nothing is known.
        pub(crate) fn of(op: Op) -> Option<Measured> {
            let measured = match op {
                $($($op => Measured {
                    rate: concat!("nomad.nomad.rpc.", $area, ".", $kind),
                    time: measured!(@time $($time)?),
                },)+)+
                _ => return None,
            };
            Some(measured)
        }
    };
    (@time $time:literal) => { Some(concat!("nomad.nomad.", $time)) };
    (@time) => { None };
}

measured! {
    "job", "list": JobList => "job.list", JobStatuses => "job.statuses";
    "job", "read":
        JobRead => "job.get_job", JobSummary => "job_summary.get_job_summary", JobAllocations => "job.allocations",
        JobEvaluations => "job.evaluations", JobDeployments => "job.deployments",
        JobLatestDeployment => "job.latest_deployment", JobVersions => "job.get_job_versions",
        JobSubmission => "job.get_job_submission", JobServices => "job.get_service_registrations", JobActions,
        JobScaleStatus => "job.scale_status", JobValidate => "job.validate", JobsParse;
    "job", "write":
        JobRegister => "job.register", JobPlan => "job.plan", JobDeregister => "job.deregister",
        JobEvaluate => "job.evaluate", JobRevert => "job.revert", JobStable => "job.stable",
        JobVersionTag => "job.tag_version", JobVersionUntag => "job.tag_version", JobScale => "job.scale",
        JobDispatch => "job.dispatch", JobDispatchPayload => "job.dispatch";
    "periodic", "write": JobPeriodicForce => "periodic.force";
    "alloc", "list": AllocationList => "alloc.list";
    "alloc", "read":
        AllocationRead => "alloc.get_alloc", AllocationServices => "alloc.get_service_registrations";
    "alloc", "write": AllocationStop => "alloc.stop";
    "eval", "list": EvaluationList => "eval.list", EvaluationCount => "eval.count";
    "eval", "read": EvaluationRead => "eval.get_eval", EvaluationAllocations => "eval.allocations";
    "eval", "write": EvaluationDelete => "eval.delete";
    "deployment", "list": DeploymentList => "deployment.list";
    "deployment", "read":
        DeploymentRead => "deployment.get_deployment", DeploymentAllocations => "deployment.allocations";
    "deployment", "write":
        DeploymentFail => "deployment.fail", DeploymentPause => "deployment.pause",
        DeploymentPromote => "deployment.promote", DeploymentUnblock => "deployment.unblock",
        DeploymentAllocationHealth => "deployment.set_alloc_health";
    "node", "list": NodeList => "client.list";
    "node", "read": NodeRead => "client.get_node", NodeAllocations => "client.get_allocs";
    "node", "write":
        NodeEvaluate => "client.evaluate", NodeEligibility => "client.update_eligibility",
        NodeDrain => "client.update_drain", NodePurge => "client.deregister";
    "node_pool", "list":
        NodePoolList => "node_pool.list", NodePoolNodes => "node_pool.list_nodes", NodePoolJobs => "node_pool.list_jobs";
    "node_pool", "read": NodePoolRead => "node_pool.get_node_pool";
    "node_pool", "write":
        NodePoolUpsert => "node_pool.upsert_node_pools", NodePoolDelete => "node_pool.delete_node_pools";
    "namespace", "list": NamespaceList => "namespace.list_namespace";
    "namespace", "read": NamespaceRead => "namespace.get_namespace";
    "namespace", "write":
        NamespaceUpsert => "namespace.upsert_namespaces", NamespaceDelete => "namespace.delete_namespaces";
    "variables", "list": VariableList => "variables.list";
    "variables", "read": VariableRead => "variables.read";
    "variables", "write": VariableWrite => "variables.apply", VariableDelete => "variables.apply";
    "service_registration", "list": ServiceList => "service_registration.list";
    "service_registration", "read": ServiceRead => "service_registration.get_service";
    "service_registration", "write": ServiceDelete => "service_registration.delete_by_id";
    "scaling", "list": ScalingPolicyList => "scaling.list_policies";
    "scaling", "read": ScalingPolicyRead => "scaling.get_policy";
    "search", "read": SearchPrefix => "search.prefix_search", SearchFuzzy => "search.fuzzy_search";
    "host_volume", "read": HostVolumeRead => "host_volume.get";
    "host_volume", "write":
        HostVolumeCreate => "host_volume.create", HostVolumeRegister => "host_volume.register",
        HostVolumeDelete => "host_volume.delete", VolumeClaimDelete => "host_volume.delete_claim";
    "csi_volume", "list": VolumeList => "volume.list", VolumeListExternal => "volume.list_external";
    "csi_volume", "read": CsiVolumeRead => "volume.get", VolumeClaimList => "volume.list_claims";
    "csi_volume", "write":
        VolumeRegister => "volume.register", CsiVolumeRegister => "volume.register",
        CsiVolumeCreate => "volume.create", CsiVolumeDeregister => "volume.deregister",
        CsiVolumeDelete => "volume.delete", CsiVolumeDetach => "volume.unpublish";
    "csi_plugin", "list": PluginList => "plugin.list";
    "csi_plugin", "read": PluginRead => "plugin.get";
    "status", "read": StatusLeader, StatusPeers;
    "region", "list": RegionList;
    "system", "write": SystemGc, SystemReconcileSummaries;
    "event", "read": EventStream;
    "operator", "read":
        RaftConfiguration, AutopilotConfigurationRead, AutopilotHealth, StateSnapshotSave, SchedulerConfigurationRead,
        UpgradeCheck, LicenseRead;
    "operator", "write":
        RaftPeerRemove, RaftTransferLeadership, AutopilotConfigurationUpdate, StateSnapshotRestore,
        SchedulerConfigurationUpdate;
    "keyring", "list": KeyringList;
    "keyring", "read": JwksRead, OidcConfigurationRead;
    "keyring", "write": KeyringRotate, KeyringDelete;
    "acl", "list":
        AclPolicyList => "acl.list_policies", AclTokenList => "acl.list_tokens", AclRoleList => "acl.list_roles",
        AclAuthMethodList => "acl.list_auth_methods", AclBindingRuleList => "acl.list_binding_rules";
    "acl", "read":
        AclPolicyRead => "acl.get_policy", AclPolicySelf => "acl.get_claim_policies", AclTokenRead => "acl.get_token",
        AclTokenSelf => "acl.resolve_token", AclRoleRead => "acl.get_role_by_id",
        AclRoleReadByName => "acl.get_role_by_name", AclAuthMethodRead => "acl.get_auth_method_by_name",
        AclBindingRuleRead => "acl.get_binding_rule";
    "acl", "write":
        AclBootstrap => "acl.bootstrap", AclPolicyUpsert => "acl.upsert_policies",
        AclPolicyDelete => "acl.delete_policies", AclTokenCreate => "acl.upsert_tokens",
        AclTokenUpdate => "acl.upsert_tokens", AclTokenDelete => "acl.delete_tokens",
        AclTokenOneTimeCreate => "acl.upsert_one_time_token",
        AclTokenOneTimeExchange => "acl.exchange_one_time_token", AclRoleCreate => "acl.upsert_roles",
        AclRoleUpdate => "acl.upsert_roles", AclRoleDelete => "acl.delete_roles_by_id",
        AclAuthMethodCreate => "acl.upsert_auth_methods", AclAuthMethodUpdate => "acl.upsert_auth_methods",
        AclAuthMethodDelete => "acl.delete_auth_methods_by_name",
        AclBindingRuleCreate => "acl.upsert_binding_rules", AclBindingRuleUpdate => "acl.upsert_binding_rules",
        AclBindingRuleDelete => "acl.delete_binding_rules", AclOidcAuthUrl => "acl.oidc_auth_url",
        AclOidcCompleteAuth => "acl.oidc_complete_auth", AclLogin => "acl.login",
        AclClientIntroductionToken => "acl.create_client_introduction_token";
}

/// Under which name the time that applying a command takes is noted.
pub(crate) fn of_command(command: &Command) -> &'static str {
    match command {
        Command::RegisterNode { .. } => "nomad.nomad.fsm.register_node",
        Command::DeregisterNodes { .. } => "nomad.nomad.fsm.batch_deregister_node",
        Command::UpdateNodeEligibility { .. } => "nomad.nomad.fsm.node_eligibility_update",
        Command::UpdateNodeDrains { .. } => "nomad.nomad.fsm.batch_node_drain_update",
        Command::UpdateNodeStatus { .. } => "nomad.nomad.fsm.node_status_update",
        Command::AppendNodeEvents { .. } => "nomad.nomad.fsm.upsert_node_events",
        Command::RegisterJob { .. } => "nomad.nomad.fsm.register_job",
        Command::DeregisterJobs { jobs, .. } if jobs.len() > 1 => {
            "nomad.nomad.fsm.batch_deregister_job"
        }
        Command::DeregisterJobs { .. } => "nomad.nomad.fsm.deregister_job",
        Command::SetJobStability { .. } => "nomad.nomad.fsm.job_stability",
        Command::TagJobVersion { .. } => "nomad.nomad.fsm.update_job_version_tag",
        Command::RecordPeriodicLaunch { .. } => "nomad.nomad.fsm.periodic_launch",
        Command::RecordScalingEvent { .. } => "nomad.nomad.fsm.upsert_scaling_event",
        Command::ReconcileSummaries => "nomad.nomad.fsm.reconcile_summaries",
        Command::UpsertEvals { .. } => "nomad.nomad.fsm.update_eval",
        Command::DeleteEvals { .. } => "nomad.nomad.fsm.delete_eval",
        Command::ApplyPlan(_) => "nomad.nomad.fsm.apply_plan_results",
        Command::UpdateAllocsFromClient { .. } => "nomad.nomad.fsm.alloc_client_update",
        Command::UpdateDesiredTransitions { .. } => {
            "nomad.nomad.fsm.alloc_update_desired_transition"
        }
        Command::UpdateDeploymentStatus { .. } => "nomad.nomad.fsm.apply_deployment_status_update",
        Command::PromoteDeployment { .. } => "nomad.nomad.fsm.apply_deployment_promotion",
        Command::SetAllocHealth { .. } => "nomad.nomad.fsm.apply_deployment_alloc_health",
        Command::DeleteDeployments { .. } => "nomad.nomad.fsm.delete_deployment",
        Command::UpsertServices { .. } => "nomad.nomad.fsm.apply_service_registration_upsert",
        Command::DeleteServices { .. } => "nomad.nomad.fsm.apply_service_registration_delete_id",
        Command::UpsertNodePools { .. } => "nomad.nomad.fsm.apply_node_pool_upsert",
        Command::DeleteNodePools { .. } => "nomad.nomad.fsm.apply_node_pool_delete",
        Command::UpsertNamespaces { .. } => "nomad.nomad.fsm.apply_namespace_upsert",
        Command::DeleteNamespaces { .. } => "nomad.nomad.fsm.apply_namespace_delete",
        Command::ApplyVariable { .. } => "nomad.nomad.fsm.apply_sv_set",
        Command::UpsertHostVolumes { .. } => "nomad.nomad.fsm.apply_host_volume_register",
        Command::DeleteHostVolumes { .. } => "nomad.nomad.fsm.apply_host_volume_delete",
        Command::DeleteVolumeClaims { .. } => {
            "nomad.nomad.fsm.apply_task_group_host_volume_claim_delete"
        }
        Command::UpsertAclPolicies { .. } => "nomad.nomad.fsm.apply_acl_policy_upsert",
        Command::DeleteAclPolicies { .. } => "nomad.nomad.fsm.apply_acl_policy_delete",
        Command::UpsertAclTokens { .. } => "nomad.nomad.fsm.apply_acl_token_upsert",
        Command::BootstrapAcl { .. } => "nomad.nomad.fsm.apply_acl_token_bootstrap",
        Command::DeleteAclTokens { .. } => "nomad.nomad.fsm.apply_acl_token_delete",
        Command::UpsertOneTimeToken { .. } => "nomad.nomad.fsm.apply_one_time_token_upsert",
        Command::DeleteOneTimeTokens { .. } => "nomad.nomad.fsm.apply_one_time_token_delete",
        Command::UpsertAclRoles { .. } => "nomad.nomad.fsm.apply_acl_role_upsert",
        Command::DeleteAclRoles { .. } => "nomad.nomad.fsm.apply_acl_role_delete",
        Command::UpsertAclAuthMethods { .. } => "nomad.nomad.fsm.apply_acl_auth_method_upsert",
        Command::DeleteAclAuthMethods { .. } => "nomad.nomad.fsm.apply_acl_auth_method_delete",
        Command::UpsertAclBindingRules { .. } => "nomad.nomad.fsm.apply_acl_binding_rule_upsert",
        Command::DeleteAclBindingRules { .. } => "nomad.nomad.fsm.apply_acl_binding_rule_delete",
        Command::UpsertRootKeys { .. } => "nomad.nomad.fsm.apply_wrapped_root_key_upsert",
        Command::DeleteRootKeys { .. } => "nomad.nomad.fsm.apply_wrapped_root_key_delete",
        Command::SetSchedulerConfig { .. } => "nomad.nomad.fsm.apply_scheduler_config",
        Command::SetAutopilotConfig { .. } => "nomad.nomad.fsm.autopilot",
        Command::SetClusterMetadata { .. } => "nomad.nomad.fsm.cluster_meta",
        Command::RestoreState { .. } | Command::RestorePart(_) => "nomad.nomad.fsm.restore",
    }
}

/// Under which name the scheduler's time for a type of evaluation is noted.
pub(crate) fn of_scheduler(kind: &str) -> &'static str {
    match kind {
        "service" => "nomad.nomad.worker.invoke_scheduler.service",
        "batch" => "nomad.nomad.worker.invoke_scheduler.batch",
        "system" => "nomad.nomad.worker.invoke_scheduler.system",
        "sysbatch" => "nomad.nomad.worker.invoke_scheduler.sysbatch",
        _ => "nomad.nomad.worker.invoke_scheduler._core",
    }
}
