//! What happens to a task, told to users: the types, their texts, and builders that fill both.
//!
//! In memory an event keeps what was set; the reference's many always-present members and the display text are made
//! when it is written as JSON.

use crate::small_map::SmallMap;
use crate::time::{Duration, UnixNanos};
use std::borrow::Cow;

mod json;
#[cfg(test)]
mod tests;

macro_rules! event_types {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $text;)*
        const KNOWN: &[&str] = &[$($text),*];
    };
}

event_types! {
    /// The client took the allocation.
    RECEIVED = "Received";
    /// Directories and hooks are being prepared.
    TASK_SETUP = "Task Setup";
    /// Preparing failed.
    SETUP_FAILURE = "Setup Failure";
    /// The task is not valid.
    FAILED_VALIDATION = "Failed Validation";
    /// Artifacts are being fetched.
    DOWNLOADING_ARTIFACTS = "Downloading Artifacts";
    /// An artifact could not be fetched.
    ARTIFACT_DOWNLOAD_FAILED = "Failed Artifact Download";
    /// It runs.
    STARTED = "Started";
    /// The driver could not start it.
    DRIVER_FAILURE = "Driver Failure";
    /// The driver has something to say.
    DRIVER = "Driver";
    /// It ended.
    TERMINATED = "Terminated";
    /// It will be started again.
    RESTARTING = "Restarting";
    /// It will not be started again.
    NOT_RESTARTING = "Not Restarting";
    /// It was asked to end.
    KILLING = "Killing";
    /// It ended because it was asked to.
    KILLED = "Killed";
    /// It ends because another task of the group failed.
    SIBLING_FAILED = "Sibling Task Failed";
    /// It ends because the leader of the group did.
    LEADER_DEAD = "Leader Task Dead";
    /// It ends because the main tasks of the group did.
    MAIN_DEAD = "Main Tasks Dead";
    /// It gets a signal.
    SIGNALING = "Signaling";
    /// It was asked to restart.
    RESTART_SIGNAL = "Restart Signaled";
    /// It ends after its shutdown delay.
    WAITING_SHUTDOWN_DELAY = "Waiting for shutdown delay";
    /// Its shutdown delay is passed over.
    SKIPPING_SHUTDOWN_DELAY = "Skipping shutdown delay";
    /// A hook failed.
    HOOK_FAILED = "Task hook failed";
    /// A hook has something to say.
    HOOK_MESSAGE = "Task hook message";
    /// It could not be taken up again after the agent restarted.
    RESTORE_FAILED = "Failed Restoring Task";
    /// It wrote too much.
    DISK_EXCEEDED = "Disk Resources Exceeded";
    /// The allocation did not become healthy in time.
    ALLOC_UNHEALTHY = "Alloc Unhealthy";
    /// A template waits for something.
    TEMPLATE = "Template";
    /// The client is back.
    RECONNECTED = "Reconnected";
    /// A plugin works.
    PLUGIN_HEALTHY = "Plugin became healthy";
    /// A plugin does not work.
    PLUGIN_UNHEALTHY = "Plugin became unhealthy";
    /// It is being paused.
    PAUSING = "Pausing";
    /// It runs on after a pause.
    RUNNING = "Running";
}

/// Message of [`TASK_SETUP`].
pub const BUILDING_TASK_DIRECTORY: &str = "Building Task Directory";
/// Restart reason that is left out of the display text.
pub const REASON_WITHIN_POLICY: &str = "Restart within policy";
/// Restart reason of mode `delay`.
pub const REASON_DELAY: &str = "Exceeded allowed attempts, applying a delay";
/// Why a task that may never restart does not.
pub const REASON_NO_RESTARTS: &str = "Policy allows no restarts";
/// Why a task that cannot be started does not restart.
pub const REASON_UNRECOVERABLE: &str = "Error was unrecoverable";
/// What a kill for having run too long names, at its beginning.
const OVER_TIME: &str = "max_run_duration";
/// How many events a task keeps.
pub const KEPT: usize = 10;

/// Something that happened to a task.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct TaskEvent {
    /// One of the constants of this module.
    pub r#type: Cow<'static, str>,
    /// When.
    pub time: UnixNanos,
    /// None when nothing is said: the type of most events says all, and every task keeps ten of them.
    said: Option<Box<Said>>,
}

/// What is said of an event beside its type.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Said {
    /// What the source said.
    pub message: String,
    /// A display text other than the one that follows from the rest; usually none. See
    /// [`TaskEvent::display_message`].
    pub display_override: Option<Box<str>>,
    /// The members below as text, and annotations from drivers such as `image`.
    pub details: SmallMap<String, String>,
    /// Whether the task fails by it.
    pub fails_task: bool,
    /// Typed members; none when all are empty.
    pub typed: Option<Box<TypedDetails>>,
}

