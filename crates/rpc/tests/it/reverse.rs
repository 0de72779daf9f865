//! Calling a node over the connection that the node opened.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use caravan_rpc::{
    Channel, Dialer, ErrorKind, Handler, NodeSessions, Peer, Reverse, ReverseConfig, ReverseState,
    RpcError, Target, Tls, call_msgpack,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::authority::Authority;
use crate::calls::echo_messages;
use crate::endpoints::{Agent, Server, as_node, limits, ping};
use crate::{soon, until};

struct Node {
    agent: Arc<Agent>,
    reverse: Reverse,
    server: watch::Sender<Option<Target>>,
}

fn node(id: &str, target: Option<Target>, tls: Option<Arc<Tls>>) -> Node {
    let agent = Agent::new();
    let (server, wanted) = watch::channel(target);
    let config = ReverseConfig {
        dialer: Dialer::new(as_node(id), tls, limits()),
        node_id: id.to_owned(),
        secret: "hush".to_owned(),
        server: wanted,
        handler: Arc::clone(&agent) as Arc<dyn Handler>,
    };
    let reverse = Reverse::spawn(config, &CancellationToken::new());
    Node {
        agent,
        reverse,
        server,
    }
}

#[tokio::test]
async fn a_server_calls_a_node_back() {
    let server = Server::plain();
    assert!(server.sessions.get("n1").is_none());
    let _node = node("n1", Some(server.target()), None);
    let channel = soon("the node", server.sessions.wait_for("n1")).await;
    ping(&channel).await.unwrap();
    soon("messages", echo_messages(&channel, 10_000)).await;
    let who: String = soon("who", call_msgpack(&channel, "/who", &()))
        .await
        .unwrap();
    assert!(
        who.contains(r#"Server { name: "srv1", region: "global" }"#),
        "{who}"
    );
    let failed = call_msgpack::<_, ()>(&channel, "/fail", &ErrorKind::NotFound);
    assert!(
        soon("an error", failed)
            .await
            .unwrap_err()
            .remote()
            .is_some()
    );
    assert_eq!(channel.name(), "node n1");
    assert_eq!(channel.peer().and_then(Peer::node_id), Some("n1"));
}

#[tokio::test]
async fn a_server_calls_a_node_back_over_tls() {
    let ca = Authority::new();
    let server = Server::start(Some(ca.tls("server.global.nomad")), limits());
    let _node = node(
        "n1",
        Some(server.target()),
        Some(ca.tls("client.global.nomad")),
    );
    let channel = soon("the node", server.sessions.wait_for("n1")).await;
    soon("messages", echo_messages(&channel, 1000)).await;
    assert!(channel.peer().unwrap().identity.verified);
    let who: String = soon("who", call_msgpack(&channel, "/who", &()))
        .await
        .unwrap();
    assert!(
        who.contains("role: Server, region: \"global\", verified: true"),
        "{who}"
    );
}

#[tokio::test]
async fn a_node_that_leaves_is_forgotten() {
    let server = Server::plain();
    let node = node("n1", Some(server.target()), None);
    let channel = soon("the node", server.sessions.wait_for("n1")).await;
    soon("the end", node.reverse.stop()).await;
    until("it is forgotten", || server.sessions.node_ids().is_empty()).await;
    assert!(server.sessions.get("n1").is_none());
    let error = ping(&channel).await.unwrap_err();
    assert!(
        error.is_unsent() && error.to_string().contains("node n1"),
        "{error}"
    );
}

#[tokio::test]
async fn the_newest_connection_of_a_node_wins() {
    let server = Server::plain();
    let first = node("n1", Some(server.target()), None);
    soon("the first", server.sessions.wait_for("n1")).await;
    let second = node("n1", Some(server.target()), None);
    let admitted = &server.agent.seen.admitted;
    until("the second", || admitted.load(Ordering::Relaxed) >= 2).await;
    // Calls reach the second; stopping the first must not remove it. (The first comes back after
    // it was replaced, so it has to be gone for the answer to be certain.)
    soon("the end", first.reverse.stop()).await;
    let calls_second = async {
        let mut hanging = second.agent.seen.hanging.subscribe();
        loop {
            let channel = server.sessions.wait_for("n1").await;
            let mut call =
                tokio::spawn(async move { call_msgpack::<_, ()>(&channel, "/hang", &()).await });
            tokio::select! {
                reached = hanging.wait_for(|open| *open > 0) => {
                    reached.unwrap();
                    call.abort();
                    return;
                }
                _ended = &mut call => {}
            }
        }
    };
    soon("the second is called", calls_second).await;
}

#[tokio::test]
async fn a_wrong_secret_is_refused_and_tried_again() {
    let server = Server::plain();
    *server.agent.seen.secret.lock().unwrap() = "other".to_owned();
    let node = node("n1", Some(server.target()), None);
    let mut state = node.reverse.state();
    let refused = state.wait_for(|state| {
        matches!(state, ReverseState::Failed { error: RpcError::Refused { message, .. } }
            if message == "the node's secret does not match")
    });
    drop(soon("refusal", refused).await.unwrap());
    assert!(server.sessions.get("n1").is_none());
    *server.agent.seen.secret.lock().unwrap() = "hush".to_owned();
    soon("the node", server.sessions.wait_for("n1")).await;
    assert!(server.agent.seen.refused.load(Ordering::Relaxed) >= 1);
}

#[tokio::test]
async fn the_node_comes_back_after_a_restart_of_the_server() {
    let mut server = Server::plain();
    let _node = node("n1", Some(server.target()), None);
    for _ in 0..3 {
        let channel = soon("the node", server.sessions.wait_for("n1")).await;
        ping(&channel).await.unwrap();
        server.stop().await;
        assert!(server.sessions.get("n1").is_none());
        server.listen();
    }
}

#[tokio::test]
async fn the_node_moves_to_another_server() {
    let (one, two) = (Server::plain(), Server::plain());
    let node = node("n1", None, None);
    assert!(matches!(*node.reverse.state().borrow(), ReverseState::Idle));
    node.server.send_replace(Some(one.target()));
    let channel = soon("at the first", one.sessions.wait_for("n1")).await;
    ping(&channel).await.unwrap();
    node.server.send_replace(Some(two.target()));
    let channel = soon("at the second", two.sessions.wait_for("n1")).await;
    ping(&channel).await.unwrap();
    until("it left the first", || one.sessions.get("n1").is_none()).await;
    node.server.send_replace(None);
    until("it left the second", || two.sessions.get("n1").is_none()).await;
}

#[tokio::test]
async fn a_node_in_the_same_process_needs_no_socket() {
    let sessions = NodeSessions::new();
    let agent = Agent::new() as Arc<dyn Handler>;
    let channel = Channel::in_process(agent, Peer::in_process("global"));
    let guard = sessions.insert("n1", channel.clone());
    ping(&sessions.get("n1").unwrap()).await.unwrap();
    let newer = sessions.insert("n1", channel);
    drop(guard);
    assert!(sessions.get("n1").is_some());
    drop(newer);
    assert!(sessions.get("n1").is_none());
}
