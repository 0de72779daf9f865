//! Typed calls: msgpack with named fields both ways, and errors as `{kind, message}`.

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::body::{Body, BodyError};
use crate::channel::Channel;
use crate::error::{ErrorKind, RemoteError, RpcError};
use crate::handler::MaxMessage;
use crate::limits::Limits;

/// Content type of typed messages.
pub const CONTENT: HeaderValue = HeaderValue::from_static("application/msgpack");

/// Posts `message` to `path` and reads the answer.
pub async fn call_msgpack<Req, Resp>(
    channel: &Channel,
    path: &str,
    message: &Req,
) -> Result<Resp, RpcError>
where
    Req: Serialize + ?Sized,
    Resp: DeserializeOwned,
{
    let limit = channel.max_message();
    let body = encode(path, message)?;
    if body.len() > limit {
        let what = "the request";
        return Err(RpcError::TooLarge { what, limit });
    }
    let response = channel.call(request(path, Body::full(body))?).await?;
    let response = check(path, response, limit).await?;
    let body = response.into_body().collect(limit).await?;
    decode(path, &body)
}

/// A POST of msgpack; `body` may be a stream of [`crate::messages`].
pub fn request(path: &str, body: Body) -> Result<Request<Body>, RpcError> {
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(CONTENT_TYPE, CONTENT)
        .body(body)
        .map_err(|error| RpcError::Encode {
            what: format!("a request of {path}"),
            reason: error.to_string(),
        })
}

/// Turns a response that is no success into its error. For streams, whose body is not one message.
pub async fn check(
    path: &str,
    response: Response<Body>,
    limit: usize,
) -> Result<Response<Body>, RpcError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let typed = response.headers().get(CONTENT_TYPE) == Some(&CONTENT);
    let body = response.into_body().collect(limit).await?;
    let error = match caravan_codec::msgpack::unpack::<RemoteError>(&body) {
        Ok(error) if typed => error,
        _ => RemoteError::new(
            kind_of(status),
            format!(
                "{path} answered {status}: {}",
                String::from_utf8_lossy(&body)
            ),
        ),
    };
    Err(error.into())
}

fn kind_of(status: StatusCode) -> ErrorKind {
    match status {
        StatusCode::NOT_FOUND => ErrorKind::NotFound,
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => ErrorKind::PermissionDenied,
        StatusCode::PAYLOAD_TOO_LARGE => ErrorKind::TooLarge,
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => ErrorKind::TooLarge,
        status if status.is_client_error() => ErrorKind::InvalidRequest,
        _ => ErrorKind::Internal,
    }
}

/// Reads the typed message of a request, no larger than the agent's limit.
pub async fn read_msgpack<T: DeserializeOwned>(request: Request<Body>) -> Result<T, RemoteError> {
    let limit = request.extensions().get::<MaxMessage>();
    let limit = limit.map_or(Limits::default().max_message, |max| max.0);
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect(limit).await.map_err(|error| {
        let kind = match error {
            BodyError::TooLarge { .. } => ErrorKind::TooLarge,
            BodyError::Broken(_) | BodyError::Cancelled => ErrorKind::InvalidRequest,
        };
        RemoteError::new(kind, format!("cannot read the request of {path}: {error}"))
    })?;
    decode(&path, &body)
        .map_err(|error| RemoteError::new(ErrorKind::InvalidRequest, error.to_string()))
}

/// A successful answer.
#[must_use]
pub fn reply_msgpack<T: Serialize + ?Sized>(message: &T) -> Response<Body> {
    match encode("the answer", message) {
        Ok(body) => response(StatusCode::OK, body),
        Err(error) => reply_error(&RemoteError::internal(error.to_string())),
    }
}

/// An answer that is an error.
#[must_use]
pub fn reply_error(error: &RemoteError) -> Response<Body> {
    // Two strings always encode.
    let body = caravan_codec::msgpack::pack(error).unwrap_or_default();
    response(error.kind.status(), body)
}

/// Either answer.
#[must_use]
pub fn reply_result<T: Serialize>(result: Result<T, RemoteError>) -> Response<Body> {
    match result {
        Ok(message) => reply_msgpack(&message),
        Err(error) => reply_error(&error),
    }
}

fn response(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, CONTENT);
    response
}

pub(crate) fn encode<T: Serialize + ?Sized>(what: &str, message: &T) -> Result<Vec<u8>, RpcError> {
    caravan_codec::msgpack::pack(message).map_err(|error| RpcError::Encode {
        what: what.to_owned(),
        reason: error.to_string(),
    })
}

pub(crate) fn decode<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, RpcError> {
    caravan_codec::msgpack::unpack(bytes).map_err(|error| RpcError::Decode {
        what: what.to_owned(),
        reason: error.to_string(),
    })
}
