//! Downloads over HTTP.

use std::path::Path;
use std::str::FromStr;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::AsyncWriteExt;

use crate::{FetchError, Request};

/// A client that this process uses for everything.
pub(crate) fn client(request: &Request) -> Result<reqwest::Client, FetchError> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    // Set by an earlier call is as good.
    let _ = rustls::crypto::CryptoProvider::install_default(provider);
    let builder = reqwest::Client::builder()
        .read_timeout(request.limits.read_timeout)
        .timeout(request.limits.timeout)
        .user_agent(concat!("caravan-artifact/", env!("CARGO_PKG_VERSION")))
        .tls_danger_accept_invalid_certs(request.insecure);
    builder
        .build()
        .map_err(|error| FetchError::Remote(chain(&error)))
}

/// The headers that the job asks for.
pub(crate) fn headers(request: &Request) -> Result<HeaderMap, FetchError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let refused =
            |why: String| FetchError::Source(format!("header {name:?} cannot be sent: {why}"));
        let name = HeaderName::from_str(name).map_err(|error| refused(error.to_string()))?;
        let value = HeaderValue::from_str(value).map_err(|error| refused(error.to_string()))?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// Everything an error says: its own words are only the start.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let words = inner.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = inner.source();
    }
    text
}

/// Downloads into a new file.
pub(crate) async fn download(
    client: &reqwest::Client,
    url: &str,
    headers: HeaderMap,
    into: &Path,
    most: u64,
) -> Result<(), FetchError> {
    let remote = |error: reqwest::Error| FetchError::Remote(chain(&error.without_url()));
    let mut answer = client
        .get(url)
        .headers(headers)
        .send()
        .await
        .map_err(remote)?;
    if !answer.status().is_success() {
        return Err(refused(answer).await);
    }
    let too_much = || {
        FetchError::TooMuch(format!(
            "the file is larger than http_max_size ({most} bytes)"
        ))
    };
    if answer.content_length().is_some_and(|length| length > most) {
        return Err(too_much());
    }
    let writing = || into.display().to_string();
    let file = tokio::fs::File::create_new(into)
        .await
        .map_err(FetchError::io(writing()))?;
    let mut file = tokio::io::BufWriter::with_capacity(1 << 17, file);
    let mut left = most;
    while let Some(piece) = answer.chunk().await.map_err(remote)? {
        left = left.checked_sub(piece.len() as u64).ok_or_else(too_much)?;
        file.write_all(&piece)
            .await
            .map_err(FetchError::io(writing()))?;
    }
    file.flush().await.map_err(FetchError::io(writing()))
}

/// Why there is no file: the code, and the reason that stores of objects give.
async fn refused(mut answer: reqwest::Response) -> FetchError {
    const ENOUGH: usize = 4096;
    let code = answer.status().as_u16();
    let mut said = Vec::new();
    while let Ok(Some(piece)) = answer.chunk().await
        && said.len() < ENOUGH
    {
        said.extend_from_slice(&piece);
    }
    let said = reason(&String::from_utf8_lossy(&said));
    FetchError::Status {
        code,
        said: said.map(|said| format!(": {said}")).unwrap_or_default(),
    }
}

/// `<Code>` and `<Message>` of an `<Error>`, or `error.message` in JSON.
fn reason(text: &str) -> Option<String> {
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(text) {
        return value["error"]["message"].as_str().map(str::to_owned);
    }
    let error = text.split_once("<Error>")?.1;
    let of = |name: &str| {
        let start = error.split_once(&format!("<{name}>"))?.1;
        Some(start.split_once(&format!("</{name}>"))?.0)
    };
    let code = of("Code")?;
    Some(match of("Message") {
        Some(message) => format!("{code}: {message}"),
        None => code.to_owned(),
    })
}

/// Downloads something small, of at most so many bytes.
pub(crate) async fn text(
    client: &reqwest::Client,
    url: &str,
    headers: HeaderMap,
    most: usize,
) -> Result<String, FetchError> {
    let remote = |error: reqwest::Error| FetchError::Remote(chain(&error.without_url()));
    let mut answer = client
        .get(url)
        .headers(headers)
        .send()
        .await
        .map_err(remote)?;
    if !answer.status().is_success() {
        return Err(refused(answer).await);
    }
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(remote)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > most {
            return Err(FetchError::TooMuch(format!(
                "the list is larger than {most} bytes"
            )));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
