//! The servers' side of the public API: one function an operation, one file an area.
//!
//! A read is answered from one snapshot and says which tables it looked at; waiting for a newer answer is the
//! business of `http`. A write is checked, turned into commands and proposed.

mod allocations;
mod deployments;
mod evaluations;
mod jobs;
pub(crate) mod list;
pub(crate) mod rows;

use crate::caller::Caller;
use crate::propose::ProposeError;
use crate::server::Shared;
use async_trait::async_trait;
use caravan_http::{Answer, Api, ApiError, ApiRequest, Meta, Op, Watch};
use caravan_model::*;
use caravan_state::{Applied, Command, JobKey, State, Table};
use caravan_telemetry as telemetry;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Instant;

/// What an endpoint works with.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) shared: Arc<Shared>,
    pub(crate) state: Arc<State>,
    pub(crate) request: ApiRequest,
    pub(crate) caller: Arc<Caller>,
}

/// What an endpoint gives.
pub(crate) type Answered = Result<Answer, ApiError>;

impl Call {
    /// The job that the path names.
    pub(crate) fn job_key(&self) -> JobKey {
        JobKey::new(self.request.namespace(), self.request.param("id"))
    }

    /// Whether rows of this namespace are asked for: the request's, or any when it says `*`.
    pub(crate) fn in_scope(&self, namespace: &NamespaceName) -> bool {
        match self.request.namespace() {
            "*" => self.caller.may_in(&self.request, namespace.as_str()),
            wanted => *namespace == wanted,
        }
    }

    /// Refuses those who may not make this request about something in this namespace.
    pub(crate) fn permit_in(&self, namespace: &NamespaceName) -> Result<(), ApiError> {
        if self.caller.may_in(&self.request, namespace.as_str()) {
            return Ok(());
        }
        Err(ApiError::permission_denied())
    }

    /// Answers a read of tables: its index is theirs.
    pub(crate) fn tables<T: serde::Serialize + ?Sized>(
        &self,
        value: &T,
        tables: &[Table],
    ) -> Answered {
        Answer::json(value, self.tables_meta(tables))
    }

    /// The head of a read of tables.
    pub(crate) fn tables_meta(&self, tables: &[Table]) -> Meta {
        let index = self.state.index_of_any(tables);
        let index = if self.request.options.index > 0 {
            index.max(1)
        } else {
            index
        };
        self.watching(Meta::read(index), tables)
    }

    /// The head of a read that has this index, whatever the tables'.
    pub(crate) fn head(&self, index: u64, tables: &[Table]) -> Meta {
        self.watching(Meta::read(index), tables)
    }

    /// Answers a read of one object: its index is the object's.
    pub(crate) fn object<T: serde::Serialize + ?Sized>(
        &self,
        value: &T,
        index: u64,
        tables: &[Table],
    ) -> Answered {
        Answer::json(value, self.watching(Meta::read(index.max(1)), tables))
    }

    /// The error of an object that is not there, which can be waited for.
    pub(crate) fn missing(&self, text: &str, tables: &[Table]) -> ApiError {
        ApiError::not_found(text).with_meta(self.tables_meta(tables))
    }

    fn watching(&self, meta: Meta, tables: &[Table]) -> Meta {
        let keys: Vec<u64> = tables.iter().map(|table| *table as u64).collect();
        meta.watching(keys, self.state.index())
    }

    /// Proposes a command.
    pub(crate) async fn propose(&self, command: Command) -> Result<Arc<Applied>, ApiError> {
        self.shared
            .proposer
            .propose(&command)
            .await
            .map_err(ApiError::from)
    }

    /// The state as the command left it, or newer.
    pub(crate) async fn after(&self, applied: &Applied) -> Arc<State> {
        self.shared.store.at_least(applied.index).await
    }
}

impl From<ProposeError> for ApiError {
    fn from(error: ProposeError) -> Self {
        match error {
            ProposeError::NoLeader => Self::no_leader(),
            ProposeError::Refused(refused) => Self::internal(refused.to_string()),
            other => Self::internal(other.to_string()),
        }
    }
}

/// The public API as a server answers it.
pub struct ServerApi {
    shared: Arc<Shared>,
}

impl ServerApi {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Whether the caller may make a request that a node answers, about something in this namespace.
    ///
    /// # Errors
    /// The refusal as the caller is to see it.
    pub fn authorize(&self, request: &ApiRequest, namespace: Option<&str>) -> Result<(), ApiError> {
        let state = self.shared.store.snapshot();
        let caller = Caller::of(&self.shared, &state, request, crate::clock::now())?;
        let may = match namespace {
            Some(namespace) => caller.may_in(request, namespace),
            None => caller.may_call(request),
        };
        if may {
            Ok(())
        } else {
            Err(ApiError::permission_denied())
        }
    }
}

impl ServerApi {
    /// Refuses whoever may not make this request.
    ///
    /// # Errors
    /// An unknown token, or one without the right.
    pub fn permit(&self, request: &ApiRequest) -> Result<(), ApiError> {
        let state = self.shared.store.snapshot();
        let caller = Caller::of(&self.shared, &state, request, crate::clock::now())?;
        if caller.may_call(request) {
            Ok(())
        } else {
            Err(ApiError::permission_denied())
        }
    }
}

