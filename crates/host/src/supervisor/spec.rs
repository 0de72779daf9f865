//! What a supervisor is told, and the messages between it and the agent.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::isolate::Isolation;
use super::record::{ExitRecord, Record};
use crate::cgroup::TaskCgroup;
use crate::credentials::Credentials;

/// One task to supervise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spec {
    pub id: String,
    /// A file of this start alone, in a directory for the agent's eyes only: what is needed to find the task
    /// again, and its exit.
    pub state_file: PathBuf,
    pub process: Process,
    /// `None`: output goes to `/dev/null`.
    pub logs: Option<LogSpec>,
    pub cgroup: Option<TaskCgroup>,
}

/// A process to start. All of its environment is `env`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Process {
    /// An absolute path (inside the task's root when it has one).
    pub program: PathBuf,
    /// Without the program's own name.
    pub args: Vec<String>,
    pub env: Arc<BTreeMap<String, String>>,
    pub cwd: PathBuf,
    /// `None`: as the agent.
    pub user: Option<Credentials>,
    pub oom_score_adj: Option<i32>,
    /// The network namespace to enter.
    pub netns: Option<PathBuf>,
    /// `None`: the host's own files and processes.
    pub isolation: Option<Isolation>,
    /// A controlling terminal is on standard input.
    pub terminal: bool,
}

/// Files `<name>.stdout.<n>` and `<name>.stderr.<n>` in `dir`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogSpec {
    pub dir: PathBuf,
    pub name: String,
    pub max_files: u32,
    pub max_file_bytes: u64,
}

/// From the agent. What comes first on a new supervisor's control connection is no request but its [`Spec`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub(crate) enum Request {
    /// The first message on a connection to a running supervisor: [`Record::key`].
    Open {
        key: String,
    },
    /// Tell the state now and the exit when it comes.
    Watch,
    Signal {
        signo: i32,
    },
    /// The supervisor itself escalates to a kill after the timeout.
    Stop {
        signo: i32,
        timeout_ms: u64,
    },
    /// Comes with three descriptors (or one, a terminal).
    Exec {
        process: Box<Process>,
    },
}

/// From the supervisor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase", try_from = "Answer")]
pub(crate) enum Reply {
    State { record: Box<Record> },
    Done,
    Failed { message: String },
    Exited { exit: ExitRecord },
}

/// A [`Reply`] as it is read: in one pass, where the enumeration would be put aside until its kind is known.
#[derive(Deserialize)]
struct Answer {
    is: Kind,
    record: Option<Box<Record>>,
    message: Option<String>,
    exit: Option<ExitRecord>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    State,
    Done,
    Failed,
    Exited,
}

impl TryFrom<Answer> for Reply {
    type Error = &'static str;

    fn try_from(answer: Answer) -> Result<Self, Self::Error> {
        let reply = match answer.is {
            Kind::State => answer.record.map(|record| Self::State { record }),
            Kind::Done => Some(Self::Done),
            Kind::Failed => answer.message.map(|message| Self::Failed { message }),
            Kind::Exited => answer.exit.map(|exit| Self::Exited { exit }),
        };
        reply.ok_or("an answer without its content")
    }
}
