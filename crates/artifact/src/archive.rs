//! Which archive a name stands for.

/// How a stream of bytes is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip,
    Bzip2,
    Xz,
    Zstd,
}

/// What is to be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Archive {
    /// Files, perhaps packed as a whole.
    Tar(Option<Packing>),
    Zip,
    /// One packed file.
    Single(Packing),
}

const ENDS: [(&str, Archive); 15] = [
    ("tar.gz", Archive::Tar(Some(Packing::Gzip))),
    ("tgz", Archive::Tar(Some(Packing::Gzip))),
    ("tar.bz2", Archive::Tar(Some(Packing::Bzip2))),
    ("tbz2", Archive::Tar(Some(Packing::Bzip2))),
    ("tar.xz", Archive::Tar(Some(Packing::Xz))),
    ("txz", Archive::Tar(Some(Packing::Xz))),
    ("tar.zst", Archive::Tar(Some(Packing::Zstd))),
    ("tzst", Archive::Tar(Some(Packing::Zstd))),
    ("tar", Archive::Tar(None)),
    ("zip", Archive::Zip),
    ("gz", Archive::Single(Packing::Gzip)),
    ("bz2", Archive::Single(Packing::Bzip2)),
    ("xz", Archive::Single(Packing::Xz)),
    ("zst", Archive::Single(Packing::Zstd)),
    ("zstd", Archive::Single(Packing::Zstd)),
];

impl Archive {
    /// The archive of a file's name, and the name without its end.
    pub(crate) fn of_name(name: &str) -> Option<(Self, &str)> {
        ENDS.iter().find_map(|(end, archive)| {
            let stem = name.strip_suffix(end)?.strip_suffix('.')?;
            Some((*archive, stem))
        })
    }

    /// The archive that an `archive` option names; `None` for `false` and the like.
    pub(crate) fn of_option(text: &str) -> Result<Option<Self>, String> {
        if matches!(text, "false" | "0" | "f" | "no") {
            return Ok(None);
        }
        let found = ENDS.iter().find(|(end, _)| *end == text);
        found
            .map(|(_, archive)| Some(*archive))
            .ok_or_else(|| format!("unknown archive type {text:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(
            Archive::of_name("a.b.tar.gz"),
            Some((Archive::Tar(Some(Packing::Gzip)), "a.b"))
        );
        assert_eq!(
            Archive::of_name("a.gz"),
            Some((Archive::Single(Packing::Gzip), "a"))
        );
        assert_eq!(Archive::of_name("zip"), None);
        assert_eq!(Archive::of_name("a.txt"), None);
        assert_eq!(Archive::of_option("false"), Ok(None));
        assert_eq!(
            Archive::of_option("tgz"),
            Ok(Some(Archive::Tar(Some(Packing::Gzip))))
        );
        assert!(Archive::of_option("rar").is_err());
    }
}
