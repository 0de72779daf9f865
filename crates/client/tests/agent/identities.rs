//! Tasks get their signed identities, and new ones before those end.

use std::time::Duration;

use caravan_model::{ClientStatus, Identity};

use crate::support::{
    Servers, alloc, alloc_dir, client, folder, id, logs, messages, own, shell, until, until_logs,
};

fn identity(name: &str, env: bool, file: bool) -> Identity {
    Identity {
        name: name.into(),
        env,
        file,
        ..Identity::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_variables_hold_identities() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client(&servers, dir.path(), true).await;
    let mut tasks = shell(
        "cat secrets/nomad_token; echo; cat local/a; echo; echo $NOMAD_TOKEN $NOMAD_TOKEN_aws",
    );
    tasks[0].identity = Some(identity("default", true, true));
    let mut aws = identity("aws", true, true);
    aws.filepath = "local/a".into();
    tasks[0].identities = vec![aws, identity("unused", false, false)];
    servers.want(alloc(own(), "batch", tasks));
    servers.until_it_is(ClientStatus::Complete).await;
    assert_eq!(logs(&client).await, "default-1\naws-2\ndefault-1 aws-2\n");
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn identities_are_renewed_before_they_end() {
    let (servers, dir) = (Servers::new(), folder());
    servers.set(|known| known.identity_life = Some(Duration::from_secs(2)));
    let client = client(&servers, dir.path(), true).await;
    let mut tasks = shell(
        "trap 'cat secrets/nomad_token; echo' USR1; echo up; while true; do sleep 0.05; done",
    );
    let mut named = identity("default", false, true);
    named.change_mode = "signal".into();
    named.change_signal = "SIGUSR1".into();
    tasks[0].identity = Some(named);
    servers.want(alloc(own(), "service", tasks));
    servers.until_it_is(ClientStatus::Running).await;
    let file = alloc_dir(dir.path()).join("t/secrets/nomad_token");
    until("a new identity", || {
        (std::fs::read_to_string(&file).ok()? != "default-1").then_some(())
    })
    .await;
    servers
        .until("its signal", |known| {
            messages(&known.told[&id()], "t")
                .iter()
                .any(|text| text.ends_with("Identity[default]: new token acquired"))
        })
        .await;
    until_logs(&client, |written| written.contains("default-2")).await;
    servers.stop(id());
    servers.until_it_is(ClientStatus::Complete).await;
    client.shutdown().await;
}
