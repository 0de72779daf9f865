//! `job deployments`: the deployments of a job.

use crate::command::{COMMAND, Command, JSON, TEMPLATE, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::switch;
use crate::json::list;
use crate::render;

pub(super) const SPEC: Command = Command {
    name: "job deployments",
    args: "[options] <job>",
    synopsis: "List deployments for a job",
    about: "Deployments is used to display the deployments for a particular job.",
    flags: &[
        switch("all", "Also deployments of earlier jobs with the same id."),
        switch("latest", "Only the newest, in full."),
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
    const DOING: &str = "Error retrieving deployments";
    if context.given.on("latest") {
        let latest = api
            .get(&found.path("/deployment"), found.query())
            .doing(DOING)?;
        if context.data_if_wanted(&latest, "*api.Deployment")? {
            return Ok(0);
        }
        let text = match latest.is_null() {
            true => "No deployment found".to_owned(),
            false => render::deployment(&context.ui, &latest, context.verbose()),
        };
        context.ui.out(&text);
        return Ok(0);
    }
    let query = found.query().flag("all", context.given.on("all"));
    let all = api.get(&found.path("/deployments"), query).doing(DOING)?;
    if !context.data_if_wanted(&all, "[]*api.Deployment")? {
        let text = render::deployment_list(list(&all), context.verbose());
        context.ui.out(&text);
    }
    Ok(0)
}
