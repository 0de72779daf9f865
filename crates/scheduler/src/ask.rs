//! What a group of one job version asks of a node, compiled once (scheduler sheet §10.1).

use crate::feasible::drivers;
use crate::feasible::predicate::Predicate;
use caravan_model::*;
use caravan_state::Amount;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where at most so many allocations may share a value of an attribute.
#[derive(Clone, Debug)]
pub(crate) struct DistinctProperty {
    pub(crate) attribute: String,
    pub(crate) allowed: i64,
    /// Whether every group of the job counts.
    pub(crate) job_wide: bool,
}

/// What a group asks of a node.
#[derive(Debug)]
pub(crate) struct GroupAsk {
    pub(crate) group: String,
    pub(crate) count: i64,
    /// What each allocation is given before ports, cores and devices are chosen.
    pub(crate) template: Arc<AllocatedResources>,
    pub(crate) amount: Amount,
    pub(crate) drivers: BTreeSet<String>,
    pub(crate) secret_providers: BTreeSet<String>,
    pub(crate) job_constraints: Vec<Predicate>,
    /// The group's, then its tasks'.
    pub(crate) constraints: Vec<Predicate>,
    /// Whether something is asked that nodes of one kind answer differently.
    pub(crate) asks_nodes: bool,
    /// Whether the name of a host network is made of what is unique to a node.
    pub(crate) network_escapes: bool,
    /// Whether what could not be placed may fit any node, whatever its class.
    pub(crate) escapes: bool,
    pub(crate) affinities: Vec<(Predicate, i64)>,
    pub(crate) distinct_hosts_job: bool,
    pub(crate) distinct_hosts_group: bool,
    pub(crate) distinct_properties: Vec<DistinctProperty>,
    pub(crate) spreads: Vec<Spread>,
    pub(crate) network: Option<NetworkResource>,
    pub(crate) task_networks: Vec<(String, NetworkResource)>,
    pub(crate) cores: Vec<(String, usize)>,
    pub(crate) devices: Vec<(String, RequestedDevice)>,
    pub(crate) volumes: BTreeMap<String, VolumeRequest>,
    pub(crate) sum_weights: i64,
}

impl GroupAsk {
    /// Compiles what `group` asks for; `oversubscription` is whether tasks may use more memory than they reserve.
    pub(crate) fn new(job: &Job, group: &TaskGroup, oversubscription: bool) -> Self {
        let of_tasks = group.tasks.iter().flat_map(|task| &task.constraints);
        let job_constraints = predicates(&job.constraints);
        let constraints = predicates(group.constraints.iter().chain(of_tasks));
        let escape = job_constraints
            .iter()
            .chain(&constraints)
            .any(|p| p.escapes);
        let network = group.networks.first().cloned();
        let templates = network.iter().flat_map(NetworkResource::ports);
        let network_escapes = templates
            .map(|p| &p.host_network)
            .any(|name| name.contains("unique."));
        let of_tasks = group.tasks.iter().flat_map(|task| &task.affinities);
        let affinities = job
            .affinities
            .iter()
            .chain(&group.affinities)
            .chain(of_tasks);
        let template = template(group, oversubscription);
        let amount = Amount::of(&template);
        let csi = group
            .volumes
            .values()
            .any(|volume| volume.r#type == volume_type::CSI);
        Self {
            group: group.name.clone(),
            count: group.count,
            template: Arc::new(template),
            amount,
            drivers: drivers::of_group(group),
            secret_providers: drivers::secret_providers(group)
                .into_iter()
                .filter(|provider| !matches!(provider.as_str(), "nomad" | "vault"))
                .collect(),
            job_constraints,
            constraints,
            asks_nodes: escape || network_escapes,
            network_escapes,
            escapes: escape || csi,
            affinities: affinities
                .map(|a| (Predicate::of_affinity(a), a.weight))
                .collect(),
            distinct_hosts_job: distinct_hosts(&job.constraints),
            distinct_hosts_group: distinct_hosts(&group.constraints),
            distinct_properties: distinct_properties(job, group),
            spreads: spreads(job, group),
            sum_weights: spreads(job, group).iter().map(weight).sum(),
            network,
            task_networks: per_task(group, |task| task.resources.networks.first().cloned()),
            cores: per_task(group, |task| {
                usize::try_from(task.resources.cores)
                    .ok()
                    .filter(|cores| *cores > 0)
            }),
            devices: group
                .tasks
                .iter()
                .flat_map(|task| {
                    task.resources
                        .devices
                        .iter()
                        .map(|d| (task.name.clone(), d.clone()))
                })
                .collect(),
            volumes: group.volumes.clone(),
        }
    }

    /// Whether every allocation is given just the template.
    pub(crate) fn is_plain(&self) -> bool {
        self.network.is_none()
            && self.task_networks.is_empty()
            && self.cores.is_empty()
            && self.devices.is_empty()
    }

    /// Whether what an allocation gets, and so how a node is scored, depends on what is left of cores and devices.
    pub(crate) fn depends_on_what_is_left(&self) -> bool {
        !self.cores.is_empty() || !self.devices.is_empty()
    }

    /// Whether which nodes can take an allocation depends on its name, or on where those before it went.
    pub(crate) fn differs_by_allocation(&self) -> bool {
        self.volumes
            .values()
            .any(|volume| volume.per_alloc || volume.sticky)
    }
}

fn predicates<'c>(constraints: impl IntoIterator<Item = &'c Constraint>) -> Vec<Predicate> {
    let plain = constraints.into_iter().filter(|constraint| {
        !matches!(
            constraint.operand.as_str(),
            operand::DISTINCT_HOSTS | operand::DISTINCT_PROPERTY
        )
    });
    plain.map(Predicate::of_constraint).collect()
}

