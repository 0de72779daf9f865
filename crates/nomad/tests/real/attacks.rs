//! Tasks and jobs that reach for what is not theirs: other files of the host, secrets of others, the agent itself. Nothing
//! is read, nothing is written, and the agent goes on.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Agent, no_agent, no_docker, shell_job, skipped, until};

pub(crate) const SECRET: &str = "what no task may see";

pub(crate) fn id(alloc: &Value) -> String {
    alloc["ID"].as_str().expect("an id").to_owned()
}

/// An agent whose node offers the driver `exec`; `None` says why the test is skipped.
pub(crate) fn isolating(test: &str, extra: &str, before: &str) -> Option<Agent> {
    if skipped(test, no_agent()) {
        return None;
    }
    let mut agent = Agent::prepare(extra);
    agent.launch_after(before);
    agent.wait_ready();
    let nodes = agent.get("/v1/nodes").expect("nodes");
    let usable = nodes[0]["Drivers"]["exec"]["Healthy"] == true;
    (!skipped(
        test,
        (!usable).then_some("the driver exec needs root and cgroups"),
    ))
    .then_some(agent)
}

pub(crate) fn exec_job(id: &str, kind: &str, line: &str) -> Value {
    let mut job = shell_job(id, kind, 1, line);
    let task = &mut job["TaskGroups"][0]["Tasks"][0];
    task["Driver"] = json!("exec");
    task["Resources"]["MemoryMB"] = json!(64);
    job
}

/// A folder of the host with a file that is nobody's business.
pub(crate) fn outside(agent: &Agent) -> PathBuf {
    let outside = agent.path("outside");
    std::fs::create_dir(&outside).expect("made");
    std::fs::write(outside.join("f"), SECRET).expect("written");
    let mode = std::fs::Permissions::from_mode(0o711);
    std::fs::set_permissions(&outside, mode).expect("set");
    outside
}

/// Names and modes of all that is there.
pub(crate) fn seen(folder: &Path) -> BTreeMap<String, (u32, u64)> {
    let entries = std::fs::read_dir(folder).expect("listed").flatten();
    let entries = entries.map(|entry| {
        let found = entry.metadata().expect("looked at");
        let name = entry.file_name().to_string_lossy().into_owned();
        (name, (found.permissions().mode(), found.len()))
    });
    let own = std::fs::metadata(folder).expect("looked at");
    let own = (".".to_owned(), (own.permissions().mode(), 0));
    entries.chain([own]).collect()
}

pub(crate) fn ask(agent: &Agent, path: &str) -> String {
    let (_, body) = agent.http("GET", path, b"").expect("an answer");
    String::from_utf8_lossy(&body).into_owned()
}

#[test]
fn links_that_are_swapped_show_nothing_of_the_host() {
    let test = "links_that_are_swapped_show_nothing_of_the_host";
    let Some(agent) = isolating(test, "", "") else {
        return;
    };
    let outside = outside(&agent);
    let line = format!(
        "cd /local; mkdir good; echo fine > good/f; echo ready; \
         while true; do ln -sfn good next; mv -T next dir; ln -sfn {} next; mv -T next dir; done",
        outside.display()
    );
    agent
        .register(&exec_job("swaps", "service", &line))
        .expect("registered");
    let alloc = id(&agent.until_allocations("swaps", "running", 1)[0]);
    until("it swaps", || {
        let said = agent.nomad(&["alloc", "logs", &alloc]).stdout;
        (said == b"ready\n").then_some(())
    });
    let of = |call: &str| {
        let query = "path=t/local/dir/f&offset=0&limit=100&plain=true&follow=false&origin=start";
        ask(&agent, &format!("/v1/client/fs/{call}/{alloc}?{query}"))
    };
    let (mut fine, mut refused) = (0, 0);
    for _ in 0..150 {
        for call in ["cat", "readat", "stream", "stat"] {
            let said = of(call);
            assert!(!said.contains(SECRET), "{call}: {said}");
            assert!(
                !said.contains(&format!("\"Size\":{}", SECRET.len())),
                "{call}: {said}"
            );
            fine += usize::from(said == "fine\n");
            refused += usize::from(said.contains("escapes"));
        }
    }
    assert!(
        fine > 0 && refused > 0,
        "the race was run: {fine} {refused}"
    );
}

