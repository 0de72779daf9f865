//! Networks of allocations (runtime sheet §P): a namespace, made here or by a driver that must own it, connected by
//! CNI plugins. What was made is written down beside the allocation, so that an agent that comes back finds it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use caravan_driver::{Driver, NetworkIsolation};
use caravan_model::{AllocNetworkStatus, Allocation, NetworkResource, TaskGroup, network_mode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::alloc::dir::AllocDir;
use crate::clock;
use crate::shared::Shared;
use crate::task::env::{alloc_index, node_values};
use crate::task::interpolate::replace;

mod cni;
mod conflist;
pub(crate) mod files;
mod firewall;
mod namespace;

use cni::Attachment;
use conflist::Conflist;
pub(crate) use conflist::names;

/// How often connecting is tried, as plugins fail for reasons that pass.
const TRIES: u32 = 3;
/// How often removing is, and how long after each other.
const REMOVALS: u32 = 60;
const PAUSE: Duration = Duration::from_secs(5);

/// Why an allocation has no network.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetworkError {
    #[error("network namespace {}: {why}", path.display())]
    Namespace { path: PathBuf, why: std::io::Error },
    #[error("there is no CNI network {name:?} in {}", folder.display())]
    NoSuchNetwork { name: String, folder: PathBuf },
    #[error(
        "CNI plugin {plugin:?} is in none of {paths:?}; set client.cni_path, or install the plugins"
    )]
    NoPlugin { plugin: String, paths: Vec<PathBuf> },
    #[error("CNI plugin {plugin:?} failed: {why}")]
    Plugin { plugin: String, why: String },
    #[error("network mode {0:?} is not supported on this node")]
    Mode(String),
    #[error("{0}")]
    Driver(String),
    #[error("cannot write down the network: {0}")]
    Record(#[from] std::io::Error),
}

/// What was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Record {
    isolation: NetworkIsolation,
    status: AllocNetworkStatus,
    /// The answer of the plugins, which they want back to disconnect.
    result: Option<Value>,
    /// A driver owns the namespace.
    driver: Option<String>,
}

/// What tasks need to know of their network.
#[derive(Default)]
pub(crate) struct Ready {
    pub(crate) network: Option<NetworkIsolation>,
    pub(crate) status: Option<Box<AllocNetworkStatus>>,
}

/// One allocation's network.
pub(crate) struct Network<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) alloc: &'a Allocation,
    pub(crate) group: &'a TaskGroup,
    pub(crate) dir: &'a AllocDir,
}

