//! `node pool init`: an example to start from.

use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::Outcome;
use crate::flags::{switch, text_or};
use crate::hostfiles::write_example;

const HCL: &str = include_str!("examples/pool.nomad.hcl");
const JSON: &str = include_str!("examples/pool.nomad.json");

pub(super) const SPEC: Command = Command {
    name: "node pool init",
    args: "<filename>",
    synopsis: "Create an example node pool specification file",
    about: "Creates an example node pool specification file that can be used as a starting point to customize further. When no filename is supplied, a default filename of \"pool.nomad.hcl\" or \"pool.nomad.json\" will be used depending on the output format.",
    flags: &[
        text_or("out", "hcl", "hcl|json", "The format."),
        switch("quiet", "Say nothing."),
    ],
    client: false,
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    context.expect_args(0..=1, "This command takes no arguments or one: <filename>")?;
    let (content, default) = match context.given.text("out") {
        "hcl" => (HCL, "pool.nomad.hcl"),
        "json" => (JSON, "pool.nomad.json"),
        other => {
            return Err(context.usage(&format!(
                "Invalid value for \"-out\"; valid values are [hcl, json]: {other:?}"
            )));
        }
    };
    let path = match context.given.arg(0) {
        "" => default.to_owned(),
        path => path.to_owned(),
    };
    write_example(&path, content, &format!("File {path:?} already exists"))?;
    if !context.given.on("quiet") {
        context.ui.out(&format!(
            "Example node pool specification written to {path}"
        ));
    }
    Ok(0)
}
