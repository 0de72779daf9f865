//! `login`: the credentials of somebody else, for a token. A signed token is sent as it is; for an OIDC method the browser
//! signs in and comes back to a listener here.

use crate::api::Api;
use crate::command::{COMMAND, Command, JSON, TEMPLATE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{text, text_or};
use crate::hints;
use crate::hostfiles::io_text;
use crate::json::{Fields, list};
use base64::Engine;
use caravan_sdk::Query;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

pub(super) const SPEC: Command = Command {
    name: "login",
    synopsis: "Login to Nomad using an auth method",
    about: "The login command will exchange the provided third party credentials with the requested auth method for a newly minted Nomad ACL token. For an OIDC method it opens a browser, for a JWT method it needs -login-token.",
    flags: &[
        text(
            "method",
            "name",
            "The auth method; the default one without it.",
        ),
        text("type", "type", "Not used any more."),
        text_or(
            "oidc-callback-addr",
            "localhost:4649",
            "addr",
            "Where the browser comes back to.",
        ),
        text("login-token", "token", "The signed token of a JWT method."),
        JSON,
        TEMPLATE,
    ],
    run,
    ..COMMAND
};

/// For how long the browser may take.
const PATIENCE: Duration = Duration::from_secs(300);

fn run(context: &mut Context) -> Outcome {
    context.no_args()?;
    if context.given.is_set("type") {
        context
            .ui
            .warn("The -type flag is not used any more: the auth method says its type.");
    }
    let api = context.api()?;
    let (name, kind) = method(&api, context.given.text("method"))?;
    let token = match kind.as_str() {
        "JWT" => with_token(context, &api, &name)?,
        "OIDC" => with_browser(context, &api, &name)?,
        other => return Err(format!("Unsupported authentication type {other:?}").into()),
    };
    if !context.data_if_wanted(&token, "*api.ACLToken")? {
        let text = super::super::acl::token_text(&context.ui, &token);
        context.ui.out(&format!(
            "Successfully logged in via {kind} and {name}\n\n{text}"
        ));
    }
    Ok(0)
}

/// The name and type of the method that was asked for, or of the default one.
fn method(api: &Api, wanted: &str) -> Result<(String, String), Failure> {
    let all = api
        .get("/v1/acl/auth-methods", Query::new())
        .doing("Error listing ACL auth methods")?;
    let fits = |one: &&Value| match wanted {
        "" => one.yes("Default"),
        name => one.str("Name") == name,
    };
    match list(&all).iter().find(fits) {
        Some(one) => Ok((one.str("Name").to_owned(), one.str("Type").to_owned())),
        None if wanted.is_empty() => {
            Err("Must specify an auth method name, no default found".into())
        }
        None => Err(format!("Error: method {wanted} not found in the state store. ").into()),
    }
}

fn with_token(context: &Context, api: &Api, method: &str) -> Result<Value, Failure> {
    let token = context.given.text("login-token");
    if token.is_empty() {
        return Err("You need to provide a login token.".into());
    }
    let body = json!({"AuthMethodName": method, "LoginToken": token});
    api.put("/v1/acl/login", Query::new(), &body)
        .doing("Error performing login")
}

fn with_browser(context: &mut Context, api: &Api, method: &str) -> Result<Value, Failure> {
    let addr = context.given.text("oidc-callback-addr").to_owned();
    let listener = TcpListener::bind(&addr).map_err(|error| {
        format!(
            "Error listening for the browser on {addr}: {}; choose another address with -oidc-callback-addr",
            io_text(&error)
        )
    })?;
    let redirect = format!("http://{addr}/oidc/callback");
    let nonce = nonce()?;
    let asked = json!({"AuthMethodName": method, "RedirectURI": redirect, "ClientNonce": nonce});
    let url = api
        .put("/v1/acl/oidc/auth-url", Query::new(), &asked)
        .doing("Error performing login")?;
    let url = url.str("AuthURL").to_owned();
    context.ui.hint(&format!(
        "Sign in with the browser that opens. If none does, open this address yourself:\n\n    {url}\n"
    ));
    hints::open(&url);
    let came = callback(&listener)?;
    if !came.error.is_empty() {
        return Err(format!("Error performing login: {}", came.error).into());
    }
    let body = json!({
        "AuthMethodName": method,
        "ClientNonce": nonce,
        "State": came.state,
        "Code": came.code,
        "RedirectURI": redirect,
        "Iss": came.issuer,
    });
    api.put("/v1/acl/oidc/complete-auth", Query::new(), &body)
        .doing("Error performing login")
}

fn nonce() -> Result<String, Failure> {
    let mut bytes = [0; 20];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| "Error performing login: no random numbers")?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

/// What the browser brings back.
#[derive(Debug, Default, PartialEq, Eq)]
struct Callback {
    state: String,
    code: String,
    issuer: String,
    error: String,
}

/// Waits until the browser comes back.
fn callback(listener: &TcpListener) -> Result<Callback, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(format!("Error performing login: {}", io_text(&error)))
    };
    listener.set_nonblocking(true).map_err(failed)?;
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        match listener.accept() {
            Ok((stream, _)) => {
                if let Some(came) = answer(stream) {
                    return Ok(came);
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(error) => return Err(failed(error)),
        }
    }
    Err("Error performing login: the browser did not come back within five minutes".into())
}

