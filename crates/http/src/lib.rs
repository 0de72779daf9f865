//! The public API: the route table, requests, answers, and how they travel over HTTP.
//!
//! Entry points: [`Api`] is what answers, [`Server`](serve::Server) listens and calls it, [`routes`] is the table
//! of every route with what it needs ([`caravan_acl::Access`]) and where it is answered ([`Forward`]).
//!
//! Invariants: a route has an access rule or does not compile; blocking, paging, filtering, compression and the
//! spelling of errors happen here and nowhere else; an `ApiRequest` can be sent to another agent as it is. This
//! crate must never know how a request is answered.

pub mod answer;
pub mod api;
pub mod blocking;
pub mod error;
pub mod events;
pub mod exec;
pub mod filter;
pub mod frames;
pub mod go;
pub mod json;
pub mod method;
pub mod op;
pub mod page;
pub mod prefix;
pub mod query;
pub mod request;
pub mod route;
pub mod routes;

mod respond;
mod router;
pub mod serve;

pub use answer::{Answer, Body, ByteStream, Head, Meta, Watch, content_type};
pub use api::Api;
pub use error::ApiError;
pub use exec::{Session, SessionHandler, SessionInput, SessionOutput};
pub use filter::Filter;
pub use method::{Method, Methods};
pub use op::Op;
pub use page::{Order, Page, Token, page};
pub use query::Query;
pub use request::{ApiRequest, Params, QueryOptions};
pub use route::{Forward, Route};
pub use serve::{Listener, Server, Settings, TlsConfig, Ui};
pub use tokio_util::sync::CancellationToken;
