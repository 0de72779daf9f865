//! The log file: begun anew when it is large or old enough; old ones are kept as many as configured.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::config::Settings;

/// The name of the file in a folder.
const NAME: &str = "nomad.log";

/// A file that lines are added to.
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
    begun: Instant,
    /// 0: it may grow without end.
    max_bytes: u64,
    max_age: Duration,
    /// Old files to keep; 0: all, negative: none.
    max_files: i64,
}

impl LogFile {
    pub(super) fn open(settings: &Settings) -> Result<Self, String> {
        let given = &settings.log_file;
        let folder = given.is_dir() || given.as_os_str().as_encoded_bytes().ends_with(b"/");
        let path = if folder {
            given.join(NAME)
        } else {
            given.clone()
        };
        let failed = |error: std::io::Error| {
            format!(
                "Error starting agent: the log file {} cannot be written: {error}",
                path.display()
            )
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let file = append(&path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        Ok(Self {
            file,
            size,
            begun: Instant::now(),
            max_bytes: settings.log_rotate_bytes,
            max_age: settings.log_rotate_duration,
            max_files: settings.log_rotate_max_files,
            path,
        })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line. What cannot be written is lost: there is no place left to say so.
    pub(super) fn write(&mut self, line: &str) {
        let full = self.max_bytes > 0 && self.size >= self.max_bytes;
        let old = !self.max_age.is_zero() && self.begun.elapsed() >= self.max_age;
        if full || old {
            let _ = self.rotate();
        }
        if writeln!(self.file, "{line}").is_ok() {
            self.size += line.len() as u64 + 1;
        }
    }

    fn rotate(&mut self) -> std::io::Result<()> {
        self.begun = Instant::now();
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let (stem, extension) = parts(&self.path);
        let name = format!("{stem}-{}{extension}", since.as_nanos());
        std::fs::rename(&self.path, self.path.with_file_name(name))?;
        self.file = append(&self.path)?;
        self.size = 0;
        self.prune()
    }

    fn prune(&self) -> std::io::Result<()> {
        let keep = match self.max_files {
            0 => return Ok(()),
            count => usize::try_from(count).unwrap_or(0),
        };
        let (stem, extension) = parts(&self.path);
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut old: Vec<PathBuf> = std::fs::read_dir(folder)?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                let name = path.file_name().and_then(|name| name.to_str());
                name.and_then(|name| {
                    name.strip_prefix(&stem)?
                        .strip_prefix('-')?
                        .strip_suffix(&extension)
                })
                .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
            })
            .collect();
        old.sort();
        old.truncate(old.len().saturating_sub(keep));
        old.into_iter().try_for_each(std::fs::remove_file)
    }
}

fn append(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Name and extension (with its dot) of a file.
fn parts(path: &Path) -> (String, String) {
    let text = |part: Option<&std::ffi::OsStr>| {
        part.map(|part| part.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let extension = text(path.extension());
    let extension = if extension.is_empty() {
        extension
    } else {
        format!(".{extension}")
    };
    (text(path.file_stem()), extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_bounded_in_size_and_number() {
        let dir = tempfile::tempdir().expect("a folder");
        let settings = Settings {
            log_file: dir.path().to_owned(),
            log_rotate_bytes: 10,
            log_rotate_max_files: 2,
            ..Settings::default()
        };
        let mut log = LogFile::open(&settings).expect("opened");
        for number in 0..6 {
            log.write(&format!("a long line, the {number}."));
        }
        let mut names: Vec<String> = std::fs::read_dir(dir.path())
            .expect("listed")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        assert_eq!(names.len(), 3, "{names:?}");
        let current = std::fs::read_to_string(dir.path().join(NAME)).expect("read");
        assert_eq!(current, "a long line, the 5.\n");
    }
}
