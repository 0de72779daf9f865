//! From the arguments of `nomad agent` to its configuration, saying on the way what an operator should
//! know. The wiring goes on from here.

use crate::announce;
use crate::config::{AgentConfig, ConfigError, Flags, Machine, help, load, parse_flags};
use caravan_cli::Rejection;
use std::path::PathBuf;

/// Why no agent starts, and what to say.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    pub stdout: String,
    pub stderr: String,
    pub code: u8,
}

/// The configuration of this start. Warnings are in it; [`say`] prints them.
pub fn configure(args: &[String], machine: &Machine) -> Result<AgentConfig, Refusal> {
    let flags = match parse_flags(args) {
        Ok(flags) if flags.help => {
            return Err(Refusal {
                stdout: help() + "\n",
                stderr: String::new(),
                code: 0,
            });
        }
        Ok(flags) => flags,
        Err(error) => {
            return Err(Refusal {
                stdout: help() + "\n",
                stderr: format!("{error}\n"),
                code: 1,
            });
        }
    };
    load(&flags, machine).map_err(|error| Refusal {
        stdout: String::new(),
        stderr: announce::outputs(&error.to_string()) + "\n",
        code: 1,
    })
}

/// Whether an agent would start with these files and folders, and what it would warn of.
pub fn validate(paths: &[String]) -> Result<Vec<String>, Rejection> {
    let mut flags = Flags::default();
    flags.configs = paths.iter().map(PathBuf::from).collect();
    match load(&flags, &Machine::gather()) {
        Ok(config) => Ok(config.warnings),
        Err(error @ (ConfigError::Unreadable { .. } | ConfigError::Refused { .. })) => {
            Err(Rejection::Unreadable(error.to_string()))
        }
        Err(error @ (ConfigError::Values(_) | ConfigError::Invalid(_))) => {
            Err(Rejection::Invalid(error.to_string()))
        }
    }
}

/// Prints what comes before the agent's work: files that were read, warnings.
pub fn say(config: &AgentConfig) {
    for warning in &config.warnings {
        eprintln!("{}", announce::outputs(warning));
    }
    println!("{}", announce::loaded(config));
    println!("{}", announce::STARTING);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(args: &[&str]) -> Refusal {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        configure(
            &args,
            &Machine {
                hostname: "h".into(),
                ..Machine::default()
            },
        )
        .expect_err("refused")
    }

    #[test]
    fn each_refusal_goes_where_it_belongs() {
        let helped = refused(&["-h"]);
        assert_eq!(helped.code, 0);
        assert!(
            helped.stdout.starts_with("Usage: nomad agent [options]") && helped.stderr.is_empty()
        );
        let unknown = refused(&["-xyz"]);
        assert_eq!(
            (unknown.code, unknown.stderr.as_str()),
            (1, "flag provided but not defined: -xyz\n")
        );
        assert!(unknown.stdout.contains("-bootstrap-expect"));
        let invalid = refused(&[]);
        assert_eq!(
            invalid.stderr,
            "==> Must specify either server, client or dev mode for the agent.\n"
        );
        assert_eq!(invalid.stdout, "");
    }
}
