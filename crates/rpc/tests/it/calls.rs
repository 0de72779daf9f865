//! What holds for every channel, with and without sockets.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use caravan_rpc::{
    Body, Channel, ErrorKind, Handler, Limits, MessageReader, Peer, RpcError, call_msgpack,
    messages, msgpack,
};
use http::Request;

use crate::endpoints::{Agent, FLOOD, Ping, Seen, Server, limits, ping};
use crate::{soon, until};

/// A channel of each kind, with what its endpoints see; `Server` keeps a listener running.
fn kinds() -> Vec<(&'static str, Channel, Arc<Seen>, Option<Server>)> {
    let server = Server::plain();
    let agent = Agent::new();
    let local = Arc::clone(&agent) as Arc<dyn Handler>;
    let local = Channel::in_process(local, Peer::in_process("global"));
    vec![
        (
            "socket",
            server.channel(),
            Arc::clone(&server.agent.seen),
            Some(server),
        ),
        ("in process", local, Arc::clone(&agent.seen), None),
    ]
}

#[tokio::test]
async fn typed_calls_are_answered() {
    for (kind, channel, ..) in kinds() {
        let calls = (0..200).map(|number| {
            let channel = channel.clone();
            async move {
                let sent = Ping::new(number);
                let got: Ping = call_msgpack(&channel, "/echo", &sent).await.unwrap();
                assert_eq!(got, sent);
            }
        });
        soon(kind, futures::future::join_all(calls)).await;
    }
}

#[tokio::test]
async fn the_handler_sees_who_calls() {
    for (kind, channel, ..) in kinds() {
        let who: String = soon(kind, call_msgpack(&channel, "/who", &()))
            .await
            .unwrap();
        let expected = match kind {
            "socket" => {
                r#"Server { name: "srv2", region: "global" }, identity: Identity { role: Server, region: "global", verified: false }"#
            }
            _ => {
                r#"InProcess, identity: Identity { role: Server, region: "global", verified: true }"#
            }
        };
        assert!(who.contains(expected), "{who}");
    }
}

#[tokio::test]
async fn errors_keep_their_kind_and_text() {
    let kinds_of_error = [
        ErrorKind::NoLeader,
        ErrorKind::NotFound,
        ErrorKind::PermissionDenied,
        ErrorKind::Other("out_of_camels".to_owned()),
    ];
    for (kind, channel, ..) in kinds() {
        for expected in &kinds_of_error {
            let failed = call_msgpack::<_, ()>(&channel, "/fail", expected);
            let error = soon(kind, failed).await.unwrap_err();
            assert_eq!(error.to_string(), "No cluster leader");
            assert_eq!(&error.remote().unwrap().kind, expected);
            assert!(!error.is_unsent());
        }
        let failed = call_msgpack::<_, ()>(&channel, "/nowhere", &());
        let error = soon(kind, failed).await.unwrap_err();
        assert_eq!(error.remote().unwrap().kind, ErrorKind::UnknownEndpoint);
        let failed = call_msgpack::<_, Ping>(&channel, "/echo", "no ping");
        let error = soon(kind, failed).await.unwrap_err();
        assert_eq!(error.remote().unwrap().kind, ErrorKind::InvalidRequest);
    }
}

#[tokio::test]
async fn a_panic_is_an_error_of_one_call() {
    for (kind, channel, ..) in kinds() {
        let failed = call_msgpack::<_, ()>(&channel, "/panic", &());
        let error = soon(kind, failed).await.unwrap_err();
        assert_eq!(error.remote().unwrap().kind, ErrorKind::Internal);
        ping(&channel).await.unwrap();
    }
}

#[tokio::test]
async fn paths_arrive_as_they_were_written() {
    for (kind, channel, ..) in kinds() {
        for uri in [
            "/v1/job/team%2Fa?namespace=*&index=7",
            "http://agent.example:1/v1/jobs",
        ] {
            let request = Request::get(uri).body(Body::empty()).unwrap();
            let response = soon(kind, channel.call(request)).await.unwrap();
            let seen = response.into_body().collect(1000).await.unwrap();
            assert_eq!(
                seen,
                uri.trim_start_matches("http://agent.example:1"),
                "{kind}"
            );
        }
    }
}

#[tokio::test]
async fn ten_thousand_messages_both_ways() {
    for (kind, channel, ..) in kinds() {
        soon(kind, echo_messages(&channel, 10_000)).await;
    }
}

/// Sends messages and reads them back at the same time.
pub(crate) async fn echo_messages(channel: &Channel, count: u64) {
    let (sender, body) = messages::channel(16);
    let response = channel
        .call(msgpack::request("/messages", body).unwrap())
        .await
        .unwrap();
    let response = msgpack::check("/messages", response, 1000).await.unwrap();
    let mut reader = MessageReader::new(response.into_body(), 1 << 20);
    let sending = async move {
        for number in 0..count {
            sender.send(&Ping::new(number)).await.unwrap();
        }
    };
    let reading = async {
        for number in 0..count {
            assert_eq!(
                reader.next::<Ping>().await.unwrap(),
                Some(Ping::new(number))
            );
        }
        assert_eq!(reader.next::<Ping>().await.unwrap(), None);
    };
    tokio::join!(sending, reading);
}

