//! Fetches the task's artifacts, each once for the allocation.

use std::path::PathBuf;

use caravan_artifact::{Helper, Limits, Mode, Request};
use caravan_model::{Artifact, TaskEvent, task_event};
use futures::StreamExt;
use sha2::{Digest, Sha256};

use super::{Context, Draft, HookError};
use crate::alloc::dir;
use crate::task::env::TaskEnv;
use crate::users;

/// How many of a task are fetched at a time.
const TOGETHER: usize = 3;

pub(super) async fn run(context: &Context, draft: &Draft) -> Result<(), HookError> {
    if context.task.artifacts.is_empty() {
        return Ok(());
    }
    let (env, mut open) = (context.env(draft), Vec::new());
    for artifact in &context.task.artifacts {
        let request = request(context, &env, artifact)?;
        let mark = mark(context, &request);
        if !mark.exists() {
            open.push((request, mark));
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    context.note(TaskEvent::new(
        task_event::DOWNLOADING_ARTIFACTS,
        crate::clock::now(),
    ));
    dir::make(&scratch(context), 0o700)
        .map_err(|error| HookError::fatal(error.to_string()).recoverable())?;
    let helper = helper(context);
    let each = open
        .into_iter()
        .map(|(request, mark)| one(&helper, request, mark));
    let mut results = futures::stream::iter(each).buffer_unordered(TOGETHER);
    while let Some(result) = results.next().await {
        result?;
    }
    Ok(())
}

async fn one(helper: &Helper, request: Request, mark: PathBuf) -> Result<(), HookError> {
    if let Err(failure) = caravan_artifact::fetch(helper, &request).await {
        return Err(failed(
            &request.source,
            &failure.message,
            failure.recoverable,
        ));
    }
    let marked = std::fs::create_dir_all(mark.parent().unwrap_or(&mark))
        .and_then(|()| std::fs::write(&mark, ""));
    marked.map_err(|error| failed(&request.source, &error.to_string(), true))
}

fn failed(source: &str, why: &str, recoverable: bool) -> HookError {
    let text = format!("failed to download artifact {source:?}: {why}");
    let event = TaskEvent::new(task_event::ARTIFACT_DOWNLOAD_FAILED, crate::clock::now())
        .download_error(&*text);
    let error = HookError::fatal(text).told_by(event);
    if recoverable {
        error.recoverable()
    } else {
        error
    }
}

/// A file that says that the artifact is there; no task can reach it.
fn mark(context: &Context, request: &Request) -> PathBuf {
    let digest = Sha256::digest(serde_json::to_vec(request).unwrap_or_default());
    let name: String = digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    context
        .dir
        .kept(&context.task.name)
        .join(format!("artifact-{name}"))
}

/// Where artifacts are put together: what fetches them sees nothing else that is kept of the task.
fn scratch(context: &Context) -> PathBuf {
    context.dir.kept(&context.task.name).join("artifacts")
}

fn helper(context: &Context) -> Helper {
    let settings = &context.shared.config.artifact;
    Helper {
        program: settings.helper.clone(),
        args: settings.helper_args.clone(),
        variables: settings.variables.clone(),
    }
}

fn request(context: &Context, env: &TaskEnv, artifact: &Artifact) -> Result<Request, HookError> {
    let settings = &context.shared.config.artifact;
    let source = env.replace(&artifact.getter_source);
    let wanted = env.replace(&artifact.relative_dest);
    let wanted = if wanted.is_empty() { "local/" } else { &wanted };
    let Some(place) = context.dir.place(&context.task.name, wanted) else {
        let text = format!("artifact destination path escapes alloc directory: {wanted:?}");
        return Err(failed(&source, &text, false));
    };
    let in_shared = place.starts_with("alloc");
    let root = if in_shared {
        context.dir.shared()
    } else {
        context.dirs.task.clone()
    };
    let pairs = |map: &caravan_model::StringMap| {
        map.iter()
            .map(|(key, value)| (key.clone(), env.replace(value)))
            .collect()
    };
    let owner = artifact
        .chown
        .then(|| users::ids(&context.task.user))
        .flatten();
    let mode = match artifact.getter_mode.as_str() {
        "file" => Mode::File,
        "dir" => Mode::Dir,
        _ => Mode::Any,
    };
    let timeout = settings.timeout_of(&source);
    Ok(Request {
        options: pairs(&artifact.getter_options),
        headers: pairs(&artifact.getter_headers),
        source,
        mode,
        insecure: artifact.getter_insecure,
        root,
        scratch: scratch(context),
        destination: context.dir.root.join(place),
        owner,
        limits: Limits {
            read_timeout: settings.http_read_timeout,
            timeout,
            download_bytes: settings.http_max_bytes,
            unpacked_bytes: settings.decompression_max_bytes,
            unpacked_files: settings.decompression_max_files,
        },
        sandboxed: !settings.unsandboxed,
        extra_paths: settings.extra_paths.clone(),
        links_unchecked: settings.links_unchecked,
    })
}
