//! Help texts.

use crate::command::{CLIENT_FLAGS, Command};
use crate::commands::{ALIASES, GROUPS, all};
use crate::flags::{Flag, Kind};
use crate::format::wrap;

/// Commands that most people need, in the order of a first day.
const COMMON: [&str; 7] = ["run", "stop", "status", "alloc", "job", "node", "agent"];

/// `nomad` alone.
pub(crate) fn top() -> String {
    let mut rows: Vec<(&str, &str)> = Vec::new();
    for command in all().filter(|command| !command.name.contains(' ')) {
        rows.push((command.name, command.synopsis));
    }
    for group in GROUPS.iter().filter(|group| !group.name.contains(' ')) {
        rows.push((group.name, group.synopsis));
    }
    for alias in ALIASES.iter().filter(|alias| alias.listed) {
        rows.push((alias.typed, synopsis(alias.runs)));
    }
    rows.push(("agent", "Runs an agent"));
    rows.retain(|(name, _)| {
        !matches!(
            *name,
            "check" | "init" | "inspect" | "logs" | "plan" | "validate" | "fs"
        )
    });
    rows.sort_unstable();
    rows.dedup_by_key(|row| row.0);
    let width = rows
        .iter()
        .map(|row| row.0.len())
        .max()
        .unwrap_or(0)
        .max(12);
    let line = |(name, synopsis): &(&str, &str)| format!("    {name:width$}      {synopsis}\n");
    let mut out = String::from(
        "Usage: nomad [-version] [-help] [-autocomplete-(un)install] <command> [args]\n\nCommon commands:\n",
    );
    for name in COMMON {
        out.extend(rows.iter().find(|row| row.0 == name).map(line));
    }
    out += "\nOther commands:\n";
    out.extend(rows.iter().filter(|row| !COMMON.contains(&row.0)).map(line));
    out.trim_end().to_owned()
}

fn synopsis(name: &str) -> &'static str {
    let command = all().find(|command| command.name == name);
    command.map_or("", |command| command.synopsis)
}

/// A group's help with the list of what is in it.
pub(crate) fn group(name: &str) -> String {
    let Some(group) = GROUPS.iter().find(|group| group.name == name) else {
        return top();
    };
    let mut out = format!(
        "Usage: nomad {name} <subcommand> [options] [args]\n\n{}\n\n  Please see the individual subcommand help for detailed usage information.",
        indent(group.about, 2)
    );
    out += &subcommands(name);
    out
}

fn subcommands(name: &str) -> String {
    let prefix = format!("{name} ");
    let mut rows: Vec<(&str, &str)> = Vec::new();
    let names = all().map(|command| (command.name, command.synopsis));
    let groups = GROUPS.iter().map(|group| (group.name, group.synopsis));
    for (full, synopsis) in names.chain(groups) {
        if let Some(rest) = full.strip_prefix(&prefix)
            && !rest.contains(' ')
        {
            rows.push((rest, synopsis));
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    rows.sort_unstable();
    let width = rows.iter().map(|row| row.0.len()).max().unwrap_or(0);
    let mut out = String::from("\n\nSubcommands:");
    for (rest, synopsis) in rows {
        out += &format!("\n    {rest:width$}    {synopsis}");
    }
    out
}

/// A command's help.
pub(crate) fn command(command: &Command) -> String {
    let mut out = format!("Usage: nomad {} {}", command.name, command.args);
    let about = match command.about.is_empty() {
        true => command.synopsis,
        false => command.about,
    };
    out += &format!("\n\n{}", indent(about, 2));
    if command.client {
        out += &options("General Options", CLIENT_FLAGS);
    }
    if !command.flags.is_empty() {
        let title: Vec<String> = command.name.split(' ').map(capital).collect();
        out += &options(&format!("{} Options", title.join(" ")), command.flags);
    }
    out += &subcommands(command.name);
    out
}

fn options(title: &str, flags: &[Flag]) -> String {
    let mut out = format!("\n\n{title}:");
    for flag in flags {
        let value = match flag.kind {
            Kind::Bool => String::new(),
            _ if flag.value.is_empty() => "=<value>".to_owned(),
            _ => format!("=<{}>", flag.value),
        };
        out += &format!("\n\n  -{}{value}\n{}", flag.name, indent(flag.help, 4));
        if !flag.default.is_empty() && flag.default != "-1" && flag.default != "0" {
            out += &format!(" Default: {}", flag.default);
        }
    }
    out
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn indent(text: &str, by: usize) -> String {
    let pad = " ".repeat(by);
    let wrapped = wrap(text, 78 - by);
    let lines: Vec<String> = wrapped
        .lines()
        .map(|line| match line.is_empty() {
            true => String::new(),
            false => format!("{pad}{line}"),
        })
        .collect();
    lines.join("\n")
}
