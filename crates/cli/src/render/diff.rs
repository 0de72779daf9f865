//! The diff tree of a plan or of the versions of a job.

use crate::format::quoted;
use crate::json::Fields;
use crate::ui::Ui;
use serde_json::Value;

struct Writer<'a> {
    ui: &'a Ui,
    verbose: bool,
}

fn marker(kind: &str) -> &'static str {
    match kind {
        "Added" => "+ ",
        "Deleted" => "- ",
        "Edited" => "+/- ",
        _ => "",
    }
}

fn marker_width(kind: &str) -> usize {
    marker(kind).len()
}

fn spaces(count: usize) -> String {
    " ".repeat(count)
}

/// The widest marker among siblings.
fn widest<'a>(sets: impl IntoIterator<Item = &'a [Value]>) -> usize {
    let all = sets.into_iter().flatten();
    all.map(|one| marker_width(one.str("Type")))
        .max()
        .unwrap_or(0)
}

/// The whole tree.
pub(crate) fn job_diff(ui: &Ui, job: &Value, verbose: bool) -> String {
    let writer = Writer { ui, verbose };
    let mut out = format!(
        "{}{}Job: \"{}\"\n",
        writer.mark(job.str("Type")),
        ui.sgr("1"),
        job.str("ID")
    );
    let (fields, objects, groups) = (
        job.items("Fields"),
        job.items("Objects"),
        job.items("TaskGroups"),
    );
    let wide = widest([fields, objects, groups]);
    if job.str("Type") == "Edited" || verbose {
        out += &writer.children(fields, objects, 0, wide);
    }
    for group in groups {
        out += &writer.group(group, wide);
        out.push('\n');
    }
    out.trim_end_matches('\n').to_owned() + ui.sgr("0")
}

impl Writer<'_> {
    fn mark(&self, kind: &str) -> String {
        let code = match kind {
            "Added" => "32",
            "Deleted" => "31",
            "Edited" => "93",
            _ => return String::new(),
        };
        self.ui.paint(code, marker(kind).trim_end()) + " "
    }

    fn group(&self, group: &Value, wide: usize) -> String {
        let kind = group.str("Type");
        let pad = wide - marker_width(kind).min(wide);
        let updates: Vec<String> = group
            .members("Updates")
            .into_iter()
            .filter(|(_, count)| count.as_i64().unwrap_or(0) > 0)
            .map(|(name, count)| {
                let code = match name {
                    "create" => "32",
                    "destroy" => "31",
                    "migrate" => "34",
                    "in-place update" => "36",
                    "create/destroy update" => "33",
                    "canary" => "93",
                    _ => "",
                };
                let color = match code {
                    "" => "",
                    code => self.ui.sgr(code),
                };
                format!("{}{color}{count} {name}", self.ui.sgr("0"))
            })
            .collect();
        let updates = match updates.is_empty() {
            true => String::new(),
            false => format!(" ({}{})", updates.join(", "), self.ui.sgr("0")),
        };
        let name = self
            .ui
            .bold(&format!("Task Group: \"{}\"", group.str("Name")));
        let mut out = format!("{}{}{name}{updates}\n", self.mark(kind), spaces(pad));
        let (fields, objects, tasks) = (
            group.items("Fields"),
            group.items("Objects"),
            group.items("Tasks"),
        );
        let wide = widest([fields, objects, tasks]);
        let indent = pad + 2;
        if kind == "Edited" || self.verbose {
            out += &self.children(fields, objects, indent, wide);
        }
        for task in tasks {
            out += &self.task(task, indent, wide);
        }
        out
    }

    fn task(&self, task: &Value, indent: usize, wide: usize) -> String {
        let kind = task.str("Type");
        let pad = wide - marker_width(kind).min(wide);
        let notes = match self.notes(task) {
            none if none.is_empty() => none,
            notes => format!(" {}{notes}", self.ui.sgr("0")),
        };
        let mut out = format!(
            "{}{}{}{}Task: \"{}\"{notes}\n",
            spaces(indent),
            self.mark(kind),
            spaces(pad),
            self.ui.sgr("1"),
            task.str("Name")
        );
        if kind == "None" {
            return out;
        }
        if matches!(kind, "Added" | "Deleted") && !self.verbose {
            return out;
        }
        let (fields, objects) = (task.items("Fields"), task.items("Objects"));
        out += &self.children(fields, objects, indent + 2, widest([fields, objects]));
        out
    }

    fn children(&self, fields: &[Value], objects: &[Value], indent: usize, wide: usize) -> String {
        let longest = fields
            .iter()
            .map(|field| field.str("Name").chars().count())
            .max()
            .unwrap_or(0);
        let mut out = String::new();
        for field in fields {
            out += &self.field(field, indent, wide, longest);
        }
        for object in objects {
            out += &self.object(object, indent, wide);
        }
        out
    }

    fn field(&self, field: &Value, indent: usize, wide: usize, longest: usize) -> String {
        let (kind, name) = (field.str("Type"), field.str("Name"));
        let pad = spaces(wide - marker_width(kind).min(wide));
        let align = spaces(longest - name.chars().count());
        let (old, new) = (quoted(field.str("Old")), quoted(field.str("New")));
        let value = match kind {
            "Deleted" => old,
            "Edited" => format!("{old} => {new}"),
            _ => new,
        };
        let notes = match self.notes(field) {
            none if none.is_empty() => none,
            notes => format!(" {notes}"),
        };
        format!(
            "{}{}{pad}{name}: {align}{value}{notes}\n",
            spaces(indent),
            self.mark(kind)
        )
    }

    fn object(&self, object: &Value, indent: usize, wide: usize) -> String {
        let kind = object.str("Type");
        let pad = wide - marker_width(kind).min(wide);
        let mut out = format!(
            "{}{}{}{} {{\n",
            spaces(indent),
            self.mark(kind),
            spaces(pad),
            object.str("Name")
        );
        let (fields, objects) = (object.items("Fields"), object.items("Objects"));
        let inner = widest([fields, objects]);
        out += &self.children(fields, objects, indent + pad + 2, inner);
        out += &format!("{}}}\n", spaces(indent + marker_width(kind) + pad));
        out
    }

    fn notes(&self, of: &Value) -> String {
        let notes: Vec<String> = of
            .strs("Annotations")
            .into_iter()
            .map(|note| {
                let code = match note {
                    "forces create" => "32",
                    "forces destroy" => "31",
                    "forces in-place update" => "36",
                    "forces create/destroy update" => "33",
                    _ => return note.to_owned(),
                };
                self.ui.paint(code, note)
            })
            .collect();
        match notes.is_empty() {
            true => String::new(),
            false => format!("({})", notes.join(", ")),
        }
    }
}
