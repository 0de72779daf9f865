//! The node's side of being called back: it keeps a connection to its server open and serves
//! requests on it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backoff::Backoff;
use crate::body::with_causes;
use crate::dialer::{Dialer, Dialled, Target};
use crate::error::RpcError;
use crate::handler::{Handler, serve_connection};
use crate::preface::Preface;

/// A connection that lived this long was a good one: the next pause is short again.
const SETTLED: Duration = Duration::from_secs(5);

/// What a reverse connection needs.
pub struct ReverseConfig {
    /// Opens the connections, with the node's certificate and limits.
    pub dialer: Dialer,
    pub node_id: String,
    /// Presented to the server, which decides in [`Handler::admit`].
    pub secret: String,
    /// The server to be connected to; when it changes, so does the connection.
    pub server: watch::Receiver<Option<Target>>,
    /// Answers what the server asks.
    pub handler: Arc<dyn Handler>,
}

/// How the connection is doing.
#[derive(Clone, Debug)]
pub enum ReverseState {
    /// There is no server to connect to.
    Idle,
    Connecting {
        address: String,
    },
    Connected {
        address: String,
    },
    /// The last attempt failed, another follows.
    Failed {
        error: RpcError,
    },
}

/// A running reverse connection; dropping it ends it.
pub struct Reverse {
    state: watch::Receiver<ReverseState>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Reverse {
    /// Connects and stays connected until [`Reverse::stop`], drop, or `shutdown`.
    #[must_use]
    pub fn spawn(config: ReverseConfig, shutdown: &CancellationToken) -> Self {
        let stop = shutdown.child_token();
        let (report, state) = watch::channel(ReverseState::Idle);
        let keeper = Keeper {
            config,
            report,
            stop: stop.clone(),
            serving: TaskTracker::new(),
            backoff: Backoff::new(Duration::from_millis(50), Duration::from_secs(5)),
        };
        let task = tokio::spawn(keeper.run());
        Self { state, stop, task }
    }

    /// How the connection is doing, to look at or to wait on.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<ReverseState> {
        self.state.clone()
    }

    /// Ends the connection; returns when open requests are done or their time is over.
    pub async fn stop(mut self) {
        self.stop.cancel();
        // It cannot fail but by a panic, which was reported already.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Reverse {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Keeper {
    config: ReverseConfig,
    report: watch::Sender<ReverseState>,
    stop: CancellationToken,
    serving: TaskTracker,
    backoff: Backoff,
}

impl Keeper {
    async fn run(mut self) {
        let stop = self.stop.clone();
        stop.run_until_cancelled(self.keep()).await;
        self.serving.close();
        self.serving.wait().await;
    }

    async fn keep(&mut self) {
        loop {
            let server = self.config.server.borrow_and_update().clone();
            let Some(target) = server else {
                self.report.send_replace(ReverseState::Idle);
                if self.config.server.changed().await.is_err() {
                    // Nobody can name a server any more.
                    return;
                }
                continue;
            };
            let address = target.address().to_owned();
            self.report
                .send_replace(ReverseState::Connecting { address });
            match self.dial(&target).await {
                Ok(dialled) => self.serve(&target, dialled).await,
                Err(error) => {
                    tracing::debug!(%error, "no connection for the server to call back");
                    self.report.send_replace(ReverseState::Failed { error });
                    self.pause().await;
                }
            }
        }
    }

    async fn dial(&self, target: &Target) -> Result<Dialled, RpcError> {
        let preface = Preface::Reverse {
            node_id: self.config.node_id.clone(),
            region: self.config.dialer.region().to_owned(),
            secret: self.config.secret.clone(),
        };
        self.config.dialer.dial(target, &preface).await
    }

    /// Serves until the connection ends or another server is wanted; in that case requests that
    /// are open get their time while the next connection is made.
    async fn serve(&mut self, target: &Target, dialled: Dialled) {
        let since = Instant::now();
        let address = target.address().to_owned();
        self.report
            .send_replace(ReverseState::Connected { address });
        let leave = self.stop.child_token();
        let serving = self.serving.spawn({
            let (handler, leave) = (Arc::clone(&self.config.handler), leave.clone());
            let limits = self.config.dialer.limits().clone();
            async move {
                let Dialled { io, peer } = dialled;
                if let Err(error) = serve_connection(io, handler, peer, &limits, &leave).await {
                    let error = with_causes(&error);
                    tracing::debug!(error, "the server's connection to us was lost");
                }
            }
        });
        let server = &mut self.config.server;
        tokio::select! {
            _ended = serving => {
                if since.elapsed() > SETTLED {
                    self.backoff.reset();
                }
                self.pause().await;
            }
            () = another(server, target) => {
                self.backoff.reset();
                leave.cancel();
            }
        }
    }

    async fn pause(&mut self) {
        let pause = self.backoff.next_pause();
        let server = &mut self.config.server;
        // Another server is tried at once.
        let _ = tokio::time::timeout(pause, async {
            if server.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
        .await;
    }
}

/// Returns when the wanted server is not `target` any more.
async fn another(server: &mut watch::Receiver<Option<Target>>, target: &Target) {
    if server
        .wait_for(|wanted| wanted.as_ref() != Some(target))
        .await
        .is_err()
    {
        std::future::pending::<()>().await;
    }
}