/// The directory of logs is the task's to write to; what it puts in its place is not written through.
#[test]
fn logs_that_are_led_elsewhere_are_not_written_there() {
    let test = "logs_that_are_led_elsewhere_are_not_written_there";
    let Some(agent) = isolating(test, "", "") else {
        return;
    };
    let outside = outside(&agent);
    std::fs::write(outside.join("t.stdout.0"), SECRET).expect("written");
    let before = seen(&outside);
    let line = format!(
        "mv /alloc/logs /alloc/moved; ln -s {} /alloc/logs; yes {} | head -c 5000000; echo done >&2; touch /local/done; \
         while true; do sleep 0.1; done",
        outside.display(),
        "x".repeat(60)
    );
    let mut job = exec_job("logs", "service", &line);
    job["TaskGroups"][0]["RestartPolicy"]["Attempts"] = json!(3);
    agent.register(&job).expect("registered");
    let alloc = id(&agent.until_allocations("logs", "running", 1)[0]);
    let done = agent.path(&format!("data/alloc/{alloc}/t/local/done"));
    until("it has written much", || done.exists().then_some(()));
    let shared = agent.path(&format!("data/alloc/{alloc}/alloc"));
    assert!(shared.join("logs").is_symlink() && shared.join("moved").is_dir());
    let said = ask(
        &agent,
        &format!("/v1/client/fs/logs/{alloc}?task=t&type=stdout&plain=true"),
    );
    assert!(!said.contains(SECRET), "{said}");
    assert_eq!(seen(&outside), before);
    // Started anew, with the link there from the beginning.
    std::fs::remove_file(&done).expect("removed");
    let restarted = agent.nomad(&["alloc", "restart", &alloc]);
    drop(restarted);
    until("it is started anew, or given up", || {
        let found = agent.get(&format!("/v1/allocation/{alloc}")).ok()?;
        (done.exists() || found["TaskStates"]["t"]["State"] == "dead").then_some(())
    });
    assert_eq!(seen(&outside), before);
    agent
        .register(&shell_job("next", "batch", 1, "echo works"))
        .expect("registered");
    agent.until_allocations("next", "complete", 1);
    // What is taken away is the link.
    agent.ok(&["job", "stop", "-purge", "-detach", "logs"]);
    until("its directory is gone", || {
        agent.ok(&["system", "gc"]);
        (!agent.path(&format!("data/alloc/{alloc}")).exists()).then_some(())
    });
    assert_eq!(seen(&outside), before);
}

#[test]
fn templates_are_not_written_through_links() {
    let test = "templates_are_not_written_through_links";
    let Some(agent) = isolating(test, "", "") else {
        return;
    };
    let outside = outside(&agent);
    let before = seen(&outside);
    agent.ok(&["var", "put", "nomad/jobs/links", "who=ada"]);
    let there = outside.display();
    let line = format!(
        "rm -f local/out; ln -s {there}/f local/out; mv local/dir local/moved; ln -s {there} local/dir; while true; do sleep 1; done"
    );
    let mut job = exec_job("links", "service", &line);
    let templates = ["local/out", "local/dir/f", "local/dir/new"].map(|place| {
        json!({"EmbeddedTmpl": "{{ with nomadVar \"nomad/jobs/links\" }}{{ .who }}{{ end }}", "DestPath": place,
            "ChangeMode": "noop"})
    });
    job["TaskGroups"][0]["Tasks"][0]["Templates"] = json!(templates);
    agent.register(&job).expect("registered");
    let alloc = id(&agent.until_allocations("links", "running", 1)[0]);
    let trap = agent.path(&format!("data/alloc/{alloc}/t/local/dir"));
    until("the trap is set", || trap.is_symlink().then_some(()));
    agent.ok(&["var", "put", "-force", "nomad/jobs/links", "who=grace"]);
    until("the task is ended rather than fed", || {
        let found = agent.get(&format!("/v1/allocation/{alloc}")).ok()?;
        (found["TaskStates"]["t"]["Failed"] == true).then_some(())
    });
    assert_eq!(seen(&outside), before);
    assert_eq!(
        std::fs::read_to_string(outside.join("f")).expect("read"),
        SECRET
    );
}

