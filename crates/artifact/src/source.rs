//! Reads the texts that name sources: which protocol, what of it, and the options in it.

use std::collections::BTreeMap;

use url::Url;

use crate::FetchError;

/// Where something is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Source {
    pub(crate) kind: Kind,
    /// As the protocol wants it, without the options that are for us.
    pub(crate) url: String,
    /// Only this directory of it.
    pub(crate) below: Option<String>,
    pub(crate) options: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Http,
    Git,
    Hg,
    S3,
    Gcs,
}

/// Options that never travel to the other side.
const OURS: [&str; 4] = ["archive", "checksum", "filename", "depth"];
const GIT: [&str; 3] = ["ref", "sshkey", "depth"];
const S3: [&str; 6] = [
    "aws_access_key_id",
    "aws_access_key_secret",
    "aws_access_token",
    "region",
    "version",
    "aws_profile",
];

impl Source {
    /// Reads a source; `options` win over those in the text.
    pub(crate) fn parse(
        text: &str,
        options: &BTreeMap<String, String>,
    ) -> Result<Self, FetchError> {
        let text = text.trim();
        let refused = |why: &str| FetchError::Source(format!("{why}: {text:?}"));
        if text.is_empty() {
            return Err(refused("the source is empty"));
        }
        let (forced, rest) = match text.split_once("::") {
            Some((name, rest)) if name.chars().all(|c| c.is_ascii_alphanumeric()) => {
                (Some(name), rest)
            }
            _ => (None, text),
        };
        let (rest, below) = split_below(rest);
        let (guessed, url) = detect(&rest)?;
        let kind = match forced {
            None => guessed,
            Some("git") => Kind::Git,
            Some("hg") => Kind::Hg,
            Some("s3") => Kind::S3,
            Some("gcs") => Kind::Gcs,
            Some("http" | "https") => Kind::Http,
            Some(_) => return Err(refused("download not supported for scheme")),
        };
        let mut url = Url::parse(&url).map_err(|error| refused(&error.to_string()))?;
        let allowed = match kind {
            Kind::Http | Kind::S3 | Kind::Gcs => matches!(url.scheme(), "http" | "https"),
            Kind::Git => matches!(url.scheme(), "http" | "https" | "ssh" | "git" | "file"),
            Kind::Hg => matches!(url.scheme(), "http" | "https" | "ssh" | "file"),
        };
        if !allowed {
            return Err(refused("download not supported for scheme"));
        }
        let options = take_options(&mut url, kind, options);
        Ok(Self {
            kind,
            url: url.into(),
            below,
            options,
        })
    }

    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        self.options
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The last part of the path.
    pub(crate) fn file_name(&self) -> String {
        if let Some(name) = self.option("filename") {
            return name.to_owned();
        }
        let path = Url::parse(&self.url)
            .map(|url| url.path().to_owned())
            .unwrap_or_default();
        let last = path
            .rsplit('/')
            .find(|part| !part.is_empty())
            .unwrap_or("artifact");
        decoded(last)
    }
}

/// A part of a path without its percent signs.
pub(crate) fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

/// `…//below?query`: the part after the double slash that is no protocol's.
fn split_below(text: &str) -> (String, Option<String>) {
    let (path, query) = match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    };
    let start = path.find("://").map_or(0, |at| at + 3);
    let Some(at) = path[start..].find("//").map(|at| start + at) else {
        return (text.to_owned(), None);
    };
    let below = path[at + 2..].trim_matches('/').to_owned();
    let mut rest = path[..at].to_owned();
    if let Some(query) = query {
        rest.push('?');
        rest.push_str(query);
    }
    (rest, (!below.is_empty()).then_some(below))
}

/// The protocol that an address without one means.
fn detect(text: &str) -> Result<(Kind, String), FetchError> {
    if let Some((scheme, _)) = text.split_once("://") {
        let kind = match scheme {
            "git" | "ssh" => Kind::Git,
            "s3" => Kind::S3,
            "gcs" => Kind::Gcs,
            _ => Kind::Http,
        };
        return Ok((kind, text.to_owned()));
    }
    if let Some((user, path)) = text
        .split_once(':')
        .filter(|(user, _)| user.contains('@') && !user.contains('/'))
    {
        return Ok((
            Kind::Git,
            format!("ssh://{user}/{}", path.trim_start_matches('/')),
        ));
    }
    for host in ["github.com/", "gitlab.com/", "bitbucket.org/"] {
        if let Some(path) = text.strip_prefix(host) {
            return repository(host, path);
        }
    }
    if text.starts_with("s3.amazonaws.com/") || text.contains(".s3.amazonaws.com/") {
        return Ok((Kind::S3, format!("https://{text}")));
    }
    if let Some(path) = text.strip_prefix("www.googleapis.com/") {
        return Ok((Kind::Gcs, format!("https://www.googleapis.com/{path}")));
    }
    Err(FetchError::Source(format!(
        "relative paths require a module with a pwd, and files of the host are not fetched: {text:?}"
    )))
}

