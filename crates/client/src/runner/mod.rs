//! Carries out what the machine of one allocation decides: one tokio task per allocation owns the machine, hears
//! events through its inbox and publishes how it stands.

use std::sync::{Arc, Mutex, PoisonError};

use caravan_driver::{Driver, DriverError, DriverNetwork, NetworkIsolation, Started};
use caravan_model::{AllocId, AllocNetworkStatus, Allocation, SmallMap, TaskEvent};
use tokio::sync::{mpsc, oneshot, watch};

use crate::alloc::dir::AllocDir;
use crate::alloc::machine::{AllocMachine, Event, Limits};
use crate::clock;
use crate::hooks::Prepared;
use crate::shared::Shared;
use crate::store::Stored;
use crate::task::env::TaskEnv;
use crate::task::machine::{Failure, Input};

mod actor;
mod tasks;
mod view;

pub(crate) use view::View;

use actor::Actor;
use tasks::Slot;
use view::view_of;

/// A task whose process is there.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) task_id: String,
    pub(crate) network: Option<DriverNetwork>,
    pub(crate) env: Option<Arc<TaskEnv>>,
}

/// One allocation on this node.
pub(crate) struct Runner {
    pub(crate) id: AllocId,
    pub(crate) dir: AllocDir,
    /// Boxed: a channel sets room for 32 messages aside, and there are thousands of allocations.
    inbox: mpsc::UnboundedSender<Box<Message>>,
    view: watch::Receiver<Arc<View>>,
    live: Mutex<SmallMap<String, Live>>,
    pub(crate) checks: crate::services::checks::Results,
    pub(crate) samples: crate::usage::Samples,
    pub(crate) waiting: crate::tallies::Waiting,
}

enum Message {
    Event(Event),
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

impl Runner {
    pub(crate) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    pub(crate) fn send(&self, event: Event) {
        self.tell(Message::Event(event));
    }

    fn tell(&self, message: Message) {
        // A runner that is gone needs to know nothing.
        let _ = self.inbox.send(Box::new(message));
    }

    pub(crate) fn note(&self, task: &str, event: TaskEvent) {
        self.send(Event::Task(task.to_owned(), Input::Note(event)));
    }

    /// Takes a check's result in; whether it matters for health is decided elsewhere.
    pub(crate) fn check_stands(&self, result: crate::services::checks::CheckResult) {
        if self.checks.put(result) {
            self.send(Event::Checks(self.checks.for_health()));
        }
    }

    pub(crate) fn live(&self, task: &str) -> Option<Live> {
        self.live
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(task)
            .cloned()
    }

    pub(crate) fn live_tasks(&self) -> SmallMap<String, Live> {
        self.live
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_live(&self, task: &str, live: Option<Live>) {
        let mut all = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        match live {
            Some(live) => all.insert(task.to_owned(), live),
            None => all.remove(task),
        };
    }

    /// Leaves the tasks running; returns once the runner is gone.
    pub(crate) async fn detach(&self) {
        let (done, gone) = oneshot::channel();
        if self.inbox.send(Box::new(Message::Detach(done))).is_ok() {
            let _ = gone.await;
        }
    }

    /// Ends every task and returns when all is over.
    pub(crate) async fn stop_and_wait(&self, no_delay: bool) {
        self.send(Event::Stop {
            no_delay,
            all: true,
        });
        let mut view = self.watch();
        let _ = view.wait_for(|view| view.done).await;
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
    let job = alloc.job.clone().ok_or(AddError::NoJob)?;
    let group = job.lookup_task_group(&alloc.task_group).cloned();
    let group = Arc::new(group.ok_or_else(|| AddError::NoGroup(alloc.task_group.clone()))?);
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
            machine.restore(&progress.states, progress.deployment_status);
            network_status = progress.network_status;
        }
    }
    let view = view_of(&alloc, &machine, network_status.clone());
    let (publish, view) = watch::channel(Arc::new(view));
    // bounded by what the tasks, hooks and checks of one allocation have to say between two looks.
    let (inbox, messages) = mpsc::unbounded_channel();
    let runner = Arc::new(Runner {
        id: alloc.id,
        dir: AllocDir::new(&shared.config.alloc_dir, alloc.id),
        inbox,
        view,
        live: Mutex::new(SmallMap::new()),
        checks: crate::services::checks::Results::default(),
        samples: crate::usage::Samples::default(),
        waiting: crate::tallies::Waiting::default(),
    });
    let slots = group
        .tasks
        .iter()
        .map(|task| (task.name.clone(), Slot::default()))
        .collect();
    let services = crate::services::Announcer::new(shared, &runner);
    let actor = Actor {
        shared: Arc::clone(shared),
        runner: Arc::clone(&runner),
        alloc,
        group,
        machine,
        slots,
        publish,
        services,
        network: None,
        network_status,
    };
    shared.add_runner(Arc::clone(&runner));
    tokio::spawn(actor.run(messages, handles));
    Ok(runner)
}
