//! Objects of Google's Cloud Storage: the addresses that give them, and the token to ask with.

use serde::Deserialize;
use url::Url;

use crate::FetchError;
use crate::machine::{self, variable};
use crate::objects::{Listing, Page};
use crate::source::{Source, decoded};

/// A bucket, and what of it a source names: `https://www.googleapis.com/storage/v1/<bucket>/<object>`.
pub(crate) struct Gcs {
    endpoint: Url,
    bucket: String,
    pub(crate) key: String,
    pub(crate) token: Option<String>,
}

/// A list of objects, as the store's JSON has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Objects {
    #[serde(default)]
    items: Vec<Object>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Object {
    name: String,
}

impl Gcs {
    /// With the token of the agent, or of the machine.
    pub(crate) async fn find(source: &Source) -> Result<Self, FetchError> {
        let mut found = Self::of(source)?;
        found.token = match variable("GOOGLE_OAUTH_ACCESS_TOKEN") {
            Some(token) => Some(token),
            None => machine::google().await,
        };
        Ok(found)
    }

    fn of(source: &Source) -> Result<Self, FetchError> {
        let refused =
            || FetchError::Source(format!("URL is not a valid GCS URL: {:?}", source.url));
        let mut endpoint = Url::parse(&source.url).map_err(|_| refused())?;
        // Whoever names another host would be told the token.
        let host = endpoint.host_str().unwrap_or_default();
        if host != "googleapis.com" && !host.ends_with(".googleapis.com") {
            return Err(refused());
        }
        let path = endpoint.path().trim_start_matches('/').to_owned();
        let rest = path.strip_prefix("storage/v1/").ok_or_else(refused)?;
        let (bucket, key) = rest
            .split_once('/')
            .filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
            .ok_or_else(refused)?;
        endpoint.set_query(None);
        endpoint.set_path("/");
        if let Some(emulator) = variable("STORAGE_EMULATOR_HOST") {
            let emulator = match emulator.contains("://") {
                true => emulator,
                false => format!("http://{emulator}"),
            };
            endpoint = Url::parse(&emulator)
                .map_err(|error| FetchError::Source(format!("{emulator:?}: {error}")))?;
        }
        Ok(Self {
            endpoint,
            bucket: decoded(bucket),
            key: decoded(key),
            token: None,
        })
    }

    /// An address below the bucket's objects.
    fn at(&self, key: Option<&str>, query: &[(&str, &str)]) -> String {
        let mut target = self.endpoint.clone();
        if let Ok(mut parts) = target.path_segments_mut() {
            parts
                .clear()
                .extend(["storage", "v1", "b", &self.bucket, "o"])
                .extend(key);
        }
        target.query_pairs_mut().extend_pairs(query);
        target.into()
    }

    pub(crate) fn object(&self, key: &str) -> String {
        self.at(Some(key), &[("alt", "media")])
    }

    /// The address of a page of the names that begin so.
    pub(crate) fn listing(&self, prefix: &str, page: &Page) -> String {
        let prefix = ("prefix", prefix);
        match page {
            Page::First => self.at(None, &[prefix]),
            Page::After(token) => self.at(None, &[prefix, ("pageToken", token)]),
        }
    }

    pub(crate) fn read_listing(text: &str) -> Result<Listing, FetchError> {
        let found: Objects = serde_json::from_str(text)
            .map_err(|error| FetchError::Remote(format!("the list of objects is none: {error}")))?;
        Ok(Listing {
            keys: found.items.into_iter().map(|object| object.name).collect(),
            next: found.next_page_token.map(Page::After),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn objects_are_asked_for_by_name() {
        let of = |text: &str| Gcs::of(&Source::parse(text, &BTreeMap::new()).unwrap());
        for (name, expected) in [
            ("d/k.zip", "d%2Fk.zip?alt=media"),
            ("a%20k", "a%20k?alt=media"),
        ] {
            let gcs = of(&format!(
                "gcs::https://www.googleapis.com/storage/v1/b/{name}"
            ))
            .unwrap();
            let base = "https://www.googleapis.com/storage/v1/b/b/o/";
            assert_eq!(gcs.object(&gcs.key), format!("{base}{expected}"));
        }
        for bad in ["nope", "storage/v1/b", "storage/v1//k", "storage/v1/b/"] {
            let found = of(&format!("gcs::https://www.googleapis.com/{bad}"));
            assert!(found.is_err(), "{bad}");
        }
        for host in [
            "example.org",
            "evilgoogleapis.com",
            "googleapis.com.example.org",
        ] {
            let found = of(&format!("gcs::https://{host}/storage/v1/b/k"));
            assert!(found.is_err(), "{host} would be told the token");
        }
    }
}
