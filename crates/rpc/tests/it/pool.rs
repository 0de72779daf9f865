//! Connections to servers: shared, replaced, bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use caravan_rpc::{Dialer, Lane, Limits, Pool, RpcError, Target, call_msgpack};
use tokio::net::{TcpListener, TcpStream};

use crate::endpoints::{Server, as_server, limits, ping, server_pool};
use crate::{soon, until};

async fn ping_over(pool: &Pool, target: &Target, lane: Lane) -> Result<(), RpcError> {
    ping(&pool.channel(target, lane)).await
}

#[tokio::test]
async fn calls_share_one_connection_for_each_lane() {
    let server = Server::plain();
    let pool = server_pool(None);
    let target = server.target();
    let calls = (0..100).map(|_| ping_over(&pool, &target, Lane::Calls));
    for outcome in futures::future::join_all(calls).await {
        outcome.unwrap();
    }
    assert_eq!(
        (
            pool.open(),
            server.agent.seen.admitted.load(Ordering::Relaxed)
        ),
        (1, 1)
    );
    ping_over(&pool, &server.target(), Lane::Raft)
        .await
        .unwrap();
    ping_over(&pool, &server.target(), Lane::Bulk)
        .await
        .unwrap();
    assert_eq!(
        (
            pool.open(),
            server.agent.seen.admitted.load(Ordering::Relaxed)
        ),
        (3, 3)
    );
    pool.forget(&server.target());
    assert_eq!(pool.open(), 0);
}

#[tokio::test]
async fn a_restarted_server_is_found_again() {
    let mut server = Server::plain();
    let pool = server_pool(None);
    for _ in 0..3 {
        ping_over(&pool, &server.target(), Lane::Calls)
            .await
            .unwrap();
        server.stop().await;
        let error = ping_over(&pool, &server.target(), Lane::Calls)
            .await
            .unwrap_err();
        assert!(error.is_unsent(), "{error:?}");
        assert!(
            error.to_string().contains(&server.address.to_string()),
            "{error}"
        );
        server.listen();
        let again = async {
            // The pause after the failure runs out.
            while let Err(error) = ping_over(&pool, &server.target(), Lane::Calls).await {
                assert!(error.is_unsent(), "{error:?}");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        soon("it answers again", again).await;
    }
}

#[tokio::test]
async fn an_idle_connection_that_died_costs_no_call() {
    let mut server = Server::plain();
    let pool = server_pool(None);
    ping_over(&pool, &server.target(), Lane::Calls)
        .await
        .unwrap();
    server.stop().await;
    server.listen();
    ping_over(&pool, &server.target(), Lane::Calls)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_server_that_stops_lets_open_calls_end_or_breaks_them() {
    let mut server = Server::plain();
    let channel = server.channel();
    let mut hanging = server.agent.seen.hanging.subscribe();
    let call = tokio::spawn(async move { call_msgpack::<_, ()>(&channel, "/hang", &()).await });
    soon("it hangs", hanging.wait_for(|open| *open == 1))
        .await
        .unwrap();
    server.stop().await;
    let error = soon("it breaks", call).await.unwrap().unwrap_err();
    assert!(
        matches!(error, RpcError::Broken { ref path, .. } if path == "/hang"),
        "{error:?}"
    );
    assert!(!error.is_unsent());
}

#[tokio::test]
async fn nobody_there_is_said_at_once_and_once() {
    // Bound but not listening on: nothing else can take the port meanwhile.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let target = Target::new(socket.local_addr().unwrap().to_string(), "global");
    let pool = server_pool(None);
    let error = ping_over(&pool, &target, Lane::Calls).await.unwrap_err();
    assert!(matches!(error, RpcError::Connect { .. }), "{error:?}");
    assert!(error.to_string().contains(target.address()), "{error}");
    let unknown = Target::new("no.such.host.invalid:4647", "global");
    let error = ping_over(&pool, &unknown, Lane::Calls).await.unwrap_err();
    assert!(
        error.to_string().contains("no.such.host.invalid:4647"),
        "{error}"
    );
}

#[tokio::test]
async fn a_listener_that_says_nothing_times_out_by_stage() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(silent.local_addr().unwrap().to_string(), "global");
    let hasty = Limits {
        dial_timeout: Duration::from_millis(100),
        ..limits()
    };
    let pool = Pool::new(Dialer::new(as_server(), None, hasty));
    let error = ping_over(&pool, &target, Lane::Calls).await.unwrap_err();
    assert!(
        matches!(
            error,
            RpcError::ConnectTimeout {
                stage: "the answer to the preface",
                ..
            }
        ),
        "{error:?}"
    );
}

/// Passes bytes on until told to swallow them: a network that drops packets.
struct Network {
    target: Target,
    cut: Arc<AtomicBool>,
}

impl Network {
    async fn before(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::new(listener.local_addr().unwrap().to_string(), "global");
        let cut = Arc::new(AtomicBool::new(false));
        let (to, swallowing) = (server.address, Arc::clone(&cut));
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(to).await.unwrap();
                let (near, far) = (near.into_split(), far.into_split());
                tokio::spawn(pass(near.0, far.1, Arc::clone(&swallowing)));
                tokio::spawn(pass(far.0, near.1, Arc::clone(&swallowing)));
            }
        });
        Self { target, cut }
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    swallowing: Arc<AtomicBool>,
) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut buffer = vec![0u8; 4096];
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 {
            return;
        }
        if !swallowing.load(Ordering::Relaxed) && to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_dead_network_breaks_open_calls() {
    let server = Server::plain();
    let network = Network::before(&server).await;
    let watchful = Limits {
        keep_alive_interval: Duration::from_millis(50),
        keep_alive_timeout: Duration::from_millis(100),
        ..limits()
    };
    let pool = Pool::new(Dialer::new(as_server(), None, watchful));
    let channel = pool.channel(&network.target, Lane::Calls);
    let mut hanging = server.agent.seen.hanging.subscribe();
    let call = tokio::spawn(async move { call_msgpack::<_, ()>(&channel, "/hang", &()).await });
    soon("it hangs", hanging.wait_for(|open| *open == 1))
        .await
        .unwrap();
    network.cut.store(true, Ordering::Relaxed);
    let error = soon("it breaks", call).await.unwrap().unwrap_err();
    assert!(matches!(error, RpcError::Broken { .. }), "{error:?}");
    until("the pool lets it go", || pool.open() == 0).await;
    network.cut.store(false, Ordering::Relaxed);
    ping_over(&pool, &network.target, Lane::Calls)
        .await
        .unwrap();
}

