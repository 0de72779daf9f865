//! Objects of Amazon's S3, and of stores that speak like it: where they are, and the addresses that give them.

use std::time::Duration;

use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use url::Url;

use crate::FetchError;
use crate::machine::{self, variable};
use crate::objects::{Listing, Page};
use crate::source::{Source, decoded};

/// How long a signed address may be used.
const VALID: Duration = Duration::from_secs(900);

/// A bucket, and what of it a source names.
pub(crate) struct S3 {
    bucket: Bucket,
    credentials: Option<Credentials>,
    pub(crate) key: String,
    version: Option<String>,
    is_amazon: bool,
}

impl S3 {
    /// With the credentials of the machine where there are no others.
    pub(crate) async fn find(source: &Source) -> Result<Self, FetchError> {
        let mut found = Self::of(source)?;
        if found.credentials.is_none() && found.is_amazon {
            found.credentials = machine::amazon().await;
        }
        Ok(found)
    }

    fn of(source: &Source) -> Result<Self, FetchError> {
        let place = Place::of(source)?;
        let region = source
            .option("region")
            .map(str::to_owned)
            .or(place.region)
            .unwrap_or_else(|| "us-east-1".into());
        let bucket = Bucket::new(place.endpoint, place.style, place.bucket, region)
            .map_err(|error| FetchError::Source(format!("{:?}: {error}", source.url)))?;
        Ok(Self {
            bucket,
            credentials: credentials(source),
            key: place.key,
            version: source.option("version").map(str::to_owned),
            is_amazon: place.is_amazon,
        })
    }

    /// The address of an object; a version is of the one that the source names.
    pub(crate) fn object(&self, key: &str) -> String {
        let mut get = self.bucket.get_object(self.credentials.as_ref(), key);
        if let Some(version) = self.version.as_ref().filter(|_| key == self.key) {
            get.query_mut().insert("versionId", version.to_owned());
        }
        get.sign(VALID).into()
    }

    /// The address of a page of the keys that begin so.
    pub(crate) fn listing(&self, prefix: &str, page: &Page) -> String {
        let mut list = self.bucket.list_objects_v2(self.credentials.as_ref());
        list.with_prefix(prefix);
        if let Page::After(token) = page {
            list.with_continuation_token(token);
        }
        list.sign(VALID).into()
    }

    pub(crate) fn read_listing(text: &str) -> Result<Listing, FetchError> {
        let found = ListObjectsV2::parse_response(text)
            .map_err(|error| FetchError::Remote(format!("the list of objects is none: {error}")))?;
        Ok(Listing {
            keys: found
                .contents
                .into_iter()
                .map(|object| object.key)
                .collect(),
            next: found.next_continuation_token.map(Page::After),
        })
    }
}

struct Place {
    endpoint: Url,
    style: UrlStyle,
    bucket: String,
    key: String,
    region: Option<String>,
    is_amazon: bool,
}

