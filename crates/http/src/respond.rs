//! From an answer to an HTTP response: meta headers, indentation, compression, the operator's own headers.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::{Compression, write::DeflateEncoder, write::GzEncoder};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::UnsyncBoxBody};

use crate::{
    answer::{Answer, Body, ByteStream, Head, Meta, content_type},
    error::ApiError,
    json,
    method::Method,
};

/// The body of every response.
pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, io::Error>;

/// How one response is to be written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Style {
    pub(crate) encoding: Encoding,
    pub(crate) pretty: bool,
    pub(crate) head_only: bool,
    pub(crate) cors: bool,
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    #[default]
    Plain,
    Gzip,
    Deflate,
}

impl Encoding {
    /// The first that both sides know: gzip, then deflate.
    pub(crate) fn accepted(headers: &HeaderMap) -> Self {
        let mut deflate = false;
        let lines = headers
            .get_all(header::ACCEPT_ENCODING)
            .iter()
            .filter_map(|line| line.to_str().ok());
        for part in lines.flat_map(|line| line.split(',')) {
            let mut words = part.split(';').map(str::trim);
            let name = words.next().unwrap_or_default();
            let refused = words.any(|word| matches!(word, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
            match name {
                _ if refused => {}
                "gzip" => return Self::Gzip,
                "deflate" => deflate = true,
                _ => {}
            }
        }
        if deflate { Self::Deflate } else { Self::Plain }
    }

    fn apply(self, body: &[u8]) -> io::Result<Vec<u8>> {
        let out = Vec::with_capacity(body.len() / 4 + 32);
        match self {
            Self::Plain => Ok(body.to_vec()),
            Self::Gzip => {
                let mut encoder = GzEncoder::new(out, Compression::fast());
                encoder.write_all(body)?;
                encoder.finish()
            }
            Self::Deflate => {
                let mut encoder = DeflateEncoder::new(out, Compression::fast());
                encoder.write_all(body)?;
                encoder.finish()
            }
        }
    }

    const fn name(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Gzip => Some("gzip"),
            Self::Deflate => Some("deflate"),
        }
    }
}

/// Turns what an operation gave into a response.
pub(crate) fn response(result: Result<Answer, ApiError>, style: &Style) -> Response<ResponseBody> {
    let Answer { head, body } = result.unwrap_or_else(error_answer);
    let mut response = match body {
        Body::Stream(stream) => streamed(stream),
        Body::Empty => whole(Bytes::new(), style, &head),
        Body::Bytes(bytes) if style.pretty && head.content_type == content_type::JSON => {
            whole(Bytes::from(json::indent(&bytes)), style, &head)
        }
        Body::Bytes(bytes) => whole(bytes, style, &head),
        Body::Session(_) => whole(Bytes::from_static(b"not a websocket route"), style, &head),
    };
    *response.status_mut() =
        StatusCode::from_u16(head.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if style.cors {
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("*"),
        );
    }
    write_head(&head, headers);
    response
}

fn error_answer(error: ApiError) -> Answer {
    let ApiError {
        status,
        message,
        meta,
    } = error;
    let mut answer = Answer::text(message).with_status(status);
    answer.head.meta = meta.map(|meta| *meta).unwrap_or_default();
    answer
}

fn whole(bytes: Bytes, style: &Style, head: &Head) -> Response<ResponseBody> {
    let bodyless = head.status == 204 || head.status == 304;
    let encoding = if bodyless {
        Encoding::Plain
    } else {
        style.encoding
    };
    let bytes = match encoding {
        Encoding::Plain => bytes,
        encoding => match encoding.apply(&bytes) {
            Ok(packed) => Bytes::from(packed),
            Err(error) => unreachable!("writing to memory cannot fail: {error}"),
        },
    };
    let length = bytes.len();
    let body = if style.head_only || bytes.is_empty() {
        Empty::new().map_err(|never| match never {}).boxed_unsync()
    } else {
        Full::new(bytes)
            .map_err(|never| match never {})
            .boxed_unsync()
    };
    let mut response = Response::new(body);
    if let Some(name) = encoding.name() {
        response
            .headers_mut()
            .insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
    }
    if style.head_only && length > 0 {
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

fn streamed(stream: ByteStream) -> Response<ResponseBody> {
    use futures::StreamExt;
    // Some writers poll once more after the end.
    let frames = stream.fuse().map(|piece| piece.map(Frame::data));
    Response::new(StreamBody::new(frames).boxed_unsync())
}

fn write_head(head: &Head, headers: &mut HeaderMap) {
    let Head {
        status: _,
        content_type,
        headers: own,
        meta,
    } = head; // exhaustive
    if let Ok(value) = HeaderValue::from_str(content_type)
        && !content_type.is_empty()
    {
        headers.insert(header::CONTENT_TYPE, value);
    }
    for (name, value) in own {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) {
            headers.insert(name, value);
        }
    }
    write_meta(meta, headers);
}

fn write_meta(meta: &Meta, headers: &mut HeaderMap) {
    let Meta {
        index,
        known_leader,
        last_contact,
        next_token,
        watch: _,
    } = meta; // exhaustive
    if let Some(index) = index {
        headers.insert("x-nomad-index", HeaderValue::from(*index));
    }
    if let Some(known) = known_leader {
        headers.insert(
            "x-nomad-knownleader",
            HeaderValue::from_static(if *known { "true" } else { "false" }),
        );
    }
    if let Some(contact) = last_contact {
        headers.insert("x-nomad-lastcontact", HeaderValue::from(*contact));
    }
    if let Some(Ok(token)) = next_token
        .as_ref()
        .map(|token| HeaderValue::from_str(token))
    {
        headers.insert("x-nomad-nexttoken", token);
    }
}

/// 307 to another place, with the short page that browsers never show.
pub(crate) fn moved(to: &str, method: Method, style: &Style) -> Response<ResponseBody> {
    let page = matches!(method, Method::Get | Method::Head);
    let escaped = to
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&#34;");
    let answer = if page {
        Answer::bytes(
            content_type::HTML,
            format!("<a href=\"{escaped}\">Temporary Redirect</a>.\n\n"),
        )
    } else {
        Answer::empty(Meta::none())
    };
    response(
        Ok(answer.with_status(307).with_header("location", to)),
        style,
    )
}

/// 404 without a word.
pub(crate) fn not_found(style: &Style) -> Response<ResponseBody> {
    response(Ok(Answer::empty(Meta::none()).with_status(404)), style)
}

/// What a page of another origin is told before it asks.
pub(crate) fn preflight(headers: &HeaderMap) -> Response<ResponseBody> {
    let mut response = response(
        Ok(Answer::empty(Meta::none()).with_status(204)),
        &Style {
            cors: true,
            ..Style::default()
        },
    );
    let asked = |name: HeaderName| headers.get(name).cloned();
    let out = response.headers_mut();
    out.insert(
        header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        HeaderValue::from_static("true"),
    );
    if let Some(method) = asked(header::ACCESS_CONTROL_REQUEST_METHOD) {
        out.insert(header::ACCESS_CONTROL_ALLOW_METHODS, method);
    }
    if let Some(names) = asked(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        out.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
    }
    response
}