#[tokio::test]
async fn one_address_has_so_many_connections() {
    let few = Limits {
        max_connections_per_ip: 3,
        ..limits()
    };
    let server = Server::start(None, few);
    let pools: Vec<_> = (0..3).map(|_| server_pool(None)).collect();
    for pool in &pools {
        ping_over(pool, &server.target(), Lane::Calls)
            .await
            .unwrap();
    }
    let one_more = server_pool(None);
    let error = ping_over(&one_more, &server.target(), Lane::Calls)
        .await
        .unwrap_err();
    assert!(error.is_unsent(), "{error:?}");
    // When one leaves, another may come.
    pools[0].close_all();
    let comes = async {
        while ping_over(&one_more, &server.target(), Lane::Calls)
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    soon("there is a place again", comes).await;
}

#[tokio::test]
async fn many_blocking_calls_leave_room_for_others() {
    let server = Server::plain();
    let channel = server.channel();
    let mut hanging = server.agent.seen.hanging.subscribe();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let channel = channel.clone();
        calls.spawn(async move { call_msgpack::<_, ()>(&channel, "/hang", &()).await });
    }
    soon("all hang", hanging.wait_for(|open| *open == 1000))
        .await
        .unwrap();
    let since = Instant::now();
    ping(&channel).await.unwrap();
    assert!(since.elapsed() < Duration::from_secs(2));
    // All callers leave at once; the connection survives it.
    calls.abort_all();
    soon("all left", hanging.wait_for(|open| *open == 0))
        .await
        .unwrap();
    ping(&channel).await.unwrap();
    assert_eq!(server.agent.seen.admitted.load(Ordering::Relaxed), 1);
}
