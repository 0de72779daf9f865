//! How much a container may use.

use bollard::models::ResourcesUlimits;
use caravan_driver::{DriverError, TaskConfig};

use super::options::{DockerConfig, PluginConfig};

const MB: i64 = 1 << 20;

/// Limit and reservation in bytes.
pub(super) fn memory(config: &TaskConfig, task: &DockerConfig) -> Result<(i64, i64), DriverError> {
    let resources = &config.resources;
    if resources.memory_max_mb == -1 {
        return Ok((0, resources.memory_mb * MB));
    }
    let hard = task.memory_hard_limit.max(resources.memory_max_mb);
    if hard <= 0 {
        return Ok((resources.memory_mb * MB, 0));
    }
    if resources.memory_mb > hard {
        return Err(DriverError::fatal(format!(
            "task memory requirements exceed driver hard limit of {hard} MB"
        )));
    }
    Ok((hard * MB, resources.memory_mb * MB))
}

/// The kernel knows no more than 262,144 shares: on a larger node they are scaled.
pub(super) fn cpu_shares(config: &TaskConfig) -> i64 {
    const MOST: u64 = 262_144;
    let asked = config.resources.cpu_mhz.max(2);
    match config.resources.node_cpu_mhz {
        total if total > MOST => ((asked as f64 * MOST as f64 / total as f64) as i64).max(2),
        _ => asked,
    }
}

pub(super) fn cpu_quota(
    config: &TaskConfig,
    task: &DockerConfig,
) -> Result<(Option<i64>, Option<i64>), DriverError> {
    if !task.cpu_hard_limit {
        return Ok((None, None));
    }
    let period = if task.cpu_cfs_period == 0 {
        100_000
    } else {
        task.cpu_cfs_period
    };
    if !(1000..=1_000_000).contains(&period) {
        return Err(DriverError::fatal(format!(
            "invalid value for cpu_cfs_period: {period}"
        )));
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let quota = config.resources.percent_ticks * period as f64 * cores as f64;
    Ok((Some(period), Some((quota as i64).max(1000))))
}

pub(super) fn pids_limit(
    task: &DockerConfig,
    plugin: &PluginConfig,
) -> Result<Option<i64>, DriverError> {
    let most = plugin.pids_limit;
    if most > 0 && task.pids_limit > most {
        return Err(DriverError::fatal(format!(
            "pids_limit cannot be greater than nomad plugin config pids_limit: {most}"
        )));
    }
    let limit = if task.pids_limit > 0 {
        task.pids_limit
    } else {
        most
    };
    Ok((limit > 0).then_some(limit))
}

pub(super) fn ulimits(task: &DockerConfig) -> Result<Vec<ResourcesUlimits>, DriverError> {
    task.ulimit
        .iter()
        .map(|(name, text)| {
            let invalid = || DriverError::fatal(format!("Malformed ulimit {name}: {text:?}"));
            let (soft, hard) = text.split_once(':').unwrap_or((text, text));
            Ok(ResourcesUlimits {
                name: Some(name.clone()),
                soft: Some(soft.parse().map_err(|_| invalid())?),
                hard: Some(hard.parse().map_err(|_| invalid())?),
            })
        })
        .collect()
}