/// Runs a job with this template: where its allocation is, and what it says once it failed. `None`: it was refused.
fn fails_with(agent: &Agent, name: &str, template: &Value) -> Option<(String, String)> {
    let mut job = shell_job(name, "batch", 1, "true");
    job["TaskGroups"][0]["Tasks"][0]["Templates"] = json!([template]);
    if let Err(refused) = agent.register(&job) {
        assert!(refused.contains("destination escapes"), "{refused}");
        return None;
    }
    let alloc = agent.until_allocations(name, "failed", 1).remove(0);
    Some((id(&alloc), alloc["TaskStates"].to_string()))
}

#[test]
fn templates_read_and_write_inside_only() {
    let test = "templates_read_and_write_inside_only";
    if skipped(test, no_agent()) {
        return;
    }
    let agent = Agent::start("");
    let outside = outside(&agent);
    let before = seen(&outside);
    let secret = outside.join("f").display().to_string();
    let victim = outside.join("new").display().to_string();
    for (number, (text, source, dest)) in [
        (format!("{{{{ file {secret:?} }}}}"), "", "local/out"),
        (
            "{{ file \"../../../../outside/f\" }}".to_owned(),
            "",
            "local/out",
        ),
        (
            format!("{{{{ writeToFile {victim:?} \"\" \"\" \"0644\" \"x\" }}}}"),
            "",
            "local/out",
        ),
        (
            "{{ plugin \"/bin/cat\" \"/etc/passwd\" }}".to_owned(),
            "",
            "local/out",
        ),
        (String::new(), secret.as_str(), "local/out"),
        (String::new(), "../../../../outside/f", "local/out"),
        ("x".to_owned(), "", "../../../../outside/new"),
        ("x".to_owned(), "", "../other/secrets/out"),
    ]
    .into_iter()
    .enumerate()
    {
        let template = json!({"EmbeddedTmpl": text, "SourcePath": source, "DestPath": dest});
        let Some((alloc, said)) = fails_with(&agent, &format!("t{number}"), &template) else {
            assert!(dest.contains(".."), "{template}");
            continue;
        };
        assert!(!said.contains(SECRET), "{template}: {said}");
        let out = agent.path(&format!("data/alloc/{alloc}/t/local/out"));
        let written = std::fs::read_to_string(out).unwrap_or_default();
        assert!(
            !written.contains(SECRET) && !written.contains("root:"),
            "{template}: {written}"
        );
        assert_eq!(seen(&outside), before, "{template}");
    }
}

/// One entry of an archive.
fn entry(kind: tar::EntryType, name: &str, link: &str, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o755);
    header.set_size(content.len() as u64);
    let old = header.as_old_mut();
    // Not by the calls that refuse such names.
    old.name[..name.len()].copy_from_slice(name.as_bytes());
    old.linkname[..link.len()].copy_from_slice(link.as_bytes());
    if matches!(kind, tar::EntryType::Block | tar::EntryType::Char) {
        header.set_device_major(1).expect("a number");
        header.set_device_minor(1).expect("a number");
    }
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().div_ceil(512) * 512, 0);
    bytes
}

