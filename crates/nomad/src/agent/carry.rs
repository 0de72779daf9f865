//! Carries requests of the public API between agents: the request as it is, the head of its answer, and its body
//! as it comes. A session in a task is a stream of frames both ways.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use caravan_http::exec::handler;
use caravan_http::{
    Answer, Api, ApiError, ApiRequest, Body as ApiBody, Head, Meta, Session, SessionHandler,
    SessionInput, SessionOutput,
};
use caravan_rpc::{
    Body, Channel, ErrorKind, MessageReader, MessageSender, RemoteError, RpcError, messages,
    msgpack, reply_error,
};
use futures::StreamExt;
use http::{HeaderValue, Request, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// The header of a response that holds the head of the answer.
const HEAD: &str = "x-answer-head";
/// Snapshots are the largest requests.
const MAX_REQUEST: usize = 1 << 30;
/// Errors and frames of sessions are small.
const MAX_FRAME: usize = 16 << 20;
/// Frames of a session that may wait.
const WAITING: usize = 64;

/// Where requests are sent, by who is to answer. Anybody: the agent asked finds out who.
pub(super) const ANY: &str = "/rpc/api";
/// Nobody: whether the caller may make the request is all that is asked.
pub(super) const PERMIT: &str = "/rpc/api/permit";
/// The agent asked, if it leads.
pub(super) const LEADER: &str = "/rpc/api/leader";
/// The agent asked, itself.
pub(super) const HERE: &str = "/rpc/api/here";
/// The node whose id follows, if the agent asked holds a connection of it.
pub(super) const HELD: &str = "/rpc/api/held/";

/// Why there is no answer of the other agent.
#[derive(Debug)]
pub(super) enum Failure {
    /// It answered with an error: that is the answer.
    Answered(ApiError),
    /// It was not reached, or is the wrong one.
    Rpc(RpcError),
}

impl Failure {
    /// The other agent does not lead (any more), or has no connection of the node.
    pub(super) fn is_misdirected(&self) -> bool {
        let Self::Rpc(error) = self else { return false };
        error.remote().is_some_and(|remote| {
            matches!(
                remote.kind,
                ErrorKind::NotLeader
                    | ErrorKind::NoLeader
                    | ErrorKind::NotReady
                    | ErrorKind::NoPathToNode
            )
        })
    }

    /// The request certainly had no effect.
    pub(super) fn is_unsent(&self) -> bool {
        match self {
            Self::Answered(_) => false,
            Self::Rpc(error) => error.is_unsent() || self.is_misdirected(),
        }
    }
}

impl From<RpcError> for Failure {
    fn from(error: RpcError) -> Self {
        Self::Rpc(error)
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Answered(error) => error,
            Failure::Rpc(error) => match error.remote().map(|remote| &remote.kind) {
                Some(ErrorKind::NoPathToNode) => Self::no_path_to_node(),
                Some(ErrorKind::NotLeader | ErrorKind::NoLeader) => Self::no_leader(),
                _ => Self::internal(format!("rpc error: {error}")),
            },
        }
    }
}

/// What is told of an answer before its body.
#[derive(Serialize, Deserialize)]
enum Told {
    Empty(Head),
    Whole(Head),
    Stream(Head),
    Session(Head),
    /// The body is an [`Error`].
    Failed,
}

#[derive(Serialize, Deserialize)]
struct Error {
    status: u16,
    message: String,
    meta: Option<Box<Meta>>,
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        let ApiError {
            status,
            message,
            meta,
        } = error;
        Self {
            status,
            message,
            meta,
        }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let Error {
            status,
            message,
            meta,
        } = error;
        Self {
            status,
            message,
            meta,
        }
    }
}

/// What comes out of a session.
#[derive(Serialize, Deserialize)]
enum Frame {
    Output(SessionOutput),
    Failed(Error),
}

/// Sends a request to another agent and returns its answer; a body that streams goes on streaming.
pub(super) async fn call(
    channel: &Channel,
    path: &str,
    request: &ApiRequest,
) -> Result<Answer, Failure> {
    let session = request.route().websocket;
    let (input, body) = messages::channel(WAITING);
    input.send(request).await?;
    let input = session.then_some(input);
    let response = channel.call(msgpack::request(path, body)?).await?;
    let response = msgpack::check(path, response, MAX_FRAME).await?;
    let told = told(&response)?;
    let body = response.into_body();
    let (head, body) = match told {
        Told::Failed => {
            let bytes = body.collect(MAX_FRAME).await.map_err(RpcError::from)?;
            let error: Error =
                caravan_codec::msgpack::unpack(&bytes).map_err(|error| undecoded(&error))?;
            return Err(Failure::Answered(error.into()));
        }
        Told::Empty(head) => (head, ApiBody::Empty),
        Told::Whole(head) => (
            head,
            ApiBody::Bytes(body.collect(MAX_REQUEST).await.map_err(RpcError::from)?),
        ),
        Told::Stream(head) => {
            let pieces = body
                .into_stream()
                .map(|piece| piece.map_err(std::io::Error::other));
            (head, ApiBody::Stream(pieces.boxed()))
        }
        Told::Session(head) => (head, ApiBody::Session(far_session(input, body))),
    };
    Ok(Answer { head, body })
}

