//! Admits a job (server sheet §4.1): what was sent becomes canonical and is checked against itself and the cluster.

use crate::config::ServerConfig;
use caravan_http::ApiError;
pub(crate) use caravan_jobspec::error_text;
use caravan_jobspec::{Admission, Cluster};
use caravan_model::api::ApiJob;
use caravan_model::*;
use caravan_state::State;

/// A job that may be registered, and what to tell its user.
pub(crate) struct Admitted {
    pub(crate) job: Job,
    pub(crate) warnings: Vec<String>,
}

/// What the job language asks of this cluster.
struct Here<'a> {
    state: &'a State,
    config: &'a ServerConfig,
}

impl Cluster for Here<'_> {
    fn region(&self) -> String {
        self.config.region.clone()
    }

    fn default_priority(&self) -> i64 {
        self.config.job_default_priority
    }

    fn max_priority(&self) -> i64 {
        self.config.job_max_priority
    }

    fn max_count(&self) -> Option<i64> {
        (self.config.job_max_count > 0).then_some(self.config.job_max_count)
    }

    fn namespace(&self, name: &str) -> Option<Namespace> {
        self.state
            .namespace(&name.to_owned())
            .map(|row| Namespace::clone(row))
    }

    fn has_node_pool(&self, name: &str) -> bool {
        self.state.node_pool(&name.to_owned()).is_some()
    }

    fn has_consul(&self) -> bool {
        self.state
            .nodes()
            .any(|node| node.is_ready() && node.attributes.contains_key("consul.version"))
    }

    fn has_vault(&self, cluster: &str) -> bool {
        self.config.vault_clusters.contains(cluster)
    }

    fn vault_identity(&self, cluster: &str) -> Option<Identity> {
        self.config.vault_identities.get(cluster).cloned()
    }

    fn consul_identity(&self, cluster: &str) -> Option<Identity> {
        self.config.consul_identities.get(cluster).cloned()
    }

    fn consul_service_identity(&self, cluster: &str) -> Option<Identity> {
        self.config.consul_service_identities.get(cluster).cloned()
    }

    fn oversubscribes_memory(&self) -> bool {
        self.state
            .scheduler_config()
            .is_some_and(|config| config.memory_oversubscription_enabled)
    }
}

fn judge(state: &State, config: &ServerConfig, api: ApiJob) -> Result<Admission, ApiError> {
    let judged = caravan_jobspec::admit(api, &Here { state, config });
    match judged.refusal {
        Some(why) => Err(ApiError::internal(why)),
        None => Ok(judged),
    }
}

/// Makes a job canonical and checks it.
pub(crate) fn admit(
    state: &State,
    config: &ServerConfig,
    api: ApiJob,
) -> Result<Admitted, ApiError> {
    // exhaustive
    let Admission {
        job,
        refusal: _,
        errors,
        warnings,
    } = judge(state, config, api)?;
    if errors.is_empty() {
        Ok(Admitted { job, warnings })
    } else {
        Err(ApiError::internal(error_text(&errors)))
    }
}

/// Warnings as one text; empty without any.
pub(crate) fn warning_text(warnings: impl IntoIterator<Item = String>) -> String {
    caravan_jobspec::warning_text(&warnings.into_iter().collect::<Vec<_>>())
}

/// Checks that nobody has changed the job since the user looked at it.
pub(crate) fn enforce_index(existing: Option<&Job>, index: u64) -> Result<(), ApiError> {
    let text = match (existing, index) {
        (Some(_), 0) => "job already exists".to_owned(),
        (None, 0) => return Ok(()),
        (None, _) => "job does not exist".to_owned(),
        (Some(job), index) if job.job_modify_index == index => return Ok(()),
        (Some(job), _) => format!(
            "job exists with conflicting job modify index: {}",
            job.job_modify_index
        ),
    };
    Err(ApiError::internal(format!(
        "Enforcing job modify index {index}: {text}"
    )))
}

/// Checks that a job stays what it was.
pub(crate) fn check_transition(old: Option<&Job>, new: &Job) -> Result<(), ApiError> {
    let Some(old) = old else {
        return match new.dispatched {
            true => Err(ApiError::internal(
                "job can't be submitted with 'Dispatched' set",
            )),
            false => Ok(()),
        };
    };
    if old.r#type != new.r#type {
        return Err(ApiError::internal(format!(
            "cannot update job from type {:?} to {:?}",
            old.r#type, new.r#type
        )));
    }
    let changes = [
        (old.is_periodic(), new.is_periodic(), "periodic"),
        (
            old.is_parameterized(),
            new.is_parameterized(),
            "parameterized",
        ),
    ];
    for (was, is, kind) in changes {
        if was && !is {
            return Err(ApiError::internal(format!(
                "cannot update {kind} job to being non-{kind}"
            )));
        }
        if !was && is {
            return Err(ApiError::internal(format!(
                "cannot update non-{kind} job to being {kind}"
            )));
        }
    }
    match old.dispatched == new.dispatched {
        true => Ok(()),
        false => Err(ApiError::internal("field 'Dispatched' is read-only")),
    }
}

/// Keeps the counts of groups that are there already.
pub(crate) fn preserve_counts(old: &Job, new: &mut Job) {
    for group in &mut new.task_groups {
        if let Some(known) = old.lookup_task_group(&group.name) {
            group.count = known.count;
        }
    }
}

/// Keeps the resources of tasks that are there already.
pub(crate) fn preserve_resources(old: &Job, new: &mut Job) {
    for group in &mut new.task_groups {
        let Some(known) = old.lookup_task_group(&group.name) else {
            continue;
        };
        for task in &mut group.tasks {
            if let Some(known) = known.lookup_task(&task.name) {
                task.resources.clone_from(&known.resources);
            }
        }
    }
}

/// What validation says of a job.
pub(crate) fn validation(
    state: &State,
    config: &ServerConfig,
    api: ApiJob,
) -> Result<JobValidateResponse, ApiError> {
    let Admission {
        job: _,
        refusal: _,
        errors,
        warnings,
    } = judge(state, config, api)?;
    Ok(JobValidateResponse {
        driver_config_validated: true,
        error: if errors.is_empty() {
            String::new()
        } else {
            error_text(&errors)
        },
        validation_errors: errors,
        warnings: caravan_jobspec::warning_text(&warnings),
    })
}

/// Parses a job file; nothing of this machine is read.
pub(crate) fn parse(request: &JobParseRequest) -> Result<ApiJob, String> {
    let source = caravan_jobspec::Source::new("input.hcl", request.job_hcl.as_str());
    let mut inputs = caravan_jobspec::Inputs {
        seed: crate::clock::seed_bytes(),
        ..Default::default()
    };
    if !request.variables.is_empty() {
        let name = "input.hcl".to_owned();
        inputs.var_files.push(caravan_jobspec::VarFile {
            name,
            text: request.variables.clone(),
        });
    }
    let parsed = caravan_jobspec::parse(&source, &inputs).map_err(|errors| errors.to_string())?;
    let mut job = parsed.job;
    if request.canonicalize {
        caravan_jobspec::canonicalize(&mut job);
    }
    Ok(job)
}
