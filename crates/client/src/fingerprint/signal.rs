//! The signals that tasks can be sent.

use caravan_model::Node;

use super::set;
use crate::config::ClientConfig;

const SIGNALS: &str = "SIGABRT,SIGALRM,SIGBUS,SIGCONT,SIGFPE,SIGHUP,SIGILL,SIGINT,SIGIO,SIGIOT,SIGKILL,SIGNULL,SIGPIPE,\
SIGPROF,SIGQUIT,SIGSEGV,SIGSTOP,SIGSYS,SIGTERM,SIGTRAP,SIGTSTP,SIGTTIN,SIGTTOU,SIGUSR1,SIGUSR2,SIGWINCH,SIGXCPU,SIGXFSZ";

pub(super) fn look(_config: &ClientConfig, node: &mut Node) {
    set(node, "os.signals", SIGNALS);
}
