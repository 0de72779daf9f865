//! Programs fetched before a task starts, by the job files of `examples/`: from the web, repositories and buckets, each
//! of which is served by the test as the real one serves it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use aws_lc_rs::{digest, hmac};
use serde_json::json;

use crate::support::{Agent, free_port, no_agent, skipped, until};

fn example(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name)
        .display()
        .to_string()
}

fn id(alloc: &serde_json::Value) -> String {
    alloc["ID"].as_str().expect("an id").to_owned()
}

/// What a shell script writes, in a folder; `None` where it fails.
fn script(dir: &Path, text: &str) -> Option<String> {
    let done = Command::new("sh")
        .args(["-ec", text])
        .current_dir(dir)
        .output()
        .ok()
        .filter(|done| done.status.success())?;
    String::from_utf8(done.stdout).ok()
}

/// The head of a request over HTTP.
struct Asked {
    method: String,
    host: String,
    authorization: String,
    /// What machines of clouds are to say when they ask about themselves.
    session: String,
    path: String,
    query: Vec<(String, String)>,
}

impl Asked {
    fn read(head: &[String]) -> Option<Self> {
        let (method, rest) = head.first()?.split_once(' ')?;
        let target = rest.split(' ').next()?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let header = |name: &str| {
            let found = head.iter().filter_map(|line| line.split_once(": "));
            let mut found = found.filter(|(given, _)| given.eq_ignore_ascii_case(name));
            found.next().map(|(_, value)| value.to_owned())
        };
        Some(Self {
            method: method.to_owned(),
            host: header("host")?,
            authorization: header("authorization").unwrap_or_default(),
            session: ["metadata-flavor", "x-aws-ec2-metadata-token"]
                .into_iter()
                .find_map(header)
                .unwrap_or_default(),
            path: path.to_owned(),
            query: query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        })
    }

    /// A value of the query, as it was sent.
    fn raw(&self, name: &str) -> &str {
        let found = self.query.iter().find(|(given, _)| given == name);
        found.map_or("", |(_, value)| value)
    }

    fn value(&self, name: &str) -> String {
        decoded(self.raw(name))
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut parts = text.split('%');
    bytes.extend(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).expect("two hex digits"));
        bytes.extend(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// Answers requests one by one; where it does.
fn serve(answer: impl Fn(&Asked) -> (u16, Vec<u8>) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let lines = BufReader::new(stream.try_clone().expect("cloned")).lines();
            let head: Vec<String> = lines
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            let Some(asked) = Asked::read(&head) else {
                continue;
            };
            let (status, body) = answer(&asked);
            let head = format!(
                "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            drop(stream.write_all(&[head.into_bytes(), body].concat()));
        }
    });
    address
}

/// An archive with a script named `run`, which says this.
fn archive(dir: &Path, says: &str) -> Option<(Vec<u8>, String)> {
    let text = format!(
        "mkdir a; echo 'echo {says}' > a/run; tar czf app.tar.gz -C a .; sha256sum app.tar.gz"
    );
    let sum = script(dir, &text)?;
    let bytes = std::fs::read(dir.join("app.tar.gz")).ok()?;
    Some((bytes, sum.split(' ').next()?.to_owned()))
}

const TOOLS: &str = "tar, gzip and sha256sum are needed";

#[test]
fn a_program_from_elsewhere() {
    let test = "a_program_from_elsewhere";
    if skipped(test, no_agent()) {
        return;
    }
    let agent = Agent::start("");
    let Some((bytes, sum)) = archive(agent.dir.path(), "fetched and run") else {
        skipped(test, Some(TOOLS));
        return;
    };
    let site = serve(move |_| (200, bytes.clone()));
    let source = format!("source=http://{site}/app.tar.gz");
    let run = |checksum: &str, more: &[&str]| {
        let checksum = format!("checksum=sha256:{checksum}");
        let file = example("artifact.nomad");
        let mut line = vec!["job", "run"];
        line.extend(more);
        line.extend(["-var", &source, "-var", &checksum, &file]);
        agent.ok(&line);
    };
    run(&sum, &[]);
    let alloc = id(&agent.until_allocations("artifact", "complete", 1)[0]);
    assert_eq!(agent.ok(&["alloc", "logs", &alloc]), "fetched and run\n");
    run(&"0".repeat(64), &["-detach"]);
    until("the wrong checksum is told", || {
        let all = agent.get("/v1/job/artifact/allocations").ok()?;
        all.to_string()
            .contains("checksums did not match")
            .then_some(())
    });
}

/// An agent whose fetching processes may read this folder.
fn agent_that_reads(folder: &Path) -> Agent {
    Agent::start(&format!(
        "client {{ artifact {{ filesystem_isolation_extra_paths = [\"d:r:{}\"] }} }}",
        folder.display()
    ))
}