/// Serves files over HTTP, one request after another.
pub(crate) fn serve(pages: BTreeMap<String, Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut buffer = [0; 4096];
            let count = stream.read(&mut buffer).unwrap_or(0);
            let head = String::from_utf8_lossy(&buffer[..count]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            let body = pages.get(path).cloned().unwrap_or_default();
            let head = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            drop(stream.write_all(&[head.into_bytes(), body].concat()));
        }
    });
    address
}

#[test]
fn archives_that_climb_out_are_refused() {
    use tar::EntryType as E;
    let test = "archives_that_climb_out_are_refused";
    if skipped(test, no_agent()) {
        return;
    }
    // With and without the kernel's help: the first line of defence must not be the only one.
    for shut_in in [true, false] {
        let agent = Agent::start(&format!(
            "client {{ artifact {{ disable_filesystem_isolation = {} }} }}",
            !shut_in
        ));
        let outside = outside(&agent);
        let before = seen(&outside);
        let there = outside.display().to_string();
        let absolute = format!("{there}/evil");
        let victim = format!("{there}/f");
        let archives: [(&str, Vec<Vec<u8>>); 7] = [
            (
                "up",
                vec![entry(E::Regular, "../../../../../outside/evil", "", b"x")],
            ),
            ("absolute", vec![entry(E::Regular, &absolute, "", b"x")]),
            (
                "link",
                vec![
                    entry(E::Symlink, "d", &there, b""),
                    entry(E::Regular, "d/evil", "", b"x"),
                ],
            ),
            ("link-only", vec![entry(E::Symlink, "l", &victim, b"")]),
            ("hard", vec![entry(E::Link, "h", &victim, b"")]),
            ("device", vec![entry(E::Char, "mem", "", b"")]),
            ("block", vec![entry(E::Block, "disk", "", b"")]),
        ];
        let pages = archives.iter().map(|(name, entries)| {
            let bytes = [entries.concat(), vec![0; 1024]].concat();
            (format!("/{name}.tar"), bytes)
        });
        let site = serve(pages.collect());
        for (name, _) in &archives {
            let mut job = shell_job(
                name,
                "batch",
                1,
                "find local | sort; cat local/* 2>/dev/null",
            );
            job["TaskGroups"][0]["Tasks"][0]["Artifacts"] = json!([{"GetterSource": format!("http://{site}/{name}.tar"), "RelativeDest": "local"}]);
            agent.register(&job).expect("registered");
            let alloc = agent.until_allocations(name, "failed", 1).remove(0);
            let said = alloc["TaskStates"].to_string();
            assert!(said.contains("Failed Artifact Download"), "{name}: {said}");
            assert_eq!(seen(&outside), before, "{name}");
            let local = agent.path(&format!("data/alloc/{}/t/local", id(&alloc)));
            let left = std::fs::read_dir(local).expect("listed").count();
            assert_eq!(left, 0, "{name} left something behind");
        }
    }
}

/// A job whose main task comes after one that leaves a link to this folder in what they share.
fn after_a_trap(id: &str, there: &Path, main: impl FnOnce(&mut Value)) -> Value {
    let line = format!("ln -s {} /alloc/data/trap", there.display());
    let mut job = exec_job(id, "batch", &line);
    let tasks = job["TaskGroups"][0]["Tasks"].as_array_mut().expect("tasks");
    let mut second = tasks[0].clone();
    tasks[0]["Name"] = json!("before");
    tasks[0]["Lifecycle"] = json!({"Hook": "prestart", "Sidecar": false});
    second["Config"]["args"] = json!(["-c", "true"]);
    main(&mut second);
    tasks.push(second);
    job
}

