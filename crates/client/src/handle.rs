//! The handle of one allocation that runs here: how others see it, what its tasks are known by, and where to tell it
//! something. Who runs it is no business of those who have one.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use caravan_driver::{Driver, DriverNetwork};
use caravan_model::{AllocId, SmallMap, TaskEvent};
use tokio::sync::{oneshot, watch};

use crate::alloc::dir::AllocDir;
use crate::alloc::machine::Event;
use crate::samples::Samples;
use crate::services::results::{CheckResult, Results};
use crate::tallies::Waiting;
use crate::task::env::TaskEnv;
use crate::task::machine::Input;
use crate::view::View;

/// Something that is told of a task.
pub(crate) type Notes = Arc<dyn Fn(TaskEvent) + Send + Sync>;

/// Where who runs an allocation hears of it.
pub(crate) trait Inbox: Send + Sync {
    fn event(&self, event: Event);

    /// Leave the tasks running and go, and say so; whether anybody is there to do that.
    fn detach(&self, done: oneshot::Sender<()>) -> bool;
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
    inbox: Box<dyn Inbox>,
    view: watch::Receiver<Arc<View>>,
    live: Mutex<SmallMap<String, Live>>,
    pub(crate) checks: Results,
    pub(crate) samples: Samples,
    pub(crate) waiting: Waiting,
    /// Its data went to the allocation that takes its place.
    pub(crate) data_taken: AtomicBool,
}

impl Runner {
    pub(crate) fn new(
        id: AllocId,
        dir: AllocDir,
        inbox: Box<dyn Inbox>,
        view: watch::Receiver<Arc<View>>,
    ) -> Self {
        Self {
            id,
            dir,
            inbox,
            view,
            live: Mutex::new(SmallMap::new()),
            checks: Results::default(),
            samples: Samples::default(),
            waiting: Waiting::default(),
            data_taken: AtomicBool::new(false),
        }
    }

    pub(crate) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    pub(crate) fn send(&self, event: Event) {
        self.inbox.event(event);
    }

    pub(crate) fn note(&self, task: &str, event: TaskEvent) {
        self.send(Event::Task(task.to_owned(), Input::Note(event)));
    }

    /// Takes a check's result in; whether it matters for health is decided elsewhere.
    pub(crate) fn check_stands(&self, result: CheckResult) {
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

    pub(crate) fn set_live(&self, task: &str, live: Option<Live>) {
        let mut all = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        match live {
            Some(live) => all.insert(task.to_owned(), live),
            None => all.remove(task),
        };
    }

    /// Leaves the tasks running; returns once the runner is gone.
    pub(crate) async fn detach(&self) {
        let (done, gone) = oneshot::channel();
        if self.inbox.detach(done) {
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
