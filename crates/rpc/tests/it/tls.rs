//! Who may talk to whom, by certificate.

use std::sync::Arc;

use caravan_rpc::preface::Preface;
use caravan_rpc::{
    Dialer, Lane, Pool, RpcError, Tls, TlsConfig, TlsError, TlsVersion, call_msgpack,
};

use crate::authority::Authority;
use crate::endpoints::{Server, as_node, as_server, limits, server_pool};
use crate::soon;

async fn who(server: &Server, preface: Preface, tls: Option<Arc<Tls>>) -> Result<String, RpcError> {
    let pool = Pool::new(Dialer::new(preface, tls, limits()));
    let channel = pool.channel(&server.target(), Lane::Calls);
    soon("an answer", call_msgpack(&channel, "/who", &())).await
}

fn said(outcome: Result<String, RpcError>) -> String {
    let error = outcome.expect_err("it must be refused");
    assert!(error.is_unsent(), "{error}");
    error.to_string()
}

#[tokio::test]
async fn good_certificates_prove_role_and_region() {
    let ca = Authority::new();
    let server = Server::start(Some(ca.tls("server.global.nomad")), limits());
    let proven = |role| format!("role: {role}, region: \"global\", verified: true");
    let as_peer = who(&server, as_server(), Some(ca.tls("server.global.nomad")))
        .await
        .unwrap();
    assert!(as_peer.contains(&proven("Server")), "{as_peer}");
    let node = who(&server, as_node("n1"), Some(ca.tls("client.global.nomad")))
        .await
        .unwrap();
    assert!(
        node.contains(&proven("Client")) && node.contains("n1"),
        "{node}"
    );
    // An agent that is server and client has only the server's certificate.
    let both = who(&server, as_node("n1"), Some(ca.tls("server.global.nomad")))
        .await
        .unwrap();
    assert!(both.contains(&proven("Server")), "{both}");
    // A server of another region forwards to us.
    let abroad = Preface::Server {
        name: "srv9".into(),
        region: "eu".into(),
    };
    let abroad = who(&server, abroad, Some(ca.tls("server.eu.nomad")))
        .await
        .unwrap();
    assert!(
        abroad.contains("region: \"eu\", verified: true"),
        "{abroad}"
    );
}

#[tokio::test]
async fn another_authority_is_refused() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = Server::start(Some(ours.tls("server.global.nomad")), limits());
    // They refuse us.
    let outcome = who(
        &server,
        as_server(),
        Some(theirs.tls("server.global.nomad")),
    )
    .await;
    assert!(matches!(&outcome, Err(RpcError::Tls { .. })), "{outcome:?}");
    assert!(said(outcome).contains(&server.address.to_string()));
    // We refuse them: they trust our authority, but come from another.
    let mut intruder = theirs.config("server.global.nomad");
    intruder.ca_file = ours.path("ca.pem");
    let outcome = who(&server, as_server(), Some(Tls::load(intruder).unwrap())).await;
    assert!(matches!(&outcome, Err(RpcError::Tls { .. })), "{outcome:?}");
    assert_eq!(
        server
            .agent
            .seen
            .admitted
            .load(std::sync::atomic::Ordering::Relaxed),
        0
    );
}

#[tokio::test]
async fn a_wrong_role_or_region_is_refused() {
    let ca = Authority::new();
    let server = Server::start(Some(ca.tls("server.global.nomad")), limits());
    let node_as_server = who(&server, as_server(), Some(ca.tls("client.global.nomad"))).await;
    assert!(said(node_as_server).contains("not for server.global.nomad"));
    let foreign_node = who(&server, as_node("n1"), Some(ca.tls("client.eu.nomad"))).await;
    assert!(said(foreign_node).contains("not for client.global.nomad"));
    let node_of_eu = Preface::Client {
        node_id: "n1".into(),
        region: "eu".into(),
    };
    let node_of_eu = who(&server, node_of_eu, Some(ca.tls("client.eu.nomad"))).await;
    assert!(said(node_of_eu).contains("this server is of region \"global\""));
    // A node must not be able to pose as a server towards diallers either.
    let fake = Server::start(Some(ca.tls("client.global.nomad")), limits());
    let fooled = who(&fake, as_node("n1"), Some(ca.tls("client.global.nomad"))).await;
    assert!(said(fooled).contains("server.global.nomad"));
}

#[tokio::test]
async fn names_do_not_matter_unless_asked_for() {
    let ca = Authority::new();
    let lax = |name| {
        Tls::load(TlsConfig {
            verify_server_hostname: false,
            ..ca.config(name)
        })
        .unwrap()
    };
    let server = Server::start(Some(lax("anything.example")), limits());
    let unproven = who(&server, as_server(), Some(lax("whatever.example")))
        .await
        .unwrap();
    assert!(unproven.contains("verified: false"), "{unproven}");
    // The authority still does.
    let other = Authority::new();
    let foreign = TlsConfig {
        verify_server_hostname: false,
        ..other.config("whatever.example")
    };
    let outcome = who(&server, as_server(), Some(Tls::load(foreign).unwrap())).await;
    assert!(matches!(outcome, Err(RpcError::Tls { .. })));
}