#[test]
fn neither_artifacts_nor_volumes_go_through_links_of_a_sibling() {
    let test = "neither_artifacts_nor_volumes_go_through_links_of_a_sibling";
    for shut_in in [true, false] {
        let extra = format!(
            "client {{ artifact {{ disable_filesystem_isolation = {} }} }}",
            !shut_in
        );
        let Some(agent) = isolating(test, &extra, "") else {
            return;
        };
        let outside = outside(&agent);
        let before = seen(&outside);
        let site = serve(BTreeMap::from([("/f".to_owned(), b"evil".to_vec())]));
        for (number, place) in ["trap", "trap/deeper", "trap/f"].into_iter().enumerate() {
            let name = format!("fetches{number}");
            let job = after_a_trap(&name, &outside, |task| {
                task["Artifacts"] = json!([{"GetterSource": format!("http://{site}/f"),
                    "RelativeDest": format!("${{NOMAD_ALLOC_DIR}}/data/{place}")}]);
            });
            agent.register(&job).expect("registered");
            let alloc = agent.until_allocations(&name, "failed", 1).remove(0);
            let said = alloc["TaskStates"].to_string();
            assert!(said.contains("escapes"), "{place}: {said}");
            assert_eq!(seen(&outside), before, "{place}");
        }
        let job = after_a_trap("binds", &outside, |task| {
            task["Driver"] = json!("docker");
            task["Config"] = json!({"image": "redis:4.0", "command": "cat", "args": ["/x/f"],
                "volumes": ["../alloc/data/trap:/x"]});
        });
        if shut_in && !skipped(test, no_docker()) {
            agent.register(&job).expect("registered");
            let alloc = agent.until_allocations("binds", "failed", 1).remove(0);
            let said = alloc["TaskStates"].to_string();
            assert!(said.contains("volumes are not enabled"), "{said}");
        }
    }
}

#[test]
fn neither_secrets_of_others_nor_the_agents_environment_can_be_read() {
    let test = "neither_secrets_of_others_nor_the_agents_environment_can_be_read";
    let before = format!(
        "export NOMAD_TOKEN='{SECRET}' AWS_SECRET_ACCESS_KEY='{SECRET}' VAULT_TOKEN='{SECRET}'"
    );
    let Some(agent) = isolating(test, "", &before) else {
        return;
    };
    let keep = format!(
        "echo '{SECRET}' > /secrets/key; touch /alloc/data/kept; while true; do sleep 1; done"
    );
    let mut job = exec_job("pair", "service", &keep);
    // Beside it: another task of the group, and another allocation.
    let look = "while [ ! -e /alloc/data/kept ]; do sleep 0.1; done; \
        cat /alloc/../t/secrets/key /secrets/../../t/secrets/key /private/* /proc/1/root/secrets/key; \
        for root in /proc/[0-9]*/root; do cat $root/secrets/key $root/*/secrets/key; done; \
        cat /proc/[0-9]*/environ | tr '\\0' '\\n'; env; find / -xdev -type f -name key -exec cat {} +; \
        echo looked everywhere; while true; do sleep 1; done";
    let mut second = job["TaskGroups"][0]["Tasks"][0].clone();
    second["Name"] = json!("spy");
    second["Config"]["args"] = json!(["-c", look]);
    second["Resources"]["MemoryMB"] = json!(128);
    job["TaskGroups"][0]["Tasks"]
        .as_array_mut()
        .expect("tasks")
        .push(second);
    agent.register(&job).expect("registered");
    let pair = id(&agent.until_allocations("pair", "running", 1)[0]);
    let own = agent.path(&format!("data/alloc/{pair}/t/secrets/key"));
    let mut other = exec_job(
        "other",
        "service",
        &look.replace(
            "while [ ! -e /alloc/data/kept ]; do sleep 0.1; done; ",
            &format!("cat {}; ", own.display()),
        ),
    );
    other["TaskGroups"][0]["Tasks"][0]["Resources"]["MemoryMB"] = json!(128);
    agent.register(&other).expect("registered");
    let other = id(&agent.until_allocations("other", "running", 1)[0]);
    for (alloc, task) in [(&pair, "spy"), (&other, "t")] {
        let said = until("it has looked", || {
            let said = agent.nomad(&["alloc", "logs", "-task", task, alloc]).stdout;
            let said = String::from_utf8_lossy(&said).into_owned();
            said.contains("looked everywhere").then_some(said)
        });
        assert!(said.contains("NOMAD_ALLOC_ID="), "it sees its own: {said}");
        assert!(!said.contains(SECRET), "{task}: {said}");
    }
    assert_eq!(
        std::fs::read_to_string(own).expect("kept"),
        format!("{SECRET}\n")
    );
    // Nor through the agent's own door.
    for path in [
        "t/secrets/key",
        "t/local/../secrets/key",
        "t/private",
        "spy/secrets",
    ] {
        let said = ask(&agent, &format!("/v1/client/fs/cat/{pair}?path={path}"));
        assert!(
            said.contains("Reading secret file prohibited"),
            "{path}: {said}"
        );
    }
}

