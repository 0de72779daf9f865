//! `var init`: an example to start from.

use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::Outcome;
use crate::flags::{switch, text_or};
use crate::format::wrap;
use crate::hostfiles::write_example;

const HCL: &str = include_str!("examples/spec.nv.hcl");
const JSON: &str = include_str!("examples/spec.nv.json");

pub(super) const SPEC: Command = Command {
    name: "var init",
    args: "<filename>",
    synopsis: "Create an example variable specification file",
    about: "Creates an example variable specification file that can be used as a starting point to customize further. When no filename is supplied, a default filename of \"spec.nv.hcl\" or \"spec.nv.json\" will be used depending on the output format.",
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
    let (content, default, json) = match context.given.text("out") {
        "hcl" => (HCL, "spec.nv.hcl", false),
        "json" => (JSON, "spec.nv.json", true),
        _ => return Err(context.usage("Invalid value for \"-out\"; valid values are [hcl, json]")),
    };
    let path = match context.given.arg(0) {
        "" => default.to_owned(),
        path => path.to_owned(),
    };
    write_example(&path, content, &format!("File {path:?} already exists"))?;
    if context.given.on("quiet") {
        return Ok(0);
    }
    if json {
        context.ui.warn(&wrap("REMINDER: While keys in the Items map can contain dots, using them in templates is easier when they do not. As a best practice, avoid dotted keys when possible.", 70));
        context.ui.out(&wrap("The Items map is the only strictly required part of a variable specification, since path and namespace can be set via other means. It contains the sensitive material to encrypt and store as a Nomad variable. The entire Items map is encrypted and decrypted as a single unit.", 70));
    }
    context
        .ui
        .out(&format!("Example variable specification written to {path}"));
    Ok(0)
}
