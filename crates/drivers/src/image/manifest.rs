//! What registries and archives say of an image.

use serde::Deserialize;

use super::ImageError;

/// What is asked for, in this order.
pub(super) const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// A manifest, or a list of them for several platforms.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Manifest {
    pub(super) config: Option<Descriptor>,
    pub(super) layers: Vec<Descriptor>,
    pub(super) manifests: Vec<Descriptor>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) digest: String,
    pub(super) size: u64,
    pub(super) platform: Option<Platform>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Platform {
    architecture: String,
    os: String,
}

/// This machine, as images call it.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

impl Manifest {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ImageError> {
        serde_json::from_slice(bytes)
            .map_err(|error| ImageError::Damaged(format!("manifest: {error}")))
    }

    /// Of a list, the one for this machine; one that names no platform is for all.
    pub(super) fn ours(&self) -> Result<Option<&Descriptor>, ImageError> {
        if self.manifests.is_empty() {
            return Ok(None);
        }
        let fits = |one: &&Descriptor| {
            one.platform.as_ref().is_none_or(|platform| {
                platform.os == "linux" && platform.architecture == architecture()
            })
        };
        let ours = self.manifests.iter().find(fits);
        ours.map(Some).ok_or(ImageError::Platform(architecture()))
    }

    pub(super) fn config(&self) -> Result<&Descriptor, ImageError> {
        self.config
            .as_ref()
            .ok_or_else(|| ImageError::Damaged("the manifest names no configuration".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variant_for_this_machine_is_taken() {
        let of = |arch: &str| {
            format!(
                "{{\"digest\":\"{arch}\",\"platform\":{{\"os\":\"linux\",\"architecture\":\"{arch}\"}}}}"
            )
        };
        let list = |all: &[&str]| {
            let all: Vec<String> = all.iter().map(|arch| of(arch)).collect();
            Manifest::read(format!("{{\"manifests\":[{}]}}", all.join(",")).as_bytes())
                .expect("read")
        };
        let found = list(&["vax", architecture()]);
        assert_eq!(
            found.ours().expect("there").expect("a list").digest,
            architecture()
        );
        assert!(matches!(
            list(&["vax"]).ours(),
            Err(ImageError::Platform(_))
        ));
        let one = Manifest::read(br#"{"config":{"digest":"x"},"layers":[]}"#).expect("read");
        assert!(one.ours().expect("fine").is_none() && one.config().is_ok());
        assert!(Manifest::read(b"nope").is_err());
    }
}
