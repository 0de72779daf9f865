//! `exec` in the root of an image: from archives and a registry, as the image says and as the job says. Needs root, cgroups
//! and a busybox that needs no libraries.

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use caravan_driver::{Driver, Health};
use serde_json::{Value, json};
use sha2::Digest;
use support::Scratch;

const BUSYBOX: &str = "/bin/busybox";

async fn exec(test: &str, images: &Path, plugin: Value) -> Option<Arc<dyn Driver>> {
    let driver = support::driver_with_images("exec", plugin, images);
    let found = driver.fingerprint().await;
    let reason = if found.health != Health::Healthy {
        found.description
    } else if !Path::new(BUSYBOX).exists() {
        format!("there is no {BUSYBOX}")
    } else {
        return Some(driver);
    };
    println!("SKIPPED: {test}: {reason}");
    None
}

fn digest(bytes: &[u8]) -> String {
    let digits: String = sha2::Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{digits}")
}

/// Files and, with no content, directories; `-> x` is a link.
fn layer(entries: &[(&str, &[u8], u64)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content, owner) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_uid(*owner);
        header.set_gid(*owner);
        header.set_mtime(1);
        if let Some(to) = content.strip_prefix(b"-> ") {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            builder
                .append_link(&mut header, name, std::str::from_utf8(to).expect("text"))
                .expect("added");
            continue;
        }
        if name.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
        }
        header.set_size(content.len() as u64);
        builder
            .append_data(&mut header, name, *content)
            .expect("added");
    }
    builder.into_inner().expect("whole")
}

/// The configuration and layers of an image with a shell; the second layer takes something of the first away.
fn image() -> (Vec<u8>, Vec<Vec<u8>>) {
    let busybox = std::fs::read(BUSYBOX).expect("read");
    let shell = b"-> /bin/busybox".as_slice();
    let first = layer(&[
        ("bin/", b"", 0),
        ("bin/busybox", &busybox, 0),
        ("bin/sh", shell, 0),
        ("bin/cat", shell, 0),
        ("bin/id", shell, 0),
        ("bin/ls", shell, 0),
        ("bin/touch", shell, 0),
        ("etc/", b"", 0),
        (
            "etc/passwd",
            b"root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\napp:x:1234:1235::/srv:/bin/sh\n",
            0,
        ),
        ("etc/group", b"app:x:1235:\n", 0),
        ("srv/", b"", 1234),
        ("srv/old", b"of the first layer", 1234),
        ("etc/host-shadow", b"-> /etc/shadow", 0),
    ]);
    let second = layer(&[
        ("srv/.wh.old", b"", 0),
        ("srv/new", b"of the second layer\n", 1234),
    ]);
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "config": {
            "User": "app", "Env": ["PATH=/bin", "COLOUR=blue", "SHAPE=round"], "WorkingDir": "/srv",
            "Entrypoint": ["/bin/sh", "-c"], "Cmd": ["id -u; id -g; pwd; ls; cat new; echo $COLOUR $SHAPE $PATH"],
        },
    });
    (config.to_string().into_bytes(), vec![first, second])
}

const SAID: &str = "1234\n1235\n/srv\nnew\nof the second layer\n";

fn saved(path: &Path) {
    let (config, layers) = image();
    let manifest = json!([{"Config": "config.json", "RepoTags": ["x:1"], "Layers": ["0/layer.tar", "1/layer.tar"]}]);
    let manifest = manifest.to_string().into_bytes();
    let all = layer(&[
        ("config.json", &config, 0),
        ("0/layer.tar", &layers[0], 0),
        ("1/layer.tar", &layers[1], 0),
        ("manifest.json", &manifest, 0),
    ]);
    std::fs::write(path, all).expect("written");
}

/// Blobs of the image by their digests, and the manifest.
fn blobs() -> (BTreeMap<String, Vec<u8>>, Vec<u8>) {
    let (config, layers) = image();
    let packed = layers.into_iter().map(|layer| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(&layer).expect("packed");
        packer.finish().expect("packed")
    });
    let describe = |bytes: &[u8]| json!({"digest": digest(bytes), "size": bytes.len()});
    let layers: Vec<Vec<u8>> = packed.collect();
    let manifest = json!({
        "schemaVersion": 2, "config": describe(&config),
        "layers": layers.iter().map(|layer| describe(layer)).collect::<Vec<_>>(),
    });
    let all = layers
        .into_iter()
        .chain([config])
        .map(|bytes| (digest(&bytes), bytes));
    (all.collect(), manifest.to_string().into_bytes())
}

