//! Applies a command: one function an area, all or nothing.

mod access;
mod allocs;
mod config;
mod deployments;
mod evals;
mod host_volumes;
mod jobs;
mod nodes;
mod plan;
mod services;
mod sign_in;
mod variables;
mod volume_claims;

pub(crate) use config::BUILT_IN_POOLS;

use crate::change::Applied;
use crate::command::Command;
use crate::error::ApplyError;
use crate::state::State;
use crate::txn::Txn;

impl State {
    /// Applies a command at an index, which must be greater than any before.
    ///
    /// Deterministic: everything it depends on is in the state and in the command. A refused command changes
    /// nothing but the index.
    ///
    /// # Errors
    /// Why the command was refused.
    pub fn apply(&mut self, index: u64, command: Command) -> Result<Applied, ApplyError> {
        assert!(
            index > self.index,
            "index {index} applied after {}",
            self.index
        );
        let command = match command {
            Command::RestoreState { dump } => return self.put_back(index, &dump),
            Command::RestorePart(part) => return self.take_part(index, part),
            other => other,
        };
        let before = self.clone();
        let event_type = command.event_type();
        self.index = index;
        let mut txn = Txn::new(self, index);
        match dispatch(&mut txn, command) {
            Ok(()) => {
                let changes = txn.finish();
                Ok(Applied {
                    index,
                    event_type,
                    changes,
                    restored: false,
                })
            }
            Err(error) => {
                *self = before;
                self.index = index;
                Err(error)
            }
        }
    }

    /// Notes an index at which nothing was applied (the log's own entries).
    pub fn advance(&mut self, index: u64) {
        self.index = self.index.max(index);
    }
}

fn dispatch(txn: &mut Txn<'_>, command: Command) -> Result<(), ApplyError> {
    match command {
        Command::RegisterNode {
            node,
            create_pool,
            evals,
            now,
        } => nodes::register(txn, *node, create_pool, evals, now),
        Command::DeregisterNodes { nodes, evals } => nodes::deregister(txn, &nodes, evals),
        Command::UpdateNodeStatus {
            node,
            status,
            event,
            evals,
            now,
        } => nodes::update_status(txn, node, status, event, evals, now),
        Command::UpdateNodeDrains {
            updates,
            evals,
            now,
        } => nodes::update_drains(txn, updates, evals, now),
        Command::UpdateNodeEligibility {
            node,
            eligibility,
            event,
            evals,
            now,
        } => nodes::update_eligibility(txn, node, eligibility, event, evals, now),
        Command::AppendNodeEvents { events } => nodes::append_events(txn, events),
        Command::RegisterJob {
            job,
            submission,
            eval,
            policy_ids,
            now,
        } => jobs::register(txn, job, submission, eval, policy_ids, now),
        Command::DeregisterJobs { jobs, evals, now } => jobs::deregister(txn, &jobs, evals, now),
        Command::SetJobStability {
            job,
            version,
            stable,
        } => jobs::set_stability(txn, &job, version, stable),
        Command::TagJobVersion {
            job,
            version,
            tag,
            name,
        } => jobs::tag_version(txn, &job, version, tag, &name),
        Command::RecordPeriodicLaunch { job, launch } => jobs::record_launch(txn, &job, launch),
        Command::RecordScalingEvent { job, group, event } => {
            jobs::record_scaling(txn, &job, group, *event)
        }
        Command::ReconcileSummaries => crate::summary::recount_all(txn),
        Command::UpsertEvals { evals, now } => evals::upsert_all(txn, evals, now),
        Command::DeleteEvals {
            evals,
            allocs,
            user_initiated,
        } => evals::delete(txn, &evals, &allocs, user_initiated),
        Command::ApplyPlan(plan) => plan::apply(txn, *plan),
        Command::UpdateAllocsFromClient { allocs, evals, now } => {
            allocs::update_from_client(txn, allocs, evals, now)
        }
        Command::UpdateDesiredTransitions {
            transitions,
            evals,
            now,
        } => allocs::update_transitions(txn, transitions, evals, now),
        Command::UpdateDeploymentStatus {
            update,
            job,
            eval,
            now,
        } => deployments::update_status(txn, &update, job, eval, now),
        Command::PromoteDeployment {
            deployment,
            groups,
            eval,
            now,
        } => deployments::promote(txn, deployment, &groups, eval, now),
        Command::SetAllocHealth {
            deployment,
            healthy,
            unhealthy,
            update,
            job,
            eval,
            now,
        } => {
            deployments::set_alloc_health(txn, deployment, &healthy, &unhealthy, now)?;
            deployments::follow_up(txn, update.as_ref(), job, eval, now)
        }
        Command::DeleteDeployments { deployments } => deployments::delete(txn, &deployments),
        Command::UpsertServices { services } => services::upsert(txn, services),
        Command::DeleteServices { services } => services::delete(txn, &services),
        Command::UpsertNamespaces { namespaces } => config::upsert_namespaces(txn, namespaces),
        Command::DeleteNamespaces { names } => config::delete_namespaces(txn, &names),
        Command::UpsertNodePools { pools } => config::upsert_node_pools(txn, pools),
        Command::DeleteNodePools { names } => config::delete_node_pools(txn, &names),
        Command::ApplyVariable {
            operation,
            variable,
            now,
        } => variables::apply(txn, operation, *variable, now),
        Command::UpsertRootKeys { keys } => variables::upsert_root_keys(txn, keys),
        Command::DeleteRootKeys { ids } => variables::delete_root_keys(txn, &ids),
        Command::UpsertHostVolumes { volumes } => host_volumes::upsert(txn, volumes),
        Command::DeleteHostVolumes { volumes } => host_volumes::delete(txn, &volumes),
        Command::DeleteVolumeClaims { ids } => volume_claims::delete(txn, &ids),
        Command::SetSchedulerConfig {
            config,
            check_index,
        } => config::set_scheduler(txn, *config, check_index),
        Command::SetAutopilotConfig {
            config,
            check_index,
        } => config::set_autopilot(txn, *config, check_index),
        // The state is replaced before a transaction on it begins.
        Command::RestoreState { .. } | Command::RestorePart(_) => Ok(()),
        Command::SetClusterMetadata { metadata } => config::set_cluster_metadata(txn, metadata),
        Command::UpsertAclPolicies { policies } => access::upsert_policies(txn, policies),
        Command::DeleteAclPolicies { names } => access::delete_policies(txn, &names),
        Command::UpsertAclTokens { tokens } => access::upsert_tokens(txn, tokens),
        Command::DeleteAclTokens { accessors } => access::delete_tokens(txn, &accessors),
        Command::BootstrapAcl { token, reset_index } => access::bootstrap(txn, *token, reset_index),
        Command::UpsertAclRoles { roles } => access::upsert_roles(txn, roles),
        Command::DeleteAclRoles { ids } => access::delete_roles(txn, &ids),
        Command::UpsertAclAuthMethods { methods } => sign_in::upsert_methods(txn, methods),
        Command::DeleteAclAuthMethods { names } => sign_in::delete_methods(txn, &names),
        Command::UpsertAclBindingRules { rules } => sign_in::upsert_rules(txn, rules),
        Command::DeleteAclBindingRules { ids } => sign_in::delete_rules(txn, &ids),
        Command::UpsertOneTimeToken { token } => access::upsert_one_time(txn, *token),
        Command::DeleteOneTimeTokens { secrets } => access::delete_one_time(txn, &secrets),
    }
}
