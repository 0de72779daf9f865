//! An agent to call: some endpoints, and a listener that can be stopped and started again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use caravan_rpc::preface::Preface;
use caravan_rpc::{
    Body, BodySender, Channel, Dialer, ErrorKind, Handler, Lane, Limits, Listener, ListenerConfig,
    MessageReader, NodeSessions, Peer, Pool, RemoteError, Router, RpcError, Target, Tls,
    call_msgpack, messages,
};
use http::{Request, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ping {
    pub(crate) number: u64,
    pub(crate) text: String,
}

impl Ping {
    pub(crate) fn new(number: u64) -> Self {
        let text = format!("ping {number}");
        Self { number, text }
    }
}

/// What `/flood` is willing to produce when nobody stops it.
pub(crate) const FLOOD: u64 = 256 << 20;
const CHUNK: u64 = 16 << 10;

/// What the endpoints saw.
#[derive(Default)]
pub(crate) struct Seen {
    /// Calls of `/hang` that are open.
    pub(crate) hanging: watch::Sender<usize>,
    /// Calls of `/flood` that are not over.
    pub(crate) flooding: AtomicU64,
    /// Bytes that `/flood` gave away, and whether it was ever held up by its reader.
    pub(crate) flooded: AtomicU64,
    pub(crate) held_up: watch::Sender<bool>,
    /// Why `/drink` stopped reading.
    pub(crate) drunk: watch::Sender<Option<String>>,
    /// The secret that the next connection is admitted with; empty is any.
    pub(crate) secret: std::sync::Mutex<String>,
    pub(crate) refused: AtomicU64,
    pub(crate) admitted: AtomicU64,
}

pub(crate) struct Agent {
    pub(crate) seen: Arc<Seen>,
    router: Router,
}

impl Agent {
    pub(crate) fn new() -> Arc<Self> {
        let seen = Arc::new(Seen::default());
        let (hang, flood, drink) = (Arc::clone(&seen), Arc::clone(&seen), Arc::clone(&seen));
        let router = Router::new()
            .typed("/echo", |_, ping: Ping| async move { Ok(ping) })
            .typed("/who", |peer: Peer, (): ()| async move {
                Ok(format!("{peer:?}"))
            })
            .typed("/fail", |_, kind: ErrorKind| async move {
                Err::<(), _>(RemoteError::new(kind, "No cluster leader"))
            })
            .typed("/panic", |_, (): ()| async move {
                if true {
                    panic!("on purpose");
                }
                Ok(())
            })
            .raw(
                "/messages",
                |_, request| async move { echo_messages(request) },
            )
            .raw("/hang", move |_, _| hang_forever(Arc::clone(&hang)))
            .raw("/flood", move |_, _| {
                let (sender, body) = Body::channel(4);
                tokio::spawn(produce(Arc::clone(&flood), sender));
                async move { Response::new(body) }
            })
            .raw("/drink", move |_, request| {
                drink_all(Arc::clone(&drink), request)
            })
            .raw("/cut", |_, _| async {
                let (sender, body) = Body::channel(4);
                tokio::spawn(async move {
                    sender.send("half").await.unwrap();
                    sender.abort("the disk is full").await;
                });
                Response::new(body)
            })
            .nest("/v1/", Arc::new(ShowUri));
        Arc::new(Self { seen, router })
    }
}

#[async_trait]
impl Handler for Agent {
    async fn handle(&self, peer: Peer, request: Request<Body>) -> Response<Body> {
        self.router.handle(peer, request).await
    }

    async fn admit(&self, _: &Peer, secret: Option<&str>) -> Result<(), String> {
        let wanted = self.seen.secret.lock().unwrap().clone();
        if !wanted.is_empty() && secret.is_some_and(|secret| secret != wanted) {
            self.seen.refused.fetch_add(1, Ordering::Relaxed);
            return Err("the node's secret does not match".to_owned());
        }
        self.seen.admitted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn echo_messages(request: Request<Body>) -> Response<Body> {
    let (sender, body) = messages::channel(16);
    let mut reader = MessageReader::new(request.into_body(), 1 << 20);
    tokio::spawn(async move {
        while let Ok(Some(ping)) = reader.next::<Ping>().await {
            if sender.send(&ping).await.is_err() {
                return;
            }
        }
    });
    Response::new(body)
}

async fn hang_forever(seen: Arc<Seen>) -> Response<Body> {
    struct Open(Arc<Seen>);
    impl Drop for Open {
        fn drop(&mut self) {
            self.0.hanging.send_modify(|open| *open -= 1);
        }
    }
    seen.hanging.send_modify(|open| *open += 1);
    let _open = Open(seen);
    std::future::pending().await
}

async fn produce(seen: Arc<Seen>, sender: BodySender) {
    seen.flooding.fetch_add(1, Ordering::Relaxed);
    let chunk = bytes::Bytes::from(vec![7u8; CHUNK as usize]);
    while seen.flooded.load(Ordering::Relaxed) < FLOOD {
        let mut sending = std::pin::pin!(sender.send(chunk.clone()));
        let sent = match tokio::time::timeout(Duration::from_millis(300), &mut sending).await {
            Ok(sent) => sent,
            Err(_waiting) => {
                seen.held_up.send_replace(true);
                sending.await
            }
        };
        if sent.is_err() {
            break;
        }
        seen.flooded.fetch_add(CHUNK, Ordering::Relaxed);
    }
    seen.flooding.fetch_sub(1, Ordering::Relaxed);
}

/// Answers at once, and goes on reading.
async fn drink_all(seen: Arc<Seen>, request: Request<Body>) -> Response<Body> {
    let (sender, answer) = Body::channel(1);
    tokio::spawn(async move {
        let mut body = request.into_body();
        let end = loop {
            match body.next().await {
                Some(Ok(_)) => sender.send("gulp").await.unwrap_or_default(),
                Some(Err(error)) => break error.to_string(),
                None => break "the end".to_owned(),
            }
        };
        seen.drunk.send_replace(Some(end));
    });
    Response::new(answer)
}

struct ShowUri;

#[async_trait]
impl Handler for ShowUri {
    async fn handle(&self, _: Peer, request: Request<Body>) -> Response<Body> {
        Response::new(Body::full(request.uri().to_string()))
    }
}

/// A running listener with an [`Agent`] behind it.
pub(crate) struct Server {
    pub(crate) agent: Arc<Agent>,
    pub(crate) sessions: NodeSessions,
    pub(crate) address: SocketAddr,
    config: ListenerConfig,
    shutdown: CancellationToken,
    task: Option<JoinHandle<()>>,
}

/// Short enough that no test waits for a time-out that it does not test.
pub(crate) fn limits() -> Limits {
    Limits {
        drain: Duration::from_millis(100),
        ..Limits::default()
    }
}

impl Server {
    pub(crate) fn plain() -> Self {
        Self::start(None, limits())
    }

    pub(crate) fn start(tls: Option<Arc<Tls>>, limits: Limits) -> Self {
        let config = ListenerConfig {
            name: "srv1".to_owned(),
            region: "global".to_owned(),
            tls,
            limits,
        };
        let mut server = Self {
            agent: Agent::new(),
            sessions: NodeSessions::new(),
            address: "127.0.0.1:0".parse().unwrap(),
            config,
            shutdown: CancellationToken::new(),
            task: None,
        };
        server.listen();
        server
    }

    /// Starts again on the same port after [`Server::stop`].
    pub(crate) fn listen(&mut self) {
        self.shutdown = CancellationToken::new();
        let listener = Listener::bind(self.address, self.config.clone()).unwrap();
        self.address = listener.local_addr();
        self.task = Some(tokio::spawn(listener.serve(
            Arc::clone(&self.agent) as Arc<dyn Handler>,
            self.sessions.clone(),
            self.shutdown.clone(),
        )));
    }

    pub(crate) async fn stop(&mut self) {
        self.shutdown.cancel();
        if let Some(task) = self.task.take() {
            crate::soon("the listener stops", task).await.unwrap();
        }
    }

    pub(crate) fn target(&self) -> Target {
        Target::new(self.address.to_string(), "global")
    }

    pub(crate) fn channel(&self) -> Channel {
        server_pool(None).channel(&self.target(), Lane::Calls)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub(crate) fn as_server() -> Preface {
    Preface::Server {
        name: "srv2".to_owned(),
        region: "global".to_owned(),
    }
}

pub(crate) fn as_node(node_id: &str) -> Preface {
    Preface::Client {
        node_id: node_id.to_owned(),
        region: "global".to_owned(),
    }
}

pub(crate) fn server_pool(tls: Option<Arc<Tls>>) -> Pool {
    Pool::new(Dialer::new(as_server(), tls, limits()))
}

/// Calls `/echo` and expects the same back.
pub(crate) async fn ping(channel: &Channel) -> Result<(), RpcError> {
    let sent = Ping::new(7);
    let got: Ping = crate::soon("a ping", call_msgpack(channel, "/echo", &sent)).await?;
    assert_eq!(got, sent);
    Ok(())
}
