//! The life of one allocation: hears what happens, asks its machine, and carries out what that says.

use std::sync::Arc;
use std::time::Instant;

use caravan_driver::NetworkIsolation;
use caravan_model::{AllocNetworkStatus, Allocation, SmallMap};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::tasks::Slot;
use super::{Message, Sender};
use crate::alloc::group::Group;
use crate::alloc::machine::{AllocMachine, Effect, Event};
use crate::beginnings::{self, Beginning};
use crate::clock;
use crate::handle::Runner;
use crate::shared::Shared;
use crate::store::{NewProgress, StoredHandle};
use crate::tallies::{self, Happened};
use crate::task::machine::Action;
use crate::view::{View, view_of};

pub(super) struct Actor {
    pub(super) shared: Arc<Shared>,
    pub(super) runner: Arc<Runner>,
    pub(super) inbox: Sender,
    pub(super) alloc: Arc<Allocation>,
    pub(super) group: Group,
    pub(super) machine: AllocMachine,
    pub(super) slots: SmallMap<String, Slot>,
    pub(super) publish: watch::Sender<Arc<View>>,
    pub(super) services: crate::services::Announcer,
    pub(super) network: Option<NetworkIsolation>,
    pub(super) network_status: Option<Box<AllocNetworkStatus>>,
    pub(super) setting_up: Option<SettingUp>,
    /// Held until the first task was started, or could not be.
    pub(super) beginning: Option<Beginning>,
}

/// What is prepared for the allocation as a whole, while it is.
pub(super) struct SettingUp {
    given_up: CancellationToken,
    work: JoinHandle<()>,
}

