//! Whatever else connects, or is connected to.

use std::sync::atomic::Ordering;
use std::time::Duration;

use caravan_rpc::{Lane, Limits, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::authority::Authority;
use crate::endpoints::{Server, as_node, limits, ping, server_pool};
use crate::soon;

/// Sends bytes and reads whatever comes back until the connection ends.
async fn send(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // The listener may end the connection while we still write.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = soon("the connection ends", stream.read_to_end(&mut answer)).await;
    answer
}

fn noise(seed: u64) -> impl FnMut() -> u8 {
    let mut state = seed | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    }
}

#[tokio::test]
async fn noise_is_refused_and_harms_nobody() {
    let ca = Authority::new();
    let servers = [
        (Server::plain(), server_pool(None)),
        (
            Server::start(Some(ca.tls("server.global.nomad")), limits()),
            server_pool(Some(ca.tls("server.global.nomad"))),
        ),
    ];
    for (server, pool) in servers {
        let channel = pool.channel(&server.target(), Lane::Calls);
        for round in 0..150 {
            let mut random = noise(round * 977 + 5);
            let mut bytes: Vec<u8> = match round % 4 {
                0 => Vec::new(),
                1 => b"CVRP\x01\x01".to_vec(),
                2 => as_node("n1").encode().unwrap(),
                _ => vec![0x16, 3, 1],
            };
            let more = usize::from(random()) * 4;
            bytes.extend((0..more).map(|_| random()));
            send(&server, &bytes).await;
        }
        ping(&channel).await.unwrap();
    }
}

#[tokio::test]
async fn a_refusal_says_why() {
    let server = Server::plain();
    let mut newer = as_node("n1").encode().unwrap();
    newer[4] = 2;
    let mut other_use = as_node("n1").encode().unwrap();
    other_use[5] = 9;
    let cases: [(&[u8], &str); 4] = [
        (&newer, "protocol version 2 is not supported"),
        (&other_use, "connection use 9 is not known"),
        (
            b"GET /v1/jobs HTTP/1.1\r\nHost: x\r\n\r\n",
            "not the public API",
        ),
        (b"CVRP\x01\x01\xff\xff", "65535 bytes long"),
    ];
    for (bytes, expected) in cases {
        let answer = send(&server, bytes).await;
        assert_eq!(&answer[..6], b"CVRP\x01\x01");
        let text = String::from_utf8_lossy(&answer);
        assert!(text.contains(expected), "{text:?} should say {expected:?}");
    }
    assert_eq!(server.agent.seen.admitted.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn silence_is_not_waited_for() {
    let hasty = Limits {
        handshake_timeout: Duration::from_millis(100),
        ..limits()
    };
    let ca = Authority::new();
    let tls = ca.tls("server.global.nomad");
    for server in [
        Server::start(None, hasty.clone()),
        Server::start(Some(tls), hasty),
    ] {
        for start in [&b""[..], b"CVRP", &[0x16, 3, 1]] {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            stream.write_all(start).await.unwrap();
            let mut answer = Vec::new();
            let _ = soon("it is closed", stream.read_to_end(&mut answer)).await;
        }
    }
}

#[tokio::test]
async fn a_server_that_is_none_is_an_error() {
    for round in 0..60u64 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::new(listener.local_addr().unwrap().to_string(), "global");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut random = noise(round);
            let mut bytes: Vec<u8> = match round % 3 {
                0 => Vec::new(),
                1 => b"CVRP\x01\x00\x00\x01".to_vec(),
                // Accepts, and goes on with something that is not HTTP/2.
                _ => b"CVRP\x01\x00\x00\x0f\x82\xa4name\xa0\xa6region\xa0".to_vec(),
            };
            bytes.extend((0..300).map(|_| random()));
            let _ = stream.write_all(&bytes).await;
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        });
        let channel = server_pool(None).channel(&target, Lane::Calls);
        let error = ping(&channel).await.unwrap_err().to_string();
        assert!(error.contains(target.address()), "{error}");
    }
}