impl Said {
    const NOTHING: &Self = &Self {
        message: String::new(),
        display_override: None,
        details: SmallMap::new(),
        fails_task: false,
        typed: None,
    };
}

/// The typed members of an event, each also a detail in text.
#[derive(Clone, Debug, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "each is what the detail of the same name says")]
pub struct TypedDetails {
    pub restart_reason: String,
    pub setup_error: String,
    pub driver_error: String,
    pub exit_code: i64,
    pub signal: i64,
    pub kill_timeout: Duration,
    pub kill_error: String,
    pub kill_reason: String,
    /// Nanoseconds.
    pub start_delay: i64,
    pub download_error: String,
    pub validation_error: String,
    pub disk_limit: i64,
    pub failed_sibling: String,
    pub vault_error: String,
    pub task_signal_reason: String,
    pub task_signal: String,
    pub driver_message: String,
    pub generic_source: String,
}

impl TaskEvent {
    /// An event of this type at `time`.
    #[must_use]
    pub fn new(r#type: &'static str, time: UnixNanos) -> Self {
        Self {
            r#type: Cow::Borrowed(r#type),
            time,
            ..Self::default()
        }
    }

    /// What is said of it beside its type.
    #[must_use]
    pub fn said(&self) -> &Said {
        self.said.as_deref().unwrap_or(Said::NOTHING)
    }

    fn said_mut(&mut self) -> &mut Said {
        self.said.get_or_insert_default()
    }

    fn typed_mut(&mut self) -> &mut TypedDetails {
        self.said_mut().typed.get_or_insert_default()
    }

    /// Adds a detail.
    #[must_use]
    pub fn detail(mut self, key: &str, value: impl Into<String>) -> Self {
        let details = &mut self.said_mut().details;
        details.insert(key.to_owned(), value.into());
        self
    }

    /// What the source says.
    #[must_use]
    pub fn message(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.said_mut().message.clone_from(&text);
        self.detail("message", text)
    }

    /// What the driver says.
    #[must_use]
    pub fn driver_message(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.typed_mut().driver_message.clone_from(&text);
        self.detail("driver_message", text)
    }

    /// Why the driver failed.
    #[must_use]
    pub fn driver_error(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.typed_mut().driver_error.clone_from(&text);
        self.detail("driver_error", text)
    }

    /// Why preparing failed.
    #[must_use]
    pub fn setup_error(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.typed_mut().setup_error.clone_from(&text);
        self.detail("setup_error", text)
    }

    /// Why the task is not valid.
    #[must_use]
    pub fn validation_error(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.typed_mut().validation_error.clone_from(&text);
        self.detail("validation_error", text)
    }

    /// Why an artifact could not be fetched.
    #[must_use]
    pub fn download_error(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.typed_mut().download_error.clone_from(&text);
        self.detail("download_error", text)
    }

    /// How the task ended.
    #[must_use]
    pub fn exit(mut self, code: i64, signal: i64, oom_killed: bool, message: &str) -> Self {
        let typed = self.typed_mut();
        typed.exit_code = code;
        typed.signal = signal;
        message.clone_into(&mut self.said_mut().message);
        let event = self
            .detail("exit_code", code.to_string())
            .detail("signal", signal.to_string())
            .detail("oom_killed", oom_killed.to_string());
        if message.is_empty() {
            event
        } else {
            event.detail("exit_message", message)
        }
    }

    /// Why it restarts, or does not.
    #[must_use]
    pub fn restart_reason(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.typed_mut().restart_reason.clone_from(&text);
        self.detail("restart_reason", text)
    }

    /// How long until it starts again.
    #[must_use]
    pub fn start_delay(mut self, delay: Duration) -> Self {
        self.typed_mut().start_delay = delay.as_nanos();
        self.detail("start_delay", delay.as_nanos().to_string())
    }

    /// How long it has to end by itself.
    #[must_use]
    pub fn kill_timeout(mut self, timeout: Duration) -> Self {
        self.typed_mut().kill_timeout = timeout;
        self.detail("kill_timeout", timeout.to_string())
    }

    /// Why it is killed.
    #[must_use]
    pub fn kill_reason(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.typed_mut().kill_reason.clone_from(&text);
        self.detail("kill_reason", text)
    }

    /// It is killed, and fails, for its allocation has run for longer than its group allows.
    #[must_use]
    pub fn over_time(most: Duration, time: UnixNanos) -> Self {
        let why = format!("{OVER_TIME} of {most} exceeded");
        Self::new(KILLING, time).kill_reason(why).fails_task()
    }

