//! Real sockets: what a caller sees of each rule.

use std::{
    io::Read,
    sync::atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use futures::{SinkExt, StreamExt, future::BoxFuture};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    answer::{Meta, Watch},
    exec::{SessionInput, SessionOutput, handler},
};

/// Answers with what it was asked.
#[derive(Default)]
struct Mirror {
    waiting: AtomicU64,
}

#[async_trait]
impl Api for Mirror {
    async fn call(&self, request: ApiRequest) -> Result<Answer, ApiError> {
        match request.op {
            Op::JobRead => Err(ApiError::not_found("job not found").with_meta(Meta::read(0))),
            Op::JobList => Answer::json(
                &vec!["<a&b>"; 100],
                Meta::read(7)
                    .watching([1], 7)
                    .next(Some("default.b".into())),
            ),
            Op::NamespaceUpsert => Ok(Answer::empty(Meta::write(9))),
            Op::EventStream => Ok(Answer::stream(
                content_type::JSON,
                futures::stream::pending(),
            )),
            Op::ClientAllocExec => Ok(Answer::session(handler(move |mut session| async move {
                if request.token.as_deref() == Some("bad") {
                    return Err(ApiError::permission_denied());
                }
                while let Some(frame) = session.input.recv().await {
                    match frame {
                        SessionInput::Stdin(bytes) => {
                            let _ = session.output.send(SessionOutput::Stdout(bytes)).await;
                        }
                        SessionInput::StdinClosed => break,
                        SessionInput::Resize { .. } => {}
                    }
                }
                let _ = session.output.send(SessionOutput::Exited(3)).await;
                Ok(())
            }))),
            _ => Answer::json(
                &(request.params, request.body.len(), request.token),
                Meta::none(),
            ),
        }
    }

    fn changed<'a>(&'a self, _: &'a Watch) -> BoxFuture<'a, ()> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::pending())
    }
}

struct Agent {
    address: String,
    mirror: Arc<Mirror>,
    shutdown: CancellationToken,
    done: tokio::task::JoinHandle<()>,
}

async fn agent(settings: Settings) -> Agent {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let mirror = Arc::new(Mirror::default());
    let server = Server::new(mirror.clone(), settings);
    let shutdown = CancellationToken::new();
    let until = shutdown.clone();
    let done = tokio::spawn(async move { server.serve(Listener::Tcp(listener), until).await });
    Agent {
        address,
        mirror,
        shutdown,
        done,
    }
}

/// Status line and headers in lower case, and the raw body.
async fn exchange(address: &str, head: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    talk(&mut stream, head).await
}

async fn talk<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    stream: &mut S,
    head: &str,
) -> (String, Vec<u8>) {
    let request = format!(
        "{}\r\nHost: x\r\nConnection: close\r\n\r\n",
        head.trim().replace('\n', "\r\n")
    );
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.expect("read");
    let end = all
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a head");
    (
        String::from_utf8_lossy(&all[..end]).to_lowercase(),
        all[end + 4..].to_vec(),
    )
}

