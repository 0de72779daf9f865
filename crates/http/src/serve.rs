//! From one HTTP request to one response.

mod lenient;
mod limit;
mod listen;
mod websocket;

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderName, HeaderValue, Request, Response, header, request::Parts};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

pub use listen::{Listener, TlsConfig};

use crate::{
    answer::{Answer, Body, content_type},
    api::Api,
    blocking,
    error::ApiError,
    method::Method,
    op::Op,
    query::Query,
    request::{ApiRequest, KEPT_HEADERS, Params, QueryOptions},
    respond::{self, Encoding, ResponseBody, Style},
    route::Route,
    router::{Found, Router},
};

/// What the agent's configuration says about the API.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Added to every response (`http_api_response_headers`).
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Connections of one address at a time; 0: as many as it likes.
    pub max_connections_per_ip: usize,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// Largest body of an ordinary request.
    pub max_body: usize,
    /// Largest body of a snapshot.
    pub max_large_body: usize,
    /// Whether `/debug/pprof/` is there.
    pub debug: bool,
    /// What is below `/ui/`; without it a page that says so.
    pub ui: Option<Ui>,
}

/// Gives the file of the web interface for a path behind `/ui/`.
#[derive(Clone)]
pub struct Ui(pub Arc<dyn Fn(&str) -> Answer + Send + Sync>);

impl std::fmt::Debug for Ui {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ui")
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            headers: Vec::new(),
            max_connections_per_ip: 100,
            handshake_timeout: Duration::from_secs(5),
            max_body: 32 << 20,
            max_large_body: 4 << 30,
            debug: false,
            ui: None,
        }
    }
}

/// The public API, listening.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

struct Shared {
    api: Arc<dyn Api>,
    settings: Settings,
    connections: limit::Connections,
}

/// Where a request came from.
#[derive(Clone, Debug)]
struct Origin {
    address: Option<IpAddr>,
    from_task: bool,
    /// The listener is closing: what waits or streams is to end.
    closing: CancellationToken,
}

impl Server {
    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.open()
    }

    /// A server that asks `api`.
    pub fn new(api: Arc<dyn Api>, settings: Settings) -> Self {
        let connections = limit::Connections::new(settings.max_connections_per_ip);
        Self {
            shared: Arc::new(Shared {
                api,
                settings,
                connections,
            }),
        }
    }
}

impl Shared {
    async fn handle(&self, request: Request<Incoming>, origin: Origin) -> Response<ResponseBody> {
        let began = std::time::Instant::now();
        let (method, path) = (request.method().clone(), request.uri().clone());
        let mut response = self.respond(request, origin).await;
        tracing::debug!(target: "caravan_http", %method, %path, duration = ?began.elapsed(), "request complete");
        for (name, value) in &self.settings.headers {
            response.headers_mut().insert(name, value.clone());
        }
        response
    }

    async fn respond(&self, request: Request<Incoming>, origin: Origin) -> Response<ResponseBody> {
        let method = Method::of(request.method());
        let path = request.uri().path().to_owned();
        let mut style = Style {
            encoding: Encoding::accepted(request.headers()),
            head_only: method == Method::Head,
            ..Style::default()
        };
        match Router::get().find(&path, method) {
            Found::Route { route, .. } if route.cors && is_preflight(method, request.headers()) => {
                respond::preflight(request.headers())
            }
            Found::Route { route, params } => {
                self.route(request, route, params, style, origin).await
            }
            Found::WrongMethod { cors: true, .. } if is_preflight(method, request.headers()) => {
                respond::preflight(request.headers())
            }
            Found::WrongMethod { answer, cors } => {
                style.cors = cors && request.headers().contains_key(http::header::ORIGIN);
                let wrong = Answer::text(answer.text).with_status(answer.status);
                let wrong = if answer.text.is_empty() {
                    untyped(wrong)
                } else {
                    wrong
                };
                respond::response(Ok(wrong), &style)
            }
            Found::Refused(refusal) => {
                respond::response(Err(ApiError::new(refusal.status, refusal.text)), &style)
            }
            Found::Moved(to) => respond::moved(&with_query(&to, &request), method, &style),
            Found::BadPath => bad_path(),
            Found::Unknown => self.beside_the_api(&path, &request, method, &style),
        }
    }

    /// The few paths that are no API: the web interface, the debugging pages.
    fn beside_the_api(
        &self,
        path: &str,
        request: &Request<Incoming>,
        method: Method,
        style: &Style,
    ) -> Response<ResponseBody> {
        match path {
            "/" | "/ui" => respond::moved(&with_query("/ui/", request), method, style),
            "/debug/pprof/cmdline" if self.settings.debug => {
                let words: Vec<String> = std::env::args_os()
                    .map(|word| word.to_string_lossy().into_owned())
                    .collect();
                respond::response(Ok(Answer::text(words.join("\0"))), style)
            }
            _ => match (path.strip_prefix("/ui/"), &self.settings.ui) {
                (Some(file), Some(ui)) => respond::response(Ok((ui.0)(file)), style),
                (Some(_), None) => {
                    respond::response(Ok(Answer::bytes(content_type::HTML, NO_UI)), style)
                }
                (None, _) => respond::not_found(style),
            },
        }
    }

