//! Fetches from stores of objects: one object, or all below a name as a directory.

use std::fs;
use std::path::Path;

use reqwest::header::HeaderMap;

use crate::gcs::Gcs;
use crate::s3::S3;
use crate::source::{Kind, Source};
use crate::{FetchError, Mode, Request, http};

/// Which part of a long list is asked for.
pub(crate) enum Page {
    First,
    /// The one after the part that ended with this token.
    After(String),
}

/// A part of the list of objects.
pub(crate) struct Listing {
    pub(crate) keys: Vec<String>,
    pub(crate) next: Option<Page>,
}

/// Where objects are.
pub(crate) enum Store {
    S3(S3),
    Gcs(Gcs),
}

impl Store {
    /// The store of a source; `None` for what is none.
    pub(crate) async fn of(source: &Source) -> Result<Option<Self>, FetchError> {
        Ok(match source.kind {
            Kind::S3 => Some(Self::S3(S3::find(source).await?)),
            Kind::Gcs => Some(Self::Gcs(Gcs::find(source).await?)),
            Kind::Http | Kind::Git | Kind::Hg => None,
        })
    }

    fn key(&self) -> &str {
        match self {
            Self::S3(store) => &store.key,
            Self::Gcs(store) => &store.key,
        }
    }

    fn address(&self, key: &str) -> String {
        match self {
            Self::S3(store) => store.object(key),
            Self::Gcs(store) => store.object(key),
        }
    }

    /// What is sent along: a signature is in the address, a token is not.
    fn headers(&self, request: &Request) -> Result<HeaderMap, FetchError> {
        let mut headers = http::headers(request)?;
        if let Self::Gcs(Gcs {
            token: Some(token), ..
        }) = self
        {
            let value = format!("Bearer {token}")
                .parse()
                .map_err(|_| FetchError::Source("the token for it cannot be sent".into()))?;
            headers.insert("authorization", value);
        }
        Ok(headers)
    }

    /// Downloads the object that the source names into a new file.
    pub(crate) async fn download(
        &self,
        client: &reqwest::Client,
        request: &Request,
        into: &Path,
    ) -> Result<(), FetchError> {
        self.one(
            client,
            request,
            self.key(),
            into,
            request.limits.download_bytes,
        )
        .await
    }

    async fn one(
        &self,
        client: &reqwest::Client,
        request: &Request,
        key: &str,
        into: &Path,
        most: u64,
    ) -> Result<(), FetchError> {
        let headers = self.headers(request)?;
        http::download(client, &self.address(key), headers, into, most).await
    }

    /// Downloads everything below the name that the source gives into a new directory; whether there was anything.
    pub(crate) async fn download_below(
        &self,
        client: &reqwest::Client,
        request: &Request,
        into: &Path,
    ) -> Result<bool, FetchError> {
        let prefix = format!("{}/", self.key().trim_end_matches('/'));
        let (mut page, mut files, mut left) = (Page::First, 0, request.limits.download_bytes);
        loop {
            let listing = self.list(client, request, &prefix, &page).await?;
            // Some stores keep directories as objects of their own, which are empty.
            let keys = listing.keys.iter().filter(|key| !key.ends_with('/'));
            for key in keys {
                files += 1;
                if files > request.limits.unpacked_files {
                    return Err(FetchError::TooMuch(format!(
                        "there are more than decompression_file_count_limit objects ({})",
                        request.limits.unpacked_files
                    )));
                }
                let file = into.join(below(key, &prefix)?);
                let parent = file.parent().unwrap_or(into);
                fs::create_dir_all(parent).map_err(FetchError::io("making directories"))?;
                self.one(client, request, key, &file, left).await?;
                let size = fs::metadata(&file).map_err(FetchError::io("looking at the file"))?;
                left = left.saturating_sub(size.len());
            }
            match listing.next {
                Some(next) => page = next,
                None => return Ok(files > 0),
            }
        }
    }

    async fn list(
        &self,
        client: &reqwest::Client,
        request: &Request,
        prefix: &str,
        page: &Page,
    ) -> Result<Listing, FetchError> {
        /// A page has a thousand keys of at most a kilobyte, and some words about each.
        const MOST: usize = 8 << 20;
        let headers = self.headers(request)?;
        match self {
            Self::S3(store) => {
                let text = http::text(client, &store.listing(prefix, page), headers, MOST).await?;
                S3::read_listing(&text)
            }
            Self::Gcs(store) => {
                let text = http::text(client, &store.listing(prefix, page), headers, MOST).await?;
                Gcs::read_listing(&text)
            }
        }
    }
}

/// Whether a name that is no object may be that of a directory.
pub(crate) fn may_be_directory(request: &Request, error: &FetchError) -> bool {
    // Who may not list is not told what is missing, and is refused.
    request.mode == Mode::Any
        && matches!(
            error,
            FetchError::Status {
                code: 403 | 404,
                ..
            }
        )
}

/// The path of an object below the directory, of plain names only.
fn below<'a>(key: &'a str, prefix: &str) -> Result<&'a str, FetchError> {
    let rest = key.strip_prefix(prefix).unwrap_or(key);
    let plain =
        |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0');
    if rest.split('/').all(plain) {
        Ok(rest)
    } else {
        Err(FetchError::Escapes(format!(
            "the object {key:?}, whose name"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_become_files() {
        assert_eq!(below("d/a/b", "d/").unwrap(), "a/b");
        for bad in ["d/../x", "d/a//b", "d//x", "d/./x", "d/.."] {
            assert!(below(bad, "d/").is_err(), "{bad}");
        }
    }
}
