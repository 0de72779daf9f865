//! Objects of Amazon's and Google's stores, and of those that speak like them.

use std::time::Duration;

use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use url::Url;

use crate::FetchError;
use crate::source::{Kind, Source};

/// How long a signed address may be used.
const VALID: Duration = Duration::from_secs(900);

/// An address from which the object can be fetched by plain HTTP, and the token to send along.
pub(crate) struct Signed {
    pub(crate) url: String,
    pub(crate) bearer: Option<String>,
}

pub(crate) fn signed(source: &Source) -> Result<Signed, FetchError> {
    match source.kind {
        Kind::Gcs => gcs(source),
        _ => s3(source),
    }
}

struct Object {
    endpoint: Url,
    style: UrlStyle,
    bucket: String,
    key: String,
    region: Option<String>,
}

/// Takes an address apart: `s3[.-]region.amazonaws.com/bucket/key`, `bucket.s3.…/key`, or `host/bucket/key`.
fn object(source: &Source) -> Result<Object, FetchError> {
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
    Ok(Object {
        endpoint,
        style,
        bucket,
        key,
        region,
    })
}

fn s3(source: &Source) -> Result<Signed, FetchError> {
    let object = object(source)?;
    let invalid =
        |error: &dyn std::fmt::Display| FetchError::Source(format!("{:?}: {error}", source.url));
    let region = source
        .option("region")
        .map(str::to_owned)
        .or(object.region)
        .unwrap_or_else(|| "us-east-1".into());
    let bucket = Bucket::new(object.endpoint, object.style, object.bucket, region)
        .map_err(|error| invalid(&error))?;
    let credentials = credentials(source);
    let mut get = bucket.get_object(credentials.as_ref(), &object.key);
    if let Some(version) = source.option("version") {
        get.query_mut().insert("versionId", version.to_owned());
    }
    Ok(Signed {
        url: get.sign(VALID).into(),
        bearer: None,
    })
}

fn credentials(source: &Source) -> Option<Credentials> {
    let either = |option: &str, variable: &str| {
        let given = source.option(option).map(str::to_owned);
        given.or_else(|| {
            std::env::var(variable)
                .ok()
                .filter(|value| !value.is_empty())
        })
    };
    let key = either("aws_access_key_id", "AWS_ACCESS_KEY_ID")?;
    let secret = either("aws_access_key_secret", "AWS_SECRET_ACCESS_KEY")?;
    Some(match either("aws_access_token", "AWS_SESSION_TOKEN") {
        Some(token) => Credentials::new_with_token(key, secret, token),
        None => Credentials::new(key, secret),
    })
}

/// `https://www.googleapis.com/storage/v1/<bucket>/<object>`.
fn gcs(source: &Source) -> Result<Signed, FetchError> {
    let refused = || FetchError::Source(format!("URL is not a valid GCS URL: {:?}", source.url));
    let url = Url::parse(&source.url).map_err(|_| refused())?;
    let path = url.path().trim_start_matches('/');
    let rest = path.strip_prefix("storage/v1/").ok_or_else(refused)?;
    let (bucket, object) = rest
        .split_once('/')
        .filter(|(_, object)| !object.is_empty())
        .ok_or_else(refused)?;
    let mut target = url.clone();
    let mut parts = target.path_segments_mut().map_err(|()| refused())?;
    parts
        .clear()
        .extend(["storage", "v1", "b", bucket, "o", object]);
    drop(parts);
    target.set_query(Some("alt=media"));
    let bearer = std::env::var("GOOGLE_OAUTH_ACCESS_TOKEN")
        .ok()
        .filter(|token| !token.is_empty());
    Ok(Signed {
        url: target.into(),
        bearer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn at(text: &str) -> String {
        signed(&Source::parse(text, &BTreeMap::new()).unwrap())
            .unwrap()
            .url
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

    #[test]
    fn googles_objects_are_asked_for_by_name() {
        assert_eq!(
            at("gcs::https://www.googleapis.com/storage/v1/b/d/k.zip"),
            "https://www.googleapis.com/storage/v1/b/b/o/d%2Fk.zip?alt=media"
        );
        let bad = Source::parse("gcs::https://www.googleapis.com/nope", &BTreeMap::new()).unwrap();
        assert!(signed(&bad).is_err());
    }
}
