//! The agent's API on a socket in the task's secrets directory, for those who hold a token.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use caravan_http::{CancellationToken, Listener};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use tokio::net::UnixListener;

use super::Context;
use crate::shared::Shared;

const NAME: &str = "api.sock";

/// A socket that is bound and not yet served.
pub(crate) struct TaskApi {
    shared: Arc<Shared>,
    listener: UnixListener,
}

impl TaskApi {
    /// Serves until it is aborted.
    pub(crate) async fn run(self) {
        let forever = CancellationToken::new();
        let server = self.shared.task_api.wait().await;
        server.serve(Listener::Task(self.listener), forever).await;
    }
}

/// A task can do without it: what goes wrong is noted, not fatal.
pub(super) fn bind(context: &Context) -> Option<TaskApi> {
    match listen(&context.dirs.secrets) {
        Ok(listener) => Some(TaskApi {
            shared: Arc::clone(&context.shared),
            listener,
        }),
        Err(error) => {
            let task = &context.task.name;
            tracing::warn!(alloc = %context.alloc.id, task, %error, "the API is not served in the task");
            None
        }
    }
}

/// Binds by a short name: the path of an allocation is often longer than an address may be.
fn listen(secrets: &Path) -> io::Result<UnixListener> {
    use std::os::fd::AsRawFd;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = Arc::new(rustix::fs::open(secrets, flags, Mode::empty())?);
    match rustix::fs::unlinkat(&*folder, NAME, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let short = format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd());
    let listener = UnixListener::bind(&short)?;
    // A task that runs may put something else there at once: only what is looked at is changed.
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let bound = rustix::fs::openat(&*folder, NAME, flags, Mode::empty())?;
    if FileType::from_raw_mode(rustix::fs::fstat(&bound)?.st_mode) == FileType::Socket {
        // Whoever the task runs as may connect; a token is asked for.
        let itself = format!("/proc/self/fd/{}", bound.as_raw_fd());
        std::fs::set_permissions(itself, std::fs::Permissions::from_mode(0o666))?;
    }
    Ok(listener)
}
