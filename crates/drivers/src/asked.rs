//! What a program says of itself, asked once and again only when it was replaced: starting a Java machine every
//! half minute would cost more than the agent itself.

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
        let path = path.canonicalize().ok()?;
        let meta = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some(Self {
            path,
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

#[cfg(test)]
mod tests {
    use super::*;

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
