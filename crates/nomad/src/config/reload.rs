//! What a reload (SIGHUP, `/v1/agent/reload`) changes in a running agent. The rest of a new
//! configuration waits for a restart, which tasks survive.

use super::AgentConfig;
use super::settings::{Settings, Tls};

/// One thing to do for the new configuration to take effect.
#[derive(Clone, Debug, PartialEq)]
pub enum Reload {
    LogLevel(String),
    /// Read the certificates again; sent whenever TLS is on, for the files may have changed.
    Tls(Box<Tls>),
    Schedulers {
        workers: Option<u32>,
        enabled: Option<Vec<String>>,
    },
    RaftTuning {
        trailing_logs: u64,
        snapshot_interval: std::time::Duration,
        snapshot_threshold: u64,
    },
    Fingerprints,
}

impl AgentConfig {
    /// What to do for `new`, and whether it also differs in something that needs a restart.
    pub fn reload(&self, new: &AgentConfig) -> (Vec<Reload>, bool) {
        let (old, fresh) = (&self.settings, &new.settings);
        let mut todo = Vec::new();
        if old.log_level != fresh.log_level {
            todo.push(Reload::LogLevel(fresh.log_level.clone()));
        }
        if fresh.tls.http || fresh.tls.rpc || old.tls != fresh.tls {
            todo.push(Reload::Tls(Box::new(fresh.tls.clone())));
        }
        let schedulers = |settings: &Settings| {
            (
                settings.server.num_schedulers,
                settings.server.enabled_schedulers.clone(),
            )
        };
        if schedulers(old) != schedulers(fresh) {
            let (workers, enabled) = schedulers(fresh);
            todo.push(Reload::Schedulers { workers, enabled });
        }
        let raft = |settings: &Settings| {
            let server = &settings.server;
            (
                server.raft_trailing_logs,
                server.raft_snapshot_interval,
                server.raft_snapshot_threshold,
            )
        };
        if raft(old) != raft(fresh) {
            let (trailing_logs, snapshot_interval, snapshot_threshold) = raft(fresh);
            todo.push(Reload::RaftTuning {
                trailing_logs,
                snapshot_interval,
                snapshot_threshold,
            });
        }
        if fresh.client.enabled {
            todo.push(Reload::Fingerprints);
        }
        (todo, without_reloadable(old) != without_reloadable(fresh))
    }
}

/// The settings with everything reloadable made equal.
fn without_reloadable(settings: &Settings) -> Settings {
    let mut rest = settings.clone();
    let defaults = Settings::default();
    rest.log_level = defaults.log_level;
    rest.tls = defaults.tls;
    rest.server.num_schedulers = defaults.server.num_schedulers;
    rest.server.enabled_schedulers = defaults.server.enabled_schedulers;
    rest.server.raft_trailing_logs = defaults.server.raft_trailing_logs;
    rest.server.raft_snapshot_interval = defaults.server.raft_snapshot_interval;
    rest.server.raft_snapshot_threshold = defaults.server.raft_snapshot_threshold;
    rest
}

#[cfg(test)]
mod tests {
    use super::super::{Machine, load, parse_flags};
    use super::*;

    fn config(args: &[&str]) -> AgentConfig {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let machine = Machine {
            hostname: "h".into(),
            ..Machine::default()
        };
        load(&parse_flags(&args).expect("valid"), &machine).expect("valid")
    }

    #[test]
    fn only_some_settings_are_reloaded() {
        let old = config(&["-dev"]);
        let (todo, restart) = old.reload(&config(&["-dev", "-log-level=WARN"]));
        assert_eq!(
            todo,
            [Reload::LogLevel("WARN".into()), Reload::Fingerprints]
        );
        assert!(!restart);
        let (todo, restart) = old.reload(&config(&["-dev", "-dc=other"]));
        assert_eq!(todo, [Reload::Fingerprints]);
        assert!(restart);
    }
}
