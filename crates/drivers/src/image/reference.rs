//! What `image = "…"` names.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::ImageError;

const HUB: &str = "registry-1.docker.io";

/// Where an image comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// An archive that came with the task.
    Archive {
        file: File,
        /// Tells this file from others, and from an earlier one of its name.
        mark: String,
    },
    Registry(Reference),
}

/// An image of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) host: String,
    pub(crate) repository: String,
    /// A tag, or a digest.
    pub(crate) version: String,
}

impl Source {
    /// Archives are files below the task's directory whose names end like those of archives.
    pub(crate) fn find(image: &str, task_dir: &Path) -> Result<Self, ImageError> {
        let plain = image
            .strip_prefix("docker-archive:")
            .or_else(|| image.strip_prefix("oci-archive:"));
        let ends = [".tar", ".tar.gz", ".tgz"]
            .iter()
            .any(|end| image.ends_with(end));
        if plain.is_none() && !ends {
            return Reference::parse(image).map(Self::Registry);
        }
        let path = Path::new(plain.unwrap_or(image));
        // A link that the task's files hold leads nowhere but into its directory.
        let file = caravan_host::tree::open(task_dir, path).map_err(ImageError::at(path))?;
        let meta = file.metadata().map_err(ImageError::at(path))?;
        if !meta.is_file() {
            return Err(ImageError::Name(image.into()));
        }
        let mark = format!(
            "{}:{}:{}:{}",
            meta.dev(),
            meta.ino(),
            meta.len(),
            meta.mtime_nsec() ^ meta.mtime()
        );
        Ok(Self::Archive { file, mark })
    }

    /// Equal names mean the same image, as long as it does not change in its registry.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Archive { mark, .. } => mark.clone(),
            Self::Registry(Reference {
                host,
                repository,
                version,
            }) => format!("{host}/{repository}@{version}"),
        }
    }

    /// `latest` is looked up each time.
    pub(super) fn is_steady(&self) -> bool {
        !matches!(self, Self::Registry(reference) if reference.version == "latest")
    }
}

impl Reference {
    pub(super) fn parse(image: &str) -> Result<Self, ImageError> {
        let image = image.strip_prefix("https://").unwrap_or(image);
        let (host, rest) = match image.split_once('/') {
            Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest),
            _ => ("docker.io", image),
        };
        let (repository, version) = match (rest.split_once('@'), rest.rsplit_once(':')) {
            // A tag beside a digest says nothing more.
            (Some((name, digest)), _) => (name.split(':').next().unwrap_or(name), digest),
            (None, Some((name, tag))) => (name, tag),
            (None, None) => (rest, "latest"),
        };
        let word = |text: &str, also: &str| {
            !text.is_empty()
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || also.contains(c))
        };
        let parts_fine = repository
            .split('/')
            .all(|part| word(part, "._-") && !part.starts_with('.'));
        if !(parts_fine && word(version, "._-:") && word(host, ".-:[]")) {
            return Err(ImageError::Name(image.into()));
        }
        let hub = matches!(host, "docker.io" | "index.docker.io");
        let repository = match hub && !repository.contains('/') {
            true => format!("library/{repository}"),
            false => repository.to_owned(),
        };
        Ok(Self {
            host: if hub { HUB } else { host }.to_owned(),
            repository,
            version: version.to_owned(),
        })
    }

    /// Registries on this machine are asked without a certificate, as engines do.
    pub(super) fn base(&self, insecure: &[String]) -> String {
        let name = match self.host.rsplit_once(':') {
            Some((name, port)) if port.parse::<u16>().is_ok() => name,
            _ => &self.host,
        };
        let here = name == "localhost" || name == "[::1]" || name.starts_with("127.");
        let plain = here || insecure.contains(&self.host);
        let scheme = if plain { "http" } else { "https" };
        format!("{scheme}://{}/v2/{}", self.host, self.repository)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_everywhere() {
        let read = |image: &str| {
            let found = Reference::parse(image).expect(image);
            format!("{} {} {}", found.host, found.repository, found.version)
        };
        assert_eq!(read("redis"), "registry-1.docker.io library/redis latest");
        assert_eq!(
            read("bitnami/redis:7"),
            "registry-1.docker.io bitnami/redis 7"
        );
        assert_eq!(read("localhost:5000/a/b:v1"), "localhost:5000 a/b v1");
        assert_eq!(read("quay.io/a@sha256:00"), "quay.io a sha256:00");
        assert_eq!(read("https://quay.io/a:1@sha256:00"), "quay.io a sha256:00");
        for bad in [
            "",
            "a/../b",
            "a b",
            "host.io/",
            "host.io/a:",
            "host.io/.a",
            "a?b:1",
            "host.io/a/../../x:1",
        ] {
            assert!(Reference::parse(bad).is_err(), "{bad}");
        }
        let base =
            |image: &str, insecure: &[String]| Reference::parse(image).expect(image).base(insecure);
        assert_eq!(
            base("127.0.0.1:5000/a:1", &[]),
            "http://127.0.0.1:5000/v2/a"
        );
        assert_eq!(base("quay.io/a:1", &[]), "https://quay.io/v2/a");
        assert_eq!(
            base("mine.lan:80/a:1", &["mine.lan:80".into()]),
            "http://mine.lan:80/v2/a"
        );
    }
}
