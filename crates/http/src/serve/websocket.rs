//! Sessions in tasks over a websocket: JSON messages outside, frames inside.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use futures::{SinkExt, StreamExt, stream::SplitSink, stream::SplitStream};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role, frame::coding::CloseCode},
    },
};

use crate::{
    answer::{Answer, Body, Meta},
    api::Api,
    error::ApiError,
    exec::{Session, SessionInput, SessionOutput},
    request::ApiRequest,
    respond::{self, ResponseBody, Style},
};

const HEARTBEAT: Duration = Duration::from_secs(10);
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A close frame has no room for more.
const REASON: usize = 123;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Answers 101 and serves the session in a task of its own.
pub(super) fn upgrade(
    api: Arc<dyn Api>,
    request: ApiRequest,
    parts: Parts,
    style: &Style,
) -> Response<ResponseBody> {
    let Some(key) = websocket_key(&parts.headers) else {
        return respond::response(
            Err(ApiError::internal(
                "websocket connection not found in context",
            )),
            style,
        );
    };
    let accept = derive_accept_key(key.as_bytes());
    let upgraded = hyper::upgrade::on(Request::from_parts(parts, ()));
    tokio::spawn(async move {
        match upgraded.await {
            Ok(upgraded) => {
                let socket =
                    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None)
                        .await;
                serve(api, request, socket).await;
            }
            Err(error) => tracing::debug!(%error, "the connection did not become a websocket"),
        }
    });
    let mut response = respond::response(Ok(Answer::empty(Meta::none())), &Style::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

fn websocket_key(headers: &HeaderMap) -> Option<String> {
    let has = |name: header::HeaderName, word: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    if !has(header::UPGRADE, "websocket") || !has(header::CONNECTION, "upgrade") {
        return None;
    }
    headers
        .get(header::SEC_WEBSOCKET_KEY)?
        .to_str()
        .ok()
        .map(str::to_owned)
}

async fn serve(api: Arc<dyn Api>, mut request: ApiRequest, mut socket: Socket) {
    if matches!(request.query.flag("ws_handshake"), Ok(true)) {
        match handshake(&mut socket).await {
            Ok(token) => request.token = token.or(request.token),
            Err(error) => return close(&mut socket, Err(error)).await,
        }
    }
    let handler = match api.call(request).await {
        Ok(Answer {
            body: Body::Session(handler),
            ..
        }) => handler,
        Ok(_) => {
            return close(
                &mut socket,
                Err(ApiError::internal("the answer is no session")),
            )
            .await;
        }
        Err(error) => return close(&mut socket, Err(error)).await,
    };
    let (input, input_rx) = mpsc::channel(64);
    let (output_tx, output) = mpsc::channel(64);
    let (sink, stream) = socket.split();
    let session = handler(Session {
        input: input_rx,
        output: output_tx,
    });
    let writer = write(sink, output);
    tokio::pin!(writer);
    let outcome = {
        // Reading ends when the caller goes away; dropping its sender tells the session.
        let reader = async {
            read(stream, input).await;
            std::future::pending::<()>().await
        };
        tokio::pin!(session, reader);
        tokio::select! {
            outcome = &mut session => outcome,
            _ = &mut reader => unreachable!("reading never ends by itself"),
            _ = &mut writer => return,
        }
    };
    // Dropping the session dropped its sender: the writer sends what is left and gives the socket back.
    if let Some(mut sink) = writer.await {
        let _ = sink.send(Message::Close(Some(close_frame(outcome)))).await;
        let _ = sink.close().await;
    }
}

#[derive(Deserialize)]
struct Handshake {
    #[serde(default)]
    version: i64,
    #[serde(default)]
    auth_token: String,
}

async fn handshake(socket: &mut Socket) -> Result<Option<String>, ApiError> {
    let bad = || ApiError::bad_request("failed to parse websocket handshake");
    let message = timeout(HANDSHAKE, socket.next())
        .await
        .map_err(|_| bad())?
        .ok_or_else(bad)?
        .map_err(|_| bad())?;
    let text = message.into_text().map_err(|_| bad())?;
    let handshake: Handshake = serde_json::from_str(&text).map_err(|_| bad())?;
    if handshake.version != 1 {
        return Err(ApiError::bad_request(format!(
            "unsupported handshake value: {}",
            handshake.version
        )));
    }
    Ok(Some(handshake.auth_token).filter(|token| !token.is_empty()))
}

async fn close(socket: &mut Socket, outcome: Result<(), ApiError>) {
    let _ = socket.close(Some(close_frame(outcome))).await;
}

fn close_frame(outcome: Result<(), ApiError>) -> CloseFrame {
    let (code, reason) = match outcome {
        Ok(()) => (CloseCode::Normal, String::new()),
        Err(error) if error.status >= 500 => (CloseCode::Error, error.message),
        Err(error) => (CloseCode::Policy, error.message),
    };
    let end = (0..=REASON.min(reason.len()))
        .rev()
        .find(|at| reason.is_char_boundary(*at))
        .unwrap_or(0);
    CloseFrame {
        code,
        reason: reason[..end].into(),
    }
}

#[derive(Deserialize)]
struct Incoming {
    stdin: Option<Stdin>,
    tty_size: Option<TtySize>,
}

#[derive(Deserialize)]
struct Stdin {
    #[serde(default)]
    data: String,
    #[serde(default)]
    close: bool,
}

#[derive(Deserialize)]
struct TtySize {
    #[serde(default)]
    height: i32,
    #[serde(default)]
    width: i32,
}

async fn read(mut stream: SplitStream<Socket>, input: mpsc::Sender<SessionInput>) {
    while let Some(Ok(message)) = stream.next().await {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => break,
            _ => continue,
        };
        let Ok(incoming) = serde_json::from_str::<Incoming>(&text) else {
            break;
        };
        for frame in frames(incoming) {
            if input.send(frame).await.is_err() {
                break;
            }
        }
    }
}

