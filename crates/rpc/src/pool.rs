//! Shared connections to servers: one for each address and [`Lane`], opened when first needed and
//! again after they were lost.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::{Request, Response};
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::body::Body;
use crate::channel::Channel;
use crate::connection::{Connection, Failed};
use crate::dialer::{Dialer, Target};
use crate::error::RpcError;
use crate::limits::Limits;

/// Traffic that must not wait for other traffic has its own connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Ordinary calls.
    Calls,
    /// Consensus: heartbeats, votes, log entries.
    Raft,
    /// Large transfers, such as snapshots.
    Bulk,
}

impl Lane {
    /// A server that came back must hear of it soon from consensus, or it starts an election.
    fn backoff(self) -> Backoff {
        let most = match self {
            Self::Raft => Duration::from_millis(250),
            Self::Calls | Self::Bulk => Duration::from_secs(1),
        };
        Backoff::new(Duration::from_millis(20), most)
    }
}

/// Connections to servers. Clones share them.
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

struct Inner {
    dialer: Dialer,
    slots: Mutex<HashMap<(Target, Lane), Arc<Slot>>>,
}

struct Slot {
    live: ArcSwapOption<Connection>,
    /// Held while connecting: one caller connects, the others wait for its outcome.
    attempts: tokio::sync::Mutex<Attempts>,
}

struct Attempts {
    backoff: Backoff,
    failed: Option<(Instant, RpcError)>,
}

impl Pool {
    #[must_use]
    pub fn new(dialer: Dialer) -> Self {
        Self(Arc::new(Inner {
            dialer,
            slots: Mutex::default(),
        }))
    }

    /// A channel to a server; it connects at its first call, and again whenever needed. After a
    /// failure to connect, calls fail at once with the same error for a short, growing pause.
    #[must_use]
    pub fn channel(&self, target: &Target, lane: Lane) -> Channel {
        Channel::pooled(self.clone(), target.clone(), lane)
    }

    /// Connects now, to learn early whether it works.
    pub async fn connect(&self, target: &Target, lane: Lane) -> Result<(), RpcError> {
        let slot = self.slot(target, lane);
        self.connection(&slot, target).await.map(drop)
    }

    /// Lets go of the connections to a server that left; open calls end first.
    pub fn forget(&self, target: &Target) {
        self.slots().retain(|(known, _), _| known != target);
    }

    /// Lets go of all connections, for example after certificates changed; open calls end first.
    pub fn close_all(&self) {
        self.slots().clear();
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        let slots = self.slots();
        slots.values().filter(|slot| slot.live().is_some()).count()
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.0.dialer.limits()
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, HashMap<(Target, Lane), Arc<Slot>>> {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, target: &Target, lane: Lane) -> Arc<Slot> {
        let mut slots = self.slots();
        let slot = slots.entry((target.clone(), lane)).or_insert_with(|| {
            Arc::new(Slot {
                live: ArcSwapOption::empty(),
                attempts: tokio::sync::Mutex::new(Attempts {
                    backoff: lane.backoff(),
                    failed: None,
                }),
            })
        });
        Arc::clone(slot)
    }

    async fn connection(&self, slot: &Slot, target: &Target) -> Result<Connection, RpcError> {
        if let Some(connection) = slot.live() {
            return Ok(connection);
        }
        let mut attempts = slot.attempts.lock().await;
        if let Some(connection) = slot.live() {
            return Ok(connection);
        }
        if let Some((until, error)) = &attempts.failed
            && Instant::now() < *until
        {
            return Err(error.clone());
        }
        match self.0.dialer.connect(target).await {
            Ok(connection) => {
                attempts.backoff.reset();
                attempts.failed = None;
                slot.live.store(Some(Arc::new(connection.clone())));
                Ok(connection)
            }
            Err(error) => {
                let until = Instant::now() + attempts.backoff.next_pause();
                attempts.failed = Some((until, error.clone()));
                Err(error)
            }
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({} open)", self.open())
    }
}

impl Slot {
    fn live(&self) -> Option<Connection> {
        let connection = self.live.load();
        let connection = connection.as_ref()?;
        (!connection.is_closed()).then(|| Connection::clone(connection))
    }
}

/// Sends a request over the pooled connection; one that died meanwhile is replaced once.
pub(crate) async fn call(
    pool: &Pool,
    target: &Target,
    lane: Lane,
    request: Request<Body>,
) -> Result<Response<Body>, RpcError> {
    let slot = pool.slot(target, lane);
    let connection = pool.connection(&slot, target).await?;
    let request = match connection.call(request).await {
        Ok(response) => return Ok(response),
        Err(Failed {
            unsent: Some(request),
            ..
        }) => request,
        Err(failed) => return Err(failed.error),
    };
    slot.live.store(None);
    let connection = pool.connection(&slot, target).await?;
    connection
        .call(request)
        .await
        .map_err(|failed| failed.error)
}
