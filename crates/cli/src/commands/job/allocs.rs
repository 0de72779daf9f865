//! `job allocs`: the allocations of a job.

use crate::command::{COMMAND, Command, JSON, TEMPLATE, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::switch;
use crate::json::list;
use crate::render;

pub(super) const SPEC: Command = Command {
    name: "job allocs",
    args: "[options] <job>",
    synopsis: "List allocations for a job",
    about: "Display allocations for a particular job.",
    flags: &[
        switch("all", "Also allocations of earlier jobs with the same id."),
        JSON,
        TEMPLATE,
        VERBOSE,
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let prefix = context.one_arg("<job>")?;
    let api = context.api()?;
    let found = context.job(&api, &prefix)?;
    let query = found.query().flag("all", context.given.on("all"));
    let all = api
        .get(&found.path("/allocations"), query)
        .doing("Error retrieving allocations")?;
    if !context.data_if_wanted(&all, "[]*api.AllocationListStub")? {
        let text = render::alloc_list_or_none(list(&all), context.verbose());
        context.ui.out(&text);
    }
    Ok(0)
}