fn per_task<T>(group: &TaskGroup, get: impl Fn(&Task) -> Option<T>) -> Vec<(String, T)> {
    let named = |task: &Task| get(task).map(|value| (task.name.clone(), value));
    group.tasks.iter().filter_map(named).collect()
}

fn template(group: &TaskGroup, oversubscription: bool) -> AllocatedResources {
    let resources = |task: &Task| {
        let asked = &task.resources;
        let memory_max = match asked.memory_max_mb {
            max if !oversubscription || max == 0 => 0,
            -1 => -1,
            max => max + asked.secrets_mb,
        };
        AllocatedTaskResources {
            cpu: AllocatedCpuResources {
                cpu_shares: asked.cpu,
                reserved_cores: Vec::new(),
            },
            memory: AllocatedMemoryResources {
                memory_mb: asked.memory_mb + asked.secrets_mb,
                memory_max_mb: memory_max,
            },
            ..AllocatedTaskResources::default()
        }
    };
    let tasks = group.tasks.iter();
    AllocatedResources {
        tasks: tasks
            .clone()
            .map(|task| (task.name.clone(), resources(task)))
            .collect(),
        task_lifecycles: tasks
            .map(|task| (task.name.clone(), task.lifecycle.clone()))
            .collect(),
        shared: AllocatedSharedResources {
            disk_mb: group.ephemeral_disk.size_mb,
            ..AllocatedSharedResources::default()
        },
    }
}

fn distinct_hosts(constraints: &[Constraint]) -> bool {
    constraints
        .iter()
        .filter(|c| c.operand == operand::DISTINCT_HOSTS)
        .any(|c| {
            !matches!(
                c.r_target.as_str(),
                "0" | "f" | "F" | "false" | "FALSE" | "False"
            )
        })
}

fn distinct_properties(job: &Job, group: &TaskGroup) -> Vec<DistinctProperty> {
    let of_tasks = group.tasks.iter().flat_map(|task| &task.constraints);
    let of_group = group.constraints.iter().chain(of_tasks).map(|c| (c, false));
    let all = job.constraints.iter().map(|c| (c, true)).chain(of_group);
    all.filter(|(c, _)| c.operand == operand::DISTINCT_PROPERTY)
        .map(|(c, job_wide)| DistinctProperty {
            attribute: c.l_target.clone(),
            allowed: c.r_target.parse().unwrap_or(1).max(1),
            job_wide,
        })
        .collect()
}

/// The group's spreads, and the job's on attributes that the group does not spread over itself.
fn spreads(job: &Job, group: &TaskGroup) -> Vec<Spread> {
    let mut all = group.spreads.clone();
    for spread in &job.spreads {
        all.retain(|mine| mine.attribute != spread.attribute);
        all.push(spread.clone());
    }
    all
}

pub(crate) fn weight(spread: &Spread) -> i64 {
    if spread.weight == 0 {
        50
    } else {
        spread.weight
    }
}