/// Reads one request and answers it; nothing when it is for something else, an icon for example.
fn answer(mut stream: TcpStream) -> Option<Callback> {
    stream.set_nonblocking(false).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 0 && !line.trim().is_empty() {
        line.clear();
    }
    let came = read(&first);
    let (status, text) = match &came {
        Some(came) if came.error.is_empty() => ("200 OK", "Signed in. You may close this window."),
        Some(_) => ("200 OK", "The sign-in failed. The command line says why."),
        None => ("404 Not Found", "There is nothing here."),
    };
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    came
}

/// The parameters in the first line of a request for the callback.
fn read(line: &str) -> Option<Callback> {
    let target = line.split(' ').nth(1)?;
    let query = target.strip_prefix("/oidc/callback?")?;
    let mut came = Callback::default();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = crate::format::unescape(value);
        match name {
            "state" => came.state = value,
            "code" => came.code = value,
            "iss" => came.issuer = value,
            "error" if came.error.is_empty() => came.error = value,
            "error_description" => came.error = value,
            _ => {}
        }
    }
    Some(came)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_brings_state_and_code() {
        let came =
            read("GET /oidc/callback?state=st_1&code=a%2Fb+c&iss=http%3A%2F%2Fidp HTTP/1.1\r\n");
        let came = came.unwrap();
        assert_eq!(came.state, "st_1");
        assert_eq!(came.code, "a/b c");
        assert_eq!(came.issuer, "http://idp");
        assert_eq!(read("GET /favicon.ico HTTP/1.1"), None);
        let refused =
            read("GET /oidc/callback?error=access_denied&error_description=no+way HTTP/1.1");
        assert_eq!(refused.unwrap().error, "no way");
    }

    #[test]
    fn one_browser_is_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let browser = std::thread::spawn(move || {
            let mut said = Vec::new();
            for path in ["/favicon.ico", "/oidc/callback?state=s&code=c"] {
                let mut stream = TcpStream::connect(addr).unwrap();
                write!(stream, "GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
                let mut line = String::new();
                BufReader::new(stream).read_line(&mut line).unwrap();
                said.push(line.trim().to_owned());
            }
            said
        });
        let came = callback(&listener).unwrap();
        assert_eq!((came.state.as_str(), came.code.as_str()), ("s", "c"));
        assert_eq!(
            browser.join().unwrap(),
            ["HTTP/1.1 404 Not Found", "HTTP/1.1 200 OK"]
        );
    }
}
