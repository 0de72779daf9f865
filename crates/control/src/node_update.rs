//! Which jobs a change of a node concerns (scheduler sheet §2.3, node-update and node-drain).

use caravan_model::*;
use caravan_state::{JobKey, State};
use std::collections::{BTreeMap, BTreeSet};

/// Makes an evaluation id; each call gives another.
pub type NewId<'a> = &'a mut dyn FnMut() -> EvalId;

/// One evaluation for each job that a change of this node concerns: what runs on it, and every system job that
/// belongs on it.
pub fn node_update_evals(
    state: &State,
    node: &Node,
    new_id: NewId<'_>,
    now: UnixNanos,
) -> Vec<Evaluation> {
    let mut jobs: BTreeMap<JobKey, (String, i64, u64)> = BTreeMap::new();
    for alloc in state.allocs_of_node(&node.id) {
        let Some(job) = &alloc.job else { continue };
        let concerned = match job.r#type.as_str() {
            job_type::SYSBATCH => false,
            job_type::BATCH => !alloc.client_terminal(),
            job_type::SYSTEM => true,
            _ => !(alloc.server_terminal() && alloc.client_terminal()),
        };
        if concerned {
            let key = JobKey::new(alloc.namespace.clone(), alloc.job_id.clone());
            jobs.entry(key)
                .or_insert_with(|| (job.r#type.clone(), job.priority, job.job_modify_index));
        }
    }
    for job in state
        .jobs()
        .filter(|job| job.r#type == job_type::SYSTEM && !job.stop)
    {
        if belongs(job, node) {
            let key = JobKey::new(job.namespace.clone(), job.id.clone());
            jobs.entry(key)
                .or_insert_with(|| (job.r#type.clone(), job.priority, job.job_modify_index));
        }
    }
    jobs.into_iter()
        .map(|(key, (kind, priority, job_modify_index))| Evaluation {
            id: new_id(),
            namespace: key.namespace,
            job_id: key.id,
            r#type: kind,
            priority,
            job_modify_index,
            triggered_by: trigger::NODE_UPDATE.to_owned(),
            node_id: node.id,
            node_modify_index: node.modify_index,
            status: EvalStatus::Pending,
            create_time: now,
            modify_time: now,
            ..Evaluation::default()
        })
        .collect()
}

/// Whether a job's datacenters and node pool include this node.
fn belongs(job: &Job, node: &Node) -> bool {
    let pool = job.node_pool == "all" || job.node_pool == node.node_pool;
    pool && job
        .datacenters
        .iter()
        .any(|pattern| matches_glob(pattern, &node.datacenter))
}

/// Whether a name matches a pattern in which `*` stands for any text.
#[must_use]
pub fn matches_glob(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

/// Whether a registration changes what schedulers decide by, so that the node's jobs must be looked at again.
#[must_use]
pub fn registration_matters(old: &Node, new: &Node) -> bool {
    old.datacenter != new.datacenter
        || old.name != new.name
        || old.node_class != new.node_class
        || old.node_pool != new.node_pool
        || old.attributes != new.attributes
        || old.meta != new.meta
        || old.host_volumes != new.host_volumes
        || driver_health(old) != driver_health(new)
        || devices(old) != devices(new)
}

/// Vendor, type and model of devices.
type Kind<'a> = (&'a str, &'a str, &'a str);

/// Which devices there are, and which of them are well.
fn devices(node: &Node) -> BTreeSet<(Kind<'_>, &str, bool)> {
    let groups = node.node_resources.iter().flat_map(|has| &has.devices);
    groups
        .flat_map(|group| {
            let kind = (
                group.vendor.as_str(),
                group.r#type.as_str(),
                group.name.as_str(),
            );
            let instances = group.instances.iter();
            instances.map(move |one| (kind, one.id.as_str(), one.healthy))
        })
        .collect()
}

fn driver_health(node: &Node) -> Vec<(&String, bool, bool)> {
    node.drivers
        .iter()
        .map(|(name, info)| (name, info.detected, info.healthy))
        .collect()
}

/// Whether a change of status must be followed by evaluations.
#[must_use]
pub fn status_matters(old: NodeStatus, new: NodeStatus) -> bool {
    use NodeStatus::{Disconnected, Down, Initializing, Ready};
    old != new
        && matches!(
            (old, new),
            (_, Down | Disconnected) | (Disconnected, _) | (Initializing | Down, Ready)
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::*;

    /// Whose evaluations follow from a change of node 1, on which each job has an allocation.
    fn concerned(change: impl Fn(&mut Allocation)) -> Vec<String> {
        let mut cluster = Cluster::new();
        cluster.add_node(1);
        for (number, kind) in [
            job_type::SERVICE,
            job_type::BATCH,
            job_type::SYSTEM,
            job_type::SYSBATCH,
        ]
        .into_iter()
        .enumerate()
        {
            let job = cluster.register(Job {
                r#type: kind.to_owned(),
                ..service(kind, 1)
            });
            cluster.place(number as u128, &job, &change);
        }
        jobs_of(&mut cluster)
    }

    fn jobs_of(cluster: &mut Cluster) -> Vec<String> {
        let evals = cluster.with_ids(|state, now, ids| {
            let node = state.node(&node_id(1)).expect("a node");
            let mut fresh = || ids.eval();
            node_update_evals(state, node, &mut fresh, now)
        });
        assert!(evals.iter().all(|eval| {
            eval.triggered_by == trigger::NODE_UPDATE
                && eval.node_id == node_id(1)
                && eval.node_modify_index > 0
        }));
        evals.iter().map(|eval| eval.job_id.to_string()).collect()
    }

    #[test]
    fn a_node_concerns_what_runs_on_it_but_sysbatch() {
        let told = concerned(|_| {});
        assert_eq!(told, ["batch", "service", "system"]);
        let stopping = concerned(|alloc| alloc.desired_status = DesiredStatus::Stop);
        assert_eq!(stopping, ["batch", "service", "system"]);
        let over = concerned(|alloc| {
            alloc.desired_status = DesiredStatus::Stop;
            alloc.client_status = ClientStatus::Lost;
        });
        assert_eq!(over, ["system"]);
        let failed = concerned(|alloc| alloc.client_status = ClientStatus::Lost);
        assert_eq!(failed, ["service", "system"]);
    }

    #[test]
    fn a_node_concerns_every_system_job_that_belongs_on_it() {
        let mut cluster = Cluster::new();
        cluster.add_node(1);
        for (id, datacenter, pool, stop) in [
            ("here", "dc*", "default", false),
            ("all", "dc1", "all", false),
            ("elsewhere", "dc2", "default", false),
            ("gpu", "dc1", "gpu", false),
            ("stopped", "dc1", "default", true),
        ] {
            if pool == "gpu" {
                cluster.apply(caravan_state::Command::UpsertNodePools {
                    pools: vec![NodePool {
                        name: "gpu".to_owned(),
                        ..NodePool::default()
                    }],
                });
            }
            cluster.register(Job {
                r#type: job_type::SYSTEM.to_owned(),
                datacenters: vec![datacenter.to_owned()],
                node_pool: pool.to_owned(),
                stop,
                ..service(id, 1)
            });
        }
        assert_eq!(jobs_of(&mut cluster), ["all", "here"]);
    }

    #[test]
    fn registrations_that_matter() {
        let matters = |change: fn(&mut Node)| {
            let mut node = Node::default();
            change(&mut node);
            registration_matters(&Node::default(), &node)
        };
        let device = |node: &mut Node| {
            node.node_resources.get_or_insert_default().devices = vec![NodeDeviceResource {
                instances: vec![NodeDevice::default()],
                ..NodeDeviceResource::default()
            }];
        };
        assert!(matters(|node| node.datacenter = "dc2".to_owned()));
        assert!(matters(|node| node.name = "n".to_owned()));
        assert!(matters(|node| node.node_class = "big".to_owned()));
        assert!(matters(|node| node.node_pool = "gpu".to_owned()));
        assert!(matters(|node| drop(
            node.attributes.insert("a".into(), "b".into())
        )));
        assert!(matters(|node| drop(
            node.meta.insert("a".into(), "b".into())
        )));
        assert!(matters(|node| {
            drop(
                node.host_volumes
                    .insert("a".to_owned(), HostVolumeInfo::default()),
            );
        }));
        assert!(matters(|node| {
            drop(
                node.drivers
                    .insert("exec".to_owned(), DriverInfo::default()),
            );
        }));
        assert!(matters(device));
        assert!(!matters(|_| {}));
        // More room needs nobody to look again: who waits for it is woken by it.
        assert!(!matters(|node| {
            node.node_resources.get_or_insert_default().memory.memory_mb = 64;
        }));
    }

    #[test]
    fn statuses_that_matter() {
        use NodeStatus::{Disconnected, Down, Initializing, Ready};
        for (old, new, matters) in [
            (Initializing, Ready, true),
            (Down, Ready, true),
            (Ready, Down, true),
            (Initializing, Down, true),
            (Ready, Disconnected, true),
            (Disconnected, Initializing, true),
            (Disconnected, Ready, true),
            (Down, Initializing, false),
            (Ready, Ready, false),
        ] {
            assert_eq!(status_matters(old, new), matters, "{old:?} to {new:?}");
        }
    }

    #[test]
    fn globs() {
        for (pattern, name, matches) in [
            ("*", "dc1", true),
            ("dc*", "dc1", true),
            ("dc1", "dc1", true),
            ("dc1", "dc12", false),
            ("*-east-*", "us-east-1", true),
            ("*-east-*", "us-west-1", false),
            ("*1", "dc1", true),
            ("", "dc1", false),
        ] {
            assert_eq!(matches_glob(pattern, name), matches, "{pattern} {name}");
        }
    }
}
