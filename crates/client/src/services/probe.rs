//! The probes themselves: tcp, http and scripts.

use std::sync::OnceLock;
use std::time::Duration;

use caravan_model::ServiceCheck;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::api::contained::go_text;
use crate::consul::cause;
use crate::handle::Runner;
use crate::task::env::address;
use crate::tls::TlsConfig;

/// No check over TLS takes longer, whatever its timeout.
const LONGEST: Duration = Duration::from_secs(600);

/// How much of an answer is kept.
const KEPT: usize = 3 << 10;
/// How much of an answer is read.
const READ: u64 = 64 << 10;
const REDIRECTS: usize = 10;

/// What a probe found.
pub(super) struct Outcome {
    pub(super) success: bool,
    pub(super) output: String,
    pub(super) status_code: u16,
}

fn failed(why: impl std::fmt::Display) -> Outcome {
    Outcome {
        success: false,
        output: format!("nomad: {why}"),
        status_code: 0,
    }
}

pub(super) async fn tcp(host: &str, port: i64) -> Outcome {
    match connect(&address(host, port)).await {
        Ok(_) => Outcome {
            success: true,
            output: "nomad: tcp ok".into(),
            status_code: 0,
        },
        Err(error) => failed(error),
    }
}

/// A connection; the error is in the words of the reference.
async fn connect(authority: &str) -> Result<TcpStream, String> {
    TcpStream::connect(authority)
        .await
        .map_err(|error| format!("dial tcp {authority}: connect: {}", go_text(&error)))
}

/// A plain HTTP/1.1 exchange, where no TLS is asked for: such checks need no more.
pub(super) async fn http(check: &ServiceCheck, host: &str, port: i64) -> Outcome {
    let (mut authority, mut path) = (address(host, port), check.path.clone());
    if check.protocol.eq_ignore_ascii_case("https") {
        let path = path.trim_start_matches('/');
        return secure(check, &format!("https://{authority}/{path}")).await;
    }
    for _ in 0..REDIRECTS {
        let answer = match exchange(check, &authority, &path).await {
            Ok(answer) => answer,
            Err(error) => {
                let method = title(&check.method);
                return failed(format!("{method} \"http://{authority}{path}\": {error}"));
            }
        };
        match answer.location {
            Some(location) if (300..400).contains(&answer.status) => {
                if location.starts_with("https://") {
                    return secure(check, &location).await;
                }
                (authority, path) = redirected(&authority, &location)
            }
            _ => return outcome(answer.status, &answer.body),
        }
    }
    failed(format!("stopped after {REDIRECTS} redirects"))
}

