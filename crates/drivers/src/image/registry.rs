//! Images of registries, over the distribution API.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, WWW_AUTHENTICATE};
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::manifest::{ACCEPTED, Descriptor, Manifest};
use super::reference::Reference;
use super::store::{MOST_BYTES, Scratch};
use super::{Fetched, ImageError, digest};

/// How long a registry may be silent.
const PATIENCE: Duration = Duration::from_secs(60);
/// Descriptions are small.
const MOST_TEXT: usize = 8 << 20;

struct Registry {
    http: reqwest::Client,
    host: String,
    base: String,
    login: Option<(String, String)>,
    /// What it wants to see, once it said so.
    pass: Option<String>,
}

/// Fetches an image; its layers only when `known` does not have its configuration.
pub(super) async fn pull(
    reference: &Reference,
    login: Option<(String, String)>,
    insecure: &[String],
    dir: Scratch,
    known: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Fetched, ImageError> {
    let mut registry = Registry::new(reference, login, insecure)?;
    let mut bytes = registry.manifest(&reference.version).await?;
    let mut manifest = Manifest::read(&bytes)?;
    for _ in 0..3 {
        let Some(one) = manifest.ours()? else { break };
        let digest = one.digest.clone();
        bytes = registry.manifest(&digest).await?;
        manifest = Manifest::read(&bytes)?;
    }
    let config = manifest.config()?.clone();
    let described = registry
        .get(&format!("blobs/{}", config.digest), None)
        .await?;
    let described = registry.text(described).await?;
    digest::check("the configuration", &described, &config.digest)?;
    let mut layers = Vec::new();
    if !known(&config.digest) {
        let sizes = manifest.layers.iter().map(|layer| layer.size);
        if sizes.fold(0, u64::saturating_add) > MOST_BYTES {
            return Err(registry.fault("has an image that is too large", false));
        }
        // In their order: each lies on the ones before.
        for (number, layer) in manifest.layers.iter().enumerate() {
            let path = PathBuf::from(number.to_string());
            registry.blob(layer, &dir.0.join(&path)).await?;
            layers.push(path);
        }
    }
    Ok(Fetched {
        digest: config.digest,
        config: described,
        layers,
        dir,
    })
}

impl Registry {
    fn new(
        reference: &Reference,
        login: Option<(String, String)>,
        insecure: &[String],
    ) -> Result<Self, ImageError> {
        // Whoever comes first sets it; it is the same everywhere.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = reqwest::Client::builder()
            .read_timeout(PATIENCE)
            .connect_timeout(PATIENCE)
            .user_agent(concat!("caravan/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            http: http.map_err(|error| ImageError::Damaged(error.to_string()))?,
            host: reference.host.clone(),
            base: reference.base(insecure),
            login,
            pass: None,
        })
    }

    fn fault(&self, what: impl Into<String>, temporary: bool) -> ImageError {
        ImageError::Registry {
            host: self.host.clone(),
            what: what.into(),
            temporary,
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> ImageError {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            text = inner.to_string();
            source = inner.source();
        }
        self.fault(format!("cannot be reached: {text}"), true)
    }

    async fn manifest(&mut self, version: &str) -> Result<Vec<u8>, ImageError> {
        let answer = self
            .get(&format!("manifests/{version}"), Some(ACCEPTED))
            .await?;
        let bytes = self.text(answer).await?;
        if version.contains(':') {
            digest::check("the manifest", &bytes, version)?;
        }
        Ok(bytes)
    }

    async fn text(&self, mut answer: Response) -> Result<Vec<u8>, ImageError> {
        let mut bytes = Vec::new();
        while let Some(piece) = answer
            .chunk()
            .await
            .map_err(|error| self.unreachable(&error))?
        {
            bytes.extend_from_slice(&piece);
            if bytes.len() > MOST_TEXT {
                return Err(self.fault("describes the image at too great length", false));
            }
        }
        Ok(bytes)
    }

    /// Downloads a blob, which must be what the manifest says.
    async fn blob(&mut self, of: &Descriptor, path: &Path) -> Result<(), ImageError> {
        digest::digits(&of.digest)?;
        let mut answer = self.get(&format!("blobs/{}", of.digest), None).await?;
        let file = tokio::fs::File::create_new(path)
            .await
            .map_err(ImageError::at(path))?;
        let mut file = tokio::io::BufWriter::with_capacity(1 << 17, file);
        let (mut hash, mut left) = (Sha256::new(), of.size);
        let wrong = || ImageError::Digest {
            name: "a layer".into(),
            digest: of.digest.clone(),
        };
        while let Some(piece) = answer
            .chunk()
            .await
            .map_err(|error| self.unreachable(&error))?
        {
            left = left.checked_sub(piece.len() as u64).ok_or_else(wrong)?;
            hash.update(&piece);
            file.write_all(&piece).await.map_err(ImageError::at(path))?;
        }
        file.flush().await.map_err(ImageError::at(path))?;
        match digest::written(hash.finalize().as_slice()) == of.digest {
            true => Ok(()),
            false => Err(wrong()),
        }
    }

    async fn get(&mut self, path: &str, accept: Option<&str>) -> Result<Response, ImageError> {
        let url = format!("{}/{path}", self.base);
        for again in [false, true] {
            let mut request = self.http.get(&url);
            if let Some(accept) = accept {
                request = request.header(ACCEPT, accept);
            }
            if let Some(pass) = &self.pass {
                request = request.header(AUTHORIZATION, pass);
            }
            let answer = request
                .send()
                .await
                .map_err(|error| self.unreachable(&error))?;
            match answer.status() {
                status if status.is_success() => return Ok(answer),
                StatusCode::UNAUTHORIZED if !again => {
                    self.pass = Some(self.sign_in(&answer).await?)
                }
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    return Err(self.fault("does not give the image to this login", false));
                }
                StatusCode::NOT_FOUND => {
                    return Err(self.fault(format!("has no {path} (manifest unknown)"), false));
                }
                status => {
                    let text = format!("answers {status}");
                    return Err(
                        self.fault(text, status.is_server_error() || status.as_u16() == 429)
                    );
                }
            }
        }
        Err(self.fault("wants another login again and again", false))
    }

    /// What to show the registry, by what it asks for.
    async fn sign_in(&self, answer: &Response) -> Result<String, ImageError> {
        let asked = answer
            .headers()
            .get(WWW_AUTHENTICATE)
            .and_then(|asked| asked.to_str().ok());
        let (kind, members) = asked
            .unwrap_or_default()
            .split_once(' ')
            .unwrap_or_default();
        if kind.eq_ignore_ascii_case("basic") {
            self.basic()
        } else {
            self.bearer(members).await
        }
    }

    fn basic(&self) -> Result<String, ImageError> {
        let Some((user, password)) = &self.login else {
            return Err(self.fault("wants a login: give the task an auth block", false));
        };
        let engine = &base64::engine::general_purpose::STANDARD;
        let pair = base64::Engine::encode(engine, format!("{user}:{password}"));
        Ok(format!("Basic {pair}"))
    }

    /// A token of whoever the registry names for that.
    async fn bearer(&self, members: &str) -> Result<String, ImageError> {
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct Token {
            token: String,
            access_token: String,
        }
        let member = |name: &str| {
            members_of(members)
                .find(|(key, _)| key == name)
                .map(|(_, value)| value)
        };
        let realm = member("realm").and_then(|realm| Url::parse(&realm).ok());
        let Some(mut realm) = realm else {
            return Err(self.fault("wants a login of a kind that is not known here", false));
        };
        for name in ["service", "scope"] {
            if let Some(value) = member(name) {
                realm.query_pairs_mut().append_pair(name, &value);
            }
        }
        let mut request = self.http.get(realm);
        if let Some((user, password)) = &self.login {
            request = request.basic_auth(user, Some(password));
        }
        let answer = request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        if !answer.status().is_success() {
            let text = format!("gives no token: {}", answer.status());
            return Err(self.fault(text, answer.status().is_server_error()));
        }
        let token: Token = serde_json::from_slice(&self.text(answer).await?).unwrap_or_default();
        let given = [token.token, token.access_token];
        match given.into_iter().find(|token| !token.is_empty()) {
            Some(token) => Ok(format!("Bearer {token}")),
            None => Err(self.fault("gives no token", false)),
        }
    }
}

/// `name="value",other="…"`.
fn members_of(text: &str) -> impl Iterator<Item = (String, String)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        rest = after.trim_start_matches([',', ' ']);
        Some((name.trim().to_ascii_lowercase(), value.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_registry_asks_for_is_read() {
        let all: Vec<_> =
            members_of("realm=\"https://a/t\",service=\"s,x\", scope=\"r:a:pull\",n=1").collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            all,
            [
                pair("realm", "https://a/t"),
                pair("service", "s,x"),
                pair("scope", "r:a:pull"),
                pair("n", "1")
            ]
        );
        assert_eq!(members_of("nothing").count(), 0);
    }
}