    async fn route(
        &self,
        request: Request<Incoming>,
        route: &'static Route,
        params: Params,
        mut style: Style,
        origin: Origin,
    ) -> Response<ResponseBody> {
        style.cors = route.cors && request.headers().contains_key(http::header::ORIGIN);
        let (parts, body) = request.into_parts();
        let prepared = match prepare(&parts, route, params, &origin) {
            Ok(prepared) => prepared,
            Err(error) => return respond::response(Err(error), &style),
        };
        style.pretty = prepared.options.pretty;
        if route.websocket {
            return websocket::upgrade(self.api.clone(), prepared, parts, &style);
        }
        let limit = if route.large_body {
            self.settings.max_large_body
        } else {
            self.settings.max_body
        };
        let result = match read(body, limit).await {
            Ok(body) => {
                let request = ApiRequest { body, ..prepared };
                blocking::call_until(self.api.as_ref(), request, &origin.closing).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = &result {
            tracing::debug!(method = %parts.method, path = parts.uri.path(), status = error.status, %error, "request failed");
        }
        let result = match result {
            Err(error) if route.op == Op::EventStream && matches!(error.status, 403 | 500) => {
                Ok(crate::events::refusal())
            }
            // To who reads a file, an error is what is in it.
            Err(error) if matches!(route.op, Op::ClientFsCat | Op::ClientFsReadAt) => {
                Ok(Answer::text(error.message))
            }
            result => result,
        };
        respond::response(result.map(|answer| ending(answer, origin.closing)), &style)
    }
}

/// Ends a stream when the listener closes.
fn ending(answer: Answer, closing: CancellationToken) -> Answer {
    let Answer { head, body } = answer;
    let body = match body {
        Body::Stream(stream) => Body::Stream(stream.take_until(closing.cancelled_owned()).boxed()),
        other => other,
    };
    Answer { head, body }
}

const NO_UI: &str =
    "<!doctype html><title>nomad</title><p>The web interface is not part of this build.</p>\n";

/// Everything of a request but its body, checked.
fn prepare(
    parts: &Parts,
    route: &'static Route,
    params: Params,
    origin: &Origin,
) -> Result<ApiRequest, ApiError> {
    if route.op == Op::Enterprise {
        return Err(ApiError::enterprise_only());
    }
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    if let (Some(text), Some((_, "" | "/"))) = (
        route.empty_name,
        params.0.last().map(|(k, v)| (k, v.as_str())),
    ) {
        return Err(ApiError::bad_request(text));
    }
    let options = QueryOptions::parse(&query, route)?;
    let token = token(parts);
    if origin.from_task && token.is_none() {
        return Err(ApiError::token_missing());
    }
    let kept = |name: &&str| {
        Some((
            (*name).to_owned(),
            parts.headers.get(*name)?.to_str().ok()?.to_owned(),
        ))
    };
    Ok(ApiRequest {
        op: route.op,
        method: Method::of(&parts.method),
        params,
        query,
        options,
        token,
        headers: KEPT_HEADERS.iter().filter_map(kept).collect(),
        body: Bytes::new(),
        remote: origin
            .address
            .map(|address| address.to_string())
            .unwrap_or_default(),
        from_task: origin.from_task,
    })
}

fn token(parts: &Parts) -> Option<String> {
    let line = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    };
    let own = line("x-nomad-token").filter(|token| !token.is_empty());
    let bearer = || {
        let (scheme, secret) = line("authorization")?.split_once(' ')?;
        (scheme.eq_ignore_ascii_case("bearer") && !secret.trim().is_empty())
            .then_some(secret.trim())
    };
    own.or_else(bearer).map(str::to_owned)
}

async fn read(mut body: Incoming, limit: usize) -> Result<Bytes, ApiError> {
    match Limited::new(&mut body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            // A caller that is still sending would not see an answer that comes earlier.
            let _ = tokio::time::timeout(DRAIN, drain(body)).await;
            Err(ApiError::new(
                413,
                format!("request body is larger than the {limit} bytes that are accepted"),
            ))
        }
        Err(error) => Err(ApiError::bad_request(format!(
            "request body cannot be read: {error}"
        ))),
    }
}

/// How long the rest of a body that is too large is read and thrown away.
const DRAIN: Duration = Duration::from_secs(10);

async fn drain(mut body: Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
}

fn is_preflight(method: Method, headers: &http::HeaderMap) -> bool {
    method == Method::Options
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn with_query(path: &str, request: &Request<Incoming>) -> String {
    match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    }
}

fn untyped(mut answer: Answer) -> Answer {
    answer.head.content_type.clear();
    answer
}

fn bad_path() -> Response<ResponseBody> {
    let mut response = respond::response(
        Err(ApiError::bad_request("400 Bad Request")),
        &Style::default(),
    );
    response.headers_mut().remove(header::VARY);
    response
}

#[cfg(test)]
mod tests;
