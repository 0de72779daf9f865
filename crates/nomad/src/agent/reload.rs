//! A reload: the configuration is read again, and what can change in a running agent does.

use std::sync::{Arc, Mutex, PoisonError};

use super::logging::Log;
use super::secure::Certificates;
use crate::config::{AgentConfig, Machine, Reload};
use crate::{announce, startup};

/// Reads the configuration again when it is told to.
pub(crate) struct Reloader {
    /// As the agent was started.
    args: Vec<String>,
    current: Mutex<Arc<AgentConfig>>,
    pub(crate) log: Arc<Log>,
    certificates: Certificates,
}

impl Reloader {
    pub(super) fn new(
        args: Vec<String>,
        config: Arc<AgentConfig>,
        log: Arc<Log>,
        certificates: Certificates,
    ) -> Self {
        Self {
            args,
            current: Mutex::new(config),
            log,
            certificates,
        }
    }

    /// Takes over what can be taken over.
    ///
    /// # Errors
    /// Why the new configuration is not usable; the old one stays.
    pub(crate) fn reload(&self) -> Result<(), String> {
        println!("{}", announce::RELOADING);
        let refused = |refusal: startup::Refusal| {
            let text = refusal.stderr.trim().trim_start_matches("==> ").to_owned();
            tracing::error!("the configuration was not reloaded: {text}");
            text
        };
        let new = startup::configure(&self.args, &Machine::gather()).map_err(refused)?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let (todo, restart) = current.reload(&new);
        for change in todo {
            self.change(change)?;
        }
        if restart {
            tracing::warn!("the configuration also differs in what takes effect only at a restart");
        }
        *current = Arc::new(new);
        tracing::info!("configuration reloaded");
        Ok(())
    }

    fn change(&self, change: Reload) -> Result<(), String> {
        match change {
            Reload::LogLevel(level) => self.log.show(&level),
            Reload::Tls(_) => self.certificates.reload()?,
            Reload::Schedulers { .. } | Reload::RaftTuning { .. } => {
                tracing::warn!("num_schedulers and raft settings take effect at a restart");
            }
            // The node looks at the machine again by itself.
            Reload::Fingerprints => {}
        }
        Ok(())
    }
}