/// What is at its tip runs.
#[test]
fn a_program_from_a_repository() {
    let test = "a_program_from_a_repository";
    if skipped(test, no_agent()) {
        return;
    }
    let place = tempfile::tempdir().expect("a folder");
    let made = script(
        place.path(),
        "git init -q r; cd r; git config user.email a@b; git config user.name n; \
         echo 'echo from the repository' > run; git add .; git commit -q -m one",
    );
    if skipped(test, made.is_none().then_some("git is needed")) {
        return;
    }
    let agent = agent_that_reads(place.path());
    let source = format!("source=git::file://{}/r", place.path().display());
    agent.ok(&["job", "run", "-var", &source, &example("artifact.nomad")]);
    let alloc = id(&agent.until_allocations("artifact", "complete", 1)[0]);
    assert_eq!(
        agent.ok(&["alloc", "logs", &alloc]),
        "from the repository\n"
    );
}

/// `hg serve`, ended with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// From a folder of the host, and from a server; at the tip, and at a revision.
#[test]
fn a_program_from_a_mercurial_repository() {
    let test = "a_program_from_a_mercurial_repository";
    if skipped(test, no_agent()) {
        return;
    }
    let place = tempfile::tempdir().expect("a folder");
    let made = script(
        place.path(),
        "hg init r; cd r; echo 'echo the first' > run; hg add -q run; hg commit -q -u n -m one; hg tag -q -u n v1; \
         echo 'echo the second' > run; hg commit -q -u n -m two",
    );
    if skipped(test, made.is_none().then_some("mercurial is needed")) {
        return;
    }
    let port = free_port().to_string();
    let serving = Command::new("hg")
        .args(["serve", "-a", "127.0.0.1", "-p", &port])
        .current_dir(place.path().join("r"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _serving = Serving(serving.expect("hg serves"));
    until("it is served", || {
        std::net::TcpStream::connect(format!("127.0.0.1:{port}")).ok()
    });
    let agent = agent_that_reads(place.path());
    let file = format!("hg::file://{}/r", place.path().display());
    let web = format!("hg::http://127.0.0.1:{port}/");
    for (source, rev, expected) in [
        (&web, "", "the second\n"),
        (&web, "v1", "the first\n"),
        (&file, "0", "the first\n"),
    ] {
        let (source, rev) = (format!("source={source}"), format!("rev={rev}"));
        let job = example("mercurial.nomad");
        agent.ok(&["job", "run", "-var", &source, "-var", &rev, &job]);
        let alloc = id(&agent.until_allocations("mercurial", "complete", 1)[0]);
        assert_eq!(agent.ok(&["alloc", "logs", &alloc]), expected);
        agent.ok(&["job", "stop", "-purge", "mercurial"]);
        until("it is forgotten", || {
            let left = agent.allocations("mercurial", "complete");
            left.is_empty().then_some(())
        });
    }
}

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const REGION: &str = "eu-central-7";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The signature that an address must have: version 4 for queries, as Amazon describes it.
fn signature(asked: &Asked) -> String {
    let date = asked.value("X-Amz-Date");
    let scope = format!("{}/{REGION}/s3/aws4_request", &date[..8]);
    let mut pairs: Vec<String> = asked
        .query
        .iter()
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.sort();
    let request = format!(
        "GET\n{}\n{}\nhost:{}\n\nhost\nUNSIGNED-PAYLOAD",
        asked.path,
        pairs.join("&"),
        asked.host
    );
    let hash = hex(digest::digest(&digest::SHA256, request.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hash}");
    let mut key = format!("AWS4{SECRET}").into_bytes();
    for part in scope.split('/').chain([text.as_str()]) {
        let sign = hmac::Key::new(hmac::HMAC_SHA256, &key);
        key = hmac::sign(&sign, part.as_bytes()).as_ref().to_vec();
    }
    hex(&key)
}

type Objects = BTreeMap<String, Vec<u8>>;

fn objects(archive: Vec<u8>) -> Objects {
    BTreeMap::from([
        ("app/app.tar.gz".to_owned(), archive),
        ("settings/".to_owned(), Vec::new()),
        ("settings/one".to_owned(), b"1\n".to_vec()),
        ("settings/two/three".to_owned(), b"3\n".to_vec()),
        ("settings-of-others".to_owned(), b"not these\n".to_vec()),
    ])
}

/// One key a page, so that lists are followed to their end: the key after that of the token.
fn page(objects: &Objects, prefix: &str, token: &str) -> (Option<String>, Option<String>) {
    let mut keys = objects
        .keys()
        .filter(|key| key.starts_with(prefix) && key.as_str() > token);
    let key = keys.next().cloned();
    let next = keys.next().and(key.clone());
    (key, next)
}

fn s3(objects: &Objects, asked: &Asked) -> (u16, Vec<u8>) {
    let refuse = |status: u16, code: &str, why: &str| {
        let text = format!(
            "<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>{why}</Message></Error>"
        );
        (status, text.into_bytes())
    };
    if asked.raw("X-Amz-SignedHeaders") != "host"
        || asked.value("X-Amz-Algorithm") != "AWS4-HMAC-SHA256"
    {
        return refuse(403, "AccessDenied", "Access Denied");
    }
    if !asked
        .value("X-Amz-Credential")
        .starts_with(&format!("{KEY}/"))
    {
        return refuse(
            403,
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        );
    }
    if asked.raw("X-Amz-Signature") != signature(asked) {
        return refuse(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        );
    }
    let Some(rest) = asked.path.strip_prefix("/releases") else {
        return refuse(404, "NoSuchBucket", "The specified bucket does not exist");
    };
    let key = decoded(rest.trim_start_matches('/'));
    if key.is_empty() && asked.value("list-type") == "2" {
        let (key, next) = page(
            objects,
            &asked.value("prefix"),
            &asked.value("continuation-token"),
        );
        let key = key.map(|key| format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>"));
        let token = next
            .as_ref()
            .map(|token| format!("<NextContinuationToken>{token}</NextContinuationToken>"));
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>releases</Name>\
             <IsTruncated>{}</IsTruncated><EncodingType>url</EncodingType>{}{}</ListBucketResult>",
            next.is_some(),
            key.unwrap_or_default(),
            token.unwrap_or_default()
        );
        return (200, text.into_bytes());
    }
    match objects.get(&key) {
        Some(bytes) => (200, bytes.clone()),
        None => refuse(404, "NoSuchKey", "The specified key does not exist."),
    }
}

const PRINTED: &str = "from the bucket\n1\n3\n";

#[test]
fn a_program_from_a_bucket() {
    let test = "a_program_from_a_bucket";
    if skipped(test, no_agent()) {
        return;
    }
    let agent = Agent::start("");
    let Some((bytes, _)) = archive(agent.dir.path(), "from the bucket") else {
        skipped(test, Some(TOOLS));
        return;
    };
    let objects = objects(bytes);
    let site = serve(move |asked| s3(&objects, asked));
    let run = |secret: &str, more: &[&str]| {
        let given = [
            format!("store=http://{site}"),
            format!("region={REGION}"),
            format!("key={KEY}"),
            format!("secret={secret}"),
        ];
        let file = example("bucket.nomad");
        let mut line = vec!["job", "run"];
        line.extend(more);
        line.extend(given.iter().flat_map(|given| ["-var", given]));
        line.push(&file);
        agent.ok(&line);
    };
    run(SECRET, &[]);
    let alloc = id(&agent.until_allocations("bucket", "complete", 1)[0]);
    assert_eq!(agent.ok(&["alloc", "logs", &alloc]), PRINTED);
    run("guessed", &["-detach"]);
    let told = until("the wrong secret is told", || {
        let all = agent.get("/v1/job/bucket/allocations").ok()?.to_string();
        all.contains("SignatureDoesNotMatch").then_some(all)
    });
    assert!(!told.contains("guessed"), "a secret is told: {told}");
}

fn gcs(objects: &Objects, token: &str, asked: &Asked) -> (u16, Vec<u8>) {
    let refuse = |code: u16, why: &str| {
        let error = json!({"error": {"code": code, "message": why}});
        (code, error.to_string().into_bytes())
    };
    if asked.authorization != format!("Bearer {token}") {
        return refuse(401, "Invalid Credentials");
    }
    let Some(rest) = asked.path.strip_prefix("/storage/v1/b/releases/o") else {
        return refuse(404, "The specified bucket does not exist.");
    };
    if rest.is_empty() {
        let (key, next) = page(objects, &asked.value("prefix"), &asked.value("pageToken"));
        let items: Vec<_> = key.iter().map(|key| json!({"name": key})).collect();
        let mut answer = json!({"kind": "storage#objects", "items": items});
        if let Some(next) = next {
            answer["nextPageToken"] = next.into();
        }
        return (200, answer.to_string().into_bytes());
    }
    // The name of an object is one part of the path.
    let found = objects
        .get(&decoded(&rest[1..]))
        .filter(|_| !rest[1..].contains('/'));
    match found {
        Some(bytes) if asked.value("alt") == "media" => (200, bytes.clone()),
        Some(_) => (200, b"{}".to_vec()),
        None => refuse(404, "No such object"),
    }
}

/// What a machine of Google's answers about itself, or the store.
fn google(objects: &Objects, token: &str, asked: &Asked) -> (u16, Vec<u8>) {
    if asked.path != "/computeMetadata/v1/instance/service-accounts/default/token" {
        return gcs(objects, token, asked);
    }
    if asked.session != "Google" {
        return (403, Vec::new());
    }
    let answer =
        json!({"access_token": "ya29.of-the-machine", "expires_in": 3599, "token_type": "Bearer"});
    (200, answer.to_string().into_bytes())
}

#[test]
fn a_program_from_googles_bucket() {
    let test = "a_program_from_googles_bucket";
    if skipped(test, no_agent()) {
        return;
    }
    let mut agent = Agent::prepare(
        "client { artifact { set_environment_variables = \"GOOGLE_OAUTH_ACCESS_TOKEN,STORAGE_EMULATOR_HOST,GCE_METADATA_HOST\" } }",
    );
    let Some((bytes, _)) = archive(agent.dir.path(), "from the bucket") else {
        skipped(test, Some(TOOLS));
        return;
    };
    let objects = objects(bytes);
    let token = Arc::new(Mutex::new(String::new()));
    let wanted = Arc::clone(&token);
    let site = serve(move |asked| google(&objects, &wanted.lock().expect("whole"), asked));
    let file = example("bucket-google.nomad");
    for (own, wanted) in [
        (
            "GOOGLE_OAUTH_ACCESS_TOKEN=ya29.of-the-agent",
            "ya29.of-the-agent",
        ),
        ("", "ya29.of-the-machine"),
    ] {
        *token.lock().expect("whole") = wanted.into();
        agent.launch_after(&format!(
            "export STORAGE_EMULATOR_HOST={site} GCE_METADATA_HOST={site} {own}"
        ));
        agent.wait_ready();
        agent.ok(&["job", "run", &file]);
        let alloc = id(&agent.until_allocations("bucket-google", "complete", 1)[0]);
        assert_eq!(agent.ok(&["alloc", "logs", &alloc]), PRINTED, "{wanted}");
        agent.ok(&["job", "stop", "-purge", "-detach", "bucket-google"]);
        until("it is forgotten", || {
            let left = agent.allocations("bucket-google", "complete");
            left.is_empty().then_some(())
        });
        agent.kill();
    }
    *token.lock().expect("whole") = "another".into();
    agent.launch_after(&format!(
        "export STORAGE_EMULATOR_HOST={site} GCE_METADATA_HOST={site}"
    ));
    agent.wait_ready();
    agent.ok(&["job", "run", "-detach", &file]);
    until("the wrong token is told", || {
        let all = agent.get("/v1/job/bucket-google/allocations").ok()?;
        all.to_string()
            .contains("Invalid Credentials")
            .then_some(())
    });
}

/// What a machine of Amazon's answers about itself, or the store to the role of that machine.
fn amazon(objects: &Objects, asked: &Asked) -> (u16, Vec<u8>) {
    let role = "/latest/meta-data/iam/security-credentials/";
    match asked.path.strip_prefix(role) {
        None if asked.path == "/latest/api/token" && asked.method == "PUT" => {
            (200, b"a session".to_vec())
        }
        None if asked.value("X-Amz-Security-Token") != "of the role" => (403, Vec::new()),
        None => s3(objects, asked),
        Some(_) if asked.session != "a session" => (401, Vec::new()),
        Some("") => (200, b"reader".to_vec()),
        Some("reader") => {
            let answer = json!({"Code": "Success", "AccessKeyId": KEY, "SecretAccessKey": SECRET, "Token": "of the role"});
            (200, answer.to_string().into_bytes())
        }
        Some(_) => (404, Vec::new()),
    }
}

#[test]
fn a_program_from_a_bucket_that_the_machine_may_read() {
    let test = "a_program_from_a_bucket_that_the_machine_may_read";
    if skipped(test, no_agent()) {
        return;
    }
    let mut agent = Agent::prepare(
        "client { artifact { set_environment_variables = \"AWS_ENDPOINT_URL_S3,AWS_EC2_METADATA_SERVICE_ENDPOINT\" } }",
    );
    let Some((bytes, _)) = archive(agent.dir.path(), "from the bucket") else {
        skipped(test, Some(TOOLS));
        return;
    };
    let objects = objects(bytes);
    let site = serve(move |asked| amazon(&objects, asked));
    agent.launch_after(&format!(
        "export AWS_ENDPOINT_URL_S3=http://{site} AWS_EC2_METADATA_SERVICE_ENDPOINT=http://{site}"
    ));
    agent.wait_ready();
    let region = format!("region={REGION}");
    agent.ok(&["job", "run", "-var", &region, &example("bucket.nomad")]);
    let alloc = id(&agent.until_allocations("bucket", "complete", 1)[0]);
    assert_eq!(agent.ok(&["alloc", "logs", &alloc]), PRINTED);
}