fn frames(incoming: Incoming) -> impl Iterator<Item = SessionInput> {
    let Incoming { stdin, tty_size } = incoming; // exhaustive
    let size = tty_size.map(|TtySize { height, width }| SessionInput::Resize { height, width });
    let stdin = stdin.unwrap_or(Stdin {
        data: String::new(),
        close: false,
    });
    let data = Some(stdin.data)
        .filter(|data| !data.is_empty())
        .and_then(|data| BASE64.decode(data).ok())
        .map(|data| SessionInput::Stdin(Bytes::from(data)));
    let closed = stdin.close.then_some(SessionInput::StdinClosed);
    [size, data, closed].into_iter().flatten()
}

#[derive(Default, Serialize)]
struct Outgoing {
    #[serde(skip_serializing_if = "Option::is_none")]
    stdout: Option<Output>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stderr: Option<Output>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    exited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<ExitResult>,
}

#[derive(Default, Serialize)]
struct Output {
    #[serde(skip_serializing_if = "String::is_empty")]
    data: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    close: bool,
}

#[derive(Serialize)]
struct ExitResult {
    exit_code: i32,
}

fn outgoing(frame: &SessionOutput) -> String {
    let data = |bytes: &[u8]| {
        Some(Output {
            data: BASE64.encode(bytes),
            close: false,
        })
    };
    let closed = Some(Output {
        data: String::new(),
        close: true,
    });
    let message = match frame {
        SessionOutput::Stdout(bytes) => Outgoing {
            stdout: data(bytes),
            ..Outgoing::default()
        },
        SessionOutput::Stderr(bytes) => Outgoing {
            stderr: data(bytes),
            ..Outgoing::default()
        },
        SessionOutput::StdoutClosed => Outgoing {
            stdout: closed,
            ..Outgoing::default()
        },
        SessionOutput::StderrClosed => Outgoing {
            stderr: closed,
            ..Outgoing::default()
        },
        SessionOutput::Exited(code) => Outgoing {
            exited: true,
            result: Some(ExitResult { exit_code: *code }),
            ..Outgoing::default()
        },
    };
    serde_json::to_string(&message).expect("a message has only text and numbers")
}

/// Writes frames, and a heartbeat when there is none for a while. Gives the socket back when the session has
/// no more to say; `None` when the caller has gone.
async fn write(
    mut sink: SplitSink<Socket, Message>,
    mut output: mpsc::Receiver<SessionOutput>,
) -> Option<SplitSink<Socket, Message>> {
    loop {
        let text = match timeout(HEARTBEAT, output.recv()).await {
            Ok(None) => return Some(sink),
            Ok(Some(frame)) => outgoing(&frame),
            Err(_) => "{}".to_owned(),
        };
        let sent: Result<(), Error> = sink.send(Message::Text(text.into())).await;
        sent.ok()?;
    }
}
