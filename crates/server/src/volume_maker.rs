//! The way to the node that makes and removes dynamic host volumes.

use async_trait::async_trait;
use caravan_model::HostVolume;
use std::sync::{Arc, OnceLock};

/// What a node made of a request for a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeVolume {
    /// Where it is on the node.
    pub host_path: String,
    /// How large it is.
    pub capacity_bytes: i64,
}

/// Asks nodes for volumes. The binary implements it over whatever reaches its nodes.
#[async_trait]
pub trait NodeVolumes: Send + Sync + 'static {
    /// Makes (or finds again) a volume on the node that it names. The error is shown to the caller.
    async fn make(&self, volume: &HostVolume) -> Result<MadeVolume, String>;

    /// Removes it.
    async fn remove(&self, volume: &HostVolume) -> Result<(), String>;
}

/// The way, once there is one.
#[derive(Default)]
pub(crate) struct VolumeMaker {
    nodes: OnceLock<Arc<dyn NodeVolumes>>,
}

impl VolumeMaker {
    /// Sets the way; the first one stays.
    pub(crate) fn set(&self, nodes: Arc<dyn NodeVolumes>) {
        // A second way would mean two agents in one process, which the binary does not start.
        let _ = self.nodes.set(nodes);
    }

    fn nodes(&self) -> Result<&Arc<dyn NodeVolumes>, String> {
        self.nodes.get().ok_or_else(|| "No path to node".to_owned())
    }

    pub(crate) async fn make(&self, volume: &mut HostVolume) -> Result<(), String> {
        let made = self.nodes()?.make(volume).await?;
        volume.host_path = made.host_path;
        volume.capacity_bytes = made.capacity_bytes;
        Ok(())
    }

    pub(crate) async fn remove(&self, volume: &HostVolume) -> Result<(), String> {
        self.nodes()?.remove(volume).await
    }
}
