//! The event stream (http-api §4): what changed, as lines of JSON, to those who may hear it.

use crate::caller::Caller;
use crate::endpoints::{Answered, Call};
use crate::events::EventBatch;
use crate::server::Shared;
use bytes::Bytes;
use caravan_acl::{Access, CoarseRule, NamespaceCapability, Target, VariableCapability};
use caravan_http::events::{self, Subscription};
use caravan_http::{ApiError, ApiRequest, json};
use caravan_model::*;
use caravan_state::Change;
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc};

/// How many lines may wait for a slow reader before it is let go.
const WAITING_LINES: usize = 256;

/// What one caller hears.
struct Listener {
    shared: Arc<Shared>,
    request: ApiRequest,
    subscription: Subscription,
    namespace: String,
    caller: Arc<Caller>,
}

pub(super) fn stream(call: &Call) -> Answered {
    let subscription = Subscription::parse(&call.request.query)?;
    let namespace = call.request.namespace().to_owned();
    let listener = Listener {
        shared: Arc::clone(&call.shared),
        request: call.request.clone(),
        subscription,
        namespace,
        caller: Arc::clone(&call.caller),
    };
    let (sender, lines) = mpsc::channel(WAITING_LINES);
    if !listener.permitted() {
        return Err(ApiError::permission_denied());
    }
    let (kept, live) = call.shared.events.subscribe(listener.subscription.index);
    tokio::spawn(follow(listener, kept, live, sender));
    Ok(events::answer(lines))
}

