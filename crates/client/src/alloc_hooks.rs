//! What is prepared for an allocation as a whole before its tasks, and undone after them (runtime sheet §E).

use std::io;
use std::sync::Arc;

use caravan_model::{Allocation, TaskPhase};
use tokio_util::sync::CancellationToken;

use crate::alloc::dir::AllocDir;
use crate::alloc::group::Group;
use crate::handle::Runner;
use crate::link::{Found, Lookup, What};
use crate::migrate;
use crate::network::{Network, NetworkError, Ready};
use crate::shared::Shared;
use crate::tallies::Awaits;

pub(crate) struct Setup {
    pub(crate) shared: Arc<Shared>,
    pub(crate) alloc: Arc<Allocation>,
    pub(crate) group: Group,
    pub(crate) dir: AllocDir,
    pub(crate) runner: Arc<Runner>,
    /// The allocation ended before its tasks began.
    pub(crate) given_up: CancellationToken,
}

fn failed(hook: &str, why: impl std::fmt::Display) -> String {
    format!("failed to setup alloc: pre-run hook {hook:?} failed: {why}")
}

impl Setup {
    pub(crate) async fn run(self) -> Result<Ready, String> {
        let dir = self.dir.clone();
        let built = self.shared.files.take(move || dir.build()).await;
        built
            .map_err(|error| failed("alloc_dir", error))?
            .map_err(|error| failed("alloc_dir", error))?;
        let take_over = async {
            self.runner.waiting.set(Awaits::Another);
            self.await_previous().await;
            self.runner.waiting.set(Awaits::Data);
            migrate::take_over(&self.shared, &self.alloc, &self.group, &self.dir).await
        };
        let taken = tokio::select! {
            taken = take_over => taken,
            () = self.given_up.cancelled() => Err(io::ErrorKind::Interrupted.into()),
        };
        self.runner.waiting.set(Awaits::Nothing);
        taken.map_err(|error| failed("migrate_disk", error))?;
        self.network()
            .await
            .map_err(|error| failed("network", error))
    }

    /// Waits until the allocation this one replaces, and those evicted for it, have ended.
    async fn await_previous(&self) {
        let previous = self.alloc.previous_allocation;
        let waits = self.group.ephemeral_disk.sticky || self.group.ephemeral_disk.migrate;
        let mut before = self.alloc.preempted_allocations.clone();
        if !previous.is_nil() && (waits || self.shared.runner(previous).is_some()) {
            before.push(previous);
        }
        for id in before {
            match self.shared.runner(id) {
                Some(runner) => {
                    let mut view = runner.watch();
                    let _ = view.wait_for(|view| view.done || view.is_terminal()).await;
                }
                None => self.await_remote(id).await,
            }
        }
    }

    async fn await_remote(&self, id: caravan_model::AllocId) {
        loop {
            let request = Lookup {
                caller: self.shared.caller(),
                what: What::Alloc(id),
            };
            let ended = match self.shared.link.lookup(request).await {
                Ok(Found::Alloc(Some(alloc))) => {
                    alloc.client_terminal()
                        || alloc
                            .task_states
                            .values()
                            .all(|state| state.state == TaskPhase::Dead)
                            && !alloc.task_states.is_empty()
                }
                Ok(_) => true,
                Err(error) => !error.is_temporary(),
            };
            if ended {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }

    async fn network(&self) -> Result<Ready, NetworkError> {
        let given = self.alloc.allocated_resources.as_ref();
        let Some(network) = given.and_then(|given| given.shared.networks.first()) else {
            return Ok(Ready::default());
        };
        if network.is_host() {
            return Ok(Ready::default());
        }
        let own = Network {
            shared: &self.shared,
            alloc: &self.alloc,
            group: &self.group,
            dir: &self.dir,
        };
        own.create(network).await
    }
}
