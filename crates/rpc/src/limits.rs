//! Every bound and time-out of the room in one place.

use std::time::Duration;

/// Bounds on what a peer can make us hold, and how long we wait for it.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest body of a unary message, in bytes, in either direction.
    pub max_message: usize,
    /// Largest header list of one request or response, in bytes.
    pub max_headers: u32,
    /// Requests that a peer may have open on one connection. High, because a blocking query holds
    /// one for minutes and must not keep a write from passing.
    pub max_streams: u32,
    /// Bytes a stream may be ahead of its reader.
    pub stream_window: u32,
    /// Bytes all streams of a connection together may be ahead of their readers. Many stream
    /// windows, so that some stalled readers do not stall the others.
    pub connection_window: u32,
    /// Connections accepted from one address at a time (`rpc_max_conns_per_client`); 0 is no limit.
    pub max_connections_per_ip: usize,
    /// From accept to the end of TLS and preface (`rpc_handshake_timeout`); zero is no limit.
    pub handshake_timeout: Duration,
    /// From the first packet to an admitted connection, for the dialler (`dial_timeout`).
    pub dial_timeout: Duration,
    /// A connection is probed this often (`keep_alive_interval`).
    pub keep_alive_interval: Duration,
    /// A probe that is not answered in this time ends the connection (`connection_write_timeout`).
    pub keep_alive_timeout: Duration,
    /// How long open requests may go on after a shutdown was asked for.
    pub drain: Duration,
    /// Connections the kernel may hold for us before we accept them (`accept_backlog`).
    pub accept_backlog: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message: 64 << 20,
            max_headers: 64 << 10,
            max_streams: 4096,
            stream_window: 256 << 10,
            connection_window: 64 << 20,
            max_connections_per_ip: 100,
            handshake_timeout: Duration::from_secs(5),
            dial_timeout: Duration::from_secs(10),
            keep_alive_interval: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(1),
            accept_backlog: 256,
        }
    }
}