#[tokio::test]
async fn messages_larger_than_the_limit_are_refused() {
    let small = Limits {
        max_message: 1000,
        ..limits()
    };
    let server = Server::start(None, small);
    let big = Ping {
        number: 1,
        text: "x".repeat(2000),
    };
    let channel = server.channel();
    let failed = call_msgpack::<_, Ping>(&channel, "/echo", &big);
    let error = soon("refusal", failed).await.unwrap_err();
    assert_eq!(error.remote().unwrap().kind, ErrorKind::TooLarge);

    // A stream of unknown length is counted as it comes.
    let (sender, body) = Body::channel(1);
    let feeding = tokio::spawn(async move { while sender.send(vec![0u8; 300]).await.is_ok() {} });
    let request = msgpack::request("/echo", body).unwrap();
    let response = soon("refusal", channel.call(request)).await.unwrap();
    assert_eq!(response.status(), http::StatusCode::PAYLOAD_TOO_LARGE);
    drop(response);
    soon("the sender is told", feeding).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_leaves_ends_the_call() {
    for (kind, channel, seen, _server) in kinds() {
        let mut hanging = seen.hanging.subscribe();
        let mut calls = Vec::new();
        for _ in 0..50 {
            let channel = channel.clone();
            calls.push(tokio::spawn(async move {
                call_msgpack::<_, ()>(&channel, "/hang", &()).await
            }));
        }
        soon(kind, hanging.wait_for(|open| *open == 50))
            .await
            .unwrap();
        calls.iter().for_each(tokio::task::JoinHandle::abort);
        soon(kind, hanging.wait_for(|open| *open == 0))
            .await
            .unwrap();
        ping(&channel).await.unwrap();
    }
}

#[tokio::test]
async fn dropping_the_answer_breaks_the_request_off() {
    for (kind, channel, seen, _server) in kinds() {
        let (sender, body) = Body::channel(1);
        let request = msgpack::request("/drink", body).unwrap();
        let mut response = soon(kind, channel.call(request)).await.unwrap();
        sender.send("first").await.unwrap();
        soon(kind, response.body_mut().next())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(*seen.drunk.borrow(), None);
        drop(response);
        // The sender is still there: only the drop can have ended it.
        let mut drunk = seen.drunk.subscribe();
        let end = soon(kind, drunk.wait_for(Option::is_some))
            .await
            .unwrap()
            .clone();
        assert_ne!(end.as_deref(), Some("the end"), "{kind}");
        soon(kind, sender.closed()).await;
    }
}

#[tokio::test]
async fn the_end_of_a_request_is_told_from_a_break() {
    for (kind, channel, seen, _server) in kinds() {
        let (sender, body) = Body::channel(1);
        let request = msgpack::request("/drink", body).unwrap();
        let response = soon(kind, channel.call(request)).await.unwrap();
        sender.send("only").await.unwrap();
        drop(sender);
        let answer = soon(kind, response.into_body().collect(100)).await.unwrap();
        assert_eq!(answer, "gulp");
        assert_eq!(seen.drunk.borrow().as_deref(), Some("the end"), "{kind}");
    }
}

#[tokio::test]
async fn a_broken_answer_is_no_end() {
    for (kind, channel, ..) in kinds() {
        let request = msgpack::request("/cut", Body::empty()).unwrap();
        let response = soon(kind, channel.call(request)).await.unwrap();
        let outcome = soon(kind, response.into_body().collect(1000)).await;
        assert!(outcome.is_err(), "{kind}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_slow_reader_holds_its_writer_up() {
    for (kind, channel, seen, _server) in kinds() {
        let request = msgpack::request("/flood", Body::empty()).unwrap();
        let response = soon(kind, channel.call(request)).await.unwrap();
        let mut held_up = seen.held_up.subscribe();
        soon(kind, held_up.wait_for(|held| *held)).await.unwrap();
        let given = seen.flooded.load(Ordering::Relaxed);
        assert!(given < 4 << 20, "{kind}: {given} bytes are under way");

        // Others are not held up, and the rest is still there.
        ping(&channel).await.unwrap();
        let mut body = response.into_body();
        let mut read = 0;
        while read < 2 * given {
            let chunk = soon(kind, body.next()).await.unwrap().unwrap();
            assert!(chunk.iter().all(|byte| *byte == 7));
            read += chunk.len() as u64;
        }
        drop(body);
        until("the writer stops", || {
            seen.flooding.load(Ordering::Relaxed) == 0
        })
        .await;
        assert!(seen.flooded.load(Ordering::Relaxed) < FLOOD);
    }
}

#[tokio::test]
async fn many_stalled_readers_do_not_stall_the_connection() {
    let server = Server::plain();
    let channel = server.channel();
    let mut stalled = Vec::new();
    for _ in 0..100 {
        let request = msgpack::request("/flood", Body::empty()).unwrap();
        stalled.push(soon("a stream", channel.call(request)).await.unwrap());
    }
    let mut held_up = server.agent.seen.held_up.subscribe();
    soon("all wait", held_up.wait_for(|held| *held))
        .await
        .unwrap();
    let big = Ping {
        number: 1,
        text: "x".repeat(1 << 20),
    };
    let answer: Ping = soon("a call", call_msgpack(&channel, "/echo", &big))
        .await
        .unwrap();
    assert_eq!(answer, big);
}

#[tokio::test]
async fn a_message_cut_short_is_an_error() {
    let mut reader = MessageReader::new(Body::full(&b"\0\0\0\x05\x01"[..]), 100);
    assert!(matches!(
        reader.next::<Ping>().await,
        Err(RpcError::Body(_))
    ));
    let mut reader = MessageReader::new(Body::full(&b"\xff\0\0\x05\x01"[..]), 100);
    assert!(matches!(
        reader.next::<Ping>().await,
        Err(RpcError::TooLarge { .. })
    ));
    let mut reader = MessageReader::new(Body::empty(), 100);
    assert_eq!(reader.next::<Ping>().await.unwrap(), None);
}
