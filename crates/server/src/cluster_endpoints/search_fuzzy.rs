//! Fuzzy search (http-api §2.7): a text anywhere in a name, and inside of jobs; ids still by prefix.

use super::search::{self, LIMIT};
use crate::endpoints::{Answered, Call};
use caravan_acl::VariableCapability;
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::search_context as context;
use caravan_model::*;
use std::collections::BTreeMap;

/// How long a text must be.
const MIN_LENGTH: usize = 2;
/// How many objects of a kind are looked at.
const LOOKED_AT: usize = 20;
/// The kinds of which only ids are searched, by prefix; they are shown even when nothing is found.
const BY_ID: &[&str] = &[
    context::DEPLOYMENTS,
    context::EVALS,
    context::HOST_VOLUMES,
    context::SCALING_POLICIES,
    context::VOLUMES,
];

/// Matches by kind, each with how early in its name the text begins.
#[derive(Default)]
struct Hits(BTreeMap<&'static str, Vec<(usize, FuzzyMatch)>>);

impl Hits {
    /// Keeps a name when it holds the text.
    fn offer(&mut self, text: &str, kind: &'static str, name: &str, scope: &[&str]) {
        if let Some(at) = name.to_lowercase().find(text) {
            let scope = scope.iter().map(|part| (*part).to_owned()).collect();
            self.0.entry(kind).or_default().push((
                at,
                FuzzyMatch {
                    id: name.to_owned(),
                    scope,
                },
            ));
        }
    }
}

pub(super) fn fuzzy(call: &Call) -> Answered {
    let body: FuzzySearchRequest = call.request.json()?;
    let contexts = search::searched(call, &body.context)?;
    let length = body.text.chars().count();
    if length < MIN_LENGTH {
        return Err(ApiError::internal(format!(
            "fuzzy search query must be at least {MIN_LENGTH} characters, got {length}"
        )));
    }
    let text = body.text.to_lowercase();
    let mut answer = FuzzySearchResponse {
        matches: BTreeMap::new(),
        truncations: BTreeMap::new(),
        meta: search::meta(call, &contexts),
    };
    let mut hits = Hits::default();
    for (name, _) in contexts {
        let mut truncated = false;
        if BY_ID.contains(&name) {
            let found = search::by_prefix(call, name, &body.text);
            let shown = found
                .matches
                .into_iter()
                .map(|id| FuzzyMatch {
                    id,
                    scope: Vec::new(),
                })
                .collect();
            answer.matches.insert(name.to_owned(), shown);
            truncated = found.truncated;
        } else {
            truncated |= look(call, name, &text, &mut hits);
        }
        answer.truncations.insert(name.to_owned(), truncated);
    }
    for (kind, mut found) in hits.0 {
        found.sort_by(|a, b| (a.0, &a.1.id, &a.1.scope).cmp(&(b.0, &b.1.id, &b.1.scope)));
        if found.len() > LIMIT {
            found.truncate(LIMIT);
            answer
                .truncations
                .entry(kind.to_owned())
                .and_modify(|cut| *cut = true);
        }
        answer.matches.insert(
            kind.to_owned(),
            found.into_iter().map(|(_, hit)| hit).collect(),
        );
    }
    let index = answer.meta.index;
    Answer::json(&answer, Meta::read(index))
}

/// Looks through the first objects of a kind; returns whether there were more.
fn look(call: &Call, name: &str, text: &str, hits: &mut Hits) -> bool {
    let (state, caller) = (&call.state, &call.caller);
    match name {
        context::JOBS => {
            let jobs = state.jobs().filter(|job| call.in_scope(&job.namespace));
            each(jobs, |job| job_hits(job, text, hits))
        }
        context::ALLOCS => {
            let allocs = state
                .allocs()
                .filter(|alloc| call.in_scope(&alloc.namespace));
            each(allocs, |alloc| {
                let scope = [alloc.namespace.as_str(), &alloc.id.to_string()];
                hits.offer(text, context::ALLOCS, &alloc.name, &scope);
            })
        }
        context::NODES => each(state.nodes(), |node| {
            let id = node.id.to_string();
            hits.offer(text, context::NODES, &node.name, &[&id]);
            hits.offer(text, context::CLASSES, &node.node_class, &[&id]);
        }),
        context::NODE_POOLS => each(
            state
                .node_pools()
                .filter(|pool| caller.reads_node_pool(&pool.name)),
            |pool| hits.offer(text, context::NODE_POOLS, &pool.name, &[]),
        ),
        context::NAMESPACES => each(
            state
                .namespaces()
                .filter(|row| caller.knows_namespace(row.name.as_str())),
            |row| hits.offer(text, context::NAMESPACES, row.name.as_str(), &[]),
        ),
        context::VARIABLES => each(
            state.variables().map(|row| &row.metadata).filter(|row| {
                call.in_scope(&row.namespace)
                    && caller.on_variable(
                        row.namespace.as_str(),
                        &row.path,
                        VariableCapability::List,
                    )
            }),
            |row| {
                hits.offer(
                    text,
                    context::VARIABLES,
                    &row.path,
                    &[row.namespace.as_str(), &row.path],
                )
            },
        ),
        _ => false,
    }
}

fn each<T>(mut rows: impl Iterator<Item = T>, mut look: impl FnMut(T)) -> bool {
    for row in rows.by_ref().take(LOOKED_AT) {
        look(row);
    }
    rows.next().is_some()
}

/// A job, and everything in it that has a name.
fn job_hits(job: &Job, text: &str, hits: &mut Hits) {
    let (namespace, id) = (job.namespace.as_str(), job.id.as_str());
    hits.offer(text, context::JOBS, &job.name, &[namespace, id]);
    for group in &job.task_groups {
        hits.offer(text, context::GROUPS, &group.name, &[namespace, id]);
        for service in &group.services {
            hits.offer(
                text,
                context::SERVICES,
                &service.name,
                &[namespace, id, &group.name],
            );
        }
        for task in &group.tasks {
            hits.offer(
                text,
                context::TASKS,
                &task.name,
                &[namespace, id, &group.name],
            );
            let scope = [namespace, id, &group.name, &task.name];
            for service in &task.services {
                hits.offer(text, context::SERVICES, &service.name, &scope);
            }
            let setting = |name: &str| {
                task.config
                    .get(name)
                    .and_then(|value| value.as_str())
                    .unwrap_or_default()
            };
            let program = match task.driver.as_str() {
                "docker" | "podman" => (context::IMAGES, setting("image")),
                "exec" | "raw_exec" => (context::COMMANDS, setting("command")),
                "java" if setting("class").is_empty() => (context::COMMANDS, setting("jar_path")),
                "java" => (context::CLASSES, setting("class")),
                "qemu" => (context::IMAGES, setting("image_path")),
                _ => continue,
            };
            hits.offer(text, program.0, program.1, &scope);
        }
    }
}
