//! A command run inside a task, over a WebSocket.

use crate::client::{Client, Request};
use crate::connect::Connection;
use crate::error::Error;
use crate::query::Query;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::{SinkExt, StreamExt};
use http::Method;
use serde_json::{Value, json};
use std::collections::VecDeque;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};

/// What a running command says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecEvent {
    /// Bytes of its output.
    Stdout(Vec<u8>),
    /// Bytes of its error output.
    Stderr(Vec<u8>),
    /// It ended.
    Exited(i32),
}

/// A running command.
pub struct ExecSession {
    socket: WebSocketStream<Connection>,
    /// What was read while something was to be sent.
    read: VecDeque<ExecEvent>,
}

impl Client {
    /// Opens a session; `path` is the exec or action route.
    pub async fn exec(&self, path: &str, query: Query) -> Result<ExecSession, Error> {
        let request = Request::new(Method::GET, path, query);
        let target = self.target(&request);
        let http = self.base();
        let url = format!("{}{target}", http.replacen("http", "ws", 1));
        let failed = |reason: String| Error::Transport {
            method: "Get",
            url: url.clone(),
            reason,
        };
        let connection = self.inner.dialer.dial().await.map_err(failed)?;
        let mut request = url
            .as_str()
            .into_client_request()
            .map_err(|e| failed(e.to_string()))?;
        for (name, value) in self.headers() {
            let name = http::HeaderName::try_from(name).map_err(|e| failed(e.to_string()))?;
            let value = http::HeaderValue::try_from(value).map_err(|e| failed(e.to_string()))?;
            request.headers_mut().insert(name, value);
        }
        match tokio_tungstenite::client_async(request, connection).await {
            Ok((socket, _)) => Ok(ExecSession {
                socket,
                read: VecDeque::new(),
            }),
            Err(tungstenite::Error::Http(answer)) => {
                let code = answer.status().as_u16();
                let body = answer.into_body().unwrap_or_default();
                let body = String::from_utf8_lossy(&body).trim().to_owned();
                Err(Error::Status { code, body })
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

impl ExecSession {
    async fn say(&mut self, value: Value) -> Result<(), Error> {
        let message = Message::text(value.to_string());
        match self.socket.send(message).await {
            Ok(()) => Ok(()),
            // The other end is gone; why, it may have said before, in what is still to be read.
            Err(error) => match self.receive().await {
                Ok(None) => Err(Error::Closed(error.to_string())),
                Ok(Some(event)) => {
                    self.read.push_back(event);
                    Ok(())
                }
                Err(told) => Err(told),
            },
        }
    }

    /// Gives the command input.
    pub async fn stdin(&mut self, data: &[u8]) -> Result<(), Error> {
        self.say(json!({"stdin": {"data": STANDARD.encode(data)}}))
            .await
    }

    /// Ends its input.
    pub async fn close_stdin(&mut self) -> Result<(), Error> {
        self.say(json!({"stdin": {"close": true}})).await
    }

    /// Tells the size of the terminal.
    pub async fn resize(&mut self, height: u16, width: u16) -> Result<(), Error> {
        self.say(json!({"tty_size": {"height": height, "width": width}}))
            .await
    }

    /// Says that this end is alive.
    pub async fn heartbeat(&mut self) -> Result<(), Error> {
        self.say(json!({})).await
    }

    /// What happens next; `None` when the other end closed without an exit.
    pub async fn next(&mut self) -> Result<Option<ExecEvent>, Error> {
        match self.read.pop_front() {
            Some(event) => Ok(Some(event)),
            None => self.receive().await,
        }
    }

    async fn receive(&mut self) -> Result<Option<ExecEvent>, Error> {
        while let Some(message) = self.socket.next().await {
            let message = message.map_err(|error| Error::Closed(error.to_string()))?;
            let text = match &message {
                Message::Text(text) => text.as_str(),
                Message::Close(Some(frame)) if !frame.reason.is_empty() => {
                    return Err(Error::Closed(frame.reason.to_string()));
                }
                Message::Close(_) => return Ok(None),
                _ => continue,
            };
            let value: Value =
                serde_json::from_str(text).map_err(|error| Error::Decode(error.to_string()))?;
            if let Some(event) = event(&value) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }
}

fn event(value: &Value) -> Option<ExecEvent> {
    let data = |name: &str| {
        let text = value[name]["data"].as_str()?;
        STANDARD.decode(text).ok()
    };
    if let Some(data) = data("stdout") {
        return Some(ExecEvent::Stdout(data));
    }
    if let Some(data) = data("stderr") {
        return Some(ExecEvent::Stderr(data));
    }
    let code = value["result"]["exit_code"].as_i64().unwrap_or_default();
    let exited = value["exited"].as_bool().unwrap_or_default();
    exited.then(|| ExecEvent::Exited(i32::try_from(code).unwrap_or(1)))
}