impl Actor {
    pub(super) async fn run(
        mut self,
        mut messages: mpsc::UnboundedReceiver<Box<Message>>,
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
                () = sleep => Some(Box::new(Message::Event(Event::Tick))),
                () = beginnings::is_over(self.beginning.as_ref()) => {
                    self.beginning = None;
                    continue;
                }
            };
            let Some(message) = message else { return };
            if let Some(by) = jumps.look() {
                tracing::warn!(alloc = %self.alloc.id, %by, "the clock was set");
                self.machine.shift(by);
            }
            if let Some(gone) = self.take(*message) {
                return self.leave(gone);
            }
            while let Ok(message) = messages.try_recv() {
                if let Some(gone) = self.take(*message) {
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

    fn take(&mut self, message: Message) -> Option<oneshot::Sender<()>> {
        match message {
            Message::Event(Event::Update(alloc)) => self.update(alloc),
            Message::Event(event) => {
                if matches!(event, Event::SetUp(_)) {
                    self.setting_up = None;
                }
                self.event(event);
            }
            Message::Begins(beginning) => self.beginning = Some(beginning),
            Message::Prepared(task, result) => {
                if result.is_err() {
                    self.beginning = None;
                }
                self.prepared(task, *result);
            }
            Message::Started(task, result, env) => {
                self.beginning = None;
                self.started(task, *result, env);
            }
            Message::NetworkReady(network, status) => {
                self.network = network;
                self.network_status = status.or(self.network_status.take());
            }
            Message::Detach(done) => return Some(done),
        }
        None
    }

    pub(super) fn event(&mut self, event: Event) {
        self.handle_now(event, clock::now());
    }

    pub(super) fn handle_now(&mut self, event: Event, now: caravan_model::UnixNanos) {
        for effect in self.machine.handle(event, now) {
            self.perform(effect);
        }
    }

    fn update(&mut self, alloc: Arc<Allocation>) {
        self.alloc = Arc::clone(&alloc);
        if let Some(group) = Group::of(&alloc) {
            self.group = group;
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
            Effect::Withdraw => self.services.withdraw_group(),
            Effect::TearDown => self.tear_down(),
        }
    }

    fn set_up(&mut self) {
        self.shared.store.put_alloc(&self.alloc);
        let given_up = CancellationToken::new();
        let setup = crate::alloc_hooks::Setup {
            given_up: given_up.clone(),
            shared: Arc::clone(&self.shared),
            alloc: Arc::clone(&self.alloc),
            group: self.group.clone(),
            dir: self.runner.dir.clone(),
            runner: Arc::clone(&self.runner),
        };
        let inbox = self.inbox.clone();
        // What was running before the agent restarted needs no place.
        let begins = self.machine.began().is_none();
        let work = tokio::spawn(async move {
            if begins {
                tokio::select! {
                    beginning = setup.shared.beginnings.take() => inbox.tell(Message::Begins(beginning)),
                    () = setup.given_up.cancelled() => {}
                }
            }
            let began = Instant::now();
            let result = setup.run().await;
            tallies::prepared_alloc(began, result.is_ok());
            let result = result.map(|ready| {
                inbox.tell(Message::NetworkReady(ready.network, ready.status));
            });
            inbox.tell(Message::Event(Event::SetUp(result)));
        });
        self.setting_up = Some(SettingUp { given_up, work });
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
        let (alloc, group) = (Arc::clone(&self.alloc), self.group.clone());
        let shared = Arc::clone(&self.shared);
        self.network = None;
        let setting_up = self.setting_up.take();
        let work = tokio::spawn(async move {
            let secrets = dir.clone();
            let remove = move || tasks.iter().for_each(|task| secrets.remove_secrets(task));
            if let Err(error) = shared.files.take(remove).await {
                tracing::warn!(alloc = %alloc.id, %error, "secrets of an allocation may be left");
            }
            // What is still being made could not be removed.
            if let Some(SettingUp { given_up, work }) = setting_up {
                given_up.cancel();
                let _ = work.await;
            }
            let network = crate::network::Network {
                shared: &shared,
                alloc: &alloc,
                group: &group,
                dir: &dir,
            };
            network.remove().await;
        });
        self.shared.tear_downs.begin(self.alloc.id, work);
    }

    fn act(&mut self, task: String, action: Action) {
        match action {
            Action::Prepare { again } => {
                if again {
                    tallies::task(&self.alloc, &task, Happened::BeginsAgain);
                }
                self.prepare(task, again);
            }
            Action::Abandon => self.abandon(task),
            Action::Start => self.start_task(task),
            Action::Announce => {
                tallies::task(&self.alloc, &task, Happened::Runs);
                self.watch(&task);
                let live = self.runner.live(&task);
                let network = self.network_status.as_deref();
                self.services
                    .announce_task(&self.alloc, &self.group, &task, live, network);
            }
            Action::Withdraw => {
                self.slots.or_default(task.clone()).stop_watching();
                self.services.withdraw_task(&task);
            }
            Action::Stop { timeout } => self.stop_task(task, timeout),
            Action::Clean => self.clean(&task),
            Action::Finish => {
                self.slots.or_default(task.clone()).is_over();
                let failed = self
                    .machine
                    .task(&task)
                    .is_some_and(|task| task.state.failed);
                tallies::task(
                    &self.alloc,
                    &task,
                    if failed {
                        Happened::Failed
                    } else {
                        Happened::Completed
                    },
                );
            }
        }
    }

    /// Stores and tells what is different.
    fn publish_changes(&mut self, first: bool) {
        let view = Arc::new(view_of(
            &self.alloc,
            &self.machine,
            self.network_status.clone(),
        ));
        let old = self.publish.borrow().clone();
        let same = old.states == view.states
            && old.deployment_status == view.deployment_status
            && old.network_status == view.network_status;
        if !same {
            let progress = NewProgress {
                states: &view.states,
                deployment_status: view.deployment_status,
                network_status: &view.network_status,
                began: self.machine.began(),
            };
            self.shared.store.put_progress(self.alloc.id, &progress);
        }
        if !same || first {
            self.shared.updates.push(Arc::clone(&view));
        }
        if !same || first || old.done != view.done || !Arc::ptr_eq(&old.alloc, &view.alloc) {
            self.publish.send_replace(view);
        }
    }
}