fn laid_out(path: &Path, spoil: bool) {
    let (blobs, manifest) = blobs();
    let index =
        json!({"manifests": [{"digest": digest(&manifest), "size": manifest.len()}]}).to_string();
    let mut entries: Vec<(String, Vec<u8>)> = blobs
        .into_iter()
        .chain([(digest(&manifest), manifest)])
        .map(|(digest, bytes)| {
            (
                format!("blobs/sha256/{}", digest.trim_start_matches("sha256:")),
                bytes,
            )
        })
        .collect();
    entries.push(("index.json".into(), index.into_bytes()));
    if spoil {
        let large = entries
            .iter_mut()
            .max_by_key(|(_, bytes)| bytes.len())
            .expect("some");
        large.1.push(0);
    }
    let entries: Vec<(&str, &[u8], u64)> = entries
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice(), 0))
        .collect();
    std::fs::write(path, layer(&entries)).expect("written");
}

/// A registry that gives the image to who shows a token, which it gives to who has the password. Counts requests.
fn registry() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (told, host) = (Arc::clone(&seen), address.clone());
    let (blobs, manifest) = blobs();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut lines = BufReader::new(stream.try_clone().expect("cloned")).lines();
            let asked = lines.next().and_then(Result::ok).unwrap_or_default();
            let path = asked.split(' ').nth(1).unwrap_or_default().to_owned();
            let headers: Vec<String> = lines
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            let shown = headers
                .iter()
                .find_map(|line| line.strip_prefix("authorization: "))
                .unwrap_or_default();
            told.lock().expect("told").push(path.clone());
            let challenge = format!(
                "www-authenticate: Bearer realm=\"http://{host}/token\",service=\"x\",scope=\"y\"\r\n"
            );
            let (status, extra, body) = match path.as_str() {
                // ada:secret
                "/token?service=x&scope=y" if shown == "Basic YWRhOnNlY3JldA==" => {
                    (200, String::new(), br#"{"token":"t0"}"#.to_vec())
                }
                _ if shown != "Bearer t0" => (401, challenge, Vec::new()),
                "/v2/team/app/manifests/1" => (200, String::new(), manifest.clone()),
                path => match path
                    .strip_prefix("/v2/team/app/blobs/")
                    .and_then(|digest| blobs.get(digest))
                {
                    Some(blob) => (200, String::new(), blob.clone()),
                    None => (404, String::new(), Vec::new()),
                },
            };
            let head = format!(
                "HTTP/1.1 {status} X\r\nconnection: close\r\n{extra}content-length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&body));
        }
    });
    (address, seen)
}

async fn run(driver: &Arc<dyn Driver>, scratch: &Scratch, config: Value, user: &str) -> i32 {
    let mut config = scratch.config(config);
    config.user = user.into();
    config.resources.memory_mb = 128;
    std::sync::Arc::make_mut(&mut config.env).insert("SHAPE".into(), "square".into());
    let id = config.task_id.clone();
    driver.start_task(config).await.expect("starts");
    let exit = driver.wait_task(&id).await.expect("known").exit_code;
    driver.destroy_task(&id, false).await.expect("destroyed");
    exit
}

