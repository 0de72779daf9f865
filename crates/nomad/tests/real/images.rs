//! The example of an image without an engine, from a registry that the test is.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{Agent, no_agent, skipped};

/// The digest of bytes, by the tool that everybody has.
fn digest(bytes: &[u8]) -> String {
    let mut tool = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sha256sum");
    let mut input = tool.stdin.take().expect("piped");
    input.write_all(bytes).expect("written");
    drop(input);
    let said = tool.wait_with_output().expect("it answers").stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    format!("sha256:{}", said.split(' ').next().expect("a digest"))
}

/// A layer with a shell.
fn layer() -> Vec<u8> {
    let root = tempfile::tempdir().expect("a folder");
    let bin = root.path().join("bin");
    std::fs::create_dir(&bin).expect("made");
    std::fs::copy("/bin/busybox", bin.join("busybox")).expect("copied");
    for name in ["sh", "ls"] {
        std::os::unix::fs::symlink("busybox", bin.join(name)).expect("linked");
    }
    let packed = Command::new("tar")
        .args(["-cz", "-C"])
        .arg(root.path())
        .arg("bin")
        .output()
        .expect("tar");
    assert!(packed.status.success());
    packed.stdout
}

/// Serves the image `hello:1`; where it does.
fn registry() -> String {
    let (layer, config) = (
        layer(),
        json!({"config": {"Env": ["PATH=/bin"]}})
            .to_string()
            .into_bytes(),
    );
    let describe = |bytes: &[u8]| json!({"digest": digest(bytes), "size": bytes.len()});
    let manifest = json!({"config": describe(&config), "layers": [describe(&layer)]}).to_string();
    let mut pages = BTreeMap::from([("/v2/hello/manifests/1".to_owned(), manifest.into_bytes())]);
    for blob in [layer, config] {
        pages.insert(format!("/v2/hello/blobs/{}", digest(&blob)), blob);
    }
    serve(pages)
}

/// Serves pages by their paths; where it does.
fn serve(pages: BTreeMap<String, Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let lines = BufReader::new(stream.try_clone().expect("cloned")).lines();
            let head: Vec<String> = lines
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            let path = head
                .first()
                .and_then(|line| line.split(' ').nth(1))
                .unwrap_or_default();
            let (status, body) = match pages.get(path) {
                Some(page) => (200, page.as_slice()),
                None => (404, b"".as_slice()),
            };
            let head = format!(
                "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            drop(
                stream
                    .write_all(head.as_bytes())
                    .and_then(|()| stream.write_all(body)),
            );
        }
    });
    address
}

#[test]
fn the_image_example() {
    let test = "the_image_example";
    let no_busybox = (!Path::new("/bin/busybox").exists()).then_some("there is no /bin/busybox");
    if skipped(test, no_agent().or(no_busybox)) {
        return;
    }
    let agent = Agent::start("");
    let nodes = agent.get("/v1/nodes").expect("nodes");
    let usable = nodes[0]["Drivers"]["exec"]["Healthy"] == true;
    if skipped(
        test,
        (!usable).then_some("the driver exec needs root and cgroups"),
    ) {
        return;
    }
    let image = format!("image={}/hello:1", registry());
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/image.nomad");
    agent.ok(&[
        "job",
        "run",
        "-detach",
        "-var",
        &image,
        &example.display().to_string(),
    ]);
    let allocation = agent.until_allocations("image", "complete", 1).remove(0);
    let id = allocation["ID"].as_str().expect("an id");
    let said = agent.ok(&["alloc", "logs", id]);
    assert!(
        said.starts_with("hello from an image\nalloc\nbin\n"),
        "{said}"
    );
    let shown = agent.ok(&["alloc", "status", id]);
    assert!(shown.contains("Downloading image"), "{shown}");
    assert_eq!(
        agent.ok(&["alloc", "fs", id, "alloc/data/result"]),
        "kept\n"
    );
}

/// An archive as `docker save` writes it.
fn saved() -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a folder");
    let config = json!({"config": {"Env": ["PATH=/bin"]}}).to_string();
    let manifest =
        json!([{"Config": "config.json", "RepoTags": ["hello:1"], "Layers": ["layer.tar.gz"]}]);
    for (name, content) in [
        ("config.json", config.into_bytes()),
        ("manifest.json", manifest.to_string().into_bytes()),
        ("layer.tar.gz", layer()),
    ] {
        std::fs::write(dir.path().join(name), content).expect("written");
    }
    let packed = Command::new("tar")
        .args(["-c", "-C"])
        .arg(dir.path())
        .args(["manifest.json", "config.json", "layer.tar.gz"])
        .output()
        .expect("tar");
    assert!(packed.status.success());
    packed.stdout
}

#[test]
fn the_archive_example() {
    let test = "the_archive_example";
    let no_busybox = (!Path::new("/bin/busybox").exists()).then_some("there is no /bin/busybox");
    if skipped(test, no_agent().or(no_busybox)) {
        return;
    }
    let agent = Agent::start("");
    let nodes = agent.get("/v1/nodes").expect("nodes");
    let usable = nodes[0]["Drivers"]["exec"]["Healthy"] == true;
    if skipped(
        test,
        (!usable).then_some("the driver exec needs root and cgroups"),
    ) {
        return;
    }
    let site = serve(BTreeMap::from([("/app.tar".to_owned(), saved())]));
    let source = format!("source=http://{site}/app.tar");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/archive.nomad");
    let example = example.display().to_string();
    agent.ok(&["job", "run", "-detach", "-var", &source, &example]);
    let allocation = agent.until_allocations("archive", "complete", 1).remove(0);
    let id = allocation["ID"].as_str().expect("an id");
    let said = agent.ok(&["alloc", "logs", id]);
    assert!(
        said.starts_with("hello from an archive\nalloc\nbin\n"),
        "{said}"
    );
}
