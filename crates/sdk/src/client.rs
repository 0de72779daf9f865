//! Sending requests and reading answers.

use crate::config::Config;
use crate::connect::{Connection, Dialer};
use crate::error::{Error, method_word};
use crate::payload::{Payload, Sending};
use crate::query::{Meta, Query};
use crate::stream::FrameStream;
use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::{Arc, Mutex};

/// A client of one agent. Clones share the idle connection.
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) authorization: Option<String>,
    pub(crate) dialer: Dialer,
    idle: Mutex<Option<SendRequest<Sending>>>,
}

/// One call.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, escaped, from `/v1`.
    pub path: String,
    /// Parameters.
    pub query: Query,
    /// More headers.
    pub headers: Vec<(String, String)>,
    /// The body, if any.
    pub body: Option<Payload>,
}

impl Request {
    /// A call without a body.
    #[must_use]
    pub fn new(method: Method, path: impl Into<String>, query: Query) -> Self {
        Self {
            method,
            path: path.into(),
            query,
            headers: Vec::new(),
            body: None,
        }
    }
}

/// An answer whose body has not been read.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    body: Incoming,
    sender: SendRequest<Sending>,
    client: Client,
    place: (&'static str, String),
}

impl Client {
    /// A client with these settings; fails when they cannot work (an address or a certificate that cannot be read).
    pub fn new(config: Config) -> Result<Self, Error> {
        let (address, authorization) = config.target().map_err(Error::Config)?;
        let dialer = Dialer::new(address, config.tls.clone());
        dialer.prepare().map_err(Error::Config)?;
        Ok(Self {
            inner: Arc::new(Inner {
                config,
                authorization,
                dialer,
                idle: Mutex::new(None),
            }),
        })
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The agent's address as it stands in front of a path.
    #[must_use]
    pub fn base(&self) -> String {
        self.inner.dialer.address.base()
    }

    /// The path and query of a call, with region and namespace of the settings where it has none.
    pub(crate) fn target(&self, request: &Request) -> String {
        let mut query = request.query.clone();
        query.default_param("region", &self.inner.config.region);
        query.default_param("namespace", &self.inner.config.namespace);
        let encoded = query.encode();
        match encoded.is_empty() {
            true => request.path.clone(),
            false => format!("{}?{encoded}", request.path),
        }
    }

    /// Sends a call and returns the answer whatever its status is.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let target = self.target(&request);
        let place = (
            method_word(&request.method),
            format!("{}{target}", self.base()),
        );
        let failed = |reason: String| Error::Transport {
            method: place.0,
            url: place.1.clone(),
            reason,
        };
        let idle = self.inner.idle.lock().ok().and_then(|mut idle| idle.take());
        if let Some(mut sender) = idle
            && sender.ready().await.is_ok()
        {
            let built = self.build(&request, &target).map_err(failed)?;
            if let Ok(answer) = sender.send_request(built).await {
                return Ok(self.answer(answer, sender, place));
            }
            // It was closed while idle: nothing of the call was read, so a new connection may carry it.
        }
        let mut sender = self.connect().await.map_err(failed)?;
        let built = self.build(&request, &target).map_err(failed)?;
        match sender.send_request(built).await {
            Ok(answer) => Ok(self.answer(answer, sender, place)),
            Err(error) if error.is_incomplete_message() => Err(failed("EOF".into())),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    fn answer(
        &self,
        answer: http::Response<Incoming>,
        sender: SendRequest<Sending>,
        place: (&'static str, String),
    ) -> Response {
        let (parts, body) = answer.into_parts();
        Response {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            sender,
            client: self.clone(),
            place,
        }
    }

    async fn connect(&self) -> Result<SendRequest<Sending>, String> {
        let io: Connection = self.inner.dialer.dial().await?;
        let (sender, connection) = http1::handshake(TokioIo::new(io))
            .await
            .map_err(|e| e.to_string())?;
        tokio::spawn(async move {
            // Its failure reaches the caller through the sender.
            let _ = connection.await;
        });
        Ok(sender)
    }

    fn build(&self, request: &Request, target: &str) -> Result<http::Request<Sending>, String> {
        let prefix = match &self.inner.dialer.address {
            crate::Address::Tcp { prefix, .. } => prefix.as_str(),
            _ => "",
        };
        let mut builder = http::Request::builder()
            .method(request.method.clone())
            .uri(format!("{prefix}{target}"));
        for (name, value) in self.headers().into_iter().chain(request.headers.clone()) {
            builder = builder.header(name, value);
        }
        builder
            .body(Sending::new(request.body.clone()))
            .map_err(|e| e.to_string())
    }

    /// Headers that every call has.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        let host = match &self.inner.dialer.address {
            crate::Address::Tcp { authority, .. } => authority.clone(),
            _ => "127.0.0.1".to_owned(),
        };
        let mut headers = vec![("Host".to_owned(), host)];
        if !self.inner.config.token.is_empty() {
            headers.push(("X-Nomad-Token".to_owned(), self.inner.config.token.clone()));
        }
        if let Some(value) = &self.inner.authorization {
            headers.push(("Authorization".to_owned(), value.clone()));
        }
        headers
    }

    /// Reads something.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: Query,
    ) -> Result<(T, Meta), Error> {
        let request = Request::new(Method::GET, path, query);
        self.send(request).await?.json().await
    }

    /// Changes something.
    pub async fn write<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: Query,
        body: Option<&impl Serialize>,
    ) -> Result<(T, Meta), Error> {
        let mut request = Request::new(method, path, query);
        if let Some(body) = body {
            let body = serde_json::to_vec(body).map_err(|e| Error::Decode(e.to_string()))?;
            request.body = Some(body.into());
        }
        self.send(request).await?.json().await
    }

    /// A stream of JSON values: frames of files and logs, events.
    pub async fn frames(&self, path: &str, query: Query) -> Result<FrameStream, Error> {
        let request = Request::new(Method::GET, path, query);
        let answer = self.send(request).await?.ok().await?;
        Ok(FrameStream::new(answer))
    }
}

impl Response {
    /// The answer, or the refusal it is.
    pub async fn ok(self) -> Result<Self, Error> {
        // Only what was removed has nothing to say.
        let removed = self.status == 204 && self.place.0.eq_ignore_ascii_case("delete");
        if self.status == 200 || removed {
            return Ok(self);
        }
        let code = self.status;
        let body = self.bytes().await?;
        let body = String::from_utf8_lossy(&body).trim().to_owned();
        Err(Error::Status { code, body })
    }

    /// The whole body. The connection is kept for the next call.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        let (method, url) = self.place;
        let body = self
            .body
            .collect()
            .await
            .map_err(|error| Error::Transport {
                method,
                url,
                reason: error.to_string(),
            })?;
        if let Ok(mut idle) = self.client.inner.idle.lock() {
            *idle = Some(self.sender);
        }
        Ok(body.to_bytes())
    }

    /// The next piece of the body, or its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(error)) => return Err(Error::Closed(error.to_string())),
            }
        }
    }

    /// What the headers say.
    #[must_use]
    pub fn meta(&self) -> Meta {
        Meta::read(&self.headers)
    }

    /// The body as a value; an empty body reads as `null`.
    pub async fn json<T: DeserializeOwned>(self) -> Result<(T, Meta), Error> {
        let answer = self.ok().await?;
        let meta = answer.meta();
        let body = answer.bytes().await?;
        let body: &[u8] = if body.is_empty() { b"null" } else { &body };
        let value = serde_json::from_slice(body).map_err(|e| Error::Decode(e.to_string()))?;
        Ok((value, meta))
    }
}