#[tokio::test]
async fn tls_on_one_end_only_is_explained() {
    let ca = Authority::new();
    let with = Server::start(Some(ca.tls("server.global.nomad")), limits());
    let plain = who(&with, as_server(), None).await;
    assert!(said(plain).contains("TLS only"));
    let without = Server::plain();
    let secure = who(&without, as_server(), Some(ca.tls("server.global.nomad"))).await;
    let text = said(secure);
    assert!(
        text.contains("does the other end have tls { rpc = true }?"),
        "{text}"
    );
}

#[tokio::test]
async fn upgrade_mode_takes_both() {
    let ca = Authority::new();
    let tls = TlsConfig {
        rpc_upgrade_mode: true,
        ..ca.config("server.global.nomad")
    };
    let server = Server::start(Some(Tls::load(tls).unwrap()), limits());
    let plain = who(&server, as_server(), None).await.unwrap();
    assert!(plain.contains("verified: false"));
    let secure = who(&server, as_server(), Some(ca.tls("server.global.nomad")))
        .await
        .unwrap();
    assert!(secure.contains("verified: true"));
}

#[tokio::test]
async fn old_versions_and_suites_can_be_ruled_out() {
    let ca = Authority::new();
    let modern = TlsConfig {
        min_version: TlsVersion::Tls13,
        ..ca.config("server.global.nomad")
    };
    let server = Server::start(Some(Tls::load(modern).unwrap()), limits());
    let suite = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
    let narrow = TlsConfig {
        cipher_suites: vec![suite.to_owned()],
        ..ca.config("server.global.nomad")
    };
    who(
        &server,
        as_server(),
        Some(Tls::load(narrow.clone()).unwrap()),
    )
    .await
    .unwrap();
    let unknown = Tls::load(TlsConfig {
        cipher_suites: vec!["TLS_ROT13".to_owned()],
        ..narrow
    });
    assert!(matches!(unknown, Err(TlsError::UnknownSuite(name)) if name == "TLS_ROT13"));
}

#[tokio::test]
async fn certificates_are_reloaded_without_a_restart() {
    let (old, new) = (Authority::new(), Authority::new());
    let mut config = old.config("server.global.nomad");
    let tls = Tls::load(config.clone()).unwrap();
    let server = Server::start(Some(Arc::clone(&tls)), limits());
    let pool = server_pool(Some(old.tls("server.global.nomad")));
    let open = pool.channel(&server.target(), Lane::Calls);
    soon("an answer", call_msgpack::<_, String>(&open, "/who", &()))
        .await
        .unwrap();

    // A broken file changes nothing.
    std::fs::write(old.path("server.global.nomad.pem"), "no certificate").unwrap();
    let error = tls.reload().unwrap_err().to_string();
    assert!(
        error.contains("cert_file") && error.contains("server.global.nomad.pem"),
        "{error}"
    );
    old.issue("other", "server.global.nomad");
    config.cert_file = old.path("other.pem");
    config.key_file = old.path("other.key");
    who(&server, as_server(), Some(Tls::load(config).unwrap()))
        .await
        .unwrap();

    // The files of the new authority take the places of the old ones.
    let next = new.config("server.global.nomad");
    for (from, to) in [
        (new.path("ca.pem"), old.path("ca.pem")),
        (next.cert_file, old.path("server.global.nomad.pem")),
        (next.key_file, old.path("server.global.nomad.key")),
    ] {
        std::fs::copy(from, to).unwrap();
    }
    tls.reload().unwrap();
    who(&server, as_server(), Some(new.tls("server.global.nomad")))
        .await
        .unwrap();
    // The open connection went on.
    soon("an answer", call_msgpack::<_, String>(&open, "/who", &()))
        .await
        .unwrap();
    pool.close_all();
    let outcome = soon("refusal", call_msgpack::<_, String>(&open, "/who", &())).await;
    assert!(matches!(outcome, Err(RpcError::Tls { .. })), "{outcome:?}");
}

#[test]
fn missing_files_are_named() {
    let ca = Authority::new();
    let good = ca.config("server.global.nomad");
    let unset = TlsConfig {
        ca_file: "".into(),
        ..good.clone()
    };
    assert!(
        Tls::load(unset)
            .unwrap_err()
            .to_string()
            .contains("ca_file is not set")
    );
    let absent = TlsConfig {
        key_file: ca.path("absent.key"),
        ..good.clone()
    };
    assert!(
        Tls::load(absent)
            .unwrap_err()
            .to_string()
            .contains("absent.key")
    );
    let swapped = TlsConfig {
        cert_file: good.key_file.clone(),
        ..good.clone()
    };
    assert!(
        Tls::load(swapped)
            .unwrap_err()
            .to_string()
            .contains("no certificate")
    );
    ca.issue("other", "server.global.nomad");
    let mismatched = TlsConfig {
        key_file: ca.path("other.key"),
        ..good
    };
    assert!(matches!(Tls::load(mismatched), Err(TlsError::Setup(_))));
}
