//! `deployment status`: one deployment, once or until it ends.

use crate::command::{COMMAND, Command, JSON, TEMPLATE, UI, VERBOSE};
use crate::context::Context;
use crate::failure::Outcome;
use crate::flags::{switch, time};
use crate::format;
use crate::json::Fields;
use crate::monitor::watch_deployment;
use crate::render;
use std::time::Duration;

pub(super) const SPEC: Command = Command {
    name: "deployment status",
    args: "[options] <deployment id>",
    synopsis: "Display the status of a deployment",
    about: "Status is used to display the status of a deployment. The status will display the number of desired changes as well as the currently applied changes. Without an id all deployments are listed.",
    flags: &[
        switch("monitor", "Follow the deployment until it ends."),
        time(
            "wait",
            "2s",
            "With -monitor, how long to wait for a change at a time.",
        ),
        JSON,
        TEMPLATE,
        UI,
        VERBOSE,
    ],
    run: |context| status(context),
    ..COMMAND
};

/// The command, also for `nomad status`.
pub(crate) fn status(context: &mut Context) -> Outcome {
    if context.given.args.is_empty() {
        return super::list::all(context);
    }
    let prefix = context.one_arg("<deployment id>")?;
    let monitor = context.given.on("monitor");
    if monitor && (context.given.on("json") || !context.given.text("t").is_empty()) {
        return Err("The monitor flag cannot be used with the '-json' or '-t' flags".into());
    }
    let api = context.api()?;
    let deployment = context.deployment(&api, &prefix)?;
    if context.data_if_wanted(&deployment, "*api.Deployment")? {
        return Ok(0);
    }
    let verbose = context.verbose();
    let (id, namespace) = (deployment.str("ID"), deployment.str("Namespace"));
    if monitor {
        let now = format::time(format::now());
        context.ui.out(&format!(
            "{now}: Monitoring deployment {:?}",
            context.id(id)
        ));
        let wait = Duration::from_nanos(context.given.time("wait").0.unsigned_abs());
        watch_deployment(&api, &mut context.ui, id, namespace, verbose, wait, "")?;
    } else {
        let text = render::deployment(&context.ui, &deployment, verbose);
        context.ui.out(&text);
    }
    let path = format!(
        "/jobs/{}/deployments",
        caravan_sdk::escape_path(deployment.str("JobID"))
    );
    context.hint(&api, "View all deployments for this job", &path);
    Ok(0)
}
