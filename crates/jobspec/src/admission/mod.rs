//! Admission: what was sent becomes the job that is stored, or is refused with everything that is wrong with it.
//!
//! Facts about the cluster come in through [`Cluster`]; nothing else is asked. Admitting what was admitted changes
//! nothing, so that sending a job again makes no new version.

mod connect;
mod expose;
mod gateway;
mod identities;
mod implied;
mod rules;

#[cfg(test)]
mod tests;

use crate::canonical::{canonicalize, complete};
use crate::validate::{
    Faults, job_warnings, service_delay_warnings, validate_job, vault_identity_warnings,
};
use caravan_model::api::{ApiJob, ApiService};
use caravan_model::{Identity, Job, Namespace, Service, service_provider};

/// What admission has to know of the cluster.
pub trait Cluster {
    /// The region that jobs belong to which name none.
    fn region(&self) -> String {
        "global".to_owned()
    }
    /// The priority of jobs that have none.
    fn default_priority(&self) -> i64 {
        50
    }
    /// The highest priority that jobs may have.
    fn max_priority(&self) -> i64 {
        100
    }
    /// How many allocations a job may ask for; none for any number.
    fn max_count(&self) -> Option<i64> {
        Some(50_000)
    }
    /// The namespace of this name, if there is one.
    fn namespace(&self, name: &str) -> Option<Namespace>;
    /// Whether there is a node pool of this name.
    fn has_node_pool(&self, name: &str) -> bool;
    /// Whether a ready node has a Consul agent.
    fn has_consul(&self) -> bool {
        false
    }
    /// Whether this Vault cluster is configured.
    fn has_vault(&self, _cluster: &str) -> bool {
        false
    }
    /// The identity that tasks log in with at this Vault cluster which declare none; its name does not count.
    fn vault_identity(&self, _cluster: &str) -> Option<Identity> {
        None
    }
    /// The same for Consul.
    fn consul_identity(&self, _cluster: &str) -> Option<Identity> {
        None
    }
    /// The identity that services in this Consul cluster log in with which declare none; its name does not count.
    fn consul_service_identity(&self, _cluster: &str) -> Option<Identity> {
        None
    }
    /// Whether tasks may use more memory than they reserve.
    fn oversubscribes_memory(&self) -> bool {
        false
    }
}

/// No cluster at all: what can be said about a job by itself. Its namespace, node pool and Vault are taken to exist.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCluster;

impl Cluster for NoCluster {
    fn namespace(&self, name: &str) -> Option<Namespace> {
        Some(Namespace {
            name: name.into(),
            ..Namespace::default()
        })
    }

    fn has_node_pool(&self, _name: &str) -> bool {
        true
    }

    fn has_vault(&self, _cluster: &str) -> bool {
        true
    }

    fn oversubscribes_memory(&self) -> bool {
        true
    }
}

/// What admission made of a job.
#[derive(Clone, Debug)]
pub struct Admission {
    /// To be stored if there are no errors.
    pub job: Job,
    /// Why the job could not even be made complete; whoever only judges jobs has no answer then.
    pub refusal: Option<String>,
    /// Everything that is wrong with it; see [`crate::error_text`].
    pub errors: Vec<String>,
    /// See [`crate::warning_text`].
    pub warnings: Vec<String>,
}

/// Makes a job that was sent complete and judges it.
#[must_use]
pub fn admit(mut api: ApiJob, cluster: &dyn Cluster) -> Admission {
    if api.region.as_deref().unwrap_or_default().is_empty() {
        api.region = Some(cluster.region());
    }
    let undecided = undecided_services(&api);
    canonicalize(&mut api);
    let mut job = Job::from(api);
    if job.priority == 0 {
        job.priority = cluster.default_priority();
    }
    complete(&mut job);
    let mut faults = Faults::default();
    let refusal = connect::inject(&mut job, &mut faults)
        .and_then(|()| expose::inject(&mut job, &mut faults))
        .err();
    let namespace = cluster.namespace(job.namespace.as_str());
    if job.node_pool.is_empty() {
        let choice = namespace
            .as_ref()
            .and_then(|it| it.node_pool_configuration.as_ref());
        let pool = choice
            .map(|choice| choice.default.clone())
            .filter(|pool| !pool.is_empty());
        job.node_pool = pool.unwrap_or_else(|| "default".to_owned());
    }
    rules::before(&job, cluster, namespace.as_ref(), &mut faults);
    if job.multiregion.is_none() {
        validate_job(&job, &mut faults);
        rules::limits(&job, cluster, &mut faults);
    }
    rules::enterprise(&job, &mut faults);
    let mut warnings = vault_identity_warnings(&job);
    warnings.extend(job_warnings(&job));
    warnings.extend(service_delay_warnings(&job));
    warnings.extend(rules::memory_warnings(&job, cluster));
    decide_providers(&mut job, &undecided, cluster.has_consul());
    identities::add(&mut job, cluster);
    implied::constrain(&mut job, cluster.has_consul());
    Admission {
        job,
        refusal,
        errors: faults.texts(),
        warnings: warnings.iter().map(|it| it.trim().to_owned()).collect(),
    }
}

/// Of each service, in order, whether it names no provider.
fn undecided_services(job: &ApiJob) -> Vec<bool> {
    let names_none = |service: &ApiService| service.provider.is_empty();
    let mut out = Vec::new();
    for group in job.task_groups.iter().flatten() {
        out.extend(group.services.iter().flatten().map(names_none));
        for task in group.tasks.iter().flatten() {
            out.extend(task.services.iter().flatten().map(names_none));
        }
    }
    out
}

/// Services that name no provider go to the external catalogue where there is one, and to the built-in one
/// otherwise, so that no job waits for a catalogue that nobody set up.
fn decide_providers(job: &mut Job, undecided: &[bool], has_consul: bool) {
    let namespace = job.namespace.to_string();
    let mut decide = undecided.iter();
    let mut resolve = |service: &mut Service| {
        let open = decide.next().copied().unwrap_or(false);
        if open && !has_consul && service.connect.is_none() {
            service.provider = service_provider::NOMAD.to_owned();
            service.cluster = "default".to_owned();
            service.namespace.clone_from(&namespace);
        }
    };
    for group in &mut job.task_groups {
        group.services.iter_mut().for_each(&mut resolve);
        for task in &mut group.tasks {
            task.services.iter_mut().for_each(&mut resolve);
        }
    }
}