impl Network<'_> {
    /// Makes it; what is there from before is kept.
    pub(crate) async fn create(&self, network: &NetworkResource) -> Result<Ready, NetworkError> {
        let list = list(self.shared, &network.mode)?;
        if let Some(record) = self.record() {
            // One that an agent was killed over is not connected.
            let half = list.is_some() && record.result.is_none();
            if !half && namespace::exists(&record.isolation.path) {
                return Ok(ready(record));
            }
            // A reboot may have taken the namespace; what the plugins keep of it is given back.
            if let Err(error) = self.undo(&record, list.as_ref()).await {
                tracing::warn!(alloc = %self.alloc.id, %error, "what is left of a network cannot be removed");
            }
        }
        let hostname = self.interpolated(&network.hostname);
        let (isolation, driver) = self.namespace(&hostname).await?;
        let mut record = Record {
            isolation,
            driver,
            ..Record::default()
        };
        let made = self.complete(network, list.as_ref(), &mut record).await;
        if made.is_err() {
            let _ = self.undo(&record, list.as_ref()).await;
        }
        made.map(|()| ready(record))
    }

    async fn complete(
        &self,
        network: &NetworkResource,
        list: Option<&Conflist>,
        record: &mut Record,
    ) -> Result<(), NetworkError> {
        // Before anything is connected: what an agent that dies here has made is found.
        self.write(record)?;
        if let Some(list) = list {
            let result = self.connect(list, record).await?;
            record.status = cni::status(&result);
            record.result = Some(result);
        }
        if let Some(dns) = &network.dns {
            record.status.dns = Some(dns.clone());
        }
        record.isolation.mode = "group".into();
        record.isolation.hosts_file = self.write_hosts(record)?;
        self.write(record)
    }

    /// Removes it; what is not there is removed already. What fails, as an engine or plugin does for a while, is tried
    /// again.
    pub(crate) async fn remove(&self) {
        // Its directory may be gone before it is.
        let Some(record) = self.record() else {
            return;
        };
        for _ in 0..REMOVALS {
            let Err(error) = self.remove_once(&record).await else {
                return;
            };
            tracing::warn!(alloc = %self.alloc.id, %error, "the network of an allocation cannot be removed");
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = self.shared.shutdown.cancelled() => return,
            }
        }
    }

    async fn remove_once(&self, record: &Record) -> Result<(), NetworkError> {
        let given = self.alloc.allocated_resources.as_ref();
        let mode = given.and_then(|given| given.shared.networks.first());
        let list = mode.map_or(Ok(None), |network| list(self.shared, &network.mode));
        // Where nobody knows any more how it was connected, the namespace goes all the same.
        let known = list.as_ref().ok().and_then(Option::as_ref);
        let undone = self.undo(record, known).await;
        list.map(drop).and(undone)
    }

    async fn namespace(
        &self,
        hostname: &str,
    ) -> Result<(NetworkIsolation, Option<String>), NetworkError> {
        if let Some((name, driver)) = self.owner() {
            let made = driver
                .create_network(&self.alloc.id.to_string(), hostname)
                .await;
            let made = made.map_err(|error| NetworkError::Driver(error.to_string()))?;
            if let Some(mut isolation) = made {
                if isolation.hostname.is_empty() {
                    hostname.clone_into(&mut isolation.hostname);
                }
                return Ok((isolation, Some(name)));
            }
        }
        let path = namespace::path(&self.alloc.id.to_string());
        let target = path.clone();
        tokio::task::spawn_blocking(move || namespace::make(&target))
            .await
            .map_err(std::io::Error::other)??;
        let isolation = NetworkIsolation {
            path,
            hostname: hostname.to_owned(),
            ..NetworkIsolation::default()
        };
        Ok((isolation, None))
    }

    async fn connect(&self, list: &Conflist, record: &Record) -> Result<Value, NetworkError> {
        if list.name == self.shared.config.bridge_network_name || list.name == "nomad" {
            firewall::admit(&self.shared.config).await?;
        }
        let mappings = self.mappings();
        let attachment = self.attachment(list, record, &mappings);
        let mut tries = 1;
        loop {
            let error = match attachment.add().await {
                Ok(result) => return Ok(result),
                Err(error) => error,
            };
            let final_ = matches!(error, NetworkError::NoPlugin { .. }) || tries >= TRIES;
            // A failed connection is to be taken back, by the rules of the plugins.
            let _ = attachment.delete(None).await;
            if final_ {
                return Err(error);
            }
            tracing::warn!(alloc = %self.alloc.id, %error, tries, "the network cannot be connected; again");
            tokio::time::sleep(Duration::from_secs(1) + clock::jitter(Duration::from_secs(1)))
                .await;
            tries += 1;
        }
    }

    /// Disconnects and removes the namespace; goes on past what fails, and tells the first of it.
    async fn undo(&self, record: &Record, list: Option<&Conflist>) -> Result<(), NetworkError> {
        let mut first = Ok(());
        if let Some(list) = list {
            let mappings = self.mappings();
            let attachment = self.attachment(list, record, &mappings);
            first = first.and(attachment.delete(record.result.as_ref()).await);
        }
        if let Some((_, driver)) = self.owner().filter(|_| record.driver.is_some()) {
            let id = self.alloc.id.to_string();
            let gone = driver.destroy_network(&id, &record.isolation).await;
            first = first.and(gone.map_err(|error| NetworkError::Driver(error.to_string())));
        } else if record.driver.is_none() {
            first = first.and(namespace::remove(&record.isolation.path));
        }
        if first.is_ok() {
            // Else it is known what to try again.
            let _ = std::fs::remove_file(self.dir.network().join(RECORD));
        }
        first
    }

    /// The driver of the group that has to make the namespace itself.
    fn owner(&self) -> Option<(String, Arc<dyn Driver>)> {
        let drivers = self.group.tasks.iter().filter_map(|task| {
            let driver = self.shared.drivers.get(&task.driver)?;
            Some((task.driver.clone(), Arc::clone(driver)))
        });
        drivers
            .into_iter()
            .find(|(_, driver)| driver.capabilities().must_initiate_network)
    }

    fn mappings(&self) -> Vec<Value> {
        let given = self.alloc.allocated_resources.as_ref();
        let ports = given.map_or(&[][..], |given| &given.shared.ports);
        conflist::port_mappings(ports.iter())
    }

    fn attachment<'a>(
        &'a self,
        list: &'a Conflist,
        record: &'a Record,
        mappings: &'a [Value],
    ) -> Attachment<'a> {
        Attachment {
            list,
            paths: &self.shared.config.cni_paths,
            container: self.container(),
            namespace: &record.isolation.path,
            args: self.args(),
            mappings,
        }
    }

    fn container(&self) -> &str {
        self.dir
            .root
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
    }

    /// What plugins are told of the allocation.
    fn args(&self) -> String {
        let job = self.alloc.job_id.to_string();
        let mut all = vec![
            ("IgnoreUnknown".to_owned(), "true".to_owned()),
            ("NOMAD_REGION".to_owned(), self.shared.config.region.clone()),
            (
                "NOMAD_NAMESPACE".to_owned(),
                self.alloc.namespace.to_string(),
            ),
            ("NOMAD_JOB_ID".to_owned(), job),
            ("NOMAD_GROUP_NAME".to_owned(), self.group.name.clone()),
            ("NOMAD_ALLOC_ID".to_owned(), self.alloc.id.to_string()),
        ];
        let given = self.alloc.allocated_resources.as_ref();
        let own = given.and_then(|given| given.shared.networks.first()?.cni.as_ref());
        for (key, value) in own.into_iter().flat_map(|cni| &cni.args) {
            all.push((key.clone(), self.interpolated(value)));
        }
        // A separator in a value would make it two.
        let plain = |text: &String| !text.contains([';', '=']);
        let pairs = all.iter().filter(|(key, value)| plain(key) && plain(value));
        pairs
            .map(|(key, value)| format!("{key}={value}"))
            .collect::<Vec<_>>()
            .join(";")
    }

    fn interpolated(&self, text: &str) -> String {
        if !text.contains("${") {
            return text.to_owned();
        }
        let mut values = node_values(&self.shared.node(), &self.shared.config.region);
        let own = BTreeMap::from([
            ("NOMAD_ALLOC_ID", self.alloc.id.to_string()),
            ("NOMAD_SHORT_ALLOC_ID", self.alloc.id.short()),
            ("NOMAD_ALLOC_NAME", self.alloc.name.clone()),
            (
                "NOMAD_ALLOC_INDEX",
                alloc_index(&self.alloc.name).unwrap_or_default().to_owned(),
            ),
            ("NOMAD_GROUP_NAME", self.group.name.clone()),
            ("NOMAD_JOB_ID", self.alloc.job_id.to_string()),
            ("NOMAD_NAMESPACE", self.alloc.namespace.to_string()),
            ("NOMAD_REGION", self.shared.config.region.clone()),
        ]);
        values.extend(
            own.into_iter()
                .map(|(name, value)| (name.to_owned(), value)),
        );
        replace(text, &|name| values.get(name).cloned())
    }

    fn record(&self) -> Option<Record> {
        let text = std::fs::read(self.dir.network().join(RECORD)).ok()?;
        serde_json::from_slice(&text)
            .map_err(|error| tracing::error!(alloc = %self.alloc.id, %error, "the network's record cannot be read"))
            .ok()
    }

    fn write(&self, record: &Record) -> Result<(), NetworkError> {
        let text = serde_json::to_vec(record).map_err(std::io::Error::from)?;
        write_file(&self.dir.network(), RECORD, &text)?;
        Ok(())
    }

    fn write_hosts(&self, record: &Record) -> std::io::Result<PathBuf> {
        let text = files::hosts(&record.status.address, &record.isolation.hostname);
        write_file(&self.dir.network(), "hosts", text.as_bytes())
    }
}

const RECORD: &str = "network.json";

pub(crate) fn write_file(folder: &Path, name: &str, content: &[u8]) -> std::io::Result<PathBuf> {
    crate::alloc::dir::make(folder, 0o755)?;
    let (path, fresh) = (folder.join(name), folder.join(format!("{name}.new")));
    std::fs::write(&fresh, content)?;
    std::fs::rename(&fresh, &path)?;
    Ok(path)
}

fn ready(record: Record) -> Ready {
    let known = !record.status.address.is_empty() || record.status.dns.is_some();
    Ready {
        network: Some(record.isolation),
        status: known.then(|| Box::new(record.status)),
    }
}

/// The plugins of a mode.
fn list(shared: &Shared, mode: &str) -> Result<Option<Conflist>, NetworkError> {
    let config = &shared.config;
    if mode == network_mode::BRIDGE {
        return Ok(Some(conflist::bridge(config)));
    }
    if mode == network_mode::NONE {
        return Ok(None);
    }
    match mode.strip_prefix("cni/") {
        Some(name) => conflist::named(&config.cni_config_dir, name).map(Some),
        None => Err(NetworkError::Mode(mode.to_owned())),
    }
}
