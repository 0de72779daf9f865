//! The agent's configuration: HCL1 and JSON files and folders, flags and environment, merged over the
//! defaults into one [`AgentConfig`] of plain values.
//!
//! Order, later wins: defaults (those of `-dev` with `-dev`), environment, files in the order given,
//! flags. Unknown keys are refused with file and line; known ones whose room is not built yet are
//! accepted and warned about. Entry point: [`load`]. It must never know what the values are used for.

mod dev;
mod environment;
mod files;
pub mod flags;
pub mod machine;
mod options;
mod reload;
mod resolve;
mod self_view;
pub mod setting;
pub mod settings;
pub mod sockaddr;
pub mod syntax;
pub mod units;
mod validate;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

pub use flags::{DevMode, FlagError, Flags, help, parse_flags};
pub use machine::Machine;
pub use reload::Reload;
pub use resolve::{Dirs, Net};
pub use settings::{Settings, Telemetry};

use setting::Problem;

/// Everything that an agent is started with.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentConfig {
    /// `Some` with `-dev`: nothing is kept on disk but what tasks write.
    pub dev: Option<DevMode>,
    /// All settings, with defaults filled in and address templates expanded.
    pub settings: Settings,
    /// The agent's name: as configured, else the host's.
    pub name: String,
    pub dirs: Dirs,
    pub net: Net,
    /// What `-config` named, and the files behind it in the order they were read.
    pub config_paths: Vec<PathBuf>,
    pub files: Vec<PathBuf>,
    /// For the operator, to be printed at start.
    pub warnings: Vec<String>,
}

/// Why there is no configuration. The text of the last kind is complete; the others name the file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("Error loading configuration from {}: {}", path.display(), unreadable(path, error))]
    Unreadable {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("Error loading configuration from {}: {}", path.display(), lines(problems))]
    Refused {
        path: PathBuf,
        problems: Vec<Problem>,
    },
    #[error("{}", lines(.0))]
    Values(Vec<Problem>),
    #[error("{0}")]
    Invalid(String),
}

/// In the words that scripts know.
fn unreadable(path: &Path, error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => format!("stat {}: no such file or directory", path.display()),
        ErrorKind::PermissionDenied => format!("open {}: permission denied", path.display()),
        _ => error.to_string(),
    }
}

fn lines(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Reads the files that `flags` name and makes the configuration of this start.
pub fn load(flags: &Flags, machine: &Machine) -> Result<AgentConfig, ConfigError> {
    let mut settings = match flags.dev {
        Some(mode) => dev::dev_settings(mode, machine),
        None => Settings::default(),
    };
    let mut warnings: Vec<String> = Vec::new();
    refuse_any(environment::apply_environment(
        &mut settings,
        &machine.variables,
    ))?;
    let files = files::find_files(&flags.configs)?;
    for file in &files {
        warnings.extend(
            files::apply_file(&mut settings, file)?
                .iter()
                .map(ToString::to_string),
        );
    }
    let (problems, flag_warnings) = flags.apply(&mut settings);
    refuse_any(problems)?;
    warnings.extend(flag_warnings.iter().map(ToString::to_string));
    refuse_any(environment::apply_overrides(
        &mut settings,
        &machine.variables,
    ))?;
    finish(settings, flags, files, warnings, machine)
}

fn refuse_any(problems: Vec<Problem>) -> Result<(), ConfigError> {
    if problems.is_empty() {
        Ok(())
    } else {
        Err(ConfigError::Values(problems))
    }
}

fn finish(
    mut settings: Settings,
    flags: &Flags,
    files: Vec<PathBuf>,
    mut warnings: Vec<String>,
    machine: &Machine,
) -> Result<AgentConfig, ConfigError> {
    let dev = flags.dev.is_some();
    if settings.server.server_join.start_join.is_empty() {
        settings
            .server
            .server_join
            .start_join
            .clone_from(&settings.server.start_join);
    }
    if settings.server.server_join.retry_join.is_empty() {
        settings
            .server
            .server_join
            .retry_join
            .clone_from(&settings.server.retry_join);
    }
    let join = &mut settings.server.server_join;
    join.retry_interval = settings
        .server
        .retry_interval
        .unwrap_or(join.retry_interval);
    join.retry_max = settings.server.retry_max.unwrap_or(join.retry_max);

    let mut problems = Vec::new();
    resolve::expand_templates(&mut settings, machine, &mut problems);
    if !problems.is_empty() {
        return Err(ConfigError::Invalid(problems.join("\n")));
    }
    validate::refuse(&settings, dev).map_err(ConfigError::Invalid)?;
    warnings.extend(validate::warnings(&settings, dev, machine));
    let net = resolve::net(&settings, machine, &mut warnings).map_err(ConfigError::Invalid)?;
    let name = if settings.name.is_empty() {
        machine.hostname.clone()
    } else {
        settings.name.clone()
    };
    if name.is_empty() {
        return Err(ConfigError::Invalid(
            "this machine has no host name; give the agent one with `name` or -node".into(),
        ));
    }
    Ok(AgentConfig {
        dev: flags.dev,
        dirs: resolve::dirs(&settings, dev, machine),
        net,
        name,
        config_paths: flags.configs.clone(),
        files,
        warnings,
        settings,
    })
}

#[cfg(test)]
mod tests;
