//! Commands that the community edition answers with "Enterprise only".

use crate::command::{COMMAND, Command, JSON, TEMPLATE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{switch, text};
use crate::json::{list, plain};
use caravan_sdk::{Method, Query, escape_path};
use serde_json::Value;

pub(super) const COMMANDS: &[&Command] = &[
    &QUOTA_LIST,
    &QUOTA_STATUS,
    &QUOTA_INSPECT,
    &QUOTA_APPLY,
    &QUOTA_DELETE,
    &QUOTA_INIT,
    &SENTINEL_LIST,
    &SENTINEL_READ,
    &SENTINEL_APPLY,
    &SENTINEL_DELETE,
    &RECOMMENDATION_LIST,
    &RECOMMENDATION_INFO,
    &RECOMMENDATION_APPLY,
    &RECOMMENDATION_DISMISS,
    &LICENSE_GET,
    &LICENSE_INSPECT,
];

const BASE: Command = Command {
    about: "This is a feature of the other edition; where it is not built in, the agent says so.",
    flags: &[JSON, TEMPLATE],
    ..COMMAND
};

const QUOTA_LIST: Command = Command {
    name: "quota list",
    synopsis: "List quota specifications",
    run: |context| show(context, "/v1/quotas", "Error retrieving quotas"),
    ..BASE
};
const QUOTA_STATUS: Command = Command {
    name: "quota status",
    args: "[options] <quota>",
    synopsis: "Display a quota's status and current usage",
    run: |context| show_one(context, "<quota>", "/v1/quota/", "Error retrieving quota"),
    ..BASE
};
const QUOTA_INSPECT: Command = Command {
    name: "quota inspect",
    args: "[options] <quota>",
    synopsis: "Inspect a quota specification",
    run: |context| show_one(context, "<quota>", "/v1/quota/", "Error retrieving quota"),
    ..BASE
};
const QUOTA_APPLY: Command = Command {
    name: "quota apply",
    args: "[options] <input>",
    synopsis: "Create or update a quota specification",
    run: |context| {
        context.one_arg("<input>")?;
        change(
            context,
            Method::PUT,
            "/v1/quota",
            "Error applying quota specification",
        )
    },
    ..BASE
};
const QUOTA_DELETE: Command = Command {
    name: "quota delete",
    args: "[options] <quota>",
    synopsis: "Delete a quota specification",
    run: |context| {
        let name = context.one_arg("<quota>")?;
        change_one(
            context,
            Method::DELETE,
            "/v1/quota/",
            &name,
            "Error deleting quota",
        )
    },
    ..BASE
};
const QUOTA_INIT: Command = Command {
    name: "quota init",
    args: "<filename>",
    synopsis: "Create an example quota specification file",
    flags: &[switch("json", "As JSON."), switch("quiet", "Say nothing.")],
    client: false,
    run: init,
    ..BASE
};
const SENTINEL_LIST: Command = Command {
    name: "sentinel list",
    synopsis: "Display all Sentinel policies",
    run: |context| {
        show(
            context,
            "/v1/sentinel/policies",
            "Error listing Sentinel policies",
        )
    },
    ..BASE
};
const SENTINEL_READ: Command = Command {
    name: "sentinel read",
    args: "[options] <name>",
    synopsis: "Inspects an existing Sentinel policies",
    run: |context| {
        show_one(
            context,
            "<name>",
            "/v1/sentinel/policy/",
            "Error reading Sentinel policy",
        )
    },
    ..BASE
};
const SENTINEL_APPLY: Command = Command {
    name: "sentinel apply",
    args: "[options] <name> <file>",
    synopsis: "Create a new or update existing Sentinel policies",
    flags: &[
        text("description", "text", "What the policy is for."),
        text("scope", "scope", "What the policy is about."),
        text("level", "level", "How strict the policy is."),
    ],
    run: |context| {
        context.expect_args(2..=2, "This command takes two arguments: <name> <file>")?;
        let name = context.given.arg(0).to_owned();
        change_one(
            context,
            Method::PUT,
            "/v1/sentinel/policy/",
            &name,
            "Error writing Sentinel policy",
        )
    },
    ..BASE
};
const SENTINEL_DELETE: Command = Command {
    name: "sentinel delete",
    args: "[options] <name>",
    synopsis: "Delete an existing Sentinel policies",
    run: |context| {
        let name = context.one_arg("<name>")?;
        change_one(
            context,
            Method::DELETE,
            "/v1/sentinel/policy/",
            &name,
            "Error deleting Sentinel policy",
        )
    },
    ..BASE
};
const RECOMMENDATION_LIST: Command = Command {
    name: "recommendation list",
    synopsis: "Display all Nomad recommendations",
    flags: &[
        JSON,
        TEMPLATE,
        text("job", "job", "Only of this job."),
        text("group", "group", "Only of this group."),
        text("task", "task", "Only of this task."),
    ],
    run: |context| {
        show(
            context,
            "/v1/recommendations",
            "Error listing recommendations",
        )
    },
    ..BASE
};
const RECOMMENDATION_INFO: Command = Command {
    name: "recommendation info",
    args: "[options] <recommendation_id>",
    synopsis: "Display an individual Nomad recommendation",
    run: |context| {
        show_one(
            context,
            "<recommendation_id>",
            "/v1/recommendation/",
            "Error reading recommendation",
        )
    },
    ..BASE
};
const RECOMMENDATION_APPLY: Command = Command {
    name: "recommendation apply",
    args: "[options] <recommendation_ids>",
    synopsis: "Apply one or more Nomad recommendations",
    flags: &[
        switch("detach", "Return at once."),
        switch("policy-override", "Override soft policies."),
        switch("verbose", "Full ids."),
    ],
    run: |context| {
        some_recommendations(context)?;
        change(
            context,
            Method::PUT,
            "/v1/recommendations/apply",
            "Error applying recommendations",
        )
    },
    ..BASE
};
const RECOMMENDATION_DISMISS: Command = Command {
    name: "recommendation dismiss",
    args: "[options] <recommendation_ids>",
    synopsis: "Dismiss one or more Nomad recommendations",
    run: |context| {
        some_recommendations(context)?;
        change(
            context,
            Method::DELETE,
            "/v1/recommendations",
            "Error dismissing recommendations",
        )
    },
    ..BASE
};
const LICENSE_GET: Command = Command {
    name: "license get",
    synopsis: "Retrieve the current Nomad Enterprise License",
    run: license,
    ..BASE
};
const LICENSE_INSPECT: Command = Command {
    name: "license inspect",
    args: "[options] [path]",
    synopsis: "Inspect a Nomad Enterprise license",
    run: |_| Err("Nomad Enterprise only endpoint".into()),
    ..BASE
};

fn print(context: &mut Context, value: &Value, type_name: &str) -> Outcome {
    if !context.data_if_wanted(value, type_name)? {
        match list(value) {
            [] if value.is_array() || value.is_null() => context.ui.out("None found"),
            _ => context.ui.out(&crate::json::pretty_sorted(value)),
        }
    }
    Ok(0)
}

fn show(context: &mut Context, path: &str, doing: &str) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let value = api.get(path, context.page()).doing(doing)?;
    print(context, &value, "interface {}")
}

