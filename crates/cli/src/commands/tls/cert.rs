//! `tls cert create`: a certificate for a server, a client or the command line.

use super::{exists, names, write};
use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::{int, list, switch, text, text_or};
use crate::hostfiles::io_text;
use rcgen::{ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};

pub(super) const CREATE: Command = Command {
    name: "tls cert create",
    synopsis: "Create a new certificate",
    about: "Create a new TLS certificate to use within the Nomad cluster TLS configuration.",
    flags: &[
        list(
            "additional-dnsname",
            "name",
            "Another name it is valid for. May be repeated.",
        ),
        list(
            "additional-ipaddress",
            "ip",
            "Another address it is valid for. May be repeated.",
        ),
        text(
            "ca",
            "path",
            "The authority. Default: <domain>-agent-ca.pem",
        ),
        switch("cli", "For the command line."),
        switch("client", "For a client agent."),
        int("days", "365", "How long it is valid."),
        text_or("domain", "nomad", "domain", "The domain of the cluster."),
        text(
            "key",
            "path",
            "The authority's key. Default: <domain>-agent-ca-key.pem",
        ),
        text_or("cluster-region", "", "region", "The same as -region."),
        text("region", "region", "The region. Default: global"),
        switch("server", "For a server."),
    ],
    client: false,
    run,
    ..COMMAND
};

/// What a certificate is for.
struct Role {
    name: &'static str,
    title: &'static str,
    key_title: &'static str,
    server: bool,
}

fn role(context: &Context) -> Result<Role, Failure> {
    let given = &context.given;
    let role = |name, title, key_title, server| Role {
        name,
        title,
        key_title,
        server,
    };
    match (given.on("server"), given.on("client"), given.on("cli")) {
        (true, false, false) => Ok(role("server", "Server", "Server", true)),
        (false, true, false) => Ok(role("client", "Client", "Client", true)),
        (false, false, true) => Ok(role("cli", "Cli", "CLI", false)),
        _ => Err("Please provide either -server, -client, or -cli".into()),
    }
}

fn run(context: &mut Context) -> Outcome {
    context.no_args()?;
    let role = role(context)?;
    let given = &context.given;
    let domain = given.text("domain").to_owned();
    let region = match (given.text("region"), given.text("cluster-region")) {
        ("", "") => "global".to_owned(),
        ("", region) | (region, _) => region.to_owned(),
    };
    let or = |text: &str, default: String| {
        if text.is_empty() {
            default
        } else {
            text.to_owned()
        }
    };
    let ca_path = or(given.text("ca"), format!("{domain}-agent-ca.pem"));
    let ca_key_path = or(given.text("key"), format!("{domain}-agent-ca-key.pem"));
    let prefix = format!("{region}-{}-{domain}", role.name);
    let (cert_path, key_path) = (format!("{prefix}.pem"), format!("{prefix}-key.pem"));
    if exists(&cert_path) {
        return Err(format!("Certificate file '{cert_path}' already exists").into());
    }
    if exists(&key_path) {
        return Err(format!("Key file '{key_path}' already exists").into());
    }
    let read = |path: &str, what: &str| {
        std::fs::read_to_string(path)
            .map_err(|error| format!("Error reading {what}: open {path}: {}", io_text(&error)))
    };
    let ca = read(&ca_path, "CA")?;
    let ca_key = read(&ca_key_path, "CA key")?;
    if role.name == "server" {
        context.ui.warn("==> WARNING: Server Certificates grants authority to become a\n    server and access all state in the cluster including root keys\n    and all ACL tokens. Do not distribute them to production hosts\n    that are not server nodes. Store them as securely as CA keys.");
    }
    context.ui.out(&format!(
        "==> Using CA file {ca_path} and CA key {ca_key_path}"
    ));
    let name = format!("{}.{region}.{domain}", role.name);
    let (certificate, key) = make(context, &role, &name, &ca, &ca_key)?;
    write(&cert_path, &certificate, 0o644)?;
    context.ui.out(&format!(
        "==> {} Certificate saved to {cert_path}",
        role.title
    ));
    write(&key_path, &key, 0o600)?;
    context.ui.out(&format!(
        "==> {} Certificate key saved to {key_path}",
        role.key_title
    ));
    Ok(0)
}

fn make(
    context: &Context,
    role: &Role,
    name: &str,
    ca: &str,
    ca_key: &str,
) -> Result<(String, String), Failure> {
    let given = &context.given;
    let failed = |error: rcgen::Error| Failure::new(format!("Error creating certificate: {error}"));
    let issuer_key = KeyPair::from_pem(ca_key).map_err(failed)?;
    let issuer = Issuer::from_ca_cert_pem(ca, issuer_key).map_err(failed)?;
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = names::params(name, given.int("days"))?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if role.server {
        params
            .extended_key_usages
            .push(ExtendedKeyUsagePurpose::ServerAuth);
    }
    let mut dns = vec![name.to_owned(), "localhost".to_owned()];
    dns.extend(given.list("additional-dnsname").iter().cloned());
    for name in dns {
        let name = name
            .as_str()
            .try_into()
            .map_err(|_| format!("{name:?} is no DNS name"))?;
        params.subject_alt_names.push(SanType::DnsName(name));
    }
    params
        .subject_alt_names
        .push(SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()));
    for address in given.list("additional-ipaddress") {
        let address = address
            .parse()
            .map_err(|_| format!("{address:?} is no IP address"))?;
        params.subject_alt_names.push(SanType::IpAddress(address));
    }
    let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
    Ok((certificate.pem(), key.serialize_pem()))
}
