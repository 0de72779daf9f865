//! From words to a command.

use crate::autocomplete;
use crate::command::{CLIENT_FLAGS, Command};
#[cfg(test)]
use crate::commands::all;
use crate::commands::{ALIASES, GROUPS, find};
use crate::context::Context;
use crate::flags::{self, Given};
use crate::help;
use crate::ui::Ui;

/// What the words before the flags name.
enum Target {
    Command(&'static Command),
    Group(&'static str),
    Unknown,
}

/// Runs what `args` say.
pub(crate) fn dispatch(args: Vec<String>) -> u8 {
    if let Ok(line) = std::env::var("COMP_LINE") {
        complete(&line);
        return 0;
    }
    let mut ui = Ui::from_env();
    let before_dashes = args.split(|word| word == "--").next().unwrap_or(&[]);
    let wants_help = before_dashes
        .iter()
        .any(|word| matches!(word.as_str(), "-h" | "-help" | "--help"));
    let first = args.iter().position(|word| !word.starts_with('-'));
    let leading = &args[..first.unwrap_or(args.len())];
    let asks_version = |word: &String| matches!(word.as_str(), "-v" | "-version" | "--version");
    if !wants_help && leading.iter().any(asks_version) {
        ui.out(&version());
        return 0;
    }
    let says = |flag: &str| {
        leading
            .iter()
            .any(|word| word.trim_start_matches('-') == flag)
    };
    match (says("autocomplete-install"), says("autocomplete-uninstall")) {
        _ if wants_help => {}
        (false, false) => {}
        (true, true) => {
            ui.error(
                "Either the autocomplete install or uninstall flag may be specified, but not both.",
            );
            return 1;
        }
        (install, _) => return set_up_shells(install, &mut ui),
    }
    let Some(start) = first else {
        ui.out(&help::top());
        return if wants_help { 0 } else { 127 };
    };
    let words: Vec<&str> = args[start..]
        .iter()
        .map(String::as_str)
        .take_while(|word| !word.starts_with('-') && !word.contains(' '))
        .collect();
    let (target, used) = resolve(&words, &mut ui);
    if wants_help {
        return help_of(&target, &mut ui);
    }
    if !leading.is_empty() {
        ui.out("Invalid flags before the subcommand. If these flags are for\nthe subcommand, please put them after the subcommand.\n");
        help_of(&target, &mut ui);
        return 1;
    }
    match target {
        Target::Command(command) => run(command, args, start + used, ui),
        Target::Group(_) => {
            help_of(&target, &mut ui);
            1
        }
        Target::Unknown => {
            ui.out(&help::top());
            127
        }
    }
}

/// Prints what fits a line that a shell asks about, up to the cursor.
fn complete(line: &str) {
    let point = std::env::var("COMP_POINT")
        .ok()
        .and_then(|point| point.parse().ok());
    let line = point.and_then(|point| line.get(..point)).unwrap_or(line);
    println!("{}", autocomplete::fitting(line).join("\n"));
}

/// Has the shells of this user ask for completions, or not any more.
fn set_up_shells(install: bool, ui: &mut Ui) -> u8 {
    let home = std::env::var_os("HOME")
        .map(std::path::PathBuf::from)
        .unwrap_or_default();
    let program = std::env::current_exe()
        .map(|path| path.display().to_string())
        .unwrap_or_else(|_| "nomad".to_owned());
    let Err(problem) = autocomplete::set_up(&home, &program, install) else {
        return 0;
    };
    ui.error(&problem);
    1
}

/// The text of `nomad version`.
pub(crate) fn version() -> String {
    let mut text = crate::VERSION.to_owned();
    if let Some(date) = option_env!("NOMAD_BUILD_DATE") {
        text += &format!("\nBuildDate {date}");
    }
    if let Some(revision) = option_env!("NOMAD_REVISION") {
        text += &format!("\nRevision {revision}");
    }
    text
}

fn help_of(target: &Target, ui: &mut Ui) -> u8 {
    match target {
        Target::Command(command) => ui.out(&help::command(command)),
        Target::Group(name) => ui.out(&help::group(name)),
        Target::Unknown => ui.out(&help::top()),
    }
    0
}

/// The longest name that the words begin with, and how many words it has.
fn resolve(words: &[&str], ui: &mut Ui) -> (Target, usize) {
    for count in (1..=words.len().min(4)).rev() {
        let name = words[..count].join(" ");
        if let Some(command) = find(&name) {
            return (Target::Command(command), count);
        }
        if let Some(alias) = ALIASES.iter().find(|alias| alias.typed == name) {
            if alias.deprecated {
                ui.warn(&deprecation(alias.typed, alias.runs));
            }
            let target = find(alias.runs).map_or(Target::Group(alias.runs), Target::Command);
            return (target, count);
        }
        if let Some(group) = GROUPS.iter().find(|group| group.name == name) {
            return (Target::Group(group.name), count);
        }
    }
    (Target::Unknown, 0)
}

fn deprecation(typed: &str, runs: &str) -> String {
    let text = format!(
        "WARNING! The \"nomad {typed}\" command is deprecated. Please use \"nomad {runs}\" instead. This command will be removed a later version of Nomad."
    );
    crate::format::wrap(&text, 78) + "\n"
}

fn run(command: &'static Command, args: Vec<String>, start: usize, mut ui: Ui) -> u8 {
    let tables: &[&[flags::Flag]] = match command.client {
        true => &[command.flags, CLIENT_FLAGS],
        false => &[command.flags],
    };
    let given: Given = match flags::parse(tables, &args[start..]) {
        Ok(given) => given,
        Err(message) => {
            ui.error(&message);
            ui.out(&help::command(command));
            if command.name == "status" {
                ui.error(&format!("Error parsing arguments: {message:?}"));
            }
            return command.usage_code;
        }
    };
    ui.configure(given.on("no-color"), given.on("force-color"));
    let mut context = Context::new(command, given, args, ui);
    match (command.run)(&mut context) {
        Ok(code) => code,
        Err(failure) => {
            if !failure.message.is_empty() {
                context.ui.error(&failure.message);
            }
            failure.code
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_lists_every_command() {
        let manual = include_str!("../../../docs/commands.md");
        let elsewhere = ["quota", "sentinel", "recommendation", "license"];
        for command in all() {
            let group = command.name.split(' ').next().unwrap_or_default();
            let listed = manual.contains(&format!("| `nomad {}", command.name));
            assert!(
                listed || elsewhere.contains(&group),
                "docs/commands.md lacks {}",
                command.name
            );
        }
    }

    #[test]
    fn names_are_unique_and_their_groups_exist() {
        let mut seen = std::collections::BTreeSet::new();
        for command in all() {
            assert!(seen.insert(command.name), "{} twice", command.name);
            let mut words: Vec<&str> = command.name.split(' ').collect();
            while words.len() > 1 {
                words.pop();
                let name = words.join(" ");
                let known = find(&name).is_some() || GROUPS.iter().any(|g| g.name == name);
                assert!(known, "{}: no group {name}", command.name);
            }
        }
        for alias in ALIASES {
            let known = find(alias.runs).is_some() || GROUPS.iter().any(|g| g.name == alias.runs);
            assert!(known, "{} runs nothing", alias.typed);
        }
    }
}