    /// What [`Self::over_time`] says.
    #[must_use]
    pub fn over_time_reason(&self) -> Option<&str> {
        let reason = &self.said().typed.as_deref()?.kill_reason;
        (&*self.r#type == KILLING && reason.starts_with(OVER_TIME)).then_some(reason)
    }

    /// Why it could not be killed.
    #[must_use]
    pub fn kill_error(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.typed_mut().kill_error.clone_from(&text);
        self.detail("kill_error", text)
    }

    /// The signal it gets, and why.
    #[must_use]
    pub fn signal(mut self, signal: &str, reason: &str) -> Self {
        let typed = self.typed_mut();
        signal.clone_into(&mut typed.task_signal);
        reason.clone_into(&mut typed.task_signal_reason);
        self.detail("task_signal", signal)
            .detail("task_signal_reason", reason)
    }

    /// The task whose failure ends this one.
    #[must_use]
    pub fn failed_sibling(mut self, task: &str) -> Self {
        task.clone_into(&mut self.typed_mut().failed_sibling);
        self.detail("failed_sibling", task)
    }

    /// Marks that the task fails by it.
    #[must_use]
    pub fn fails_task(mut self) -> Self {
        self.said_mut().fails_task = true;
        self.detail("fails_task", "true")
    }

    /// The text shown to users.
    #[must_use]
    pub fn display_message(&self) -> Cow<'_, str> {
        match &self.said().display_override {
            Some(text) => Cow::Borrowed(text),
            None => self.derived_message(),
        }
    }

    fn derived_message(&self) -> Cow<'_, str> {
        let first = |texts: &[&'_ str], otherwise: &'static str| -> Cow<'_, str> {
            let found = texts.iter().find(|text| !text.is_empty());
            Cow::Owned((*found.unwrap_or(&otherwise)).to_owned())
        };
        let said = self.said();
        let none = TypedDetails::default();
        let typed = said.typed.as_deref().unwrap_or(&none);
        match &*self.r#type {
            RECEIVED => "Task received by client".into(),
            DOWNLOADING_ARTIFACTS => "Client is downloading artifacts".into(),
            STARTED => "Task started by client".into(),
            LEADER_DEAD => "Leader Task in Group dead".into(),
            MAIN_DEAD => "Main tasks in the group died".into(),
            RECONNECTED => "Client reconnected".into(),
            SETUP_FAILURE => first(&[&typed.setup_error], "Task setup failed"),
            FAILED_VALIDATION => first(&[&typed.validation_error], "Validation of task failed"),
            ARTIFACT_DOWNLOAD_FAILED => {
                first(&[&typed.download_error], "Failed to download artifacts")
            }
            DRIVER_FAILURE => first(&[&typed.driver_error], "Failed to start task"),
            DRIVER => first(&[&typed.driver_message, &said.message], ""),
            TERMINATED => exit_text(typed, &said.message).into(),
            RESTARTING => restart_text(typed).into(),
            NOT_RESTARTING => first(&[&typed.restart_reason], "Task exceeded restart policy"),
            KILLING => kill_text(typed).into(),
            KILLED => first(&[&typed.kill_error], "Task successfully killed"),
            SIBLING_FAILED => match &*typed.failed_sibling {
                "" => "Task's sibling failed".into(),
                task => format!("Task's sibling {task:?} failed").into(),
            },
            SIGNALING => signal_text(typed).into(),
            RESTART_SIGNAL => first(&[&typed.restart_reason], "Task signaled to restart"),
            _ => Cow::Borrowed(&said.message),
        }
    }
}

fn exit_text(typed: &TypedDetails, message: &str) -> String {
    let mut text = format!("Exit Code: {}", typed.exit_code);
    if typed.signal != 0 {
        text.push_str(&format!(", Signal: {}", typed.signal));
    }
    if !message.is_empty() {
        text.push_str(&format!(", Exit Message: {message:?}"));
    }
    text
}

fn restart_text(typed: &TypedDetails) -> String {
    let delay = format!("Task restarting in {}", Duration(typed.start_delay));
    match &*typed.restart_reason {
        "" | REASON_WITHIN_POLICY => delay,
        reason => format!("{reason} - {delay}"),
    }
}

fn kill_text(typed: &TypedDetails) -> String {
    if !typed.kill_reason.is_empty() {
        typed.kill_reason.clone()
    } else if typed.kill_timeout.is_zero() {
        "Sent interrupt".to_owned()
    } else {
        format!(
            "Sent interrupt. Waiting {} before force killing",
            typed.kill_timeout
        )
    }
}

fn signal_text(typed: &TypedDetails) -> String {
    match (&*typed.task_signal, &*typed.task_signal_reason) {
        ("", "") => "Task being sent a signal".to_owned(),
        ("", reason) => reason.to_owned(),
        (signal, "") => format!("Task being sent signal {signal}"),
        (signal, reason) => format!("Task being sent signal {signal}: {reason}"),
    }
}

/// The type's text, without a copy when it is one of the known ones.
fn interned(text: String) -> Cow<'static, str> {
    match KNOWN.iter().find(|known| **known == text) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(text),
    }
}
