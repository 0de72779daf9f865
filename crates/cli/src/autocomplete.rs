//! Completion of command lines in a shell: what fits the line so far, and the lines of the shells' own files that
//! have us asked (`-autocomplete-install`, `-autocomplete-uninstall`).
//!
//! A shell asks by running the program with the line in `COMP_LINE`; the answer is a word a line.

use crate::command::CLIENT_FLAGS;
use crate::commands::{ALIASES, GROUPS, all, find};
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{Error, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// The words that could stand at the end of a line.
pub(crate) fn fitting(line: &str) -> Vec<String> {
    let mut words: Vec<&str> = line.split_whitespace().skip(1).collect();
    let begun = if line.ends_with(char::is_whitespace) {
        ""
    } else {
        words.pop().unwrap_or_default()
    };
    let plain: Vec<&str> = words
        .iter()
        .copied()
        .take_while(|word| !word.starts_with('-'))
        .collect();
    let known = (0..=plain.len())
        .rev()
        .map(|count| plain[..count].join(" "))
        .find(|name| is_known(name));
    let name = resolved(&known.unwrap_or_default());
    let found = if begun.starts_with('-') {
        flags(&name)
    } else if name.split_whitespace().count() == words.len() || is_alias_of(&plain, &name) {
        next_words(&name)
    } else {
        BTreeSet::new()
    };
    found
        .into_iter()
        .filter(|word| word.starts_with(begun))
        .collect()
}

fn is_known(name: &str) -> bool {
    name.is_empty()
        || find(name).is_some()
        || GROUPS.iter().any(|group| group.name == name)
        || ALIASES.iter().any(|alias| alias.typed == name)
}

fn resolved(name: &str) -> String {
    let alias = ALIASES.iter().find(|alias| alias.typed == name);
    alias.map_or(name, |alias| alias.runs).to_owned()
}

fn is_alias_of(typed: &[&str], name: &str) -> bool {
    ALIASES
        .iter()
        .any(|alias| alias.typed == typed.join(" ") && alias.runs == name)
}

/// What may follow a group's name, or the program's.
fn next_words(group: &str) -> BTreeSet<String> {
    let commands = all()
        .map(|command| command.name)
        .chain(GROUPS.iter().map(|group| group.name));
    let shown = ALIASES
        .iter()
        .filter(|alias| alias.listed)
        .map(|alias| alias.typed);
    let inside = |name: &'static str| match group {
        "" => name.split(' ').next(),
        group => name
            .strip_prefix(group)?
            .strip_prefix(' ')?
            .split(' ')
            .next(),
    };
    let agent = group.is_empty().then_some("agent");
    commands
        .chain(shown)
        .filter_map(inside)
        .chain(agent)
        .filter(|word| *word != "check")
        .map(str::to_owned)
        .collect()
}

fn flags(name: &str) -> BTreeSet<String> {
    let Some(command) = find(name) else {
        return BTreeSet::new();
    };
    let client = if command.client { CLIENT_FLAGS } else { &[] };
    command
        .flags
        .iter()
        .chain(client)
        .map(|flag| format!("-{}", flag.name))
        .collect()
}

/// A file of a shell that has us asked.
struct Shell {
    file: PathBuf,
    line: String,
    /// Whether the file is ours alone.
    own: bool,
}

fn shells(home: &Path, program: &str) -> Vec<Shell> {
    let shell = |file: PathBuf, line: String, own: bool| Shell { file, line, own };
    vec![
        shell(
            home.join(".bashrc"),
            format!("complete -C {program} nomad"),
            false,
        ),
        shell(
            home.join(".zshrc"),
            format!(
                "autoload -U +X bashcompinit && bashcompinit\ncomplete -o nospace -C {program} nomad"
            ),
            false,
        ),
        shell(
            home.join(".config/fish/completions/nomad.fish"),
            format!(
                "function __complete_nomad\n    set -lx COMP_LINE (commandline -cp)\n    test -z (commandline -ct)\n    \
                 and set COMP_LINE \"$COMP_LINE \"\n    {program}\nend\ncomplete -f -c nomad -a \"(__complete_nomad)\""
            ),
            true,
        ),
    ]
}

