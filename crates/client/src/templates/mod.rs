//! Templates of a task (runtime sheet §M): rendered before it starts, watched while it runs.
//!
//! A template is rendered over what is known; what it asks for and is not known yet is fetched, and it is rendered
//! again, until nothing is missing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use caravan_model::{Task, TaskEvent, Template, task_event};

use crate::alloc::dir::AllocDir;
use crate::api::contained;
use crate::clock;
use crate::handle::Notes;
use crate::shared::Shared;
use crate::task::env::TaskEnv;
use crate::tokens::Renewal;

mod blocks;
mod change;
mod data;
mod engine;
mod envfile;
mod functions;
mod methods;
mod pass;
mod secrets;
mod sources;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use change::Watch;
use data::{Data, Need};
use sources::Source;

/// Gives Sprig's functions (`sprig_upper`) to an engine for other templates than those of tasks.
pub fn with_sprig(engine: gotmpl::Template) -> gotmpl::Template {
    engine::with_sprig(engine)
}

/// What is wrong with the blocks of such a template: an `{{end}}` too many or too few.
pub fn wrong_blocks(source: &str) -> Option<String> {
    blocks::mistake(source, ("{{", "}}"))
}

/// What keeps such a template from being parsed, as Go says it; nothing for other errors.
pub fn words_of_parsing(source: &str, error: &gotmpl::TemplateError) -> Option<String> {
    words::of_parsing(source, error)
}

/// How often a template that waits for something looks again.
const AGAIN: Duration = Duration::from_secs(1);
/// How often it says what it waits for.
const SAY_AGAIN: Duration = Duration::from_secs(3);
/// How often what a running task's templates are made of is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Why templates cannot be rendered; no retry helps.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct TemplateFailure(pub(crate) String);

/// The templates of one task.
pub(crate) struct Templates {
    shared: Arc<Shared>,
    sources: Vec<Box<dyn Source>>,
    namespace: String,
    task: Task,
    dir: AllocDir,
    /// Everything `env` can read.
    env: BTreeMap<String, String>,
    replaced: Vec<Template>,
}

/// What a pass over all templates gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rendered {
    /// By number of the template.
    texts: Vec<String>,
    /// Of the templates with `env = true`.
    pub(crate) vars: BTreeMap<String, String>,
}