/// Tasks may be root, of their own root.
const ROOT: &str = "client { options { \"user.denylist\" = \"none\" } }";

#[test]
fn device_nodes_open_nothing() {
    let test = "device_nodes_open_nothing";
    let Some(agent) = isolating(test, ROOT, "") else {
        return;
    };
    // The kernel's log, which root of the host can read.
    let look = "for dir in /local /alloc/data /secrets /tmp; do mknod $dir/kmsg c 1 11; \
        if head -c 1 $dir/kmsg > /local/got; then echo opened $dir; fi; done; echo tried";
    for user in ["", "root"] {
        let name = format!("nodes{user}");
        let mut job = exec_job(&name, "batch", look);
        job["TaskGroups"][0]["Tasks"][0]["User"] = json!(user);
        agent.register(&job).expect("registered");
        let alloc = id(&agent.until_allocations(&name, "complete", 1)[0]);
        assert_eq!(agent.ok(&["alloc", "logs", &alloc]), "tried\n", "{user}");
    }
}

#[test]
fn arguments_of_commands_inside_stay_arguments() {
    let test = "arguments_of_commands_inside_stay_arguments";
    if skipped(test, no_agent()) {
        return;
    }
    let agent = Agent::start("");
    let nasty = [
        "; touch pwned",
        "$(touch pwned)",
        "`touch pwned`",
        "--",
        "-h",
        "a\nb",
        "",
        "* ?",
        "\"'",
        "${NOMAD_ALLOC_ID}",
    ];
    let show = "printf '[%s]' \"$@\"";
    let expected: String = nasty.iter().map(|arg| format!("[{arg}]")).collect();
    let mut job = shell_job("shows", "service", 1, "");
    let mut args = vec!["-c", "printf '[%s]' \"$@\"; exec sleep 3600", "sh"];
    args.extend(&nasty[..nasty.len() - 1]);
    job["TaskGroups"][0]["Tasks"][0]["Config"] = json!({"command": "/bin/sh", "args": args});
    agent.register(&job).expect("registered");
    let alloc = id(&agent.until_allocations("shows", "running", 1)[0]);
    let of_job: String = nasty[..nasty.len() - 1]
        .iter()
        .map(|arg| format!("[{arg}]"))
        .collect();
    until("its arguments", || {
        (agent.ok(&["alloc", "logs", &alloc]) == of_job).then_some(())
    });
    let mut line = vec![
        "alloc", "exec", "-i=false", "-t=false", &alloc, "/bin/sh", "-c", show, "sh",
    ];
    line.extend(nasty);
    assert_eq!(agent.ok(&line), expected);
    // A command that looks like an option of whatever runs it is a command that nobody has.
    for command in ["--help", "-c", "../../../../../bin/sh\0"] {
        let mut job = shell_job("option", "batch", 1, "");
        job["TaskGroups"][0]["Tasks"][0]["Config"] = json!({"command": command});
        agent.register(&job).expect("registered");
        agent.until_allocations("option", "failed", 1);
        agent.ok(&["job", "stop", "-purge", "-detach", "option"]);
        until("it is forgotten", || {
            agent
                .allocations("option", "failed")
                .is_empty()
                .then_some(())
        });
    }
    assert!(!agent.path(&format!("data/alloc/{alloc}/t/pwned")).exists());
}

