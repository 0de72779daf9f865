//! `tls ca create`: an authority for a cluster.

use super::{exists, names, write};
use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::{int, list, switch, text, text_or};
use rcgen::{
    BasicConstraints, DnType, GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints,
};

pub(super) const CREATE: Command = Command {
    name: "tls ca create",
    synopsis: "Create a certificate authority for Nomad",
    about: "Create a new certificate authority for Nomad.",
    flags: &[
        list(
            "additional-domain",
            "domain",
            "With -name-constraint, another domain it may sign for. May be repeated.",
        ),
        text("common-name", "name", "The authority's name."),
        text_or("country", "US", "code", "Part of its subject."),
        int("days", "1825", "How long it is valid."),
        text_or("domain", "nomad", "domain", "The domain of the cluster."),
        text_or("locality", "San Francisco", "text", "Part of its subject."),
        switch(
            "name-constraint",
            "Only sign for the domain, its region names and localhost.",
        ),
        text_or(
            "organization",
            "HashiCorp Inc.",
            "text",
            "Part of its subject.",
        ),
        text_or(
            "organizational-unit",
            "Nomad",
            "text",
            "Part of its subject.",
        ),
        text_or("postal-code", "94105", "text", "Part of its subject."),
        text_or("province", "CA", "text", "Part of its subject."),
        text_or(
            "street-address",
            "101 Second Street",
            "text",
            "Part of its subject.",
        ),
    ],
    client: false,
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    context.no_args()?;
    let given = &context.given;
    let domain = given.text("domain").to_owned();
    if domain != "nomad" && !given.on("name-constraint") {
        return Err(
            "Please provide the -name-constraint flag to use a custom domain constraint".into(),
        );
    }
    let (cert_path, key_path) = (
        format!("{domain}-agent-ca.pem"),
        format!("{domain}-agent-ca-key.pem"),
    );
    if exists(&cert_path) {
        return Err(format!("CA certificate file '{cert_path}' already exists").into());
    }
    if exists(&key_path) {
        return Err(format!("CA key file '{key_path}' already exists").into());
    }
    let (certificate, key) = make(context)
        .map_err(|error| format!("Error creating CA certificate: {}", error.message))?;
    write(&cert_path, &certificate, 0o644)?;
    context
        .ui
        .out(&format!("==> CA certificate saved to: {cert_path}"));
    write(&key_path, &key, 0o600)?;
    context
        .ui
        .out(&format!("==> CA certificate key saved to: {key_path}"));
    Ok(0)
}

fn make(context: &Context) -> Result<(String, String), Failure> {
    let given = &context.given;
    let failed = |error: rcgen::Error| Failure::new(error.to_string());
    let key = KeyPair::generate().map_err(failed)?;
    let common = match given.text("common-name") {
        "" => format!("Nomad Agent CA {}", crate::format::now()),
        name => name.to_owned(),
    };
    let mut params = names::params(&common, given.int("days"))?;
    let subject = [
        (DnType::CountryName, "country"),
        (DnType::OrganizationName, "organization"),
        (DnType::OrganizationalUnitName, "organizational-unit"),
        (DnType::LocalityName, "locality"),
        (DnType::StateOrProvinceName, "province"),
        (DnType::from_oid(&[2, 5, 4, 9]), "street-address"),
        (DnType::from_oid(&[2, 5, 4, 17]), "postal-code"),
    ];
    for (kind, flag) in subject {
        names::push(&mut params.distinguished_name, kind, given.text(flag));
    }
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    if given.on("name-constraint") {
        let mut domains = vec!["localhost".to_owned(), given.text("domain").to_owned()];
        domains.extend(given.list("additional-domain").iter().cloned());
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: domains.into_iter().map(GeneralSubtree::DnsName).collect(),
            excluded_subtrees: Vec::new(),
        });
    }
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok((certificate.pem(), key.serialize_pem()))
}
