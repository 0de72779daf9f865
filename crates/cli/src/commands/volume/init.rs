//! `volume init`: an example to start from.

use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::Outcome;
use crate::flags::{switch, text_or};
use crate::hostfiles::write_example;

const CSI_HCL: &str = include_str!("examples/csi.hcl");
const CSI_JSON: &str = include_str!("examples/csi.json");
const HOST_HCL: &str = include_str!("examples/host.hcl");
const HOST_JSON: &str = include_str!("examples/host.json");

pub(super) const SPEC: Command = Command {
    name: "volume init",
    args: "<filename>",
    synopsis: "Create an example volume specification file",
    about: "Creates an example volume specification file that can be used as a starting point to customize further. When no filename is supplied, a default filename of \"volume.hcl\" or \"volume.json\" will be used depending on the output format.",
    flags: &[
        switch("json", "As JSON."),
        text_or("type", "csi", "csi|host", "The type of the volume."),
    ],
    client: false,
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    context.expect_args(0..=1, "This command takes no arguments or one: <filename>")?;
    let json = context.given.on("json");
    let content = match (context.given.text("type"), json) {
        ("host", false) => HOST_HCL,
        ("host", true) => HOST_JSON,
        ("csi", false) => CSI_HCL,
        ("csi", true) => CSI_JSON,
        (other, _) => return Err(format!("No such volume type {other:?}").into()),
    };
    let path = match (context.given.arg(0), json) {
        ("", true) => "volume.json".to_owned(),
        ("", false) => "volume.hcl".to_owned(),
        (path, _) => path.to_owned(),
    };
    write_example(
        &path,
        content,
        &format!("Volume specification {path:?} already exists"),
    )?;
    context
        .ui
        .out(&format!("Example volume specification written to {path}"));
    Ok(0)
}