fn redirected(authority: &str, location: &str) -> (String, String) {
    let Some(rest) = location.strip_prefix("http://") else {
        return (authority.to_owned(), location.to_owned());
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    (host, format!("/{path}"))
}

/// Over TLS, and wherever that leads.
async fn secure(check: &ServiceCheck, url: &str) -> Outcome {
    match over_tls(check, url).await {
        Ok(answer) => outcome(answer.status, &answer.body),
        Err(why) => failed(why),
    }
}

async fn over_tls(check: &ServiceCheck, url: &str) -> Result<Answer, String> {
    // One for those that look at certificates and one for those that do not: what they trust takes time to read.
    static CLIENTS: [OnceLock<reqwest::Client>; 2] = [OnceLock::new(), OnceLock::new()];
    let slot = &CLIENTS[usize::from(check.tls_skip_verify)];
    let client = match slot.get() {
        Some(client) => client,
        None => {
            let tls = TlsConfig {
                verify: !check.tls_skip_verify,
                ..TlsConfig::default()
            };
            let made = tls.client(LONGEST);
            let made = made.map_err(|error| cause(&error))?;
            slot.get_or_init(|| made)
        }
    };
    let method = match check.method.as_str() {
        "" => reqwest::Method::GET,
        given => given
            .parse()
            .map_err(|_| format!("{given:?} is no method"))?,
    };
    let mut request = client
        .request(method, url)
        .header("User-Agent", "Nomad/check")
        .header("Connection", "close");
    for (name, values) in &check.header {
        for value in values {
            request = request.header(name, value);
        }
    }
    if !check.body.is_empty() {
        request = request.body(check.body.clone());
    }
    let mut answer = request.send().await.map_err(|error| cause(&error))?;
    let mut body = Vec::new();
    while body.len() <= KEPT
        && let Some(more) = answer.chunk().await.map_err(|error| cause(&error))?
    {
        body.extend_from_slice(&more);
    }
    Ok(Answer {
        status: answer.status().as_u16(),
        location: None,
        body,
    })
}

fn outcome(status: u16, body: &[u8]) -> Outcome {
    let success = (200..400).contains(&status);
    let output = if status == 200 {
        "nomad: http ok".to_owned()
    } else {
        String::from_utf8_lossy(&body[..body.len().min(KEPT)]).into_owned()
    };
    Outcome {
        success,
        output,
        status_code: status,
    }
}

struct Answer {
    status: u16,
    location: Option<String>,
    body: Vec<u8>,
}

/// A method as errors name it: `Get`.
fn title(method: &str) -> String {
    let (first, rest) = match method {
        "" => ("G", "et".to_owned()),
        method => (
            method.get(..1).unwrap_or_default(),
            method.get(1..).unwrap_or_default().to_lowercase(),
        ),
    };
    format!("{first}{rest}")
}

async fn exchange(check: &ServiceCheck, authority: &str, path: &str) -> Result<Answer, String> {
    let mut stream = connect(authority).await?;
    stream
        .write_all(request(check, authority, path).as_bytes())
        .await
        .map_err(|error| go_text(&error))?;
    let mut bytes = Vec::new();
    stream
        .take(READ)
        .read_to_end(&mut bytes)
        .await
        .map_err(|error| go_text(&error))?;
    parse(&bytes).ok_or_else(|| "malformed HTTP response".to_owned())
}

fn request(check: &ServiceCheck, authority: &str, path: &str) -> String {
    let method = if check.method.is_empty() {
        "GET"
    } else {
        &check.method
    };
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    let header = |name: &str| {
        check
            .header
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
    };
    let host = header("host")
        .and_then(|(_, values)| values.first())
        .map_or(authority, String::as_str);
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    if header("user-agent").is_none() {
        text.push_str("User-Agent: Nomad/check\r\n");
    }
    // A line end in a value would let it forge lines.
    let clean = |text: &str| text.replace(['\r', '\n'], " ");
    for (name, values) in check
        .header
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("host"))
    {
        for value in values {
            text.push_str(&format!("{}: {}\r\n", clean(name), clean(value)));
        }
    }
    if !check.body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", check.body.len()));
    }
    text.push_str("\r\n");
    text.push_str(&check.body);
    text
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let header = |wanted: &str| {
        let mut all = head
            .split("\r\n")
            .skip(1)
            .filter_map(|line| line.split_once(':'));
        all.find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.trim().to_owned())
    };
    let raw = &bytes[end + 4..];
    let chunked =
        header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    let body = if chunked { unchunk(raw) } else { raw.to_vec() };
    Some(Answer {
        status,
        location: header("location"),
        body,
    })
}

fn unchunk(mut raw: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = raw.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&raw[..end])
            .ok()
            .and_then(|text| usize::from_str_radix(text.trim(), 16).ok());
        let Some(size) = size.filter(|size| *size > 0) else {
            break;
        };
        let from = end + 2;
        body.extend_from_slice(&raw[from.min(raw.len())..(from + size).min(raw.len())]);
        raw = &raw[(from + size + 2).min(raw.len())..];
    }
    body
}

pub(super) async fn script(
    runner: &Runner,
    task: &str,
    check: &ServiceCheck,
    timeout: Duration,
) -> Outcome {
    let Some(live) = runner.live(task) else {
        return failed(format!("task {task:?} is not running"));
    };
    let command: Vec<String> = std::iter::once(check.command.clone())
        .chain(check.args.iter().cloned())
        .collect();
    match live
        .driver
        .exec_task(&live.task_id, &command, timeout)
        .await
    {
        Ok(output) => Outcome {
            success: output.exit_code == 0,
            output: String::from_utf8_lossy(&output.output[..output.output.len().min(KEPT)])
                .into_owned(),
            status_code: 0,
        },
        Err(error) => failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answering(text: &'static str) -> i64 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut buffer = [0; 1024];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(text.as_bytes()).await;
            }
        });
        i64::from(port)
    }

    #[tokio::test]
    async fn http_and_tcp_are_probed() {
        let good = answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await;
        let bad = answering("HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfull \r\n2\r\nup\r\n0\r\n\r\n").await;
        let check = ServiceCheck {
            path: "/".into(),
            ..ServiceCheck::default()
        };
        let found = http(&check, "127.0.0.1", good).await;
        assert!(found.success && found.output == "nomad: http ok" && found.status_code == 200);
        let found = http(&check, "127.0.0.1", bad).await;
        assert!(!found.success);
        assert_eq!((&*found.output, found.status_code), ("full up", 503));
        assert!(tcp("127.0.0.1", good).await.success);
        let free = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let refused = format!("dial tcp 127.0.0.1:{free}: connect: connection refused");
        let found = tcp("127.0.0.1", i64::from(free)).await;
        assert_eq!(found.output, format!("nomad: {refused}"));
        let found = http(&check, "127.0.0.1", i64::from(free)).await;
        assert_eq!(
            found.output,
            format!("nomad: Get \"http://127.0.0.1:{free}/\": {refused}")
        );
    }
}
