//! What is prepared before a task starts, one file each, in the order of the runtime sheet §F.

use std::collections::BTreeMap;
use std::sync::Arc;

use caravan_driver::{Driver, FsIsolation, MountConfig, NetworkIsolation, TaskConfig, TaskDirs};
use caravan_model::{Allocation, Job, TaskEvent, task_event};
use tokio::task::AbortHandle;

use crate::alloc::dir::AllocDir;
use crate::alloc::group::{Group, GroupTask};
use crate::handle::{Notes, Runner};
use crate::identities::Renewal;
use crate::shared::Shared;
use crate::task::env::{Dirs, Source, TaskEnv};
use crate::task::machine::Failure;
use crate::templates::Watch;

mod artifacts;
mod dispatch_payload;
mod driver_config;
mod identity;
mod resolver;
mod secrets;
pub(crate) mod task_api;
mod task_dir;
mod templates;
mod tokens;
mod validate;
mod volumes;

/// What hooks know about the task.
pub(crate) struct Context {
    pub(crate) shared: Arc<Shared>,
    pub(crate) alloc: Arc<Allocation>,
    pub(crate) job: Arc<Job>,
    pub(crate) group: Group,
    pub(crate) task: GroupTask,
    pub(crate) dir: AllocDir,
    pub(crate) dirs: TaskDirs,
    pub(crate) driver: Arc<dyn Driver>,
    /// It ran before: what lasts is not done again.
    pub(crate) again: bool,
    pub(crate) network: Option<NetworkIsolation>,
    pub(crate) notes: Notes,
}

/// What hooks add to the task.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) templates: BTreeMap<String, String>,
    /// `secret.<name>.<key>`: what texts of the task may refer to, and its environment does not have.
    pub(crate) secrets: BTreeMap<String, String>,
    pub(crate) mounts: Vec<MountConfig>,
}

/// Ready to start.
pub(crate) struct Prepared {
    pub(crate) config: TaskConfig,
    pub(crate) env: Arc<TaskEnv>,
    pub(crate) watches: Watches,
}

/// What is to be watched while the task runs.
#[derive(Default)]
pub(crate) struct Watches {
    pub(crate) api: Option<task_api::TaskApi>,
    pub(crate) templates: Option<Watch>,
    pub(crate) identities: Option<Renewal>,
    pub(crate) tokens: Vec<crate::tokens::Renewal>,
}

impl Watches {
    /// Starts watching; each handle ends one watch.
    pub(crate) fn start(self, runner: &Arc<Runner>) -> Vec<AbortHandle> {
        let templates = self
            .templates
            .map(|watch| tokio::spawn(watch.run(Arc::clone(runner))));
        let identities = self
            .identities
            .map(|watch| tokio::spawn(watch.run(Arc::clone(runner))));
        let api = self.api.map(|api| tokio::spawn(api.run()));
        let tokens = self
            .tokens
            .into_iter()
            .map(|watch| tokio::spawn(watch.run(Arc::clone(runner))));
        let all = templates
            .into_iter()
            .chain(identities)
            .chain(api)
            .chain(tokens);
        all.map(|watch| watch.abort_handle()).collect()
    }
}

/// Why a hook failed.
pub(crate) struct HookError {
    message: String,
    recoverable: bool,
    /// Told instead of "Setup Failure".
    event: Option<Box<TaskEvent>>,
    kills: bool,
}

impl HookError {
    pub(crate) fn fatal(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            recoverable: false,
            event: None,
            kills: false,
        }
    }

    /// Ends the task, whatever its restart policy.
    pub(crate) fn killing(message: impl Into<String>) -> Self {
        let message = message.into();
        let event = TaskEvent::new(task_event::KILLING, crate::clock::now())
            .kill_reason(message.clone())
            .fails_task();
        Self {
            kills: true,
            ..Self::fatal(message).told_by(event)
        }
    }

    /// Another try may help.
    pub(crate) fn recoverable(mut self) -> Self {
        self.recoverable = true;
        self
    }

    pub(crate) fn told_by(mut self, event: TaskEvent) -> Self {
        self.event = Some(Box::new(event));
        self
    }

    fn failure(self, hook: &str) -> Failure {
        let text = format!("prestart hook {hook:?} failed: {}", self.message);
        let setup =
            || TaskEvent::new(task_event::SETUP_FAILURE, crate::clock::now()).setup_error(text);
        Failure {
            event: Some(self.event.map_or_else(setup, |event| *event)),
            recoverable: self.recoverable,
            kills: self.kills,
        }
    }
}

impl Context {
    fn isolation(&self) -> FsIsolation {
        self.driver.capabilities().fs_isolation
    }

    /// The directories as the task sees them.
    fn seen_dirs(&self) -> Dirs {
        if self.isolation() == FsIsolation::None {
            let dirs = &self.dirs;
            let text = |path: &std::path::Path| path.display().to_string();
            return Dirs {
                alloc: text(&dirs.shared),
                local: text(&dirs.local),
                secrets: text(&dirs.secrets),
            };
        }
        Dirs {
            alloc: "/alloc".into(),
            local: "/local".into(),
            secrets: "/secrets".into(),
        }
    }

    pub(crate) fn env(&self, draft: &Draft) -> TaskEnv {
        let node = self.shared.node();
        let capabilities = self.driver.capabilities();
        let none = BTreeMap::new();
        let host = match capabilities.host_environment {
            true => self.shared.host_environment(),
            false => &none,
        };
        TaskEnv::build(&Source {
            alloc: &self.alloc,
            job: &self.job,
            group: &self.group,
            task: &self.task,
            node: &node,
            region: &self.shared.config.region,
            dirs: self.seen_dirs(),
            host,
            hooks: draft.env.clone(),
            templates: draft.templates.clone(),
            secrets: draft.secrets.clone(),
            network: driver_config::mapped_ports(&self.task).as_ref(),
            cgroup_parent: &node.cgroup_parent,
        })
    }

    pub(crate) fn note(&self, event: TaskEvent) {
        (self.notes)(event);
    }
}

/// Runs every hook.
pub(crate) async fn prepare(context: Context) -> Result<Prepared, Failure> {
    let mut draft = Draft::default();
    macro_rules! hook {
        ($name:literal, $call:expr) => {
            $call.map_err(|error: HookError| error.failure($name))?
        };
    }
    hook!("validate", validate::run(&context));
    hook!("task_dir", task_dir::run(&context).await);
    let identities = hook!("identity", identity::run(&context, &mut draft).await);
    let tokens = hook!("vault", tokens::run(&context, &mut draft).await);
    hook!("secrets", secrets::run(&context, &tokens, &mut draft).await);
    hook!("dispatch_payload", dispatch_payload::run(&context).await);
    hook!("volumes", volumes::run(&context, &mut draft));
    hook!("network", resolver::run(&context, &mut draft));
    hook!("artifacts", artifacts::run(&context, &draft).await);
    let api = task_api::bind(&context);
    let templates = hook!(
        "template",
        templates::run(&context, &tokens, &mut draft).await
    );
    let env = context.env(&draft);
    let config = driver_config::build(&context, &env, draft);
    Ok(Prepared {
        config,
        env: Arc::new(env),
        watches: Watches {
            api,
            templates,
            identities,
            tokens,
        },
    })
}

/// What is to be watched for a task that ran on while there was no agent.
pub(crate) fn resume(context: &Context) -> Watches {
    let tokens = tokens::resume(context);
    Watches {
        api: task_api::bind(context),
        templates: templates::resume(context, &tokens),
        identities: identity::resume(context),
        tokens,
    }
}
