//! Which files `-config` names, and their contents applied in order.

use std::path::{Path, PathBuf};

use super::ConfigError;
use super::setting::{Context, Origin, Problem, apply_entries};
use super::settings::Settings;
use super::syntax::{parse_hcl, parse_json};

/// A configuration file larger than this is a mistake (a binary, a log), not a configuration.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The files behind the given paths: a folder stands for its `*.hcl` and `*.json`, in the order of names.
pub(super) fn find_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, ConfigError> {
    let mut files = Vec::new();
    for path in paths {
        let failed = |error| ConfigError::Unreadable {
            path: path.clone(),
            error,
        };
        if !std::fs::metadata(path).map_err(failed)?.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let file = entry.map_err(failed)?.path();
            if is_configuration(&file) && file.is_file() {
                inside.push(file);
            }
        }
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

/// By its name: not an editor's temporary or backup file.
fn is_configuration(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    let temporary = name.ends_with('~')
        || name.starts_with(".#")
        || (name.starts_with('#') && name.ends_with('#'));
    !temporary && (name.ends_with(".hcl") || name.ends_with(".json"))
}

/// Reads one file and applies it. Its warnings come back; any problem is an error with all of them.
pub(super) fn apply_file(
    settings: &mut Settings,
    path: &Path,
) -> Result<Vec<Problem>, ConfigError> {
    let text = read(path)?;
    apply_text(settings, path, &text)
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let failed = |error| ConfigError::Unreadable {
        path: path.to_owned(),
        error,
    };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > MAX_FILE_BYTES {
        return Err(failed(std::io::Error::other(format!(
            "{size} bytes are more than the {MAX_FILE_BYTES} that a configuration may have"
        ))));
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// Applies the text of a file. JSON is told by the name or by a leading brace.
pub(super) fn apply_text(
    settings: &mut Settings,
    path: &Path,
    text: &str,
) -> Result<Vec<Problem>, ConfigError> {
    let json = path
        .extension()
        .is_some_and(|extension| extension == "json")
        || text.trim_start().starts_with('{');
    let mut cx = Context::new(Origin::File(path.to_owned()));
    match if json {
        parse_json(text)
    } else {
        parse_hcl(text)
    } {
        Ok(entries) => apply_entries(settings, &entries, &mut cx),
        Err(error) => cx.problem(error.pos, error.message),
    }
    if cx.problems.is_empty() {
        Ok(cx.warnings)
    } else {
        Err(ConfigError::Refused {
            path: path.to_owned(),
            problems: cx.problems,
        })
    }
}