fn show_one(context: &mut Context, what: &str, path: &str, doing: &str) -> Outcome {
    let name = context.one_arg(what)?;
    let api = context.api()?;
    let value = api
        .get(&format!("{path}{}", escape_path(&name)), Query::new())
        .doing(doing)?;
    print(context, &value, "interface {}")
}

fn change(context: &mut Context, method: Method, path: &str, doing: &str) -> Outcome {
    let api = context.api()?;
    api.write(method, path, Query::new(), &Value::Null)
        .doing(doing)?;
    Ok(0)
}

fn change_one(
    context: &mut Context,
    method: Method,
    path: &str,
    name: &str,
    doing: &str,
) -> Outcome {
    change(
        context,
        method,
        &format!("{path}{}", escape_path(name)),
        doing,
    )
}

fn some_recommendations(context: &Context) -> Result<(), Failure> {
    context.expect_args(
        1..=usize::MAX,
        "This command takes at least one argument: <recommendation_id>",
    )
}

fn license(context: &mut Context) -> Outcome {
    let api = context.api()?;
    let answer = api.get("/v1/operator/license", Query::new());
    match answer {
        Ok(license) => {
            context.ui.out(&plain(&license));
            Ok(0)
        }
        Err(error) if matches!(error.code(), Some(204 | 501)) => {
            Err("Error getting license: Nomad Enterprise only endpoint".into())
        }
        Err(error) => Err(format!("Error getting license: {error}").into()),
    }
}

const QUOTA_HCL: &str = "name        = \"default-quota\"\ndescription = \"Limit the shared default namespace\"\n\nlimit {\n  region = \"global\"\n  region_limit {\n    cpu    = 2500\n    memory = 1000\n  }\n}\n";
const QUOTA_JSON: &str = "{\n  \"Name\": \"default-quota\",\n  \"Description\": \"Limit the shared default namespace\",\n  \"Limits\": [\n    {\n      \"Region\": \"global\",\n      \"RegionLimit\": {\n        \"CPU\": 2500,\n        \"MemoryMB\": 1000\n      }\n    }\n  ]\n}\n";

fn init(context: &mut Context) -> Outcome {
    let json = context.given.on("json");
    let (content, path) = if json {
        (QUOTA_JSON, "spec.json")
    } else {
        (QUOTA_HCL, "spec.hcl")
    };
    let path = match context.given.arg(0) {
        "" => path.to_owned(),
        path => path.to_owned(),
    };
    crate::hostfiles::write_example(
        &path,
        content,
        &format!("Quota specification {path:?} already exists"),
    )?;
    if !context.given.on("quiet") {
        context
            .ui
            .out(&format!("Example quota specification written to {path}"));
    }
    Ok(0)
}