fn undecoded(error: &dyn std::fmt::Display) -> RpcError {
    RpcError::Decode {
        what: "the head of an answer".to_owned(),
        reason: error.to_string(),
    }
}

fn told(response: &Response<Body>) -> Result<Told, RpcError> {
    let line = response
        .headers()
        .get(HEAD)
        .ok_or_else(|| undecoded(&"it is missing"))?;
    let bytes = BASE64
        .decode(line.as_bytes())
        .map_err(|error| undecoded(&error))?;
    caravan_codec::msgpack::unpack(&bytes).map_err(|error| undecoded(&error))
}

/// A session that another agent serves.
fn far_session(to_far: Option<MessageSender>, body: Body) -> SessionHandler {
    handler(move |session: Session| async move {
        let Session { mut input, output } = session;
        let mut from_far = MessageReader::new(body, MAX_FRAME);
        let feed = async {
            if let Some(to_far) = to_far {
                while let Some(frame) = input.recv().await {
                    if to_far.send(&frame).await.is_err() {
                        break;
                    }
                }
            }
            // The caller has gone: dropping the sender has told the other agent. What still comes is awaited.
            std::future::pending::<()>().await;
        };
        let drain = async {
            loop {
                match from_far.next::<Frame>().await {
                    Ok(Some(Frame::Output(frame))) => {
                        if output.send(frame).await.is_err() {
                            return Ok(());
                        }
                    }
                    Ok(Some(Frame::Failed(error))) => return Err(ApiError::from(error)),
                    Ok(None) => return Ok(()),
                    Err(error) => {
                        return Err(ApiError::internal(format!(
                            "the session was broken off: {error}"
                        )));
                    }
                }
            }
        };
        tokio::select! {
            outcome = drain => outcome,
            () = feed => Ok(()),
        }
    })
}

/// Answers a request that another agent sent; `api` waits and forwards as its scope has it.
pub(super) async fn answer(api: Arc<dyn Api>, request: Request<Body>) -> Response<Body> {
    let mut input = MessageReader::new(request.into_body(), MAX_REQUEST);
    let asked = match input.next::<ApiRequest>().await {
        Ok(Some(asked)) => asked,
        Ok(None) => return invalid("it is empty"),
        Err(error) => return invalid(&error.to_string()),
    };
    match caravan_http::blocking::call(api.as_ref(), asked).await {
        Ok(Answer { head, body }) => match body {
            ApiBody::Empty => reply(&Told::Empty(head), Body::empty()),
            ApiBody::Bytes(bytes) => reply(&Told::Whole(head), Body::full(bytes)),
            ApiBody::Stream(stream) => reply(&Told::Stream(head), Body::stream(stream)),
            ApiBody::Session(serve) => reply(&Told::Session(head), near_session(serve, input)),
        },
        Err(error) => match caravan_codec::msgpack::pack(&Error::from(error)) {
            Ok(bytes) => reply(&Told::Failed, Body::full(bytes)),
            Err(error) => reply_error(&RemoteError::internal(error.to_string())),
        },
    }
}

fn invalid(why: &str) -> Response<Body> {
    let text = format!("a forwarded request cannot be read: {why}");
    reply_error(&RemoteError::new(ErrorKind::InvalidRequest, text))
}

fn reply(told: &Told, body: Body) -> Response<Body> {
    let line = caravan_codec::msgpack::pack(told).map(|bytes| BASE64.encode(bytes));
    match line.map(|line| HeaderValue::from_str(&line)) {
        Ok(Ok(line)) => {
            let mut response = Response::new(body);
            response.headers_mut().insert(HEAD, line);
            response
        }
        _ => reply_error(&RemoteError::internal(
            "the head of an answer cannot be sent",
        )),
    }
}

/// Serves a session whose caller is at another agent.
fn near_session(serve: SessionHandler, mut frames: MessageReader) -> Body {
    let (sender, body) = messages::channel(WAITING);
    let (to_task, input) = mpsc::channel(WAITING);
    let (output, mut from_task) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let feed = async {
            while let Ok(Some(frame)) = frames.next::<SessionInput>().await {
                if to_task.send(frame).await.is_err() {
                    break;
                }
            }
            // The caller has gone, which the session sees at the end of its input.
            drop(to_task);
            std::future::pending::<()>().await;
        };
        let drain = async {
            while let Some(frame) = from_task.recv().await {
                if sender.send(&Frame::Output(frame)).await.is_err() {
                    break;
                }
            }
        };
        let session = serve(Session { input, output });
        let served = async {
            let (outcome, ()) = tokio::join!(session, drain);
            if let Err(error) = outcome {
                // Who has gone cannot be told.
                let _ = sender.send(&Frame::Failed(error.into())).await;
            }
        };
        tokio::select! {
            () = served => {}
            () = feed => {}
            () = sender.closed() => {}
        }
    });
    body
}

/// The bytes of a whole body, for requests that are sent on as they are.
pub(super) async fn whole(body: Body) -> Result<Bytes, RpcError> {
    Ok(body.collect(MAX_REQUEST).await?)
}
