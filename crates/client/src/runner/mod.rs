//! Carries out what the machine of one allocation decides: one tokio task per allocation owns the machine, hears
//! events through its inbox and publishes how it stands.

use std::sync::Arc;

use caravan_driver::{DriverError, NetworkIsolation, Started};
use caravan_model::{AllocNetworkStatus, Allocation};
use tokio::sync::{mpsc, oneshot, watch};

use crate::alloc::dir::AllocDir;
use crate::alloc::group::Group;
use crate::alloc::machine::{AllocMachine, Event, Limits};
use crate::beginnings::Beginning;
use crate::clock;
use crate::handle::{Inbox, Runner};
use crate::hooks::Prepared;
use crate::shared::Shared;
use crate::store::Stored;
use crate::task::env::TaskEnv;
use crate::task::machine::Failure;
use crate::view::view_of;

mod actor;
mod tasks;

use actor::Actor;
use tasks::Slot;

enum Message {
    Event(Event),
    Begins(Beginning),
    Prepared(String, Box<Result<Prepared, Failure>>),
    Started(
        String,
        Box<Result<Started, DriverError>>,
        Option<Arc<TaskEnv>>,
    ),
    NetworkReady(Option<NetworkIsolation>, Option<Box<AllocNetworkStatus>>),
    /// Leave the tasks running and go.
    Detach(oneshot::Sender<()>),
}

/// Where the actor hears. Boxed: a channel sets room for 32 messages aside, and there are thousands of allocations.
#[derive(Clone)]
struct Sender(mpsc::UnboundedSender<Box<Message>>);

impl Sender {
    fn tell(&self, message: Message) {
        // A runner that is gone needs to know nothing.
        let _ = self.0.send(Box::new(message));
    }
}

impl Inbox for Sender {
    fn event(&self, event: Event) {
        self.tell(Message::Event(event));
    }

    fn detach(&self, done: oneshot::Sender<()>) -> bool {
        self.0.send(Box::new(Message::Detach(done))).is_ok()
    }
}

/// Why an allocation cannot be run here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddError {
    #[error("the allocation came without its job")]
    NoJob,
    #[error("task group {0:?} is not in the job")]
    NoGroup(String),
}

/// Makes a runner and starts it; `stored` is what was known before the agent restarted.
pub(crate) fn start(
    shared: &Arc<Shared>,
    alloc: Arc<Allocation>,
    stored: Option<Stored>,
) -> Result<Arc<Runner>, AddError> {
    if alloc.job.is_none() {
        return Err(AddError::NoJob);
    }
    let group = Group::of(&alloc).ok_or_else(|| AddError::NoGroup(alloc.task_group.clone()))?;
    let most = caravan_model::Duration::from(shared.config.max_kill_timeout);
    let limits = Limits {
        max_kill_timeout: most,
        consul: shared.consul.is_some(),
    };
    let mut machine = AllocMachine::new(&alloc, &group, limits, clock::now());
    let mut handles = Vec::new();
    let mut network_status = None;
    if let Some(stored) = stored {
        handles = stored.handles;
        if let Some(progress) = stored.progress {
            machine.restore(&progress.states, progress.deployment_status, progress.began);
            network_status = progress.network_status;
        }
    }
    let view = view_of(&alloc, &machine, network_status.clone());
    let (publish, view) = watch::channel(Arc::new(view));
    // bounded by what the tasks, hooks and checks of one allocation have to say between two looks.
    let (inbox, messages) = mpsc::unbounded_channel();
    let inbox = Sender(inbox);
    let dir = AllocDir::new(&shared.config.alloc_dir, alloc.id);
    let runner = Runner::new(alloc.id, dir, Box::new(inbox.clone()), view);
    let runner = Arc::new(runner);
    let slots = group
        .tasks
        .iter()
        .map(|task| (task.name.clone(), Slot::default()))
        .collect();
    let services = crate::services::Announcer::new(shared, &runner);
    let actor = Actor {
        shared: Arc::clone(shared),
        runner: Arc::clone(&runner),
        inbox,
        alloc,
        group,
        machine,
        slots,
        publish,
        services,
        network: None,
        network_status,
        setting_up: None,
        beginning: None,
    };
    shared.add_runner(Arc::clone(&runner));
    tokio::spawn(actor.run(messages, handles));
    Ok(runner)
}