/// Sends what is kept and what comes, until the reader is gone or too slow.
async fn follow(
    mut listener: Listener,
    kept: Vec<Arc<EventBatch>>,
    mut live: broadcast::Receiver<Arc<EventBatch>>,
    sender: mpsc::Sender<Bytes>,
) {
    let mut last = 0;
    for batch in kept {
        last = batch.index;
        if !listener.send(&batch, &sender).await {
            return;
        }
    }
    loop {
        let batch = tokio::select! {
            batch = live.recv() => batch,
            () = sender.closed() => return,
        };
        match batch {
            Ok(batch) if batch.index > last => {
                if concerns_rights(&batch) && !listener.still_permitted() {
                    return;
                }
                if !listener.send(&batch, &sender).await {
                    return;
                }
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

fn concerns_rights(batch: &EventBatch) -> bool {
    batch.changes.iter().any(|change| {
        matches!(
            change,
            Change::AclToken(_)
                | Change::AclTokenRemoved(_)
                | Change::AclPolicy(_)
                | Change::AclPolicyRemoved(_)
                | Change::AclRole(_)
                | Change::AclRoleRemoved(_)
        )
    })
}

impl Listener {
    /// Whether the caller may hear every topic that it asks for.
    fn permitted(&self) -> bool {
        self.subscription
            .topics
            .keys()
            .all(|topic| self.may_hear(topic))
    }

    /// Looks anew at what the caller may do, after tokens, roles or policies changed.
    fn still_permitted(&mut self) -> bool {
        let state = self.shared.store.snapshot();
        match Caller::of(&self.shared, &state, &self.request, crate::clock::now()) {
            Ok(caller) => {
                self.caller = Arc::new(caller);
                self.permitted()
            }
            Err(_) => false,
        }
    }

    fn may_hear(&self, topic: &str) -> bool {
        let caller = &self.caller;
        let may = |access| caller.view.allows(access, Target::default());
        match topic {
            "Job" | "Allocation" | "Evaluation" | "Deployment" | "Service" | "CSIPlugin" => {
                caller.has(&self.namespace, NamespaceCapability::ReadJob)
            }
            "HostVolume" => caller.has(&self.namespace, NamespaceCapability::HostVolumeRead),
            "CSIVolume" => caller.has(&self.namespace, NamespaceCapability::CsiReadVolume),
            "Node" => may(Access::Node(CoarseRule::Read)),
            "Operator" => may(Access::Operator(CoarseRule::Read)),
            "Variable" => caller.knows_variables_of(&self.namespace),
            _ => caller.is_management(),
        }
    }

    /// Sends what of a batch is for this listener; false when it is gone or too slow.
    async fn send(&self, batch: &EventBatch, sender: &mpsc::Sender<Bytes>) -> bool {
        let events: Vec<Event> = batch
            .changes
            .iter()
            .filter_map(|change| event_of(change, batch))
            .filter(|event| self.hears(event))
            .collect();
        if events.is_empty() {
            return true;
        }
        match json::encode(&Events {
            index: batch.index,
            events,
        }) {
            Ok(line) => sender.send(line).await.is_ok(),
            Err(error) => {
                tracing::error!(%error, index = batch.index, "an event could not be written");
                true
            }
        }
    }

    fn hears(&self, event: &Event) -> bool {
        let topic = event.topic.to_string();
        let keys = event.filter_keys.iter().map(String::as_str);
        if !self.subscription.wants(&topic, &event.key, keys) {
            return false;
        }
        if event.namespace.is_empty() {
            return true;
        }
        if self.namespace != "*" && event.namespace != self.namespace {
            return false;
        }
        match event.topic {
            Topic::Variable => {
                self.caller
                    .on_variable(&event.namespace, &event.key, VariableCapability::List)
            }
            Topic::HostVolume => self
                .caller
                .has(&event.namespace, NamespaceCapability::HostVolumeRead),
            _ => self.caller.reads_jobs_of(&event.namespace),
        }
    }
}

/// Topic, key, further keys, namespace and payload of a changed row.
type Parts = (Topic, String, Vec<String>, String, EventPayload);

/// The event of a change; changes that nobody is told of have none.
fn event_of(change: &Change, batch: &EventBatch) -> Option<Event> {
    let (topic, key, filter_keys, namespace, payload) = parts(change)?;
    Some(Event {
        topic,
        r#type: batch.event_type.to_owned(),
        key,
        namespace,
        filter_keys,
        index: batch.index,
        payload,
    })
}

fn parts(change: &Change) -> Option<Parts> {
    let cluster =
        |topic, key: String, payload| Some((topic, key, Vec::new(), String::new(), payload));
    match change {
        Change::Job(job) => Some(job_parts(job, false)),
        Change::JobRemoved(job) => Some(job_parts(job, true)),
        Change::Alloc { alloc, .. } => Some(alloc_parts(alloc)),
        Change::Eval(eval) => Some((
            Topic::Evaluation,
            eval.id.to_string(),
            vec![eval.job_id.to_string(), eval.deployment_id.to_string()],
            eval.namespace.to_string(),
            EventPayload::Evaluation {
                evaluation: Arc::clone(eval),
            },
        )),
        Change::Deployment(row) => Some((
            Topic::Deployment,
            row.id.to_string(),
            vec![row.job_id.to_string()],
            row.namespace.to_string(),
            EventPayload::Deployment {
                deployment: Arc::clone(row),
            },
        )),
        Change::Node(node) | Change::NodeRemoved(node) => {
            let shown = Node {
                secret_id: String::new(),
                ..Node::clone(node)
            };
            cluster(
                Topic::Node,
                node.id.to_string(),
                EventPayload::Node {
                    node: Arc::new(shown),
                },
            )
        }
        Change::NodePool(pool) | Change::NodePoolRemoved(pool) => cluster(
            Topic::NodePool,
            pool.name.clone(),
            EventPayload::NodePool {
                node_pool: Arc::clone(pool),
            },
        ),
        Change::Service(service) | Change::ServiceRemoved(service) => Some((
            Topic::Service,
            service.id.clone(),
            vec![service.job_id.to_string(), service.service_name.clone()],
            service.namespace.to_string(),
            EventPayload::Service {
                service: Arc::clone(service),
            },
        )),
        Change::Variable(row) => Some(variable_parts(&row.metadata, false)),
        Change::VariableRemoved(row) => Some(variable_parts(&row.metadata, true)),
        Change::HostVolume(volume) => Some(volume_parts(volume, volume.id.clone())),
        Change::HostVolumeRemoved(volume) => Some(volume_parts(volume, String::new())),
        Change::AclToken(token) | Change::AclTokenRemoved(token) => {
            let shown = AclToken {
                secret_id: String::new(),
                ..AclToken::clone(token)
            };
            cluster(
                Topic::AclToken,
                token.accessor_id.clone(),
                EventPayload::AclToken {
                    token: Arc::new(shown),
                },
            )
        }
        Change::AclPolicy(policy) | Change::AclPolicyRemoved(policy) => cluster(
            Topic::AclPolicy,
            policy.name.clone(),
            EventPayload::AclPolicy {
                policy: Arc::clone(policy),
            },
        ),
        Change::AclAuthMethod(method) | Change::AclAuthMethodRemoved(method) => cluster(
            Topic::AclAuthMethod,
            method.name.clone(),
            EventPayload::AclAuthMethod {
                auth_method: Arc::new(super::acl::shown_method(method)),
            },
        ),
        Change::AclBindingRule(rule) | Change::AclBindingRuleRemoved(rule) => Some((
            Topic::AclBindingRule,
            rule.id.clone(),
            vec![rule.auth_method.clone()],
            String::new(),
            EventPayload::AclBindingRule {
                binding_rule: Arc::clone(rule),
            },
        )),
        Change::AclRole(role) | Change::AclRoleRemoved(role) => Some((
            Topic::AclRole,
            role.id.clone(),
            vec![role.name.clone()],
            String::new(),
            EventPayload::AclRole {
                role: Arc::clone(role),
            },
        )),
        _ => None,
    }
}

fn job_parts(job: &Arc<Job>, deleted: bool) -> Parts {
    let payload = EventPayload::Job(JobEvent {
        job: Arc::clone(job),
        deleted,
    });
    (
        Topic::Job,
        job.id.to_string(),
        Vec::new(),
        job.namespace.to_string(),
        payload,
    )
}

fn alloc_parts(alloc: &Arc<Allocation>) -> Parts {
    let shown = Allocation {
        job: None,
        ..Allocation::clone(alloc)
    };
    let over_time = alloc.over_time_reason();
    let payload = EventPayload::Allocation(AllocationEvent {
        allocation: Arc::new(shown),
        timeout: over_time.is_some(),
        timeout_reason: over_time.unwrap_or_default().to_owned(),
    });
    let keys = vec![alloc.job_id.to_string(), alloc.deployment_id.to_string()];
    (
        Topic::Allocation,
        alloc.id.to_string(),
        keys,
        alloc.namespace.to_string(),
        payload,
    )
}

fn variable_parts(metadata: &VariableMetadata, deleted: bool) -> Parts {
    let payload = EventPayload::Variable {
        metadata: metadata.clone(),
        deleted,
    };
    (
        Topic::Variable,
        metadata.path.clone(),
        Vec::new(),
        metadata.namespace.to_string(),
        payload,
    )
}

fn volume_parts(volume: &Arc<HostVolume>, key: String) -> Parts {
    let payload = EventPayload::Volume {
        volume: EventVolume::Host(Arc::new(HostVolumePayload(HostVolume::clone(volume)))),
    };
    let keys = vec![
        volume.id.clone(),
        volume.name.clone(),
        volume.plugin_id.clone(),
    ];
    (
        Topic::HostVolume,
        key,
        keys,
        volume.namespace.to_string(),
        payload,
    )
}