#[tokio::test]
async fn an_image_of_an_archive_runs_as_it_says() {
    let images = tempfile::tempdir().expect("a directory");
    let Some(driver) = exec(
        "an_image_of_an_archive_runs_as_it_says",
        images.path(),
        json!({}),
    )
    .await
    else {
        return;
    };
    for (name, write) in [
        ("saved.tar", saved as fn(&Path)),
        ("oci.tar", |path| laid_out(path, false)),
    ] {
        let scratch = Scratch::new();
        write(&scratch.task_dir().join("local").join(name));
        let config = json!({"image": format!("local/{name}")});
        assert_eq!(
            run(&driver, &scratch, config, "").await,
            0,
            "{}",
            scratch.log("stderr")
        );
        assert_eq!(
            scratch.log("stdout"),
            format!("{SAID}blue square /bin\n"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_task_has_its_own_root_each_time_and_the_host_is_not_there() {
    let test = "a_task_has_its_own_root_each_time_and_the_host_is_not_there";
    let images = tempfile::tempdir().expect("a directory");
    let Some(driver) = exec(test, images.path(), json!({})).await else {
        return;
    };
    let scratch = Scratch::new();
    saved(&scratch.task_dir().join("local/app.tar"));
    std::fs::write(scratch.task_dir().join("local/given"), "given\n").expect("written");
    let script = "ls /made; touch /made /alloc/data/kept; cat /local/given; cat /etc/host-shadow; ls /usr /root /private; ls /";
    let config = json!({"image": "docker-archive:local/app.tar", "entrypoint": ["/bin/sh", "-c"], "args": [script]});
    for _ in 0..2 {
        assert_eq!(run(&driver, &scratch, config.clone(), "root").await, 0);
    }
    let root = "given\nalloc\nbin\ndev\netc\nlocal\nmade\nproc\nsecrets\nsrv\nsys\n";
    assert_eq!(scratch.log("stdout"), root.repeat(2));
    let errors = scratch.log("stderr");
    assert_eq!(errors.matches("/made: No such file").count(), 2, "{errors}");
    assert_eq!(
        errors.matches("/etc/host-shadow': No such file").count(),
        2,
        "{errors}"
    );
    assert!(!Path::new("/made").exists());
    let lower = std::fs::read_dir(images.path()).expect("listed").flatten();
    assert!(
        lower
            .map(|entry| entry.path().join("rootfs/made"))
            .all(|made| !made.exists())
    );
}

#[tokio::test]
async fn an_image_of_a_registry_is_fetched_once() {
    let images = tempfile::tempdir().expect("a directory");
    let Some(driver) = exec(
        "an_image_of_a_registry_is_fetched_once",
        images.path(),
        json!({}),
    )
    .await
    else {
        return;
    };
    let (address, seen) = registry();
    let auth = json!({"username": "ada", "password": "secret"});
    let config =
        json!({"image": format!("{address}/team/app:1"), "auth": auth, "command": "echo; id -u"});
    let scratch = Scratch::new();
    assert_eq!(run(&driver, &scratch, config.clone(), "").await, 0);
    assert_eq!(scratch.log("stdout"), "\n1234\n");
    let asked = seen.lock().expect("told").len();
    assert_eq!(run(&driver, &scratch, config, "").await, 0);
    assert_eq!(
        seen.lock().expect("told").len(),
        asked,
        "it is here already"
    );

    let refused = |image: &str, auth: Value| {
        let mut config =
            scratch.config(json!({"image": format!("{address}/{image}"), "auth": auth}));
        config.task_id.push_str(image);
        let driver = Arc::clone(&driver);
        async move {
            driver
                .start_task(config)
                .await
                .expect_err("refused")
                .to_string()
        }
    };
    let right = json!({"username": "ada", "password": "secret"});
    let unknown = refused("team/app:2", right).await;
    assert!(unknown.contains("manifest unknown"), "{unknown}");
    let wrong = refused("team/app:3", json!({"username": "ada", "password": "x"})).await;
    assert!(wrong.contains("gives no token: 401"), "{wrong}");
}

#[tokio::test]
async fn what_is_not_what_it_says_is_refused() {
    let images = tempfile::tempdir().expect("a directory");
    let Some(driver) = exec(
        "what_is_not_what_it_says_is_refused",
        images.path(),
        json!({"denied_host_uids": "7"}),
    )
    .await
    else {
        return;
    };
    let scratch = Scratch::new();
    let local = scratch.task_dir().join("local");
    laid_out(&local.join("spoilt.tar"), true);
    std::fs::write(local.join("none.tar"), "nothing").expect("written");
    std::os::unix::fs::symlink("/etc/passwd", local.join("link.tar")).expect("linked");
    saved(&local.join("app.tar"));
    for (config, user, expected) in [
        (
            json!({"image": "local/spoilt.tar"}),
            "",
            "is not what its digest",
        ),
        (
            json!({"image": "local/none.tar"}),
            "",
            "the image is damaged",
        ),
        (
            json!({"image": "local/link.tar"}),
            "",
            "failed to get the image",
        ),
        (json!({"image": "../../outside.tar"}), "", "No such file"),
        (
            json!({"image": "local/app.tar", "entrypoint": [""], "command": ""}),
            "",
            "nothing of what to run",
        ),
        (
            json!({"image": "local/app.tar"}),
            "7",
            "running as uid 7 is disallowed",
        ),
        (
            json!({"image": "local/app.tar"}),
            "toor",
            "is root in the image",
        ),
        (
            json!({"image": "local/app.tar"}),
            "0",
            "is root in the image",
        ),
        (
            json!({"image": "local/app.tar"}),
            "stranger",
            "failed to identify user",
        ),
        (
            json!({"image": "local/app.tar", "entrypoint": ["/bin/nothing"]}),
            "",
            "no such file or directory",
        ),
    ] {
        let mut task = scratch.config(config.clone());
        task.user = user.into();
        let error = driver
            .start_task(task)
            .await
            .expect_err("refused")
            .to_string();
        assert!(error.contains(expected), "{config}: {error}");
    }
    let left = std::fs::read_dir(images.path()).expect("listed").flatten();
    let left: Vec<_> = left
        .map(|entry| entry.file_name())
        .filter(|name| name.to_string_lossy().starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
