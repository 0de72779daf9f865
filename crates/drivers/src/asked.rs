//! What a program says of itself, asked once and again only when it was replaced, and which programs there are, listed
//! again only when a directory changed: starting a Java machine every half minute would cost more than the agent itself.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::process::Command;

const PATIENCE: Duration = Duration::from_secs(30);

/// A file as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Program {
    path: PathBuf,
    modified: Option<SystemTime>,
    length: u64,
}

impl Program {
    /// The first of this name on the agent's `PATH`.
    fn find(name: &str) -> Option<Self> {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find_map(|dir| Self::at(&dir.join(name)))
    }

    fn at(path: &Path) -> Option<Self> {
        // First, for most directories do not have it.
        let meta = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some(Self {
            path: path.canonicalize().ok()?,
            modified: meta.modified().ok(),
            length: meta.len(),
        })
    }
}

/// The answer of one program.
#[derive(Debug, Default)]
pub(crate) struct Asked(Mutex<Option<(Program, String)>>);

impl Asked {
    /// What `name argument` prints, its errors first; `None` without such a program or answer.
    pub(crate) async fn output(&self, name: &str, argument: &str) -> Option<String> {
        let program = Program::find(name)?;
        let known = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.clone().filter(|(of, _)| *of == program)
        };
        if let Some((_, text)) = known {
            return Some(text);
        }
        // By name: what it is called may tell it what to be.
        let asked = Command::new(name).arg(argument).kill_on_drop(true).output();
        let output = tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()?;
        let both = [output.stderr, output.stdout].concat();
        let text = String::from_utf8_lossy(&both).into_owned();
        if output.status.success() {
            let answer = Some((program, text.clone()));
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = answer;
        }
        Some(text)
    }
}

/// A directory as it was when it was listed; what is not there has no time.
type Listed = (PathBuf, Option<SystemTime>);

/// The programs on the agent's `PATH` whose names begin alike.
#[derive(Debug, Default)]
pub(crate) struct Listing(Mutex<(Vec<Listed>, Vec<String>)>);

impl Listing {
    /// Their names, each once, sorted.
    pub(crate) fn names(&self, beginning: &str) -> Vec<String> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        self.names_in(std::env::split_paths(&path), beginning)
    }

    fn names_in(&self, dirs: impl Iterator<Item = PathBuf>, beginning: &str) -> Vec<String> {
        let modified = |dir: &PathBuf| dir.metadata().ok()?.modified().ok();
        let mut dirs: Vec<Listed> = dirs.map(|dir| (dir.clone(), modified(&dir))).collect();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != dirs {
            let listed = dirs.iter().filter_map(|(dir, _)| dir.read_dir().ok());
            let mut names: Vec<String> = listed
                .flat_map(Iterator::flatten)
                .filter_map(|entry| entry.file_name().into_string().ok())
                .filter(|name| name.starts_with(beginning))
                .collect();
            names.sort();
            names.dedup();
            // What changes within the same tick of the disk's clock would not be seen.
            let fresh =
                |time: SystemTime| time.elapsed().is_ok_and(|age| age < Duration::from_secs(1));
            if dirs.iter().any(|(_, time)| time.is_some_and(fresh)) {
                dirs.clear();
            }
            *known = (dirs, names);
        }
        known.1.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_listed_again_when_a_directory_changed() {
        let (dir, gone) = (tempfile::tempdir().expect("dir"), PathBuf::from("/gone"));
        let touch = |name: &str| std::fs::write(dir.path().join(name), "").expect("written");
        let listing = Listing::default();
        let names = || {
            let dirs = [dir.path().to_owned(), gone.clone(), dir.path().to_owned()];
            listing.names_in(dirs.into_iter(), "qemu-")
        };
        touch("qemu-b");
        touch("other");
        assert_eq!(names(), ["qemu-b"]);
        touch("qemu-a");
        assert_eq!(names(), ["qemu-a", "qemu-b"]);
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let handle = std::fs::File::open(dir.path()).expect("opened");
        handle.set_modified(long_ago).expect("set");
        assert_eq!(names(), ["qemu-a", "qemu-b"]);
        touch("qemu-c");
        handle.set_modified(long_ago).expect("set");
        assert_eq!(
            names(),
            ["qemu-a", "qemu-b"],
            "nothing changed that is seen"
        );
        touch("qemu-d");
        assert_eq!(names(), ["qemu-a", "qemu-b", "qemu-c", "qemu-d"]);
    }

    #[tokio::test]
    async fn a_program_is_asked_once() {
        let asked = Asked::default();
        let first = asked.output("sh", "--version-of-nothing").await;
        assert!(first.is_some_and(|text| !text.is_empty()));
        assert!(
            asked.0.lock().expect("held").is_none(),
            "a failure is no answer"
        );
        assert_eq!(asked.output("true", "").await.as_deref(), Some(""));
        assert!(asked.0.lock().expect("held").is_some());
        assert_eq!(asked.output("no-such-program-here", "").await, None);
    }
}
