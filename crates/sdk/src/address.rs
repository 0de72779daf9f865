//! Where an agent listens: a TCP address with or without TLS, or a Unix socket.

use std::fmt;

/// A parsed agent address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `http://host:port` or `https://host:port`.
    Tcp {
        /// Whether the connection is TLS.
        tls: bool,
        /// Name or address, without brackets.
        host: String,
        /// The port, the scheme's own when none was given.
        port: u16,
        /// As written, between the slashes.
        authority: String,
        /// A path that every request's path is appended to.
        prefix: String,
    },
    /// `unix:///path` or `unix:/path`.
    Unix(String),
    /// Something with another scheme, or none; it fails when it is used.
    Unsupported(String),
}

/// A parsed address and the user information that was written into it.
pub(crate) struct Parsed {
    pub(crate) address: Address,
    pub(crate) user: Option<String>,
}

impl Address {
    /// Reads an address; `Err` says what cannot be understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse(text).map(|parsed| parsed.address)
    }

    /// What precedes the path in an error text.
    #[must_use]
    pub fn base(&self) -> String {
        match self {
            Self::Tcp {
                tls,
                authority,
                prefix,
                ..
            } => {
                let scheme = if *tls { "https" } else { "http" };
                format!("{scheme}://{authority}{prefix}")
            }
            Self::Unix(_) => "http://127.0.0.1".to_owned(),
            Self::Unsupported(scheme) if scheme.is_empty() => String::new(),
            Self::Unsupported(scheme) => format!("{scheme}://"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{path}"),
            other => f.write_str(&other.base()),
        }
    }
}

pub(crate) fn parse(text: &str) -> Result<Parsed, String> {
    let text = text.trim();
    if let Some(path) = text.strip_prefix("unix:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        return Ok(plain(Address::Unix(path.to_owned())));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        let first = text.split('/').next().unwrap_or_default();
        if first.contains(':') {
            return Err(format!(
                "invalid address '{text}': parse \"{text}\": first path segment in URL cannot contain colon"
            ));
        }
        return Ok(plain(Address::Unsupported(String::new())));
    };
    let tls = match scheme {
        "http" => false,
        "https" => true,
        other => return Ok(plain(Address::Unsupported(other.to_owned()))),
    };
    let (authority, prefix) = match rest.split_once('/') {
        Some((authority, path)) => (authority, format!("/{}", path.trim_end_matches('/'))),
        None => (rest, String::new()),
    };
    let prefix = prefix.trim_end_matches('/').to_owned();
    let (user, authority) = match authority.rsplit_once('@') {
        Some((user, authority)) => (Some(user.to_owned()), authority),
        None => (None, authority),
    };
    let (host, port) = host_and_port(authority, if tls { 443 } else { 80 })
        .ok_or_else(|| format!("invalid address '{text}': parse \"{text}\": invalid port"))?;
    Ok(Parsed {
        address: Address::Tcp {
            tls,
            host,
            port,
            authority: authority.to_owned(),
            prefix,
        },
        user,
    })
}

fn plain(address: Address) -> Parsed {
    Parsed {
        address,
        user: None,
    }
}

fn host_and_port(authority: &str, default: u16) -> Option<(String, u16)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok()?,
            None => default,
        };
        return Some((host.to_owned(), port));
    }
    match authority.rsplit_once(':') {
        Some((host, port)) => Some((host.to_owned(), port.parse().ok()?)),
        None => Some((authority.to_owned(), default)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_each_form() {
        let tcp = Address::parse("https://[::1]:4646/").unwrap();
        assert_eq!(
            tcp,
            Address::Tcp {
                tls: true,
                host: "::1".into(),
                port: 4646,
                authority: "[::1]:4646".into(),
                prefix: String::new(),
            }
        );
        assert_eq!(
            Address::parse("unix:///run/api.sock").unwrap(),
            Address::Unix("/run/api.sock".into())
        );
        assert_eq!(
            Address::parse("unix:/a").unwrap(),
            Address::Unix("/a".into())
        );
        assert_eq!(
            Address::parse("nonsense").unwrap(),
            Address::Unsupported(String::new())
        );
        assert!(Address::parse("127.0.0.1:4646").is_err());
        assert_eq!(parse("http://u:p@h:1").unwrap().user.unwrap(), "u:p");
    }
}
