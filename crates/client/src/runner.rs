//! Carries out what the machine of one allocation decides: one tokio task per allocation owns the machine, hears
//! events through its inbox and publishes how it stands.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use caravan_driver::{Driver, DriverError, DriverNetwork, NetworkIsolation, Started};
use caravan_model::{
    AllocDeploymentStatus, AllocId, AllocNetworkStatus, Allocation, ClientStatus, Job, Task,
    TaskEvent, TaskGroup, TaskStates, task_event,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use crate::alloc::dir::AllocDir;
use crate::alloc::machine::{AllocMachine, Effect, Event, Limits};
use crate::clock;
use crate::hooks::{self, Context, Prepared, Watches};
use crate::shared::Shared;
use crate::store::{NewHandle, Progress, Stored, StoredHandle};
use crate::task::env::TaskEnv;
use crate::task::machine::{Action, Failure, Input};

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
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(
            self.status,
            ClientStatus::Complete | ClientStatus::Failed | ClientStatus::Lost
        )
    }
}

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
    inbox: mpsc::UnboundedSender<Message>,
    view: watch::Receiver<Arc<View>>,
    live: Mutex<BTreeMap<String, Live>>,
    pub(crate) checks: crate::services::checks::Results,
    pub(crate) samples: crate::usage::Samples,
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
        // A runner that is gone needs no events.
        let _ = self.inbox.send(Message::Event(event));
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

    pub(crate) fn live_tasks(&self) -> BTreeMap<String, Live> {
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
        if self.inbox.send(Message::Detach(done)).is_ok() {
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

#[derive(Default)]
struct Slot {
    prepared: Option<Prepared>,
    preparing: Option<AbortHandle>,
    watches: Watches,
    watching: Vec<AbortHandle>,
}

impl Slot {
    fn stop_watching(&mut self) {
        for watching in self.watching.drain(..) {
            watching.abort();
        }
    }
}

struct Actor {
    shared: Arc<Shared>,
    runner: Arc<Runner>,
    alloc: Arc<Allocation>,
    group: Arc<TaskGroup>,
    machine: AllocMachine,
    slots: BTreeMap<String, Slot>,
    publish: watch::Sender<Arc<View>>,
    services: crate::services::Announcer,
    network: Option<NetworkIsolation>,
    network_status: Option<Box<AllocNetworkStatus>>,
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
        live: Mutex::new(BTreeMap::new()),
        checks: crate::services::checks::Results::default(),
        samples: crate::usage::Samples::default(),
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

fn view_of(
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

impl Actor {
    async fn run(
        mut self,
        mut messages: mpsc::UnboundedReceiver<Message>,
        handles: Vec<(String, StoredHandle)>,
    ) {
        // Once, and large: it is not kept for the life of the allocation.
        Box::pin(self.restore(handles)).await;
        self.event(Event::Begin);
        self.publish_changes(true);
        let mut done = self.machine.is_done();
        let mut jumps = clock::Jumps::new();
        loop {
            let wake = self.machine.wake_at();
            let sleep = async move {
                match wake {
                    Some(at) => tokio::time::sleep(clock::until(at)).await,
                    None => std::future::pending().await,
                }
            };
            let message = tokio::select! {
                message = messages.recv() => message,
                () = sleep => Some(Message::Event(Event::Tick)),
            };
            let Some(message) = message else { return };
            if let Some(by) = jumps.look() {
                tracing::warn!(alloc = %self.alloc.id, %by, "the clock was set");
                self.machine.shift(by);
            }
            if let Some(gone) = self.take(message) {
                return self.leave(gone);
            }
            while let Ok(message) = messages.try_recv() {
                if let Some(gone) = self.take(message) {
                    return self.leave(gone);
                }
            }
            self.publish_changes(false);
            if self.machine.is_done() && !std::mem::replace(&mut done, true) {
                self.shared.ended.notify_one();
            }
        }
    }

    /// Leaves the tasks as they are.
    fn leave(mut self, gone: oneshot::Sender<()>) {
        for slot in self.slots.values_mut() {
            slot.stop_watching();
        }
        // Who asked may have gone.
        let _ = gone.send(());
    }

    /// Takes tasks that were running before the agent restarted up again.
    async fn restore(&mut self, handles: Vec<(String, StoredHandle)>) {
        for (task, stored) in handles {
            let name = stored.handle.driver.clone();
            let Some(driver) = self.shared.drivers.get(&name).cloned() else {
                continue;
            };
            let now = clock::now();
            if !self.machine.task(&task).is_some_and(|task| !task.is_dead()) {
                continue;
            }
            let task_id = stored.handle.config.task_id.clone();
            match driver.recover_task(&stored.handle).await {
                Ok(()) => {
                    let env = TaskEnv::of_vars(stored.handle.config.env.clone());
                    let live = Live {
                        driver: Arc::clone(&driver),
                        task_id: task_id.clone(),
                        network: stored.network,
                        env: Some(Arc::new(env)),
                    };
                    self.runner.set_live(&task, Some(live));
                    self.resume(&task, &driver);
                    self.handle_now(Event::Task(task.clone(), Input::Readopted), now);
                    self.wait_for_exit(task, driver, task_id);
                }
                Err(error) => {
                    tracing::warn!(alloc = %self.alloc.id, task, %error, "a task cannot be taken up again");
                    let text =
                        "failed to restore task; will not run until server is contacted".to_owned();
                    let _ = driver.destroy_task(&task_id, true).await;
                    self.handle_now(Event::Task(task.clone(), Input::Lost(text)), now);
                    self.shared.store.delete_handle(self.alloc.id, &task);
                }
            }
        }
    }

    fn take(&mut self, message: Message) -> Option<oneshot::Sender<()>> {
        match message {
            Message::Event(Event::Update(alloc)) => self.update(alloc),
            Message::Event(event) => self.event(event),
            Message::Prepared(task, result) => self.prepared(task, *result),
            Message::Started(task, result, env) => self.started(task, *result, env),
            Message::NetworkReady(network, status) => {
                self.network = network;
                self.network_status = status.or(self.network_status.take());
            }
            Message::Detach(done) => return Some(done),
        }
        None
    }

    fn event(&mut self, event: Event) {
        self.handle_now(event, clock::now());
    }

    fn handle_now(&mut self, event: Event, now: caravan_model::UnixNanos) {
        for effect in self.machine.handle(event, now) {
            self.perform(effect);
        }
    }

    fn update(&mut self, alloc: Arc<Allocation>) {
        self.alloc = Arc::clone(&alloc);
        if let Some(group) = alloc
            .job
            .as_ref()
            .and_then(|job| job.lookup_task_group(&alloc.task_group))
        {
            self.group = Arc::new(group.clone());
        }
        self.shared.store.put_alloc(&alloc);
        self.services.update(&alloc, &self.group);
        self.event(Event::Update(Arc::clone(&alloc)));
        if alloc.server_terminal() {
            let no_delay = alloc.desired_transition.should_ignore_shutdown_delay();
            self.event(Event::Stop {
                no_delay,
                all: false,
            });
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::SetUp => self.set_up(),
            Effect::Task(task, action) => self.act(task, action),
            Effect::Announce => self.services.announce_group(
                &self.alloc,
                &self.group,
                self.network_status.as_deref(),
            ),
            Effect::Withdraw => self.services.withdraw_group(&self.alloc, &self.group),
            Effect::TearDown => self.tear_down(),
        }
    }

    fn set_up(&mut self) {
        self.shared.store.put_alloc(&self.alloc);
        let setup = crate::alloc_hooks::Setup {
            shared: Arc::clone(&self.shared),
            alloc: Arc::clone(&self.alloc),
            group: Arc::clone(&self.group),
            dir: self.runner.dir.clone(),
        };
        let runner = Arc::clone(&self.runner);
        tokio::spawn(async move {
            let result = setup.run().await;
            let result = result.map(|ready| {
                let _ = runner
                    .inbox
                    .send(Message::NetworkReady(ready.network, ready.status));
            });
            runner.send(Event::SetUp(result));
        });
    }

    fn tear_down(&mut self) {
        self.services.finish();
        let dir = self.runner.dir.clone();
        let tasks: Vec<String> = self
            .group
            .tasks
            .iter()
            .map(|task| task.name.clone())
            .collect();
        let (alloc, group) = (Arc::clone(&self.alloc), Arc::clone(&self.group));
        let shared = Arc::clone(&self.shared);
        self.network = None;
        tokio::spawn(async move {
            let network = crate::network::Network {
                shared: &shared,
                alloc: &alloc,
                group: &group,
                dir: &dir,
            };
            if let Err(error) = network.remove().await {
                tracing::warn!(alloc = %alloc.id, %error, "the network of an allocation cannot be removed");
            }
            let removed = tokio::task::spawn_blocking(move || {
                tasks.iter().for_each(|task| dir.remove_secrets(task))
            });
            let _ = removed.await;
        });
    }

    fn act(&mut self, task: String, action: Action) {
        match action {
            Action::Prepare { again } => self.prepare(task, again),
            Action::Abandon => self.abandon(task),
            Action::Start => self.start_task(task),
            Action::Announce => {
                self.watch(&task);
                let live = self.runner.live(&task);
                let network = self.network_status.as_deref();
                self.services
                    .announce_task(&self.alloc, &self.group, &task, live, network);
            }
            Action::Withdraw => {
                self.slots.entry(task.clone()).or_default().stop_watching();
                self.services.withdraw_task(&self.alloc, &self.group, &task);
            }
            Action::Stop { timeout } => self.stop_task(task, timeout),
            Action::Clean => self.clean(&task),
            Action::Finish => {}
        }
    }

    fn prepare(&mut self, task: String, again: bool) {
        let Some(spec) = self.group.lookup_task(&task).cloned() else {
            return;
        };
        let Some(job) = self.alloc.job.clone() else {
            return;
        };
        let Some(driver) = self.shared.drivers.get(&spec.driver).cloned() else {
            let text = format!(
                "failed to create driver: driver {:?} is not on this node",
                spec.driver
            );
            let event = TaskEvent::new(task_event::DRIVER_FAILURE, clock::now()).driver_error(text);
            let failure = Failure {
                event: Some(event),
                recoverable: false,
            };
            let _ = self
                .runner
                .inbox
                .send(Message::Prepared(task, Box::new(Err(failure))));
            return;
        };
        let context = self.context(spec, job, driver, again);
        let runner = Arc::clone(&self.runner);
        let name = task.clone();
        let running = tokio::spawn(async move {
            let result = hooks::prepare(context).await;
            let _ = runner.inbox.send(Message::Prepared(name, Box::new(result)));
        });
        self.slots.entry(task).or_default().preparing = Some(running.abort_handle());
    }

    fn context(&self, task: Task, job: Arc<Job>, driver: Arc<dyn Driver>, again: bool) -> Context {
        let notes = {
            let (runner, task) = (Arc::clone(&self.runner), task.name.clone());
            Arc::new(move |event: TaskEvent| runner.note(&task, event))
        };
        Context {
            shared: Arc::clone(&self.shared),
            alloc: self.alloc_here(),
            job,
            group: Arc::clone(&self.group),
            task,
            dir: self.runner.dir.clone(),
            driver,
            again,
            network: self.network.clone(),
            notes,
        }
    }

    /// Watches again what a task that ran on without an agent has.
    fn resume(&mut self, task: &str, driver: &Arc<dyn Driver>) {
        let spec = self.group.lookup_task(task).cloned();
        let (Some(spec), Some(job)) = (spec, self.alloc.job.clone()) else {
            return;
        };
        let context = self.context(spec, job, Arc::clone(driver), true);
        self.slots.entry(task.to_owned()).or_default().watches = hooks::resume(&context);
    }

    /// The allocation with what is known here of its network.
    fn alloc_here(&self) -> Arc<Allocation> {
        let mut alloc = Arc::clone(&self.alloc);
        if self.network_status.is_some() {
            Arc::make_mut(&mut alloc)
                .network_status
                .clone_from(&self.network_status);
        }
        alloc
    }

    fn watch(&mut self, task: &str) {
        let slot = self.slots.entry(task.to_owned()).or_default();
        slot.stop_watching();
        slot.watching = std::mem::take(&mut slot.watches).start(&self.runner);
    }

    fn abandon(&mut self, task: String) {
        if let Some(handle) = self.slots.entry(task.clone()).or_default().preparing.take() {
            handle.abort();
        }
        let failure = Failure {
            event: None,
            recoverable: true,
        };
        let _ = self
            .runner
            .inbox
            .send(Message::Prepared(task, Box::new(Err(failure))));
    }

    fn prepared(&mut self, task: String, result: Result<Prepared, Failure>) {
        let slot = self.slots.entry(task.clone()).or_default();
        slot.preparing = None;
        let result = result.map(|mut prepared| {
            slot.watches = std::mem::take(&mut prepared.watches);
            slot.prepared = Some(prepared);
        });
        self.event(Event::Task(task, Input::Prepared(result)));
    }

    fn start_task(&mut self, task: String) {
        let Some(spec) = self.group.lookup_task(&task) else {
            return;
        };
        let Some(driver) = self.shared.drivers.get(&spec.driver).cloned() else {
            return;
        };
        let Some(prepared) = self.slots.entry(task.clone()).or_default().prepared.take() else {
            return;
        };
        let runner = Arc::clone(&self.runner);
        let store = self.shared.store.clone();
        let id = self.alloc.id;
        tokio::spawn(async move {
            let task_id = prepared.config.task_id.clone();
            let env = Some(prepared.env);
            let started = driver.start_task(prepared.config).await;
            if let Ok(started) = &started {
                let stored = NewHandle {
                    handle: &started.handle,
                    network: &started.network,
                };
                store.put_handle(id, &task, &stored).await;
            }
            let runs = started.is_ok();
            let _ = runner
                .inbox
                .send(Message::Started(task.clone(), Box::new(started), env));
            if runs {
                exit_of(&runner, task, driver, task_id).await;
            }
        });
    }

    fn wait_for_exit(&self, task: String, driver: Arc<dyn Driver>, task_id: String) {
        let runner = Arc::clone(&self.runner);
        tokio::spawn(async move { exit_of(&runner, task, driver, task_id).await });
    }

    fn started(
        &mut self,
        task: String,
        result: Result<Started, DriverError>,
        env: Option<Arc<TaskEnv>>,
    ) {
        let result = match result {
            Ok(started) => {
                let driver = self.shared.drivers.get(&started.handle.driver).cloned();
                let task_id = started.handle.config.task_id.clone();
                let network = started.network;
                let live = driver.map(|driver| Live {
                    driver,
                    task_id,
                    network,
                    env,
                });
                // Containers are only measured once they ran for a while.
                self.runner
                    .samples
                    .began(&task, started.handle.driver != "docker");
                self.runner.set_live(&task, live);
                Ok(())
            }
            Err(error) => {
                let event = TaskEvent::new(task_event::DRIVER_FAILURE, clock::now())
                    .driver_error(error.to_string());
                Err(Failure {
                    event: Some(event),
                    recoverable: error.is_recoverable(),
                })
            }
        };
        self.event(Event::Task(task, Input::Started(result)));
    }

    fn stop_task(&mut self, task: String, timeout: caravan_model::Duration) {
        let Some(live) = self.runner.live(&task) else {
            return;
        };
        let signal = self
            .group
            .lookup_task(&task)
            .map(|spec| spec.kill_signal.clone())
            .unwrap_or_default();
        let runner = Arc::clone(&self.runner);
        tokio::spawn(async move {
            let signal = (!signal.is_empty()).then_some(signal);
            let stopped = live
                .driver
                .stop_task(&live.task_id, timeout.to_std(), signal.as_deref())
                .await;
            match stopped {
                Ok(()) | Err(DriverError::TaskNotFound(_)) => {}
                Err(error) => runner.send(Event::Task(task, Input::StopFailed(error.to_string()))),
            }
        });
    }

    fn clean(&mut self, task: &str) {
        self.shared.store.delete_handle(self.alloc.id, task);
        let Some(live) = self.runner.live(task) else {
            return;
        };
        self.runner.samples.ended(task);
        self.runner.set_live(task, None);
        tokio::spawn(async move {
            if let Err(error) = live.driver.destroy_task(&live.task_id, true).await {
                tracing::debug!(task = live.task_id, %error, "an ended task cannot be cleaned up");
            }
        });
    }

    /// Stores and tells what is different.
    fn publish_changes(&mut self, first: bool) {
        let view = view_of(&self.alloc, &self.machine, self.network_status.clone());
        let old = self.publish.borrow().clone();
        let same = old.states == view.states
            && old.deployment_status == view.deployment_status
            && old.network_status == view.network_status;
        let told = same && !first;
        if !told {
            let progress = Progress {
                states: view.states.clone(),
                deployment_status: view.deployment_status,
                network_status: view.network_status.clone(),
            };
            self.shared.store.put_progress(self.alloc.id, &progress);
            self.shared.updates.push(update_of(&view));
        }
        if !told || old.done != view.done || !Arc::ptr_eq(&old.alloc, &view.alloc) {
            self.publish.send_replace(Arc::new(view));
        }
    }
}

async fn exit_of(runner: &Runner, task: String, driver: Arc<dyn Driver>, task_id: String) {
    let exit = driver.wait_task(&task_id).await;
    let exit = exit.unwrap_or_else(|error| caravan_driver::ExitResult::unknown(error.to_string()));
    runner.send(Event::Task(task, Input::Exited(exit)));
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
        client_description: view.description.clone(),
        task_states: view.states.clone(),
        deployment_status: view.deployment_status,
        network_status: Some(view.network_status.clone().unwrap_or_default()),
        modify_time: clock::now(),
        ..Allocation::default()
    }
}