impl Templates {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        alloc: &caravan_model::Allocation,
        task: &Task,
        dir: &AllocDir,
        env: &TaskEnv,
        tokens: &[Renewal],
    ) -> Self {
        let replaced = task.templates.iter().map(|template| Template {
            dest_path: env.replace(&template.dest_path),
            source_path: env.replace(&template.source_path),
            ..template.clone()
        });
        let servers = sources::Servers {
            shared: Arc::clone(shared),
            alloc: alloc.id,
            namespace: alloc.namespace.clone(),
            task: task.name.clone(),
        };
        Self {
            shared: Arc::clone(shared),
            sources: sources(servers, task, dir, tokens),
            namespace: alloc.namespace.to_string(),
            task: task.clone(),
            dir: dir.clone(),
            env: env.all(),
            replaced: replaced.collect(),
        }
    }

    /// Renders and writes everything, waiting for what is missing.
    pub(crate) async fn first(&self, notes: &Notes) -> Result<(Rendered, Data), TemplateFailure> {
        let mut data = Data::default();
        let mut said: Option<tokio::time::Instant> = None;
        loop {
            let (rendered, missing) = self.pass(&data)?;
            let unknown: Vec<Need> = missing
                .iter()
                .filter(|need| !data.knows(need))
                .cloned()
                .collect();
            let fetched = self.fetch(&mut data, unknown.into_iter()).await;
            if missing.is_empty() {
                self.write(&rendered, None)?;
                return Ok((rendered, data));
            }
            if fetched {
                continue;
            }
            if said.is_none_or(|said| said.elapsed() >= SAY_AGAIN) {
                said = Some(tokio::time::Instant::now());
                let event = TaskEvent::new(task_event::TEMPLATE, clock::now());
                notes(event.message(self.missing_text(&missing)));
            }
            tokio::time::sleep(AGAIN).await;
            self.fetch(&mut data, missing.into_iter()).await;
        }
    }

    /// Renders every template over what is known; also what is still needed.
    fn pass(&self, data: &Data) -> Result<(Rendered, Vec<Need>), TemplateFailure> {
        let mut out = Rendered::default();
        let mut missing = Vec::new();
        for template in &self.replaced {
            let source = self.source(template)?;
            let context = pass::Context {
                env: &self.env,
                data,
                denied: &self.shared.config.template.function_denylist,
                files: &self.dir.task(&self.task.name).task,
                sandboxed: !self.shared.config.template.disable_file_sandbox,
                addresses: self.shared.config.template.addresses,
            };
            let (text, needs) = engine::render(template, &source, &context).map_err(|error| {
                let whose = self.whose(template);
                TemplateFailure(format!("Template failed: {whose}: {error}"))
            })?;
            if template.envvars && needs.is_empty() {
                let vars = envfile::parse(&text).map_err(|error| {
                    TemplateFailure(format!(
                        "Template failed to read environment variables: {error}"
                    ))
                })?;
                out.vars.extend(vars);
            }
            out.texts.push(text);
            missing.extend(needs);
        }
        missing.dedup();
        Ok((out, missing))
    }

    /// Whether all templates can be read, and lie within the task's directory.
    pub(crate) fn check(&self) -> Result<(), TemplateFailure> {
        self.replaced.iter().try_for_each(|template| {
            self.place(&template.dest_path)?;
            self.source(template).map(drop)
        })
    }

    /// What a template is called in errors.
    fn whose(&self, template: &Template) -> String {
        if template.source_path.is_empty() {
            return "(dynamic)".to_owned();
        }
        let place = self.dir.place(&self.task.name, &template.source_path);
        place.map_or_else(
            || template.source_path.clone(),
            |place| place.display().to_string(),
        )
    }

    fn source(&self, template: &Template) -> Result<String, TemplateFailure> {
        if template.source_path.is_empty() {
            return Ok(template.embedded_tmpl.clone());
        }
        let fail = |error: String| TemplateFailure(format!("Template failed: {error}"));
        if self.shared.config.template.disable_file_sandbox {
            let path = self
                .dir
                .task(&self.task.name)
                .task
                .join(&template.source_path);
            return std::fs::read_to_string(&path)
                .map_err(|error| fail(format!("{}: {error}", path.display())));
        }
        let (root, place) = self.place(&template.source_path)?;
        contained::read_text(&root, &place).map_err(|error| fail(error.to_string()))
    }

    /// The directory that a path of the task must not leave, and where it lies below that.
    fn place(&self, path: &str) -> Result<(PathBuf, PathBuf), TemplateFailure> {
        let place = self.dir.place(&self.task.name, path);
        place.map(|place| self.dir.split(&place)).ok_or_else(|| {
            TemplateFailure(format!("template path {path:?} escapes the task directory"))
        })
    }

    /// Writes what is new compared to `before`; says which templates it were.
    fn write(
        &self,
        rendered: &Rendered,
        before: Option<&Rendered>,
    ) -> Result<Vec<usize>, TemplateFailure> {
        let mut changed = Vec::new();
        for (number, (template, text)) in self.replaced.iter().zip(&rendered.texts).enumerate() {
            if before.is_some_and(|before| before.texts.get(number) == Some(text)) {
                continue;
            }
            let (root, place) = self.place(&template.dest_path)?;
            let mode = u32::from_str_radix(&template.perms, 8).unwrap_or(0o644);
            let owner = (owner_id(template.uid), owner_id(template.gid));
            contained::write_owned(&root, &place, text.as_bytes(), mode, owner)
                .map_err(|error| TemplateFailure(format!("Template failed: {error}")))?;
            changed.push(number);
        }
        Ok(changed)
    }

    /// Fetches; says whether anything was found out.
    async fn fetch(&self, data: &mut Data, needs: impl Iterator<Item = Need>) -> bool {
        let mut found = false;
        for need in needs {
            let Some(source) = self.sources.iter().find(|source| source.has(&need)) else {
                continue;
            };
            if let Some(value) = source.fetch(&need).await {
                found |= data.put(need, value);
            }
        }
        found
    }

    /// What is on disk from before, as if it had just been rendered.
    fn on_disk(&self) -> Rendered {
        let mut out = Rendered::default();
        for template in &self.replaced {
            let read = self
                .place(&template.dest_path)
                .ok()
                .and_then(|(root, place)| contained::read_text(&root, &place).ok());
            // What cannot be read differs from what will be rendered.
            let text = read.unwrap_or_default();
            if template.envvars {
                out.vars.extend(envfile::parse(&text).unwrap_or_default());
            }
            out.texts.push(text);
        }
        out
    }

    /// Takes up templates of a task that ran on while there was no agent.
    pub(crate) fn resumed(self) -> Watch {
        let rendered = self.on_disk();
        Watch {
            templates: Arc::new(self),
            rendered,
            data: Data::default(),
        }
    }

    fn missing_text(&self, missing: &[Need]) -> String {
        let region = &self.shared.config.region;
        let named = missing
            .iter()
            .take(3)
            .map(|need| need.name(&self.namespace, region));
        let names: Vec<String> = named.collect();
        match missing.len().saturating_sub(3) {
            0 => format!("Missing: {}", names.join(", ")),
            more => format!("Missing: {}, and {more} more", names.join(", ")),
        }
    }

    /// Whether anything can change while the task runs.
    pub(crate) fn is_live(&self, data: &Data) -> bool {
        !data.is_empty() && self.replaced.iter().any(|template| !template.once)
    }
}

fn sources(
    servers: sources::Servers,
    task: &Task,
    dir: &AllocDir,
    tokens: &[Renewal],
) -> Vec<Box<dyn Source>> {
    let shared = Arc::clone(&servers.shared);
    let mut all: Vec<Box<dyn Source>> = vec![Box::new(servers)];
    if let Some(consul) = &shared.consul {
        all.push(Box::new(sources::Keys {
            consul: Arc::clone(consul),
            token: tokens.iter().find_map(Renewal::of_consul),
        }));
    }
    let token = tokens.iter().find_map(Renewal::of_vault);
    if let (Some(config), Some(block), Some(token)) = (&shared.config.vault, &task.vault, token) {
        all.push(Box::new(secrets::Secrets {
            config: config.of_task(block),
            token,
            dir: dir.clone(),
            task: task.name.clone(),
            without_lease: shared.config.template.vault_default_lease,
            leases: tokio::sync::Mutex::new(secrets::Secrets::kept(dir, &task.name)),
        }));
    }
    all.push(Box::new(sources::Nowhere));
    all
}

fn owner_id(id: Option<i64>) -> Option<u32> {
    id.and_then(|id| u32::try_from(id).ok())
}
