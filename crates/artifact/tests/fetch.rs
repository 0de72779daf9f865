//! The fetching process with real things: files over HTTP, archives made by the usual tools, repositories.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use caravan_artifact::{Failure, Helper, Limits, Mode, Request, fetch};

/// Serves files over HTTP and remembers the heads of requests.
struct Site {
    address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Site {
    fn new(files: BTreeMap<&'static str, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n")
                    && stream.read(&mut byte).is_ok_and(|count| count == 1)
                {
                    head.push(byte[0]);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let path = path.split('?').next().unwrap_or_default();
                seen.lock().unwrap().push(head.clone());
                let answer = match files.get(path) {
                    Some(content) => [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len()).into_bytes(), content.clone()].concat(),
                    None if path == "/moved" => b"HTTP/1.1 302 Found\r\nLocation: /file.txt\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec(),
                    None => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec(),
                };
                let _ = stream.write_all(&answer);
            }
        });
        Self { address, heads }
    }
}

struct Task {
    dir: tempfile::TempDir,
}

impl Task {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("task/local")).unwrap();
        Self { dir }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("task")
    }

    fn request(&self, source: impl Into<String>) -> Request {
        Request {
            source: source.into(),
            root: self.root(),
            destination: self.root().join("local"),
            sandboxed: true,
            ..Request::default()
        }
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap()
    }

    /// Every path below the task's directory.
    fn all(&self) -> Vec<String> {
        fn walk(dir: &Path, root: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(dir).unwrap().flatten() {
                found.push(
                    entry
                        .path()
                        .strip_prefix(root)
                        .unwrap()
                        .display()
                        .to_string(),
                );
                if entry.file_type().unwrap().is_dir() {
                    walk(&entry.path(), root, found);
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.root(), &self.root(), &mut found);
        found.sort();
        found
    }
}

fn run(request: &Request) -> Result<(), Failure> {
    let helper = Helper {
        program: env!("CARGO_BIN_EXE_caravan-artifact-fetch").into(),
        args: Vec::new(),
        variables: Vec::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(fetch(&helper, request))
}

fn tool(dir: &Path, line: &str) -> bool {
    let status = Command::new("sh")
        .args(["-ec", line])
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

fn skipped(name: &str, reason: &str) {
    println!("SKIPPED: {name}: {reason}");
}

fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn files_over_http() {
    let site = Site::new(BTreeMap::from([
        ("/file.txt", b"hello".to_vec()),
        (
            "/sums",
            b"5d41402abc4b2a76b9719d911017c592  file.txt\n".to_vec(),
        ),
    ]));
    let task = Task::new();
    let mut request = task.request(format!("{}/file.txt", site.address));
    request.headers = options(&[("X-Token", "secret")]);
    run(&request).unwrap();
    assert_eq!(task.read("local/file.txt"), "hello");
    assert!(
        site.heads.lock().unwrap()[0]
            .to_lowercase()
            .contains("x-token: secret")
    );

    request.mode = Mode::File;
    request.source = format!("{}/moved", site.address);
    request.destination = task.root().join("local/deep/name");
    request.options = options(&[("checksum", "md5:5d41402abc4b2a76b9719d911017c592")]);
    run(&request).unwrap();
    assert_eq!(task.read("local/deep/name"), "hello");

    request.source = format!("{}/file.txt", site.address);
    request.options = options(&[("checksum", &format!("file:{}/sums", site.address))]);
    run(&request).unwrap();
    request.options = options(&[("checksum", "md5:00000000000000000000000000000000")]);
    let failure = run(&request).unwrap_err();
    assert!(
        failure.message.starts_with("checksums did not match"),
        "{failure}"
    );

    request.options.clear();
    request.source = format!("{}/nope", site.address);
    let failure = run(&request).unwrap_err();
    assert_eq!(
        (failure.message.as_str(), failure.recoverable),
        ("bad response code: 404", true)
    );
    request.source = "ftp://e.com/x".into();
    assert!(!run(&request).unwrap_err().recoverable);
    request.source = "http://127.0.0.1:1/x".into();
    assert!(run(&request).unwrap_err().recoverable);
    assert_eq!(
        task.all(),
        ["local", "local/deep", "local/deep/name", "local/file.txt"],
        "nothing is left over"
    );
}

#[test]
fn more_than_is_allowed_is_broken_off() {
    let site = Site::new(BTreeMap::from([("/big", vec![0; 4096])]));
    let task = Task::new();
    let mut request = task.request(format!("{}/big", site.address));
    request.limits = Limits {
        download_bytes: 4095,
        ..Limits::default()
    };
    assert!(
        run(&request)
            .unwrap_err()
            .message
            .contains("larger than http_max_size")
    );
    request.limits.download_bytes = 4096;
    run(&request).unwrap();
}

#[test]
fn a_site_that_hangs_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let task = Task::new();
    let mut request = task.request(format!("http://{}/x", listener.local_addr().unwrap()));
    request.limits.read_timeout = Duration::from_millis(200);
    let failure = run(&request).unwrap_err();
    assert!(failure.recoverable, "{failure}");
}

#[test]
fn archives_of_every_kind() {
    let temp = tempfile::tempdir().unwrap();
    let make = "mkdir -p a/d; echo one > a/one; echo run > a/d/run; chmod 755 a/d/run; ln -s ../one a/d/link; cd a;
        tar cf ../x.tar .; tar czf ../x.tar.gz .; tar cjf ../x.tar.bz2 .; tar cJf ../x.tar.xz .; cp ../x.tar.gz ../x.tgz; gzip -c one > ../one.gz; bzip2 -c one > ../one.bz2; xz -c one > ../one.xz";
    if !tool(temp.path(), make) {
        return skipped(
            "archives_of_every_kind",
            "tar, gzip, bzip2 and xz are needed",
        );
    }
    let mut kinds = vec!["x.tar", "x.tar.gz", "x.tgz", "x.tar.bz2", "x.tar.xz"];
    if tool(temp.path(), "cd a; zip -q -y -r ../x.zip .") {
        kinds.push("x.zip");
    } else {
        skipped("archives_of_every_kind (zip)", "zip is needed");
    }
    if tool(temp.path(), "zstd -q x.tar -o x.tar.zst") {
        kinds.push("x.tar.zst");
    } else {
        skipped("archives_of_every_kind (zst)", "zstd is needed");
    }
    let load = |name: &'static str| {
        (
            Box::leak(format!("/{name}").into_boxed_str()) as &'static str,
            std::fs::read(temp.path().join(name)).unwrap(),
        )
    };
    let mut files: BTreeMap<&'static str, Vec<u8>> = kinds.iter().map(|name| load(name)).collect();
    files.extend(["one.gz", "one.bz2", "one.xz"].map(load));
    let site = Site::new(files);
    for kind in kinds {
        let task = Task::new();
        run(&task.request(format!("{}/{kind}", site.address))).unwrap();
        assert_eq!(task.read("local/one"), "one\n", "{kind}");
        assert_eq!(task.read("local/d/link"), "one\n", "{kind}");
        let mode = std::fs::metadata(task.root().join("local/d/run"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o755, "{kind}: executable bits are kept");
        // As it is.
        let task = Task::new();
        let mut request = task.request(format!("{}/{kind}", site.address));
        request.options = options(&[("archive", "false")]);
        run(&request).unwrap();
        assert_eq!(task.all().len(), 2, "{kind}");
    }
    for kind in ["one.gz", "one.bz2", "one.xz"] {
        let task = Task::new();
        run(&task.request(format!("{}/{kind}", site.address))).unwrap();
        assert_eq!(task.read("local/one"), "one\n", "{kind}");
        let mut request = task.request(format!("{}/{kind}", site.address));
        request.mode = Mode::File;
        request.destination = task.root().join("local/two");
        run(&request).unwrap();
        assert_eq!(task.read("local/two"), "one\n", "{kind}");
    }
    let task = Task::new();
    run(&task.request(format!("{}/x.tgz//d", site.address))).unwrap();
    assert_eq!(task.read("local/run"), "run\n");
}

#[test]
fn a_destination_that_was_made_a_trap_is_refused() {
    let site = Site::new(BTreeMap::from([("/file.txt", b"evil".to_vec())]));
    let task = Task::new();
    let outside = task.dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, task.root().join("local/link")).unwrap();
    for sandboxed in [true, false] {
        for destination in ["local/link", "local/link/deeper"] {
            let mut request = task.request(format!("{}/file.txt", site.address));
            request.destination = task.root().join(destination);
            request.sandboxed = sandboxed;
            let failure = run(&request).unwrap_err();
            assert!(
                failure.message.contains("escapes") && !failure.recoverable,
                "{failure}"
            );
        }
    }
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
}

fn repository(dir: &Path) -> bool {
    tool(
        dir,
        "git init -q r; cd r; git config user.email a@b; git config user.name n; echo 1 > f; mkdir docs; echo d > docs/x; git add .; git commit -q -m one; git tag v1; echo 2 > f; git commit -q -a -m two; git checkout -q -b side; echo 3 > f; git commit -q -a -m three; git checkout -q -",
    )
}

#[test]
fn repositories_and_what_of_the_host_they_may_read() {
    let temp = tempfile::tempdir().unwrap();
    if !repository(temp.path()) {
        return skipped(
            "repositories_and_what_of_the_host_they_may_read",
            "git is needed",
        );
    }
    let source = format!("git::file://{}/r", temp.path().display());
    let fetched = |text: &str, given: &[(&str, &str)]| {
        let task = Task::new();
        let mut request = task.request(text);
        request.destination = task.root().join("local/repo");
        request.options = options(given);
        request.extra_paths = vec![format!("d:r:{}", temp.path().display())];
        run(&request).map(|()| task)
    };
    assert_eq!(fetched(&source, &[]).unwrap().read("local/repo/f"), "2\n");
    assert_eq!(
        fetched(&source, &[("ref", "v1")])
            .unwrap()
            .read("local/repo/f"),
        "1\n"
    );
    assert_eq!(
        fetched(&source, &[("ref", "side")])
            .unwrap()
            .read("local/repo/f"),
        "3\n"
    );
    assert_eq!(
        fetched(&source, &[("ref", "side"), ("depth", "1")])
            .unwrap()
            .read("local/repo/f"),
        "3\n"
    );
    assert_eq!(
        fetched(&format!("{source}//docs"), &[])
            .unwrap()
            .all()
            .last()
            .unwrap(),
        "local/repo/x"
    );
    for bad in [
        ("ref", "--upload-pack=touch x"),
        ("ref", "nope"),
        ("depth", "x"),
    ] {
        assert!(fetched(&source, &[bad]).is_err(), "{bad:?}");
    }
    let task = Task::new();
    let failure = run(&task.request(source)).unwrap_err();
    if failure.message.contains("no landlock") {
        return skipped(
            "what of the host repositories may read",
            "this kernel has no landlock",
        );
    }
    assert!(failure.message.starts_with("git exited with"), "{failure}");
    assert_eq!(task.all(), ["local"]);
}
