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
        return Err(FetchError::Remote(format!(
            "bad response code: {}",
            answer.status().as_u16()
        )));
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

/// Downloads something small.
pub(crate) async fn text(client: &reqwest::Client, url: &str) -> Result<String, FetchError> {
    const MOST: usize = 1 << 20;
    let remote = |error: reqwest::Error| FetchError::Remote(chain(&error.without_url()));
    let mut answer = client.get(url).send().await.map_err(remote)?;
    if !answer.status().is_success() {
        return Err(FetchError::Remote(format!(
            "bad response code: {}",
            answer.status().as_u16()
        )));
    }
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(remote)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > MOST {
            return Err(FetchError::TooMuch(
                "the list of checksums is too large".into(),
            ));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
