//! `deployment list`: all deployments.

use crate::command::{COMMAND, Command, FILTER, JSON, TEMPLATE, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::json::list;
use crate::render;

pub(super) const SPEC: Command = Command {
    name: "deployment list",
    synopsis: "List all deployments",
    about: "List is used to list the set of deployments tracked by Nomad.",
    flags: &[FILTER, JSON, TEMPLATE, VERBOSE],
    run: |context| all(context),
    ..COMMAND
};

/// The command, also for `deployment status` without an id.
pub(super) fn all(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let found = api
        .get("/v1/deployments", context.page())
        .doing("Error retrieving deployments")?;
    if !context.data_if_wanted(&found, "[]*api.Deployment")? {
        let text = render::deployment_list(list(&found), context.verbose());
        context.ui.out(&text);
    }
    Ok(0)
}
