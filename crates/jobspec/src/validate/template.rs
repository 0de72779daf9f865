//! Templates.

use super::Faults;
use super::artifact::escapes;
use caravan_model::{Template, change_mode};

pub(super) fn validate(templates: &[Template], faults: &mut Faults) {
    let mut seen = std::collections::BTreeMap::new();
    for (at, it) in templates.iter().enumerate() {
        let number = at + 1;
        faults.nest(
            &format!("Template {number} validation failed: "),
            template(it),
        );
        match seen.get(it.dest_path.as_str()) {
            Some(first) => faults.add(format!("Template {number} has same destination as {first}")),
            None => {
                seen.insert(it.dest_path.as_str(), number);
            }
        }
    }
}

fn template(template: &Template) -> Faults {
    let mut faults = Faults::default();
    faults.add_if(
        template.source_path.is_empty() && template.embedded_tmpl.is_empty(),
        "Must specify a source path or have an embedded template",
    );
    faults.add_if(
        template.dest_path.is_empty(),
        "Must specify a destination for the template",
    );
    faults.add_if(
        escapes(&template.dest_path),
        "destination escapes allocation directory",
    );
    changes(template, &mut faults);
    faults.add_if(template.splay.0 < 0, "Must specify positive splay value");
    let perms = template.perms.as_str();
    if let Some(why) = permissions_problem(perms) {
        faults.add(format!(
            "Failed to parse {perms:?} as octal: strconv.ParseUint: parsing {perms:?}: {why}"
        ));
    }
    if let Some(wait) = &template.wait
        && let (Some(min), Some(max)) = (wait.min, wait.max)
    {
        faults.add_if(
            min > max,
            format!("wait min {min} is greater than max {max}"),
        );
    }
    faults
}

/// Why a text that is not empty is not what a file's mode can be.
fn permissions_problem(text: &str) -> Option<&'static str> {
    let digits = text.trim_start_matches('0');
    match digits {
        _ if !text.bytes().all(|digit| (b'0'..=b'7').contains(&digit)) => Some("invalid syntax"),
        _ if digits.len() > 4 => Some("value out of range"),
        _ => None,
    }
}

fn changes(template: &Template, faults: &mut Faults) {
    match template.change_mode.as_str() {
        change_mode::NOOP | change_mode::RESTART => {}
        change_mode::SIGNAL => {
            faults.add_if(
                template.change_signal.is_empty(),
                "Must specify signal value when change mode is signal",
            );
            faults.add_if(
                template.envvars,
                "cannot use signals with env var templates",
            );
        }
        change_mode::SCRIPT => match &template.change_script {
            None => faults
                .add("must specify change script configuration value when change mode is script"),
            Some(script) => faults.add_if(
                script.command.is_empty(),
                "must specify script path value when change mode is script",
            ),
        },
        _ => faults.add(
            "Invalid change mode. Must be one of the following: noop, signal, script, restart",
        ),
    }
}
