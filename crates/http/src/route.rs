//! A row of the route table: how an operation is reached, what it needs and where it is answered.
//!
//! A route is only made by [`route`], which takes its [`Access`]: there is no way to add one without.

use caravan_acl::Access;

use crate::{method::Methods, op::Op};

/// Which agent answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// The agent that was asked, whatever its role.
    Local,
    /// A read of cluster state: the leader, or with `stale` any server.
    AnyServer,
    /// A write of cluster state: the leader.
    Leader,
    /// The client node that runs the allocation in the path.
    ClientAlloc,
    /// The client node named by `node_id`; this agent when it is not given.
    ClientNode,
    /// The agent named by `node_id` or `server_id`; this agent when neither is given.
    AgentTarget,
    /// This agent, which must be a server.
    ServerOnly,
}

/// The query parameters that the framework itself reads and checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Region, namespace, index, wait, stale, paging: bad ones are refused before the call.
    Everything,
    /// Region and namespace alone; the rest is the operation's own.
    Scope,
}

/// What a method that the path does not know is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongMethod {
    pub status: u16,
    pub text: &'static str,
}

impl WrongMethod {
    /// The usual answer.
    pub const USUAL: Self = Self {
        status: 405,
        text: "Invalid method",
    };
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub methods: Methods,
    /// `:name` takes one segment of the path, `*name` one or more.
    pub path: &'static str,
    pub op: Op,
    pub access: Access,
    pub forward: Forward,
    pub reads: Reads,
    /// Whether `index` and `wait` hold the answer back until something changes.
    pub blocking: bool,
    /// Whether an id in the path names something that has a namespace of its own: the operation asks there.
    pub by_id: bool,
    /// Whether pages of other origins may read it.
    pub cors: bool,
    /// Whether the request must be a websocket.
    pub websocket: bool,
    /// Whether the body may be as large as a snapshot.
    pub large_body: bool,
    /// What is answered with 400 when the name at the end of the path is empty.
    pub empty_name: Option<&'static str>,
    pub wrong_method: WrongMethod,
}

/// A row with the usual rest.
pub const fn route(
    methods: Methods,
    path: &'static str,
    op: Op,
    access: Access,
    forward: Forward,
) -> Route {
    Route {
        methods,
        path,
        op,
        access,
        forward,
        reads: Reads::Everything,
        blocking: false,
        by_id: false,
        cors: false,
        websocket: false,
        large_body: false,
        empty_name: None,
        wrong_method: WrongMethod::USUAL,
    }
}

impl Route {
    pub(crate) const fn blocking(mut self) -> Self {
        self.blocking = true;
        self
    }

    pub(crate) const fn by_id(mut self) -> Self {
        self.by_id = true;
        self
    }

    pub(crate) const fn cors(mut self) -> Self {
        self.cors = true;
        self
    }

    pub(crate) const fn websocket(mut self) -> Self {
        self.websocket = true;
        self
    }

    pub(crate) const fn large_body(mut self) -> Self {
        self.large_body = true;
        self
    }

    pub(crate) const fn scope_only(mut self) -> Self {
        self.reads = Reads::Scope;
        self
    }

    pub(crate) const fn empty_name(mut self, text: &'static str) -> Self {
        self.empty_name = Some(text);
        self
    }

    pub(crate) const fn wrong_method(mut self, status: u16, text: &'static str) -> Self {
        self.wrong_method = WrongMethod { status, text };
        self
    }
}

/// A path that exists only to be refused in its own words.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    pub path: &'static str,
    pub status: u16,
    pub text: &'static str,
}