impl Place {
    /// Takes an address apart: `s3[.-]region.amazonaws.com/bucket/key`, `bucket.s3.…/key`, or `host/bucket/key`.
    fn of(source: &Source) -> Result<Self, FetchError> {
        let refused = || FetchError::Source(format!("URL is not a valid S3 URL: {:?}", source.url));
        let url = Url::parse(&source.url).map_err(|_| refused())?;
        let host = url.host_str().ok_or_else(refused)?.to_owned();
        let path = url.path().trim_start_matches('/').to_owned();
        let mut endpoint = url.clone();
        endpoint.set_path("/");
        endpoint.set_query(None);
        let split = |path: &str| {
            path.split_once('/')
                .map(|(bucket, key)| (bucket.to_owned(), key.to_owned()))
        };
        let of_name = |name: &str| {
            let region = name.trim_start_matches(['.', '-']);
            (!region.is_empty()).then(|| region.to_owned())
        };
        let amazon = host.strip_suffix(".amazonaws.com");
        let (style, bucket, key, region) = match amazon {
            Some(name) if name == "s3" || name.starts_with("s3-") || name.starts_with("s3.") => {
                let (bucket, key) = split(&path).ok_or_else(refused)?;
                (UrlStyle::Path, bucket, key, of_name(&name[2..]))
            }
            Some(name) => {
                let (bucket, rest) = name.split_once(".s3").ok_or_else(refused)?;
                let region = of_name(rest);
                let base = format!("s3{rest}.amazonaws.com");
                endpoint.set_host(Some(&base)).map_err(|_| refused())?;
                (UrlStyle::VirtualHost, bucket.to_owned(), path, region)
            }
            None => {
                let (bucket, key) = split(&path).ok_or_else(refused)?;
                (UrlStyle::Path, bucket, key, None)
            }
        };
        if key.is_empty() {
            return Err(refused());
        }
        let mut place = Self {
            endpoint,
            style,
            bucket,
            key: decoded(&key),
            region,
            is_amazon: amazon.is_some(),
        };
        let elsewhere = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
            .into_iter()
            .find_map(variable);
        if let Some(elsewhere) = elsewhere.filter(|_| place.is_amazon) {
            place.endpoint = Url::parse(&elsewhere)
                .map_err(|error| FetchError::Source(format!("{elsewhere:?}: {error}")))?;
            place.style = UrlStyle::Path;
        }
        Ok(place)
    }
}

fn credentials(source: &Source) -> Option<Credentials> {
    let either = |option: &str, name: &str| {
        let given = source.option(option).map(str::to_owned);
        given.or_else(|| variable(name))
    };
    let key = either("aws_access_key_id", "AWS_ACCESS_KEY_ID")?;
    let secret = either("aws_access_key_secret", "AWS_SECRET_ACCESS_KEY")?;
    Some(match either("aws_access_token", "AWS_SESSION_TOKEN") {
        Some(token) => Credentials::new_with_token(key, secret, token),
        None => Credentials::new(key, secret),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn at(text: &str) -> String {
        let s3 = S3::of(&Source::parse(text, &BTreeMap::new()).unwrap()).unwrap();
        s3.object(&s3.key)
    }

    #[test]
    fn objects_are_found() {
        let key = "aws_access_key_id=AK&aws_access_key_secret=S";
        for (text, host_and_path, region) in [
            (
                "s3::https://s3.amazonaws.com/b/d/k.zip",
                "https://s3.amazonaws.com/b/d/k.zip",
                "us-east-1",
            ),
            (
                "s3::https://s3-eu-west-1.amazonaws.com/b/k",
                "https://s3-eu-west-1.amazonaws.com/b/k",
                "eu-west-1",
            ),
            (
                "s3::https://s3.eu-west-1.amazonaws.com/b/k",
                "https://s3.eu-west-1.amazonaws.com/b/k",
                "eu-west-1",
            ),
            (
                "s3::https://b.s3.eu-west-1.amazonaws.com/d/k",
                "https://b.s3.eu-west-1.amazonaws.com/d/k",
                "eu-west-1",
            ),
            (
                "s3::http://127.0.0.1:9000/b/k",
                "http://127.0.0.1:9000/b/k",
                "us-east-1",
            ),
            (
                "s3::http://127.0.0.1:9000/b/d/a%20k+1.zip",
                "http://127.0.0.1:9000/b/d/a%20k%2B1.zip",
                "us-east-1",
            ),
        ] {
            let url = at(&format!("{text}?{key}"));
            assert!(
                url.starts_with(&format!("{host_and_path}?X-Amz-")),
                "{text}: {url}"
            );
            assert!(
                url.contains(&format!("%2F{region}%2Fs3%2F")),
                "{text}: {url}"
            );
        }
        assert!(at(&format!("s3::https://e.com/b/k?{key}&region=x-1")).contains("%2Fx-1%2Fs3%2F"));
    }
}
