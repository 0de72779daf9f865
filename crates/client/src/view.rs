//! How an allocation stands, for those who look at it and for the servers.

use std::sync::Arc;

use caravan_model::{
    AllocDeploymentStatus, AllocNetworkStatus, Allocation, ClientStatus, TaskStates,
};

use crate::alloc::machine::AllocMachine;
use crate::clock;

/// How an allocation stands, as others see it.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// As the servers gave it.
    pub(crate) alloc: Arc<Allocation>,
    pub(crate) states: TaskStates,
    pub(crate) status: ClientStatus,
    pub(crate) description: String,
    pub(crate) deployment_status: Option<AllocDeploymentStatus>,
    pub(crate) network_status: Option<Box<AllocNetworkStatus>>,
    /// All tasks ended and everything was cleaned up.
    pub(crate) done: bool,
}

impl View {
    /// Of an allocation that nobody runs.
    pub(crate) fn failed(alloc: Arc<Allocation>, description: String) -> Self {
        Self {
            alloc,
            states: TaskStates::new(),
            status: ClientStatus::Failed,
            description,
            deployment_status: None,
            network_status: None,
            done: true,
        }
    }

    pub(crate) fn is_terminal(&self) -> bool {
        matches!(
            self.status,
            ClientStatus::Complete | ClientStatus::Failed | ClientStatus::Lost
        )
    }
}

pub(crate) fn view_of(
    alloc: &Arc<Allocation>,
    machine: &AllocMachine,
    network: Option<Box<AllocNetworkStatus>>,
) -> View {
    let (status, description) = machine.client_status();
    View {
        alloc: Arc::clone(alloc),
        states: machine.task_states(),
        status,
        description: description.to_owned(),
        deployment_status: machine.deployment_status(),
        network_status: network,
        done: machine.is_done(),
    }
}

/// The members of an allocation that a client decides.
pub(crate) fn update_of(view: &View) -> Allocation {
    let alloc = &view.alloc;
    Allocation {
        id: alloc.id,
        namespace: alloc.namespace.clone(),
        node_id: alloc.node_id,
        job_id: alloc.job_id.clone(),
        client_status: view.status,
        client_description: view.description.as_str().into(),
        task_states: view.states.clone(),
        deployment_status: view.deployment_status,
        network_status: Some(view.network_status.clone().unwrap_or_default()),
        modify_time: clock::now(),
        ..Allocation::default()
    }
}
