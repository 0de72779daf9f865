//! `cargo xtask docs`: what the documentation says can be followed. Links and paths exist, `cargo xtask`
//! commands are real, and every `nomad` command and flag in a console block is known to the binary.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::{tidy, workspace};

const XTASKS: [&str; 5] = ["demo", "test", "tidy", "docs", "bench"];

/// A command line in a document.
#[derive(Debug, PartialEq)]
struct Shown {
    line: usize,
    words: Vec<String>,
}

pub(crate) fn run(_: &[String]) -> Result<bool> {
    let files = workspace::files()?;
    let mut found = tidy::missing_paths(&files)?;
    let binary = build()?;
    let mut helps = BTreeMap::new();
    for path in files
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
    {
        for shown in commands(&workspace::read(path)?) {
            for message in wrong(&shown, &binary, &mut helps)? {
                found.push(tidy::violation(path, shown.line, message));
            }
        }
    }
    for one in &found {
        println!("{one}");
    }
    println!(
        "docs: {}",
        if found.is_empty() {
            "links and commands hold".to_owned()
        } else {
            format!("{} mistakes", found.len())
        }
    );
    Ok(found.is_empty())
}

fn build() -> Result<PathBuf> {
    let status = workspace::cargo()
        .args(["build", "--package", "caravan-nomad"])
        .status()
        .context("running cargo")?;
    if !status.success() {
        bail!("the binary cannot be built");
    }
    Ok(workspace::metadata()?.target_directory.join("debug/nomad"))
}

/// The commands after `$` in ```console blocks; a `#` word starts a comment.
fn commands(text: &str) -> Vec<Shown> {
    let mut console = false;
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        if let Some(language) = trimmed.strip_prefix("```") {
            console = !console && language.trim() == "console";
            continue;
        }
        if let Some(command) = trimmed.strip_prefix("$ ").filter(|_| console) {
            let words = command
                .split_whitespace()
                .take_while(|word| !word.starts_with('#') && *word != "|");
            found.push(Shown {
                line: index + 1,
                words: words.map(String::from).collect(),
            });
        }
    }
    found
}

fn wrong(
    shown: &Shown,
    binary: &Path,
    helps: &mut BTreeMap<String, Option<String>>,
) -> Result<Vec<String>> {
    let mut words = shown
        .words
        .iter()
        .map(String::as_str)
        .skip_while(|word| *word == "sudo" || word.contains('='));
    let program = words.next().unwrap_or_default();
    let rest: Vec<&str> = words.collect();
    if program == "cargo" && rest.first() == Some(&"xtask") {
        let known = rest.get(1).is_some_and(|name| XTASKS.contains(name));
        let unknown = (!known).then(|| format!("`{}` is no xtask", shown.words.join(" ")));
        return Ok(unknown.into_iter().collect());
    }
    if program.rsplit('/').next() != Some("nomad") {
        return Ok(Vec::new());
    }
    let is_name = |word: &&&str| {
        !word.starts_with('-') && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
    };
    let names: Vec<&str> = rest.iter().take_while(is_name).copied().collect();
    for length in (1..=names.len()).rev() {
        let name = names[..length].join(" ");
        if let Some(help) = help_of(&name, binary, helps)? {
            return Ok(unknown_flags(&name, &rest, &help));
        }
    }
    let only_flags = rest.iter().all(|word| word.starts_with('-'));
    let unknown = (!only_flags).then(|| format!("`nomad {}` is no command", rest.join(" ")));
    Ok(unknown.into_iter().collect())
}

fn unknown_flags(name: &str, words: &[&str], help: &str) -> Vec<String> {
    let flags = words
        .iter()
        .filter(|word| word.starts_with('-') && word.len() > 1)
        .map(|word| word.trim_start_matches('-'))
        .map(|flag| flag.split_once('=').map_or(flag, |(name, _)| name));
    flags
        .filter(|flag| !help.contains(&format!("-{flag}")))
        .map(|flag| format!("`nomad {name}` has no flag -{flag}"))
        .collect()
}

fn help_of(
    name: &str,
    binary: &Path,
    helps: &mut BTreeMap<String, Option<String>>,
) -> Result<Option<String>> {
    if let Some(help) = helps.get(name) {
        return Ok(help.clone());
    }
    let output = Command::new(binary)
        .args(name.split(' '))
        .arg("-help")
        .stdin(Stdio::null())
        .output()
        .context("asking for help")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let help = (output.status.success() && text.contains(&format!("nomad {name}"))).then_some(text);
    helps.insert(name.to_owned(), help.clone());
    Ok(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_in_console_blocks_only() {
        let text = "$ no\n```console\n$ nomad job run -detach x.nomad # why\noutput\n```\n```hcl\n$ no\n```\n";
        assert_eq!(
            commands(text),
            [Shown {
                line: 3,
                words: ["nomad", "job", "run", "-detach", "x.nomad"]
                    .map(String::from)
                    .to_vec()
            }]
        );
    }

    #[test]
    fn unknown_tasks_are_wrong() {
        let shown = |text: &str| Shown {
            line: 1,
            words: text.split(' ').map(String::from).collect(),
        };
        let binary = Path::new("/nonexistent");
        assert_eq!(
            wrong(&shown("cargo xtask test"), binary, &mut BTreeMap::new()).expect("checked"),
            Vec::<String>::new()
        );
        assert_eq!(
            wrong(&shown("cargo xtask fly"), binary, &mut BTreeMap::new())
                .expect("checked")
                .len(),
            1
        );
        let mut helps = BTreeMap::from([
            (
                "job run".to_owned(),
                Some("Usage: nomad job run [-detach]".to_owned()),
            ),
            ("job run x".to_owned(), None),
        ]);
        assert_eq!(
            wrong(&shown("nomad job run -detach a.nomad"), binary, &mut helps).expect("checked"),
            Vec::<String>::new()
        );
        assert_eq!(
            wrong(&shown("nomad job run -fast a.nomad"), binary, &mut helps).expect("checked"),
            ["`nomad job run` has no flag -fast"]
        );
    }
}
