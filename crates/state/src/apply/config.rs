//! Commands about namespaces, node pools and the cluster's own configuration (server sheet §§14, 18, 19).

use crate::change::Change;
use crate::command::ClusterMetadata;
use crate::error::ApplyError;
use crate::table::Table;
use crate::txn::Txn;
use caravan_model::*;
use std::sync::Arc;

/// The pools that always exist and never change.
pub(crate) const BUILT_IN_POOLS: [(&str, &str); 2] = [
    ("all", "Node pool with all nodes in the cluster."),
    ("default", "Default node pool."),
];

pub(super) fn upsert_namespaces(
    txn: &mut Txn<'_>,
    namespaces: Vec<Namespace>,
) -> Result<(), ApplyError> {
    for mut namespace in namespaces {
        let old = txn.state.namespaces.get(namespace.name.as_str());
        namespace.create_index = old.map_or(txn.index, |old| old.create_index);
        namespace.modify_index = txn.index;
        let namespace = Arc::new(namespace);
        txn.state
            .namespaces
            .insert(namespace.name.to_string(), Arc::clone(&namespace));
        txn.touch(Table::Namespaces);
        txn.changes.push(Change::Namespace(namespace));
    }
    Ok(())
}

pub(super) fn delete_namespaces(txn: &mut Txn<'_>, names: &[String]) -> Result<(), ApplyError> {
    for name in names {
        check_namespace_unused(txn, name)?;
        if let Some(namespace) = txn.state.namespaces.remove(name) {
            txn.touch(Table::Namespaces);
            txn.changes.push(Change::NamespaceRemoved(namespace));
        }
    }
    Ok(())
}

fn check_namespace_unused(txn: &Txn<'_>, name: &str) -> Result<(), ApplyError> {
    if name == NamespaceName::DEFAULT {
        return Err(ApplyError::NamespaceInUse(
            "can not delete default namespace".to_owned(),
        ));
    }
    if !txn.state.namespaces.contains_key(name) {
        return Err(ApplyError::NamespaceNotFound(name.to_owned()));
    }
    let jobs = txn
        .state
        .jobs()
        .any(|job| job.namespace == *name && job.status != job_status::DEAD);
    let allocs = || {
        txn.state
            .allocs()
            .any(|alloc| alloc.namespace == *name && !alloc.client_terminal())
    };
    let volumes = || {
        txn.state
            .host_volumes()
            .any(|volume| volume.namespace == *name)
    };
    let variables = || txn.state.variables.keys().any(|key| key.namespace == *name);
    let what = match () {
        () if jobs => "non-terminal jobs",
        () if allocs() => "non-terminal allocations",
        () if volumes() => "volumes",
        () if variables() => "variables",
        () => return Ok(()),
    };
    Err(ApplyError::NamespaceInUse(format!(
        "namespace {name:?} has {what} in regions: [global]"
    )))
}

pub(super) fn upsert_node_pools(txn: &mut Txn<'_>, pools: Vec<NodePool>) -> Result<(), ApplyError> {
    for mut pool in pools {
        let old = txn.state.node_pools.get(&pool.name);
        pool.create_index = old.map_or(txn.index, |old| old.create_index);
        pool.modify_index = txn.index;
        let pool = Arc::new(pool);
        txn.state
            .node_pools
            .insert(pool.name.clone(), Arc::clone(&pool));
        txn.touch(Table::NodePools);
        txn.changes.push(Change::NodePool(pool));
    }
    Ok(())
}

pub(super) fn delete_node_pools(txn: &mut Txn<'_>, names: &[String]) -> Result<(), ApplyError> {
    for name in names {
        if BUILT_IN_POOLS.iter().any(|(built_in, _)| built_in == name) {
            return Err(ApplyError::NodePoolRefused(format!(
                "deleting node pool {name:?} is not allowed"
            )));
        }
        if !txn.state.node_pools.contains_key(name) {
            return Err(ApplyError::NodePoolNotFound(name.clone()));
        }
        if txn.state.nodes().any(|node| node.node_pool == *name) {
            return Err(ApplyError::NodePoolRefused(format!(
                "node pool {name:?} has nodes in regions: [global]"
            )));
        }
        if txn
            .state
            .jobs()
            .any(|job| job.node_pool == *name && job.status != job_status::DEAD)
        {
            return Err(ApplyError::NodePoolRefused(format!(
                "node pool {name:?} has non-terminal jobs in regions: [global]"
            )));
        }
        if let Some(pool) = txn.state.node_pools.remove(name) {
            txn.touch(Table::NodePools);
            txn.changes.push(Change::NodePoolRemoved(pool));
        }
    }
    Ok(())
}

pub(super) fn set_scheduler(
    txn: &mut Txn<'_>,
    mut config: SchedulerConfiguration,
    check_index: Option<u64>,
) -> Result<(), ApplyError> {
    let stored = txn.state.scheduler_config.as_ref();
    check(check_index, stored.map_or(0, |stored| stored.modify_index))?;
    config.create_index = stored.map_or(txn.index, |stored| stored.create_index);
    config.modify_index = txn.index;
    let config = Arc::new(config);
    txn.state.scheduler_config = Some(Arc::clone(&config));
    txn.touch(Table::SchedulerConfig);
    txn.changes.push(Change::SchedulerConfig(config));
    Ok(())
}

pub(super) fn set_autopilot(
    txn: &mut Txn<'_>,
    mut config: AutopilotConfiguration,
    check_index: Option<u64>,
) -> Result<(), ApplyError> {
    let stored = txn.state.autopilot_config.as_ref();
    check(check_index, stored.map_or(0, |stored| stored.modify_index))?;
    config.create_index = stored.map_or(txn.index, |stored| stored.create_index);
    config.modify_index = txn.index;
    txn.state.autopilot_config = Some(Arc::new(config));
    txn.touch(Table::AutopilotConfig);
    Ok(())
}

fn check(given: Option<u64>, stored: u64) -> Result<(), ApplyError> {
    match given {
        Some(given) if given != stored => Err(ApplyError::IndexMismatch { given, stored }),
        _ => Ok(()),
    }
}

/// Names the cluster; the first name stays.
pub(super) fn set_cluster_metadata(
    txn: &mut Txn<'_>,
    metadata: ClusterMetadata,
) -> Result<(), ApplyError> {
    if txn.state.cluster_metadata.is_none() {
        txn.state.cluster_metadata = Some(Arc::new(metadata));
        txn.touch(Table::ClusterMetadata);
    }
    Ok(())
}
