//! Defaults of a job by its type.

use crate::config::ServerConfig;
use caravan_model::api::ApiJob;
use caravan_model::*;

pub(super) fn canonical(api: ApiJob, config: &ServerConfig) -> Job {
    let given = api.task_groups.clone().unwrap_or_default();
    let mut job = Job::from(api);
    let or = |text: &mut String, default: &str| {
        if text.is_empty() {
            default.clone_into(text);
        }
    };
    or(&mut job.region, &config.region);
    or(&mut job.r#type, job_type::SERVICE);
    or(&mut job.node_pool, "default");
    if job.name.is_empty() {
        job.name = job.id.to_string();
    }
    if job.priority == 0 {
        job.priority = config.job_default_priority;
    }
    if job.datacenters.is_empty() {
        job.datacenters = vec!["*".to_owned()];
    }
    let batch = job.is_batch_like();
    let kind = job.r#type.clone();
    for (group, given) in job.task_groups.iter_mut().zip(given) {
        if given.count.is_none() {
            group.count = 1;
        }
        if group.restart_policy == RestartPolicy::default() {
            group.restart_policy = RestartPolicy {
                attempts: if batch { 3 } else { 2 },
                delay: Duration::from_secs(15),
                interval: Duration::from_secs(if batch { 24 * 3600 } else { 1800 }),
                mode: restart_mode::FAIL.to_owned(),
                render_templates: false,
            };
        }
        if group.reschedule_policy.is_none() {
            group.reschedule_policy = match kind.as_str() {
                job_type::SERVICE => Some(ReschedulePolicy {
                    delay: Duration::from_secs(30),
                    delay_function: delay_function::EXPONENTIAL.to_owned(),
                    max_delay: Duration::from_secs(3600),
                    unlimited: true,
                    ..ReschedulePolicy::default()
                }),
                job_type::BATCH => Some(ReschedulePolicy {
                    attempts: 1,
                    interval: Duration::from_secs(24 * 3600),
                    delay: Duration::from_secs(5),
                    delay_function: delay_function::CONSTANT.to_owned(),
                    ..ReschedulePolicy::default()
                }),
                _ => None,
            };
        }
        if !batch && group.update.is_none() {
            group.update = Some(UpdateStrategy {
                stagger: Duration::from_secs(30),
                max_parallel: 1,
                health_check: health_check::CHECKS.to_owned(),
                min_healthy_time: Duration::from_secs(10),
                healthy_deadline: Duration::from_secs(300),
                progress_deadline: Duration::from_secs(600),
                ..UpdateStrategy::default()
            });
        }
        if kind == job_type::SERVICE && group.migrate.is_none() {
            group.migrate = Some(MigrateStrategy {
                max_parallel: 1,
                health_check: health_check::CHECKS.to_owned(),
                min_healthy_time: Duration::from_secs(10),
                healthy_deadline: Duration::from_secs(300),
            });
        }
        if group.ephemeral_disk.size_mb == 0 {
            group.ephemeral_disk.size_mb = 300;
        }
        for task in &mut group.tasks {
            if task.restart_policy == RestartPolicy::default() {
                task.restart_policy = group.restart_policy.clone();
            }
            if task.kill_timeout.is_zero() {
                task.kill_timeout = Duration::from_secs(5);
            }
            if task.resources.cpu == 0 && task.resources.cores == 0 {
                task.resources.cpu = 100;
            }
            if task.resources.memory_mb == 0 {
                task.resources.memory_mb = 300;
            }
            if task.log_config == LogConfig::default() {
                task.log_config = LogConfig { max_files: 10, max_file_size_mb: 10, disabled: false };
            }
            if task.identity.is_none() {
                task.identity = Some(Identity {
                    name: "default".to_owned(),
                    audience: vec!["nomadproject.io".to_owned()],
                    ..Identity::default()
                });
            }
        }
    }
    job
}