#[async_trait]
impl Api for ServerApi {
    async fn call(&self, request: ApiRequest) -> Answered {
        let (op, blocking, began) = (request.op, request.route().blocking, Instant::now());
        let answered = self.answer(request).await;
        note(op, blocking, began, &answered);
        answered
    }

    fn changed<'a>(&'a self, watch: &'a Watch) -> BoxFuture<'a, ()> {
        let tables: Vec<Table> = Table::ALL
            .iter()
            .copied()
            .filter(|table| watch.keys.contains(&(*table as u64)))
            .collect();
        Box::pin(async move { self.shared.store.tables_moved(&tables, watch.at).await })
    }
}

/// Counts a request, and notes how long it took.
fn note(op: Op, blocking: bool, began: Instant, answered: &Answered) {
    telemetry::count("nomad.nomad.rpc.request");
    if blocking {
        telemetry::count("nomad.nomad.rpc.query");
    }
    if answered.is_err() {
        telemetry::count("nomad.nomad.rpc.request_error");
    }
    if let Some(measured) = crate::measured::of(op) {
        telemetry::count(measured.rate);
        if let Some(time) = measured.time {
            telemetry::took(time, began);
        }
    }
}

impl ServerApi {
    async fn answer(&self, request: ApiRequest) -> Answered {
        let state = self.shared.store.snapshot();
        let caller = Arc::new(Caller::of(
            &self.shared,
            &state,
            &request,
            crate::clock::now(),
        )?);
        let call = Call {
            shared: Arc::clone(&self.shared),
            state,
            request,
            caller,
        };
        if !call.caller.may_call(&call.request) {
            let refused = ApiError::permission_denied();
            // Writes of variables tell an index, be it of nothing.
            let variable = matches!(call.request.op, Op::VariableWrite | Op::VariableDelete);
            return Err(if variable {
                refused.with_meta(Meta::write(0))
            } else {
                refused
            });
        }
        dispatch(call).await
    }
}

async fn dispatch(call: Call) -> Answered {
    match call.request.op {
        Op::JobList => jobs::read::list(&call),
        Op::JobRead => jobs::read::read(&call),
        Op::JobSummary => jobs::read::summary(&call),
        Op::JobAllocations => jobs::read::allocations(&call),
        Op::JobEvaluations => jobs::read::evaluations(&call),
        Op::JobDeployments => jobs::read::deployments(&call),
        Op::JobLatestDeployment => jobs::read::latest_deployment(&call),
        Op::JobVersions => jobs::read::versions(&call),
        Op::JobSubmission => jobs::read::submission(&call),
        Op::JobServices => jobs::read::services(&call),
        Op::JobActions => jobs::read::actions(&call),
        Op::JobScaleStatus => jobs::scale::status(&call),
        Op::JobStatuses => jobs::statuses::statuses(&call),
        Op::JobRegister => jobs::register::register(&call).await,
        Op::JobValidate => jobs::register::validate(&call),
        Op::JobsParse => jobs::register::parse(&call),
        Op::JobPlan => jobs::plan::plan(&call).await,
        Op::JobDeregister => jobs::control::deregister(&call).await,
        Op::JobEvaluate => jobs::control::evaluate(&call).await,
        Op::JobPeriodicForce => jobs::control::periodic_force(&call).await,
        Op::JobRevert => jobs::versions::revert(&call).await,
        Op::JobStable => jobs::versions::stable(&call).await,
        Op::JobVersionTag => jobs::versions::tag(&call).await,
        Op::JobVersionUntag => jobs::versions::untag(&call).await,
        Op::JobScale => jobs::scale::scale(&call).await,
        Op::JobDispatch | Op::JobDispatchPayload => jobs::dispatch::dispatch(&call).await,
        Op::AllocationList => allocations::list(&call),
        Op::AllocationRead => allocations::read(&call),
        Op::AllocationServices => allocations::services(&call),
        Op::AllocationStop => allocations::stop(&call).await,
        Op::EvaluationList => evaluations::list(&call),
        Op::EvaluationCount => evaluations::count(&call),
        Op::EvaluationRead => evaluations::read(&call),
        Op::EvaluationAllocations => evaluations::allocations(&call),
        Op::EvaluationDelete => evaluations::delete(&call).await,
        Op::DeploymentList => deployments::list(&call),
        Op::DeploymentRead => deployments::read(&call),
        Op::DeploymentAllocations => deployments::allocations(&call),
        Op::DeploymentFail => deployments::fail(&call).await,
        Op::DeploymentPause => deployments::pause(&call).await,
        Op::DeploymentPromote => deployments::promote(&call).await,
        Op::DeploymentUnblock => deployments::unblock(&call).await,
        Op::DeploymentAllocationHealth => deployments::allocation_health(&call).await,
        _ => crate::cluster_endpoints::dispatch(call).await,
    }
}
