//! Sorts a group's allocations by what has happened to them and their nodes (scheduler sheet §12.5).

use super::{AllocSet, Tainted};
use caravan_model::*;

/// A group's allocations by what has happened to them.
#[derive(Debug, Default)]
pub(crate) struct Classes {
    pub(crate) untainted: AllocSet,
    pub(crate) migrate: AllocSet,
    pub(crate) lost: AllocSet,
    pub(crate) disconnecting: AllocSet,
    pub(crate) reconnecting: AllocSet,
    pub(crate) ignored: AllocSet,
    pub(crate) expiring: AllocSet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Untainted,
    Migrate,
    Lost,
    Disconnecting,
    Reconnecting,
    Ignored,
    Expiring,
}

pub(crate) fn classify(allocs: &AllocSet, tainted: &Tainted, now: UnixNanos) -> Classes {
    let mut classes = Classes::default();
    for (id, alloc) in allocs {
        let set = match class_of(alloc, tainted, now) {
            Class::Untainted => &mut classes.untainted,
            Class::Migrate => &mut classes.migrate,
            Class::Lost => &mut classes.lost,
            Class::Disconnecting => &mut classes.disconnecting,
            Class::Reconnecting => &mut classes.reconnecting,
            Class::Ignored => &mut classes.ignored,
            Class::Expiring => &mut classes.expiring,
        };
        set.insert(*id, alloc.clone());
    }
    classes
}

/// The group that an allocation runs.
pub(crate) fn group_of(alloc: &Allocation) -> Option<&TaskGroup> {
    alloc.job.as_ref()?.lookup_task_group(&alloc.task_group)
}

/// How long the allocation's node may be silent; none when it is then lost at once.
pub(crate) fn lost_after(alloc: &Allocation) -> Option<Duration> {
    group_of(alloc)?
        .disconnect_lost_after()
        .filter(|after| !after.is_zero())
}

/// Whether an allocation on a silent node is replaced meanwhile.
pub(crate) fn replaced_on_disconnect(alloc: &Allocation) -> bool {
    group_of(alloc).is_none_or(TaskGroup::replaces_on_disconnect)
}

/// Whether its node has been silent for too long.
pub(crate) fn is_expired(alloc: &Allocation, now: UnixNanos) -> bool {
    if alloc.client_status != ClientStatus::Unknown {
        return false;
    }
    let Some(since) = alloc.last_unknown() else {
        return false;
    };
    let after = lost_after(alloc).unwrap_or(Duration::ZERO);
    UnixNanos::from(since) + after <= now
}

fn class_of(alloc: &Allocation, tainted: &Tainted, now: UnixNanos) -> Class {
    let transition = &alloc.desired_transition;
    let returning = matches!(
        alloc.client_status,
        ClientStatus::Unknown | ClientStatus::Running | ClientStatus::Failed
    ) && alloc.needs_to_reconnect();
    let failed = alloc.client_status == ClientStatus::Failed;
    if returning && failed && alloc.desired_status == DesiredStatus::Run {
        return Class::Reconnecting;
    }
    if alloc.server_terminal() && !returning {
        return if transition.should_disable_migration_placement() {
            Class::Untainted
        } else {
            Class::Ignored
        };
    }
    if alloc.terminal_status() && !returning {
        return if alloc.is_canary() && transition.should_migrate() {
            Class::Migrate
        } else {
            Class::Untainted
        };
    }
    if is_expired(alloc, now) {
        return Class::Expiring;
    }
    if returning && failed && alloc.desired_status == DesiredStatus::Stop {
        return Class::Ignored;
    }
    class_by_node(
        alloc,
        tainted.get(&alloc.node_id).map(Option::as_deref),
        returning,
    )
}

/// `taint` is none for a healthy node, and holds no node for one that is gone.
fn class_by_node(alloc: &Allocation, taint: Option<Option<&Node>>, returning: bool) -> Class {
    let status = taint.flatten().map(|node| node.status);
    if status == Some(NodeStatus::Disconnected) {
        return match alloc.client_status {
            ClientStatus::Unknown => Class::Untainted,
            ClientStatus::Pending => Class::Lost,
            _ if lost_after(alloc).is_none() => Class::Lost,
            _ => Class::Disconnecting,
        };
    }
    if alloc.desired_transition.should_migrate() {
        return Class::Migrate;
    }
    if taint.is_none() || status == Some(NodeStatus::Ready) {
        return if returning {
            Class::Reconnecting
        } else {
            Class::Untainted
        };
    }
    match status {
        None => Class::Lost,
        Some(NodeStatus::Down) => match alloc.client_status {
            ClientStatus::Unknown if !replaced_on_disconnect(alloc) => Class::Untainted,
            ClientStatus::Running if !replaced_on_disconnect(alloc) => Class::Disconnecting,
            _ => Class::Lost,
        },
        Some(_) => Class::Untainted,
    }
}
