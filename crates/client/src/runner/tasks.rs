//! The tasks of an allocation: taken up again, prepared, started, watched, stopped and cleaned up, as its machine says.

use std::sync::Arc;

use caravan_driver::{Driver, DriverError, Started};
use caravan_model::{Allocation, Job, TaskEvent, task_event};
use tokio::task::{AbortHandle, JoinHandle};

use super::Message;
use super::actor::Actor;
use crate::alloc::group::GroupTask;
use crate::alloc::machine::Event;
use crate::clock;
use crate::handle::{Live, Runner};
use crate::hooks::{self, Context, Prepared, Watches};
use crate::store::{NewHandle, StoredHandle};
use crate::task::env::TaskEnv;
use crate::task::machine::{Failure, Input};

/// What one task has besides its process.
#[derive(Default)]
pub(super) struct Slot {
    prepared: Option<Box<Prepared>>,
    preparing: Option<AbortHandle>,
    watches: Watches,
    watching: Vec<AbortHandle>,
    /// What is done after its last run.
    cleaning: Option<JoinHandle<()>>,
}

impl Slot {
    /// Nothing waits for the cleaning any more.
    pub(super) fn is_over(&mut self) {
        self.cleaning = None;
    }

    pub(super) fn stop_watching(&mut self) {
        for watching in self.watching.drain(..) {
            watching.abort();
        }
    }
}

impl Actor {
    /// Takes tasks that were running before the agent restarted up again.
    pub(super) async fn restore(&mut self, handles: Vec<(String, StoredHandle)>) {
        for (task, stored) in handles {
            let name = stored.handle.driver.clone();
            let Some(driver) = self.shared.drivers.get(&name).cloned() else {
                continue;
            };
            let now = clock::now();
            if self.machine.task(&task).is_none_or(|task| task.is_dead()) {
                continue;
            }
            let task_id = stored.handle.config.task_id.clone();
            match driver.recover_task(&stored.handle).await {
                Ok(()) => {
                    let vars = Arc::clone(&stored.handle.config.env);
                    let region = &self.shared.config.region;
                    let env = TaskEnv::of_vars(vars, self.shared.node(), region);
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

    pub(super) fn prepare(&mut self, task: String, again: bool) {
        let Some(spec) = self.group.task(&task) else {
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
                kills: false,
            };
            self.inbox
                .tell(Message::Prepared(task, Box::new(Err(failure))));
            return;
        };
        let context = self.context(spec, job, driver, again);
        let inbox = self.inbox.clone();
        let name = task.clone();
        let running = tokio::spawn(async move {
            let began = std::time::Instant::now();
            let result = hooks::prepare(context).await;
            crate::tallies::prepared_task(began, result.is_ok());
            inbox.tell(Message::Prepared(name, Box::new(result)));
        });
        self.slots.or_default(task).preparing = Some(running.abort_handle());
    }

    fn context(
        &self,
        task: GroupTask,
        job: Arc<Job>,
        driver: Arc<dyn Driver>,
        again: bool,
    ) -> Context {
        let notes = {
            let (runner, task) = (Arc::clone(&self.runner), task.name.clone());
            Arc::new(move |event: TaskEvent| runner.note(&task, event))
        };
        Context {
            shared: Arc::clone(&self.shared),
            alloc: self.alloc_here(),
            job,
            group: self.group.clone(),
            dirs: self.runner.dir.task(&task.name),
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
        let spec = self.group.task(task);
        let (Some(spec), Some(job)) = (spec, self.alloc.job.clone()) else {
            return;
        };
        let context = self.context(spec, job, Arc::clone(driver), true);
        self.slots.or_default(task.to_owned()).watches = hooks::resume(&context);
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

    pub(super) fn watch(&mut self, task: &str) {
        let slot = self.slots.or_default(task.to_owned());
        slot.stop_watching();
        slot.watching = std::mem::take(&mut slot.watches).start(&self.runner);
    }

    pub(super) fn abandon(&mut self, task: String) {
        if let Some(handle) = self.slots.or_default(task.clone()).preparing.take() {
            handle.abort();
        }
        let failure = Failure {
            event: None,
            recoverable: true,
            kills: false,
        };
        self.inbox
            .tell(Message::Prepared(task, Box::new(Err(failure))));
    }

    pub(super) fn prepared(&mut self, task: String, result: Result<Prepared, Failure>) {
        let slot = self.slots.or_default(task.clone());
        slot.preparing = None;
        let result = result.map(|mut prepared| {
            slot.watches = std::mem::take(&mut prepared.watches);
            slot.prepared = Some(Box::new(prepared));
        });
        self.event(Event::Task(task, Input::Prepared(result)));
    }

    pub(super) fn start_task(&mut self, task: String) {
        let Some(spec) = self.group.lookup_task(&task) else {
            return;
        };
        let Some(driver) = self.shared.drivers.get(&spec.driver).cloned() else {
            return;
        };
        let slot = self.slots.or_default(task.clone());
        let Some(prepared) = slot.prepared.take() else {
            return;
        };
        let cleaning = slot.cleaning.take();
        let (runner, inbox) = (Arc::clone(&self.runner), self.inbox.clone());
        let store = self.shared.store.clone();
        let id = self.alloc.id;
        tokio::spawn(async move {
            let task_id = prepared.config.task_id.clone();
            let env = Some(prepared.env);
            // What is left of the last run has names that this one takes: a container, a cgroup.
            if let Some(cleaning) = cleaning {
                let _ = cleaning.await;
            }
            let started = driver.start_task(prepared.config).await;
            if let Ok(started) = &started {
                let stored = NewHandle {
                    handle: &started.handle,
                    network: &started.network,
                };
                store.put_handle(id, &task, &stored).await;
            }
            let runs = started.is_ok();
            inbox.tell(Message::Started(task.clone(), Box::new(started), env));
            if runs {
                // On its own: it is there as long as the task is, and smaller than a start.
                tokio::spawn(exit_of(runner, task, driver, task_id));
            }
        });
    }

    fn wait_for_exit(&self, task: String, driver: Arc<dyn Driver>, task_id: String) {
        tokio::spawn(exit_of(Arc::clone(&self.runner), task, driver, task_id));
    }

    pub(super) fn started(
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
                    kills: false,
                })
            }
        };
        self.event(Event::Task(task, Input::Started(result)));
    }

    pub(super) fn stop_task(&mut self, task: String, timeout: caravan_model::Duration) {
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

    pub(super) fn clean(&mut self, task: &str) {
        self.shared.store.delete_handle(self.alloc.id, task);
        let Some(live) = self.runner.live(task) else {
            return;
        };
        self.runner.samples.ended(task);
        self.runner.set_live(task, None);
        let cleaning = tokio::spawn(async move {
            if let Err(error) = live.driver.destroy_task(&live.task_id, true).await {
                tracing::debug!(task = live.task_id, %error, "an ended task cannot be cleaned up");
            }
        });
        self.slots.or_default(task.to_owned()).cleaning = Some(cleaning);
    }
}

async fn exit_of(runner: Arc<Runner>, task: String, driver: Arc<dyn Driver>, task_id: String) {
    let exit = driver.wait_task(&task_id).await;
    let exit = exit.unwrap_or_else(|error| caravan_driver::ExitResult::unknown(error.to_string()));
    runner.send(Event::Task(task, Input::Exited(exit)));
}