/// Has every shell that is used here ask us, or none of them any more.
///
/// # Errors
/// What is in the way.
pub(crate) fn set_up(home: &Path, program: &str, install: bool) -> Result<(), String> {
    let used = |shell: &Shell| match shell.own {
        true => shell.file.ancestors().nth(2).is_some_and(Path::is_dir),
        false => shell.file.is_file(),
    };
    let used: Vec<Shell> = shells(home, program).into_iter().filter(used).collect();
    if used.is_empty() {
        return Err("Did not find any shells to install".to_owned());
    }
    let mut problems = Vec::new();
    for shell in used {
        problems.extend(set_up_shell(&shell, install).err());
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.join("\n"))
    }
}

fn set_up_shell(shell: &Shell, install: bool) -> Result<(), String> {
    let Shell { file, line, own } = shell;
    let failed = |error: Error| format!("{}: {error}", file.display());
    // What cannot be read is not written: nothing else would be left of the file.
    let text = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        read => read.map_err(failed)?,
    };
    let done = match (install, text.contains(line)) {
        (true, true) => return Err(format!("already installed in {}", file.display())),
        (false, false) => return Err(format!("is not installed in {}", file.display())),
        (true, false) => append(file, &text, line),
        (false, true) if *own => std::fs::remove_file(file),
        (false, true) => std::fs::write(file, text.replace(&format!("{line}\n"), "")),
    };
    done.map_err(failed)
}

/// Adds a line to a file that holds `text`.
fn append(file: &Path, text: &str, line: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let start = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    file.write_all(format!("{start}{line}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_word_by_word() {
        assert_eq!(fitting("nomad al"), ["alloc"]);
        assert_eq!(fitting("nomad job re"), ["restart", "revert"]);
        assert!(fitting("nomad job ").contains(&"periodic".to_owned()));
        assert_eq!(fitting("nomad job periodic "), ["force"]);
        assert!(fitting("nomad ").contains(&"agent".to_owned()));
        assert!(
            fitting("nomad ").contains(&"plan".to_owned()),
            "aliases that the help hides"
        );
        assert_eq!(fitting("nomad nothing "), Vec::<String>::new());
        assert_eq!(
            fitting("nomad job status ex"),
            Vec::<String>::new(),
            "what comes behind is the shell's"
        );
    }

    #[test]
    fn flags_are_completed_with_one_dash_also_of_aliases() {
        assert_eq!(fitting("nomad job run -det"), ["-detach"]);
        assert_eq!(fitting("nomad run -det"), ["-detach"]);
        assert!(fitting("nomad job run -detach -ad").contains(&"-address".to_owned()));
        assert_eq!(fitting("nomad version -a"), Vec::<String>::new());
    }

    #[test]
    fn shells_are_set_up_once_and_put_back() {
        let home = std::env::temp_dir().join(format!("autocomplete-{}", std::process::id()));
        std::fs::create_dir_all(&home).expect("a folder");
        assert_eq!(
            set_up(&home, "/bin/nomad", true),
            Err("Did not find any shells to install".to_owned())
        );
        let rc = home.join(".bashrc");
        std::fs::write(&rc, "alias ll='ls -l'").expect("written");
        set_up(&home, "/bin/nomad", true).expect("installed");
        assert_eq!(
            std::fs::read_to_string(&rc).expect("read"),
            "alias ll='ls -l'\ncomplete -C /bin/nomad nomad\n"
        );
        assert!(
            set_up(&home, "/bin/nomad", true)
                .is_err_and(|text| text.starts_with("already installed"))
        );
        set_up(&home, "/bin/nomad", false).expect("uninstalled");
        assert_eq!(
            std::fs::read_to_string(&rc).expect("read"),
            "alias ll='ls -l'\n"
        );
        std::fs::remove_dir_all(&home).expect("removed");
    }

    #[test]
    fn a_file_that_is_no_text_stays_as_it_is() {
        let home = std::env::temp_dir().join(format!("autocomplete-kept-{}", std::process::id()));
        std::fs::create_dir_all(&home).expect("a folder");
        let (rc, content) = (home.join(".bashrc"), b"alias gr\xfc\xdfe='echo'\n");
        std::fs::write(&rc, content).expect("written");
        assert!(set_up(&home, "/bin/nomad", true).is_err_and(|text| text.contains(".bashrc")));
        assert!(set_up(&home, "/bin/nomad", false).is_err_and(|text| text.contains(".bashrc")));
        assert_eq!(std::fs::read(&rc).expect("read"), content);
        std::fs::remove_dir_all(&home).expect("removed");
    }
}
