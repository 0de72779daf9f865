//! `tls ca info`, `tls cert info`: what a certificate says.

use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::text_or;
use crate::format::go_time;
use crate::hostfiles::io_text;
use crate::table::columns_with;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::pem::parse_x509_pem;

pub(super) const CA: Command = Command {
    name: "tls ca info",
    args: "[options] <CA file>",
    synopsis: "Show certificate authority information",
    about: "Show certificate authority information.",
    flags: &[text_or(
        "domain",
        "nomad",
        "domain",
        "The domain of the cluster.",
    )],
    known_as: "tls cert info",
    client: false,
    run: |context| {
        let default = format!("{}-agent-ca.pem", context.given.text("domain"));
        show(context, &default, true)
    },
    ..COMMAND
};

pub(super) const CERT: Command = Command {
    name: "tls cert info",
    args: "[options] <certificate file>",
    synopsis: "Show certificate information",
    about: "Show information about a certificate.",
    client: false,
    run: |context| show(context, "", false),
    ..COMMAND
};

fn show(context: &mut Context, default: &str, authority: bool) -> Outcome {
    let path = match context.given.arg(0) {
        "" if default.is_empty() => {
            return Err(context.usage("This command takes one argument: <path>"));
        }
        "" => default.to_owned(),
        path => path.to_owned(),
    };
    let bytes = std::fs::read(&path).map_err(|error| {
        format!(
            "Error reading certificate file: open {path}: {}",
            io_text(&error)
        )
    })?;
    let unreadable = || Failure::new(format!("Failed to parse certificate file {path}"));
    let (_, pem) = parse_x509_pem(&bytes).map_err(|_| unreadable())?;
    let certificate = pem.parse_x509().map_err(|_| unreadable())?;
    let expiry = certificate.validity().not_after.timestamp();
    let mut rows = vec![
        row!["Serial Number", certificate.serial.to_string()],
        row!["Issuer CN", common_name(certificate.issuer())],
        row!["Common Name", distinguished(certificate.subject())],
        row!["Expiry Date", go_time(expiry.saturating_mul(1_000_000_000))],
    ];
    let (dns, ips, permitted) = names(&certificate);
    if authority {
        rows.push(row![
            "Permitted DNS Domains",
            format!("[{}]", permitted.join(" "))
        ]);
    } else {
        rows.push(row!["DNS Names", format!("[{}]", dns.join(" "))]);
        rows.push(row!["IP Addresses", format!("[{}]", ips.join(" "))]);
    }
    context.ui.out(&columns_with(&rows, ""));
    Ok(0)
}

fn common_name(name: &x509_parser::x509::X509Name<'_>) -> String {
    let first = name
        .iter_common_name()
        .next()
        .and_then(|one| one.as_str().ok());
    first.unwrap_or_default().to_owned()
}

/// A name with all of its parts, the most telling first.
fn distinguished(name: &x509_parser::x509::X509Name<'_>) -> String {
    const PARTS: [(&str, &str); 9] = [
        ("2.5.4.5", "SERIALNUMBER"),
        ("2.5.4.3", "CN"),
        ("2.5.4.17", "POSTALCODE"),
        ("2.5.4.9", "STREET"),
        ("2.5.4.8", "ST"),
        ("2.5.4.7", "L"),
        ("2.5.4.11", "OU"),
        ("2.5.4.10", "O"),
        ("2.5.4.6", "C"),
    ];
    let mut parts = Vec::new();
    for (oid, label) in PARTS {
        let values = name.iter_attributes().filter_map(|one| {
            let fits = one.attr_type().to_id_string() == oid;
            fits.then(|| one.as_str().ok()).flatten()
        });
        parts.extend(values.map(|value| format!("{label}={value}")));
    }
    parts.join(",")
}

type Names = (Vec<String>, Vec<String>, Vec<String>);

fn names(certificate: &X509Certificate<'_>) -> Names {
    let (mut dns, mut ips, mut permitted) = Names::default();
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(all) => {
                for name in &all.general_names {
                    match name {
                        GeneralName::DNSName(name) => dns.push((*name).to_owned()),
                        GeneralName::IPAddress(bytes) => ips.push(address(bytes)),
                        _ => {}
                    }
                }
            }
            ParsedExtension::NameConstraints(constraints) => {
                for subtree in constraints.permitted_subtrees.iter().flatten() {
                    if let GeneralName::DNSName(name) = subtree.base {
                        permitted.push(name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    (dns, ips, permitted)
}

fn address(bytes: &[u8]) -> String {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return std::net::Ipv4Addr::from(four).to_string();
    }
    match <[u8; 16]>::try_from(bytes) {
        Ok(sixteen) => std::net::Ipv6Addr::from(sixteen).to_string(),
        Err(_) => String::new(),
    }
}
