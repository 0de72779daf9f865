//! A task swaps links under everything that the agent touches: nothing outside its directory is read or written.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use caravan_http::Op;
use caravan_model::{ClientStatus, Template};

use crate::support::{
    Servers, alloc, alloc_dir, ask, client, folder, id, is, messages, own, shell,
};

const SECRET: &str = "what no task may see";

#[tokio::test(flavor = "multi_thread")]
async fn the_file_endpoints_never_leave_the_allocation() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client(&servers, dir.path(), true).await;
    servers.want(alloc(
        own(),
        "service",
        shell("while true; do sleep 0.05; done"),
    ));
    servers.until_it_is(ClientStatus::Running).await;
    let outside = dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("f"), SECRET).unwrap();
    let local = alloc_dir(dir.path()).join("t/local");
    std::fs::create_dir(local.join("good")).unwrap();
    std::fs::write(local.join("good/f"), "fine").unwrap();
    symlink(&outside, local.join("bad")).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let swapping = {
        let (over, local) = (Arc::clone(&over), local.clone());
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                for name in ["good", "bad"] {
                    let next = local.join("next");
                    let _ = std::fs::remove_file(&next);
                    let _ = symlink(name, &next);
                    let _ = std::fs::rename(&next, local.join("dir"));
                }
            }
        })
    };
    let mut good = 0;
    for _ in 0..2000 {
        for (op, path) in [
            (Op::ClientFsCat, "t/local/dir/f"),
            (Op::ClientFsReadAt, "t/local/dir/f"),
        ] {
            let query = [("path", path), ("offset", "0"), ("limit", "100")];
            if let Ok(bytes) = ask(&client, op, &query, "").await {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                assert!(!text.contains(SECRET));
                good += usize::from(text == "fine");
            }
        }
        if let Ok(bytes) = ask(&client, Op::ClientFsList, &[("path", "t/local/dir")], "").await {
            assert!(String::from_utf8_lossy(&bytes).contains("\"f\""));
        }
    }
    over.store(true, Ordering::Relaxed);
    swapping.join().unwrap();
    assert!(good > 0, "the race was run at all");
    let root = alloc_dir(dir.path()).join("t");
    for name in ["secrets", "private"] {
        std::fs::write(root.join(name).join("x"), SECRET).unwrap();
    }
    symlink("../secrets", local.join("s")).unwrap();
    for path in [
        "t/secrets/x",
        "t/private/x",
        "t/local/../secrets/x",
        "/t/secrets/x",
        "t/local/s/x",
    ] {
        for op in [Op::ClientFsCat, Op::ClientFsReadAt, Op::ClientFsStream] {
            let query = [
                ("path", path),
                ("offset", "0"),
                ("limit", "100"),
                ("plain", "true"),
            ];
            // A stream has begun when it is refused, so that it says so itself.
            let said = match ask(&client, op, &query, "").await {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(error) => error.message,
            };
            assert!(
                said.starts_with("Reading secret file prohibited"),
                "{path}: {said}"
            );
        }
    }
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_read_and_write_inside_only() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let file = |path: &Path| format!("{{{{ file {:?} }}}}", path.display().to_string());
    let of = |text: String, source: &str, dest: &str| Template {
        embedded_tmpl: text,
        source_path: source.into(),
        dest_path: dest.into(),
        ..Template::default()
    };
    let secret_path = secret.display().to_string();
    for template in [
        of(file(&secret), "", "local/out"),
        of(
            "{{ file \"../../../../../../etc/passwd\" }}".into(),
            "",
            "local/out",
        ),
        of(String::new(), &secret_path, "local/out"),
        of(String::new(), "../../../etc/passwd", "local/out"),
        of("x".into(), "", "../../out"),
        of("x".into(), "", "../other/local/out"),
    ] {
        let (servers, dir) = (Servers::new(), folder());
        let client = client(&servers, dir.path(), true).await;
        let mut tasks = shell("true");
        tasks[0].templates = vec![template.clone()];
        servers.want(alloc(own(), "batch", tasks));
        let known = servers.until_it_is(ClientStatus::Failed).await;
        let texts = messages(&known.told[&id()], "t");
        assert!(
            !texts.iter().any(|text| text.contains(SECRET)),
            "{template:?}: {texts:?}"
        );
        let written =
            std::fs::read_to_string(alloc_dir(dir.path()).join("t/local/out")).unwrap_or_default();
        assert!(
            !written.contains(SECRET) && !written.contains("root:"),
            "{template:?}"
        );
        client.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_not_written_through_a_link() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client(&servers, dir.path(), true).await;
    let outside = dir.path().join("victim");
    std::fs::write(&outside, "untouched").unwrap();
    servers.set(|known| {
        known
            .variables
            .insert("v".into(), [("v".to_owned(), "1".to_owned())].into());
    });
    // The task puts a link where the agent will write.
    let script = format!(
        "ln -sf {0} local/out; ln -sfn {1} local/dir; while true; do sleep 0.05; done",
        outside.display(),
        dir.path().display()
    );
    let mut tasks = shell(&script);
    let of = |dest: &str| Template {
        embedded_tmpl: "{{ with nomadVar \"v\" }}{{ .v }}{{ end }}".into(),
        dest_path: dest.into(),
        change_mode: "noop".into(),
        ..Template::default()
    };
    tasks[0].templates = vec![of("local/out"), of("local/dir/victim")];
    tasks[0].config["args"][1] = format!("rm -rf local/dir; {script}").into();
    servers.want(alloc(own(), "service", tasks));
    servers.until_it_is(ClientStatus::Running).await;
    let link = alloc_dir(dir.path()).join("t/local/dir");
    crate::support::until("the trap", || link.is_symlink().then_some(())).await;
    servers.set(|known| {
        known
            .variables
            .insert("v".into(), [("v".to_owned(), "2".to_owned())].into());
    });
    servers
        .until("its end", |known| {
            known.told[&id()].task_states["t"].failed || is(known, ClientStatus::Failed)
        })
        .await;
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "untouched");
    client.shutdown().await;
}