fn repository(host: &str, path: &str) -> Result<(Kind, String), FetchError> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let [owner, name, ..] = parts.as_slice() else {
        return Err(FetchError::Source(format!(
            "{host}{path} is no repository: expected {host}<owner>/<name>"
        )));
    };
    let name = name.trim_end_matches(".git");
    let mut url = format!("https://{host}{owner}/{name}.git");
    if !query.is_empty() {
        url.push('?');
        url.push_str(query);
    }
    Ok((Kind::Git, url))
}

/// Takes what is meant for us out of the query.
fn take_options(
    url: &mut Url,
    kind: Kind,
    given: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let is_ours = |name: &str| {
        let own: &[&str] = match kind {
            Kind::Git => &GIT,
            Kind::Hg => &["rev"],
            Kind::S3 => &S3,
            Kind::Http | Kind::Gcs => &[],
        };
        OURS.contains(&name) || own.contains(&name)
    };
    let all: Vec<(String, String)> = url
        .query_pairs()
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    let (mut ours, mut theirs): (BTreeMap<_, _>, Vec<_>) = (BTreeMap::new(), Vec::new());
    for (key, value) in all {
        if given.contains_key(&key) {
            continue;
        }
        if is_ours(&key) {
            ours.insert(key, value);
        } else {
            theirs.push((key, value));
        }
    }
    for (key, value) in given {
        if is_ours(key) {
            ours.insert(key.clone(), value.clone());
        } else {
            theirs.push((key.clone(), value.clone()));
        }
    }
    // An untouched query stays as it was written.
    if theirs.is_empty() {
        url.set_query(None);
    } else if !ours.is_empty() || !given.is_empty() {
        url.query_pairs_mut().clear().extend_pairs(theirs);
    }
    ours
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Source {
        Source::parse(text, &BTreeMap::new()).unwrap()
    }

    #[test]
    fn protocols_are_told_apart() {
        for (text, kind, url) in [
            (
                "https://e.com/a.tar.gz",
                Kind::Http,
                "https://e.com/a.tar.gz",
            ),
            ("git::https://e.com/r.git", Kind::Git, "https://e.com/r.git"),
            ("git::ssh://git@e.com/o/r", Kind::Git, "ssh://git@e.com/o/r"),
            (
                "git@github.com:o/r.git",
                Kind::Git,
                "ssh://git@github.com/o/r.git",
            ),
            ("github.com/o/r", Kind::Git, "https://github.com/o/r.git"),
            ("git::file:///srv/r", Kind::Git, "file:///srv/r"),
            ("hg::http://e.com/r", Kind::Hg, "http://e.com/r"),
            (
                "s3::https://s3.amazonaws.com/b/k",
                Kind::S3,
                "https://s3.amazonaws.com/b/k",
            ),
            (
                "s3.amazonaws.com/b/k",
                Kind::S3,
                "https://s3.amazonaws.com/b/k",
            ),
            (
                "gcs::https://www.googleapis.com/storage/v1/b/k",
                Kind::Gcs,
                "https://www.googleapis.com/storage/v1/b/k",
            ),
        ] {
            let found = parse(text);
            assert_eq!((found.kind, &*found.url), (kind, url), "{text}");
        }
    }

    #[test]
    fn files_of_the_host_and_unknown_protocols_are_refused() {
        for text in [
            "",
            "/etc/passwd",
            "./x",
            "file:///etc/passwd",
            "git::ext::sh",
            "ext::sh -c id",
            "ftp://e.com/x",
        ] {
            assert!(Source::parse(text, &BTreeMap::new()).is_err(), "{text}");
        }
    }

    #[test]
    fn options_are_taken_out_of_the_query() {
        let found = parse("https://e.com/a.zip?checksum=md5:00&token=a%20b&archive=false");
        assert_eq!(found.url, "https://e.com/a.zip?token=a+b");
        assert_eq!(found.option("checksum"), Some("md5:00"));
        assert_eq!(found.option("archive"), Some("false"));
        let given = BTreeMap::from([
            ("checksum".to_owned(), "sha1:11".to_owned()),
            ("v".to_owned(), "2".to_owned()),
        ]);
        let found = Source::parse("https://e.com/a.zip?checksum=md5:00", &given).unwrap();
        assert_eq!(found.url, "https://e.com/a.zip?v=2");
        assert_eq!(found.option("checksum"), Some("sha1:11"));
        assert_eq!(
            parse("https://e.com/a?sig=a+b%2F").url,
            "https://e.com/a?sig=a+b%2F"
        );
    }

    #[test]
    fn a_part_of_it_can_be_named() {
        let found = parse("git::https://e.com/r.git//docs/x?ref=v1");
        assert_eq!(
            (&*found.url, found.below.as_deref()),
            ("https://e.com/r.git", Some("docs/x"))
        );
        assert_eq!(found.option("ref"), Some("v1"));
        assert_eq!(parse("https://e.com/a.tar//").below, None);
    }

    #[test]
    fn names_of_files() {
        assert_eq!(
            parse("https://e.com/d/a%20b.txt?x=1").file_name(),
            "a b.txt"
        );
        assert_eq!(parse("https://e.com/?filename=f").file_name(), "f");
        assert_eq!(parse("https://e.com/").file_name(), "artifact");
    }
}
