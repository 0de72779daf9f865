//! Admits a job (server sheet §4.1): what was sent becomes canonical and is checked against itself and the cluster.

use crate::config::ServerConfig;
use caravan_http::ApiError;
use caravan_model::api::ApiJob;
use caravan_model::*;
use caravan_state::State;

/// A job that may be registered, and what to tell its user.
pub(crate) struct Admitted {
    pub(crate) job: Job,
    pub(crate) warnings: Vec<String>,
}

/// Makes a job canonical and checks it.
pub(crate) fn admit(state: &State, config: &ServerConfig, api: ApiJob) -> Result<Admitted, ApiError> {
    let mut api = api;
    caravan_jobspec::canonicalize(&mut api);
    let mut job = Job::from(api);
    caravan_jobspec::complete(&mut job);
    if job.priority == 0 {
        job.priority = config.job_default_priority;
    }
    if job.region.is_empty() {
        job.region.clone_from(&config.region);
    }
    for task in job.task_groups.iter_mut().flat_map(|group| &mut group.tasks) {
        task.identity.get_or_insert_with(default_identity);
    }
    let mut errors = Vec::new();
    if job.task_groups.is_empty() {
        errors.push("Missing job task groups".to_owned());
    }
    let total: i64 = job.task_groups.iter().map(|group| group.count).sum();
    if total > config.job_max_count {
        errors.push(format!("total count was greater than configured job_max_count: {total} > {}", config.job_max_count));
    }
    if !(1..=config.job_max_priority).contains(&job.priority) {
        errors.push(format!("job priority must be between [1, {}]", config.job_max_priority));
    }
    if !errors.is_empty() {
        return Err(ApiError::internal(error_text(&errors)));
    }
    if !state.namespaces().any(|namespace| namespace.name == job.namespace) {
        return Err(ApiError::internal(format!(
            "job {:?} is in nonexistent namespace {:?}",
            job.id.as_str(),
            job.namespace.as_str()
        )));
    }
    Ok(Admitted { job, warnings: Vec::new() })
}

/// The identity that every task has, and that its allocation carries signed.
fn default_identity() -> Identity {
    Identity {
        name: "default".to_owned(),
        audience: vec!["nomadproject.io".to_owned()],
        ..Identity::default()
    }
}

/// Several errors as one text.
pub(crate) fn error_text(errors: &[String]) -> String {
    let plural = if errors.len() == 1 { "" } else { "s" };
    let lines: String = errors.iter().map(|error| format!("\t* {error}\n")).collect();
    format!("{} error{plural} occurred:\n{lines}\n", errors.len())
}

/// Warnings as one text; empty without any.
pub(crate) fn warning_text(warnings: impl IntoIterator<Item = String>) -> String {
    let warnings: Vec<String> = warnings.into_iter().collect();
    if warnings.is_empty() {
        return String::new();
    }
    let plural = if warnings.len() == 1 { "" } else { "s" };
    let lines: Vec<String> = warnings.iter().map(|warning| format!("* {warning}")).collect();
    format!("{} warning{plural}:\n\n{}", warnings.len(), lines.join("\n"))
}

/// Checks that nobody has changed the job since the user looked at it.
pub(crate) fn enforce_index(existing: Option<&Job>, index: u64) -> Result<(), ApiError> {
    let text = match (existing, index) {
        (Some(_), 0) => "job already exists".to_owned(),
        (None, 0) => return Ok(()),
        (None, _) => "job does not exist".to_owned(),
        (Some(job), index) if job.job_modify_index == index => return Ok(()),
        (Some(job), _) => format!("job exists with conflicting job modify index: {}", job.job_modify_index),
    };
    Err(ApiError::internal(format!("Enforcing job modify index {index}: {text}")))
}

/// Checks that a job stays what it was.
pub(crate) fn check_transition(old: &Job, new: &Job) -> Result<(), ApiError> {
    if old.r#type != new.r#type {
        return Err(ApiError::internal(format!(
            "cannot update job from type {:?} to {:?}",
            old.r#type, new.r#type
        )));
    }
    let changes = [
        (old.is_periodic(), new.is_periodic(), "periodic"),
        (old.is_parameterized(), new.is_parameterized(), "parameterized"),
    ];
    for (was, is, kind) in changes {
        if was && !is {
            return Err(ApiError::internal(format!("cannot update {kind} job to being non-{kind}")));
        }
        if !was && is {
            return Err(ApiError::internal(format!("cannot update non-{kind} job to being {kind}")));
        }
    }
    if new.dispatched {
        return Err(ApiError::internal("job can't be submitted with 'Dispatched' set"));
    }
    Ok(())
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
        let Some(known) = old.lookup_task_group(&group.name) else { continue };
        for task in &mut group.tasks {
            if let Some(known) = known.lookup_task(&task.name) {
                task.resources.clone_from(&known.resources);
            }
        }
    }
}

/// What validation says of a job.
pub(crate) fn validation(state: &State, config: &ServerConfig, api: ApiJob) -> JobValidateResponse {
    match admit(state, config, api) {
        Ok(admitted) => JobValidateResponse {
            driver_config_validated: true,
            warnings: warning_text(admitted.warnings),
            ..JobValidateResponse::default()
        },
        Err(error) => JobValidateResponse {
            driver_config_validated: true,
            validation_errors: vec![error.message.clone()],
            error: error.message,
            ..JobValidateResponse::default()
        },
    }
}

/// Parses a job file; nothing of this machine is read.
pub(crate) fn parse(request: &JobParseRequest) -> Result<ApiJob, String> {
    let source = caravan_jobspec::Source::new("input.hcl", request.job_hcl.as_str());
    let mut inputs = caravan_jobspec::Inputs { seed: crate::clock::seed_bytes(), ..Default::default() };
    if !request.variables.is_empty() {
        let name = "input.vars".to_owned();
        inputs.var_files.push(caravan_jobspec::VarFile { name, text: request.variables.clone() });
    }
    let parsed = caravan_jobspec::parse(&source, &inputs).map_err(|errors| errors.to_string())?;
    let mut job = parsed.job;
    if request.canonicalize {
        caravan_jobspec::canonicalize(&mut job);
    }
    Ok(job)
}