#[tokio::test]
async fn meta_headers_and_errors() {
    let agent = agent(Settings::default()).await;
    let (head, body) = exchange(&agent.address, "GET /v1/jobs HTTP/1.1").await;
    for line in [
        "http/1.1 200 ok",
        "content-type: application/json\r",
        "x-nomad-index: 7",
        "x-nomad-knownleader: true",
        "x-nomad-lastcontact: 0",
        "x-nomad-nexttoken: default.b",
        "vary: accept-encoding",
    ] {
        assert!(format!("{head}\r").contains(line), "{line} in {head}");
    }
    assert!(body.starts_with(br#"["<a&b>","#), "signs are not escaped");
    let (head, body) = exchange(&agent.address, "GET /v1/job/x HTTP/1.1").await;
    assert!(
        head.contains("404")
            && head.contains("text/plain; charset=utf-8")
            && head.contains("x-nomad-index: 0")
    );
    assert_eq!(body, b"job not found");
    let (head, body) = exchange(
        &agent.address,
        "PUT /v1/namespace HTTP/1.1\nContent-Length: 0",
    )
    .await;
    assert!(
        head.contains("200") && !head.contains("content-type") && head.contains("x-nomad-index: 9"),
        "{head}"
    );
    assert!(!head.contains("knownleader") && body.is_empty());
    let (head, body) = exchange(&agent.address, "GET /v1/namespace/ HTTP/1.1").await;
    assert!(head.contains("400"));
    assert_eq!(body, b"Missing Namespace Name");
    let (head, body) = exchange(&agent.address, "GET /v1/quotas HTTP/1.1").await;
    assert!(head.contains("501"));
    assert_eq!(body, b"Nomad Enterprise only endpoint");
    let (head, body) = exchange(&agent.address, "GET /v1/job/%zz HTTP/1.1").await;
    assert!(head.contains("400") && !head.contains("vary"));
    assert_eq!(body, b"400 Bad Request");
}

#[tokio::test]
async fn paths_that_move() {
    let agent = agent(Settings::default()).await;
    for (path, to) in [
        ("/", "/ui/"),
        ("/?a=b", "/ui/?a=b"),
        ("/ui", "/ui/"),
        ("/v1//jobs", "/v1/jobs"),
    ] {
        let (head, body) = exchange(&agent.address, &format!("GET {path} HTTP/1.1")).await;
        assert!(
            head.contains("307")
                && head.contains(&format!("location: {to}\r"))
                && head.contains("text/html"),
            "{head}"
        );
        assert_eq!(
            String::from_utf8_lossy(&body),
            format!("<a href=\"{to}\">Temporary Redirect</a>.\n\n")
        );
    }
    let (head, body) = exchange(&agent.address, "GET /v1/colour HTTP/1.1").await;
    assert!(head.contains("404") && !head.contains("content-type") && body.is_empty());
    let (head, body) = exchange(&agent.address, "HEAD /v1/jobs HTTP/1.1").await;
    assert!(
        head.contains("405") && head.contains("text/plain") && body.is_empty(),
        "{head}"
    );
}

#[tokio::test]
async fn compression() {
    let agent = agent(Settings::default()).await;
    let (head, body) = exchange(
        &agent.address,
        "GET /v1/jobs HTTP/1.1\nAccept-Encoding: gzip, deflate",
    )
    .await;
    assert!(head.contains("content-encoding: gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&body[..])
        .read_to_string(&mut text)
        .expect("gzip");
    assert!(text.starts_with("[\"<a&b>\"") && body.len() < text.len());
    let (head, body) = exchange(
        &agent.address,
        "GET /v1/jobs HTTP/1.1\nAccept-Encoding: deflate",
    )
    .await;
    assert!(head.contains("content-encoding: deflate"));
    let mut text = String::new();
    flate2::read::DeflateDecoder::new(&body[..])
        .read_to_string(&mut text)
        .expect("deflate");
    assert!(text.starts_with("[\"<a&b>\""));
    let (head, body) = exchange(
        &agent.address,
        "GET /v1/colour HTTP/1.1\nAccept-Encoding: gzip",
    )
    .await;
    assert!(head.contains("404") && head.contains("content-encoding: gzip") && !body.is_empty());
}

#[tokio::test]
async fn pretty_and_own_headers() {
    let name = HeaderName::from_static("x-mine");
    let settings = Settings {
        headers: vec![(name, HeaderValue::from_static("yes"))],
        ..Settings::default()
    };
    let agent = agent(settings).await;
    let (head, body) = exchange(
        &agent.address,
        "GET /v1/regions?pretty HTTP/1.1\nX-Nomad-Token:  t ",
    )
    .await;
    assert!(head.contains("x-mine: yes"));
    assert_eq!(
        String::from_utf8_lossy(&body),
        "[\n    [],\n    0,\n    \"t\"\n]\n"
    );
    let (_, body) = exchange(
        &agent.address,
        "GET /v1/regions HTTP/1.1\nAuthorization: Bearer secret",
    )
    .await;
    assert_eq!(body, br#"[[],0,"secret"]"#);
}

#[tokio::test]
async fn other_origins() {
    let agent = agent(Settings::default()).await;
    let (head, _) = exchange(
        &agent.address,
        "GET /v1/client/stats HTTP/1.1\nOrigin: http://x",
    )
    .await;
    assert!(head.contains("access-control-allow-origin: *"));
    let (head, _) = exchange(&agent.address, "GET /v1/jobs HTTP/1.1\nOrigin: http://x").await;
    assert!(!head.contains("access-control"));
    let ask = "OPTIONS /v1/var/a HTTP/1.1\nOrigin: http://x\nAccess-Control-Request-Method: PUT\nAccess-Control-Request-Headers: x-nomad-token";
    let (head, body) = exchange(&agent.address, ask).await;
    assert!(
        head.contains("204")
            && head.contains("allow-origin: *")
            && head.contains("allow-headers: x-nomad-token")
    );
    assert!(body.is_empty());
}

#[tokio::test]
async fn bodies_are_bounded() {
    let agent = agent(Settings {
        max_body: 10,
        ..Settings::default()
    })
    .await;
    let mut stream = TcpStream::connect(&agent.address).await.expect("connected");
    let request = b"PUT /v1/search HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5000000\r\n\r\n";
    stream.write_all(request).await.expect("written");
    stream
        .write_all(&vec![b'x'; 5_000_000])
        .await
        .expect("all of it is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("read");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains("413"), "{head}");
    assert_eq!(
        body,
        "request body is larger than the 10 bytes that are accepted"
    );
}

#[tokio::test]
async fn connections_of_one_address_are_capped() {
    let agent = agent(Settings {
        max_connections_per_ip: 1,
        ..Settings::default()
    })
    .await;
    let mut first = TcpStream::connect(&agent.address).await.expect("connected");
    first
        .write_all(b"GET /v1/regions HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("written");
    first.read_u8().await.expect("answered");
    let mut second = TcpStream::connect(&agent.address).await.expect("connected");
    let mut text = String::new();
    second.read_to_string(&mut text).await.expect("read");
    assert!(text.starts_with("HTTP/1.1 429 Too Many Requests"), "{text}");
    drop(first);
    loop {
        // The place is free as soon as the server has seen the end of the first.
        let mut third = TcpStream::connect(&agent.address).await.expect("connected");
        if talk(&mut third, "GET /v1/regions HTTP/1.1")
            .await
            .0
            .contains("200")
        {
            break;
        }
    }
}

#[tokio::test]
async fn a_task_always_needs_a_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("api.sock");
    let listener = UnixListener::bind(&path).expect("bound");
    let server = Server::new(Arc::new(Mirror::default()), Settings::default());
    tokio::spawn(async move {
        server
            .serve(Listener::Task(listener), CancellationToken::new())
            .await
    });
    let mut stream = UnixStream::connect(&path).await.expect("connected");
    assert!(
        talk(&mut stream, "GET /v1/regions HTTP/1.1")
            .await
            .0
            .contains("401")
    );
    let mut stream = UnixStream::connect(&path).await.expect("connected");
    assert!(
        talk(&mut stream, "GET /v1/regions HTTP/1.1\nX-Nomad-Token: t")
            .await
            .0
            .contains("200")
    );
}

#[tokio::test]
async fn closing_ends_what_waits_and_streams() {
    let agent = agent(Settings::default()).await;
    let address = agent.address.clone();
    let waiting =
        tokio::spawn(async move { exchange(&address, "GET /v1/jobs?index=7 HTTP/1.1").await });
    let mut streaming = TcpStream::connect(&agent.address).await.expect("connected");
    streaming
        .write_all(b"GET /v1/event/stream HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("written");
    streaming.read_u8().await.expect("the head comes at once");
    while agent.mirror.waiting.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    agent.shutdown.cancel();
    assert!(
        waiting
            .await
            .expect("answered")
            .0
            .contains("x-nomad-index: 7")
    );
    agent.done.await.expect("ended");
    assert!(TcpStream::connect(&agent.address).await.is_err());
}

async fn messages(
    url: String,
    token: Option<&str>,
    send: &[String],
) -> (Vec<String>, Option<(u16, String)>) {
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    let mut request = url.into_client_request().expect("a request");
    if let Some(token) = token {
        request
            .headers_mut()
            .insert("x-nomad-token", token.parse().expect("a header"));
    }
    let (mut socket, _) = tokio_tungstenite::connect_async(request)
        .await
        .expect("upgraded");
    for text in send {
        let _ = socket.send(Message::Text(text.clone().into())).await;
    }
    let mut texts = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Text(text) => texts.push(text.to_string()),
            Message::Close(frame) => {
                return (texts, frame.map(|f| (f.code.into(), f.reason.to_string())));
            }
            _ => {}
        }
    }
    (texts, None)
}

#[tokio::test]
async fn sessions_over_a_websocket() {
    let agent = agent(Settings::default()).await;
    let url = |query: &str| {
        format!(
            "ws://{}/v1/client/allocation/a/exec?task=t&{query}",
            agent.address
        )
    };
    let data = BASE64.encode("hello");
    let send = [
        r#"{"tty_size":{"height":40,"width":120}}"#.to_owned(),
        "{}".to_owned(),
        format!(r#"{{"stdin":{{"data":"{data}"}}}}"#),
        r#"{"stdin":{"close":true}}"#.to_owned(),
    ];
    let (texts, closed) = messages(url(""), None, &send).await;
    assert_eq!(
        texts,
        [
            format!(r#"{{"stdout":{{"data":"{data}"}}}}"#),
            r#"{"exited":true,"result":{"exit_code":3}}"#.to_owned()
        ]
    );
    assert_eq!(closed, Some((1000, String::new())));
    let (_, closed) = messages(url(""), Some("bad"), &[]).await;
    assert_eq!(closed, Some((1008, "Permission denied".to_owned())));
    let greeting = r#"{"version":1,"auth_token":"bad"}"#.to_owned();
    let (_, closed) = messages(url("ws_handshake=true"), None, &[greeting]).await;
    assert_eq!(closed, Some((1008, "Permission denied".to_owned())));
    let (head, body) = exchange(&agent.address, "GET /v1/client/allocation/a/exec HTTP/1.1").await;
    assert!(head.contains("500"));
    assert_eq!(body, b"websocket connection not found in context");
}

#[tokio::test]
async fn requests_over_tls() {
    let issued =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let key = rustls_pki_types::PrivateKeyDer::try_from(issued.signing_key.serialize_der())
        .expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("protocols")
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key)
        .expect("a configuration");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let server = Server::new(Arc::new(Mirror::default()), Settings::default());
    let tls: TlsConfig = Arc::new(move || config.clone());
    tokio::spawn(async move {
        server
            .serve(Listener::Tls(listener, tls), CancellationToken::new())
            .await
    });

    let mut roots = rustls::RootCertStore::empty();
    roots.add(issued.cert.der().clone()).expect("a root");
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocols")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.expect("connected");
    let name = rustls_pki_types::ServerName::try_from("localhost").expect("a name");
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let mut stream = connector.connect(name, stream).await.expect("a handshake");
    stream
        .write_all(b"GET /v1/regions HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("written");
    let mut start = [0; 15];
    stream.read_exact(&mut start).await.expect("read");
    assert_eq!(&start, b"HTTP/1.1 200 OK");
}
