//! Sessions in tasks: the frames that go both ways, independent of the websocket that carries them.

use bytes::Bytes;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::error::ApiError;

/// From the caller to the command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionInput {
    Stdin(Bytes),
    StdinClosed,
    Resize { height: i32, width: i32 },
}

/// From the command to the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionOutput {
    Stdout(Bytes),
    Stderr(Bytes),
    StdoutClosed,
    StderrClosed,
    /// The last frame.
    Exited(i32),
}

/// One session, as the side that runs the command sees it. `input` ends when the caller has gone: the command
/// is to be ended then. Dropping `output` ends the session.
#[derive(Debug)]
pub struct Session {
    pub input: mpsc::Receiver<SessionInput>,
    pub output: mpsc::Sender<SessionOutput>,
}

/// Serves a session to its end. An error is shown to the caller when the session closes.
pub type SessionHandler =
    Box<dyn FnOnce(Session) -> BoxFuture<'static, Result<(), ApiError>> + Send>;

/// Makes a handler of an async closure.
pub fn handler<F, Fut>(serve: F) -> SessionHandler
where
    F: FnOnce(Session) -> Fut + Send + 'static,
    Fut: Future<Output = Result<(), ApiError>> + Send + 'static,
{
    Box::new(move |session| Box::pin(serve(session)))
}
