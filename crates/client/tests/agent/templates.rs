//! Templates are rendered before the task starts, and followed while it runs.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use caravan_model::{ChangeScript, ClientStatus, Template};

use crate::support::{
    Servers, alloc, alloc_dir, client, folder, id, is, logs, messages, own, shell, until,
    until_logs,
};

fn template(text: &str, dest: &str) -> Template {
    Template {
        embedded_tmpl: text.into(),
        dest_path: dest.into(),
        ..Template::default()
    }
}

fn variable(servers: &Servers, path: &str, pairs: &[(&str, &str)]) {
    let items: BTreeMap<String, String> = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    servers.set(|known| {
        known.variables.insert(path.to_owned(), items);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_variables_are_rendered_before_the_start() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client(&servers, dir.path(), true).await;
    variable(
        &servers,
        "nomad/jobs/j",
        &[("user", "ada"), ("pass", "x y")],
    );
    let mut tasks = shell(
        "cat local/conf /dev/null; stat -c %a local/conf; echo $WHO $TOKEN; cat alloc/shared secrets/s",
    );
    let mut conf = template(
        "{{ with nomadVar \"nomad/jobs/j\" }}user={{ .user }}{{ end }} dc={{ env \"node.datacenter\" }} task={{ env \"NOMAD_TASK_NAME\" }}\n",
        "local/conf",
    );
    conf.perms = "0640".into();
    let mut env = template(
        "WHO={{ with nomadVar \"nomad/jobs/j\" }}{{ .user }}{{ end }}\nTOKEN='a b'\n",
        "secrets/env",
    );
    env.envvars = true;
    tasks[0].templates = vec![
        conf,
        env,
        template("shared\n", "${NOMAD_ALLOC_DIR}/shared"),
        template("secret\n", "${NOMAD_SECRETS_DIR}/s"),
    ];
    tasks[0].config["args"][1] = tasks[0].config["args"][1]
        .as_str()
        .unwrap()
        .replace("alloc/shared", "$NOMAD_ALLOC_DIR/shared")
        .into();
    servers.want(alloc(own(), "batch", tasks));
    servers.until_it_is(ClientStatus::Complete).await;
    assert_eq!(
        logs(&client).await,
        "user=ada dc=dc1 task=t\n640\nada a b\nshared\nsecret\n"
    );
    let mode = std::fs::metadata(alloc_dir(dir.path()).join("t/local/conf"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_waits_for_what_its_template_needs() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client(&servers, dir.path(), true).await;
    let mut tasks = shell("cat local/conf");
    tasks[0].templates = vec![template(
        "{{ with nomadVar \"nomad/jobs/j\" }}{{ .key }}{{ end }}",
        "local/conf",
    )];
    servers.want(alloc(own(), "batch", tasks));
    let known = servers
        .until("its word", |known| {
            known.told.get(&id()).is_some_and(|alloc| {
                messages(alloc, "t")
                    .iter()
                    .any(|text| text.starts_with("Missing: "))
            })
        })
        .await;
    assert!(
        messages(&known.told[&id()], "t")
            .contains(&"Missing: nomad.var.block(nomad/jobs/j@default.global)".to_owned())
    );
    assert!(is(&known, ClientStatus::Pending));
    variable(&servers, "nomad/jobs/j", &[("key", "value")]);
    servers.until_it_is(ClientStatus::Complete).await;
    assert_eq!(logs(&client).await, "value");
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_signals_runs_a_script_or_restarts() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client(&servers, dir.path(), true).await;
    for path in ["signal", "script", "restart", "noop"] {
        variable(&servers, path, &[("v", "1")]);
    }
    let mut tasks =
        shell("trap 'echo got $(cat local/signal)' HUP; echo up; while true; do sleep 0.05; done");
    let of = |mode: &str| {
        let mut one = template(
            &format!("{{{{ with nomadVar \"{mode}\" }}}}{{{{ .v }}}}{{{{ end }}}}"),
            &format!("local/{mode}"),
        );
        one.change_mode = mode.into();
        one.change_signal = "SIGHUP".into();
        if mode == "script" {
            let script = ChangeScript {
                command: "/bin/sh".into(),
                args: vec!["-c".into(), "echo ran > local/ran".into()],
                ..ChangeScript::default()
            };
            one.change_script = Some(script);
        }
        one
    };
    tasks[0].templates = ["signal", "script", "restart", "noop"].map(of).to_vec();
    servers.want(alloc(own(), "service", tasks));
    servers.until_it_is(ClientStatus::Running).await;
    let local = alloc_dir(dir.path()).join("t/local");
    let has = |name: &str, text: &str| {
        std::fs::read_to_string(local.join(name))
            .is_ok_and(|found| found == text)
            .then_some(())
    };

    variable(&servers, "noop", &[("v", "2")]);
    until("the quiet file", || has("noop", "2")).await;
    variable(&servers, "signal", &[("v", "2")]);
    until_logs(&client, |written| written.contains("got 2")).await;
    variable(&servers, "script", &[("v", "2")]);
    until("the script", || has("ran", "ran\n")).await;
    let text = "Template successfully ran script /bin/sh with arguments: [-c echo ran > local/ran]. Exit code: 0";
    servers
        .until("the word on it", |known| {
            messages(&known.told[&id()], "t")
                .iter()
                .any(|found| found == text)
        })
        .await;
    assert_eq!(servers.known().told[&id()].task_states["t"].restarts, 0);
    variable(&servers, "restart", &[("v", "2")]);
    servers
        .until("its restart", |known| {
            known.told[&id()].task_states["t"].restarts == 1
        })
        .await;
    assert!(
        messages(&servers.known().told[&id()], "t")
            .iter()
            .any(|text| text == "Template with change_mode restart re-rendered")
    );
    servers.stop(id());
    servers.until_it_is(ClientStatus::Complete).await;
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_followed_by_an_agent_that_came_back() {
    let (servers, dir) = (Servers::new(), folder());
    let first = client(&servers, dir.path(), false).await;
    variable(&servers, "v", &[("v", "1")]);
    let mut tasks =
        shell("trap 'echo got $(cat local/v)' HUP; echo up; while true; do sleep 0.05; done");
    let mut one = template("{{ with nomadVar \"v\" }}{{ .v }}{{ end }}", "local/v");
    one.change_mode = "signal".into();
    one.change_signal = "SIGHUP".into();
    tasks[0].templates = vec![one];
    servers.want(alloc(own(), "service", tasks));
    servers.until_it_is(ClientStatus::Running).await;
    until_logs(&first, |written| written == "up\n").await;
    first.shutdown().await;
    drop(first);
    // What changes while there is no agent is seen by the next.
    variable(&servers, "v", &[("v", "2")]);
    let second = client(&servers, dir.path(), false).await;
    until_logs(&second, |written| written.contains("got 2")).await;
    assert_eq!(servers.known().told[&id()].task_states["t"].restarts, 0);
    servers.stop(id());
    servers.until_it_is(ClientStatus::Complete).await;
    second.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_environment_configuration_and_templates() {
    let (servers, dir) = (Servers::new(), folder());
    variable(&servers, "db/main", &[("user", "ada"), ("word", "x y")]);
    let client = client(&servers, dir.path(), true).await;
    let mut tasks = shell(
        "echo $WHO '${secret.db.word}' '${secret.db.none}'; cat local/made; env | grep -c 'secret[.]db' || true",
    );
    tasks[0].secrets = vec![caravan_model::Secret {
        name: "db".into(),
        provider: "nomad".into(),
        path: "db/main".into(),
        ..caravan_model::Secret::default()
    }];
    tasks[0].env = [("WHO".to_owned(), "is ${secret.db.user}".to_owned())].into();
    tasks[0].templates = vec![template("{{ env \"secret.db.user\" }}!\n", "local/made")];
    servers.want(alloc(own(), "batch", tasks));
    servers
        .until("its end", |known| {
            is(known, ClientStatus::Complete) || is(known, ClientStatus::Failed)
        })
        .await;
    assert_eq!(
        logs(&client).await,
        "is ada x y ${secret.db.none}\nada!\n0\n"
    );
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_not_there_fails_the_task() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client(&servers, dir.path(), true).await;
    let mut tasks = shell("true");
    tasks[0].secrets = vec![caravan_model::Secret {
        name: "db".into(),
        provider: "nomad".into(),
        path: "nowhere".into(),
        ..caravan_model::Secret::default()
    }];
    servers.want(alloc(own(), "batch", tasks));
    let known = servers.until_it_is(ClientStatus::Failed).await;
    let said = messages(&known.told[&id()], "t").join("\n");
    let expected =
        "prestart hook \"secrets\" failed: secret \"db\": there is no variable at \"nowhere\"";
    assert!(said.contains(expected), "{said}");
    client.shutdown().await;
}