#[test]
fn containers_do_not_get_what_is_the_hosts() {
    let test = "containers_do_not_get_what_is_the_hosts";
    if skipped(test, no_agent().or_else(no_docker)) {
        return;
    }
    let agent = Agent::start("");
    for (number, (config, text)) in [
        (
            json!({"privileged": true}),
            "Docker privileged mode is disabled",
        ),
        (json!({"pid_mode": "host"}), "pid_mode"),
        (json!({"ipc_mode": "host"}), "ipc_mode"),
        (json!({"uts_mode": "host"}), "uts_mode"),
        (json!({"userns_mode": "host"}), "userns_mode"),
        (json!({"cap_add": ["sys_admin"]}), "caps"),
        (json!({"volumes": ["/etc:/x"]}), "volumes are not enabled"),
        (
            json!({"volumes": ["../../../../../etc:/x"]}),
            "volumes are not enabled",
        ),
        (
            json!({"mount": [{"type": "bind", "source": "/", "target": "/x"}]}),
            "volumes are not enabled",
        ),
        (
            json!({"volume_driver": "local", "volumes": ["x:/x"]}),
            "volumes are not enabled",
        ),
        (
            json!({"mount": [{"type": "volume", "source": "host-etc", "target": "/x", "volume_options": [{"driver_config":
                [{"options": [{"type": "none", "o": "bind", "device": "/etc"}]}]}]}]}),
            "volumes are not enabled",
        ),
        (
            json!({"volumes": ["..:/x"]}),
            "volumes are not enabled",
        ),
        (
            json!({"volumes": ["../.kept-t:/x"]}),
            "volumes are not enabled",
        ),
        (json!({"runtime": "other"}), "runtime"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("reach{number}");
        let mut job = shell_job(&name, "batch", 1, "");
        let task = &mut job["TaskGroups"][0]["Tasks"][0];
        task["Driver"] = json!("docker");
        let mut whole = json!({"image": "redis:4.0", "command": "sh", "args": ["-c", "ls /x"]});
        for (key, value) in config.as_object().expect("an object") {
            whole[key] = value.clone();
        }
        task["Config"] = whole;
        agent.register(&job).expect("registered");
        let alloc = agent.until_allocations(&name, "failed", 1).remove(0);
        let said = alloc["TaskStates"].to_string();
        assert!(said.contains(text), "{config}: {said}");
        let label = format!("label=com.hashicorp.nomad.alloc_id={}", id(&alloc));
        let left = Command::new("docker")
            .args(["ps", "-aq", "--filter", &label])
            .output()
            .expect("docker");
        assert!(
            left.status.success() && left.stdout.is_empty(),
            "{config}: {left:?}"
        );
    }
}

/// The engine keeps the limit, and the task says so.
#[test]
fn a_container_that_takes_too_much_memory_is_told_as_such() {
    let test = "a_container_that_takes_too_much_memory_is_told_as_such";
    if skipped(test, no_agent().or_else(no_docker)) {
        return;
    }
    let agent = Agent::start("");
    let mut job = shell_job("hog", "batch", 1, "");
    let task = &mut job["TaskGroups"][0]["Tasks"][0];
    task["Driver"] = json!("docker");
    task["Config"] = json!({"image": "redis:4.0", "command": "sh", "args": ["-c", "x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done"]});
    task["Resources"]["MemoryMB"] = json!(32);
    agent.register(&job).expect("registered");
    let alloc = agent.until_allocations("hog", "failed", 1).remove(0);
    let events = alloc["TaskStates"]["t"]["Events"].to_string();
    assert!(events.contains("\"oom_killed\":\"true\""), "{events}");
    let shown = agent.ok(&["alloc", "status", &id(&alloc)]);
    assert!(shown.contains("OOM Killed"), "{shown}");
}
