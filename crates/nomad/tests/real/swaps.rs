//! Tasks that put something else in the place of what the agent reads, writes and mounts: links to the host's files, pipes
//! that nobody reads, files without an end. What is outside stays as it is, and the agent goes on.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::attacks::{SECRET, ask, exec_job, id, isolating, outside, seen, serve};
use crate::support::{Agent, no_docker, shell_job, skipped, until};

const SECOND: i64 = 1_000_000_000;

fn task_of(job: &mut Value) -> &mut Value {
    &mut job["TaskGroups"][0]["Tasks"][0]
}

/// A batch job whose failed allocation is followed by one that takes its data over.
fn sticky(mut job: Value) -> Value {
    let group = &mut job["TaskGroups"][0];
    group["EphemeralDisk"]["Sticky"] = json!(true);
    group["ReschedulePolicy"] = json!({"Attempts": 1, "Interval": 3600 * SECOND, "Delay": 5 * SECOND,
        "DelayFunction": "constant", "Unlimited": false});
    job
}

/// The agent still answers, and still runs what it is given.
fn goes_on(agent: &Agent, name: &str) {
    agent
        .register(&shell_job(name, "batch", 1, "echo works"))
        .expect("registered");
    agent.until_allocations(name, "complete", 1);
}

#[test]
fn what_is_taken_over_of_an_allocation_leads_nowhere() {
    let test = "what_is_taken_over_of_an_allocation_leads_nowhere";
    let Some(agent) = isolating(test, "", "") else {
        return;
    };
    let outside = outside(&agent);
    let before = seen(&outside);
    let there = outside.display();
    // The first allocation sets traps; the second says what it finds of them.
    let line = format!(
        "if [ -e /alloc/data/second ]; then echo \"payload: $(cat /local/input)\"; cat /local/out; ls /local/*; exit 0; fi; \
         touch /alloc/data/second; rm -f /local/input /local/out; ln -s {there}/f /local/input; ln -s {there}/f /local/out; \
         exit 1"
    );
    let mut job = sticky(exec_job("heir", "batch", &line));
    job["ParameterizedJob"] = json!({"Payload": "required"});
    let task = task_of(&mut job);
    task["DispatchPayload"] = json!({"File": "input"});
    task["Templates"] = json!([{"EmbeddedTmpl": "rendered\n", "DestPath": "local/out"}]);
    agent.register(&job).expect("registered");
    std::fs::write(agent.path("payload"), "what was sent").expect("written");
    let payload = agent.path("payload").display().to_string();
    let said = agent.ok(&["job", "dispatch", "-detach", "heir", &payload]);
    let child = said
        .lines()
        .find_map(|line| line.strip_prefix("Dispatched Job ID = "))
        .expect("the job's id")
        .trim()
        .replace('/', "%2F");
    let second = id(&agent.until_allocations(&child, "complete", 1)[0]);
    let shown = agent.ok(&["alloc", "logs", &second]);
    assert!(
        shown.starts_with("payload: what was sent\nrendered\n"),
        "{shown}"
    );
    assert_eq!(seen(&outside), before);
}

/// The root of a task is its own, `local` included: what it puts in its place is taken over by nobody.
#[test]
fn a_data_directory_that_became_a_link_is_not_taken_over() {
    let test = "a_data_directory_that_became_a_link_is_not_taken_over";
    let Some(agent) = isolating(test, "", "") else {
        return;
    };
    let outside = outside(&agent);
    let before = seen(&outside);
    let there = outside.display();
    let trap = format!(
        "mv /local /moved && ln -s {there} /local; mv /alloc/data /alloc/moved && ln -s {there} /alloc/data; exec sleep 3600"
    );
    let mut job = exec_job("linked", "service", &trap);
    job["TaskGroups"][0]["EphemeralDisk"]["Sticky"] = json!(true);
    agent.register(&job).expect("registered");
    let first = id(&agent.until_allocations("linked", "running", 1)[0]);
    let dir = agent.path(&format!("data/alloc/{first}"));
    until("the traps are set", || {
        (dir.join("t/local").is_symlink() && dir.join("alloc/data").is_symlink()).then_some(())
    });
    let look = "cat /local/f /alloc/data/f; touch /local/new /alloc/data/new && echo fine; exec sleep 3600";
    task_of(&mut job)["Config"]["args"][1] = json!(look);
    agent.register(&job).expect("registered");
    let second = until("the next one", || {
        let running = agent.allocations("linked", "running");
        running.iter().map(id).find(|found| *found != first)
    });
    let next = agent
        .get(&format!("/v1/allocation/{second}"))
        .expect("known");
    assert_eq!(next["PreviousAllocation"], first, "it takes over");
    until("it has looked", || {
        let said = agent.nomad(&["alloc", "logs", &second]).stdout;
        (said == b"fine\n").then_some(())
    });
    assert_eq!(seen(&outside), before);
}

/// Everything that is written again while the task runs: identities, templates. A pipe in the place of a file holds back
/// whoever opens it for writing; there are more of them than the agent has threads.
#[test]
fn what_is_written_again_replaces_whatever_is_there() {
    let test = "what_is_written_again_replaces_whatever_is_there";
    let Some(agent) = isolating(test, "", "") else {
        return;
    };
    let outside = outside(&agent);
    let before = seen(&outside);
    let there = outside.display();
    agent.ok(&["var", "put", "nomad/jobs/pipes", "who=ada"]);
    // A pipe, a link to a file, a file that is another's, too: all in places of files that come anew.
    let line = format!(
        "cd /; for n in 1 2 3 4 5 6 7 8; do rm -f local/out$n; mkfifo local/out$n; done; \
         rm -f local/link secrets/nomad_second.jwt secrets/nomad_third.jwt; ln -s {there}/f local/link; \
         ln -s {there}/f secrets/nomad_second.jwt; mkfifo secrets/nomad_third.jwt; touch local/set; exec sleep 3600"
    );
    let mut job = exec_job("pipes", "service", &line);
    let places = (1..=8).map(|number| format!("local/out{number}"));
    let templates = places.chain(["local/link".to_owned()]).map(|place| {
        json!({"EmbeddedTmpl": "{{ with nomadVar \"nomad/jobs/pipes\" }}{{ .who }}{{ end }}", "DestPath": place,
            "ChangeMode": "noop"})
    });
    let identity = |name: &str| json!({"Name": name, "File": true, "TTL": 6 * SECOND, "Audience": ["x"], "ChangeMode": "noop"});
    let task = task_of(&mut job);
    task["Templates"] = templates.collect();
    task["Identities"] = json!([identity("second"), identity("third")]);
    agent.register(&job).expect("registered");
    let alloc = id(&agent.until_allocations("pipes", "running", 1)[0]);
    let dir = agent.path(&format!("data/alloc/{alloc}/t"));
    until("the traps are set", || {
        dir.join("local/set").exists().then_some(())
    });
    agent.ok(&["var", "put", "-force", "nomad/jobs/pipes", "who=grace"]);
    let is_file = |path: &str| {
        dir.join(path)
            .symlink_metadata()
            .is_ok_and(|found| found.is_file())
    };
    until("every file is one again", || {
        let written = (1..=8).map(|number| format!("local/out{number}"));
        let mut written = written.chain(["local/link".to_owned()]);
        let tokens = ["secrets/nomad_second.jwt", "secrets/nomad_third.jwt"];
        let all = written.all(|path| is_file(&path)) && tokens.iter().all(|path| is_file(path));
        all.then_some(())
    });
    for name in ["out1", "link"] {
        let text = std::fs::read_to_string(dir.join("local").join(name)).expect("read");
        assert_eq!(text, "grace", "{name}");
    }
    assert_eq!(seen(&outside), before);
    goes_on(&agent, "next");
    let found = agent
        .get(&format!("/v1/allocation/{alloc}"))
        .expect("known");
    assert_eq!(found["TaskStates"]["t"]["Restarts"], 0, "{found}");
}

/// An identity whose directory the task led elsewhere.
#[test]
fn identities_are_not_written_through_links() {
    let test = "identities_are_not_written_through_links";
    let Some(agent) = isolating(test, "", "") else {
        return;
    };
    let outside = outside(&agent);
    let before = seen(&outside);
    let line = format!(
        "mv /local/dir /local/moved; ln -s {} /local/dir; exec sleep 3600",
        outside.display()
    );
    let mut job = exec_job("elsewhere", "service", &line);
    task_of(&mut job)["Identities"] = json!([{"Name": "x", "File": true, "Filepath": "local/dir/f", "TTL": 6 * SECOND,
        "Audience": ["x"], "ChangeMode": "noop"}]);
    agent.register(&job).expect("registered");
    let alloc = id(&agent.until_allocations("elsewhere", "running", 1)[0]);
    let trap = agent.path(&format!("data/alloc/{alloc}/t/local/dir"));
    until("the trap is set", || trap.is_symlink().then_some(()));
    until("a renewal was refused", || {
        let log = agent.log();
        log.contains("cannot be written").then_some(())
    });
    assert_eq!(seen(&outside), before);
    goes_on(&agent, "next");
}

/// The agent's socket is bound anew under a task that runs, and looks at what a template left; both when the agent starts.
#[test]
fn an_agent_that_starts_meets_what_tasks_left_for_it() {
    let test = "an_agent_that_starts_meets_what_tasks_left_for_it";
    let Some(mut agent) = isolating(test, "", "") else {
        return;
    };
    let outside = outside(&agent);
    let before = seen(&outside);
    agent.ok(&["var", "put", "nomad/jobs/left", "who=ada"]);
    let there = outside.display();
    let line = format!(
        "cd /; rm -f local/out; truncate -s 1T local/out; touch local/set; \
         while true; do ln -sf {there}/f secrets/next; mv secrets/next secrets/api.sock; done"
    );
    let mut job = exec_job("left", "service", &line);
    task_of(&mut job)["Templates"] = json!([{"EmbeddedTmpl": "{{ with nomadVar \"nomad/jobs/left\" }}{{ .who }}{{ end }}",
        "DestPath": "local/out", "ChangeMode": "noop"}]);
    agent.register(&job).expect("registered");
    let alloc = id(&agent.until_allocations("left", "running", 1)[0]);
    let out = agent.path(&format!("data/alloc/{alloc}/t/local/out"));
    let set = agent.path(&format!("data/alloc/{alloc}/t/local/set"));
    until("the traps are set", || set.exists().then_some(()));
    for round in 0..3 {
        agent.kill();
        agent.launch();
        agent.wait_ready();
        goes_on(&agent, &format!("next{round}"));
        assert_eq!(seen(&outside), before, "{round}");
    }
    until("what has no end is written anew", || {
        let text = out.metadata().is_ok_and(|found| found.len() == 3);
        text.then_some(())
    });
    let found = agent
        .get(&format!("/v1/allocation/{alloc}"))
        .expect("known");
    assert_eq!(found["TaskStates"]["t"]["State"], "running", "{found}");
}

/// A task that exchanges, again and again, a directory of what its group shares for a link to the outside.
fn swapping(job: &mut Value, there: &Path) {
    let line = format!(
        "cd /alloc/data; mkdir good; echo fine > good/f; mv good dir; ln -s {} bad; touch swaps; \
         while true; do mv -T dir good; mv -T bad dir; mv -T dir bad; mv -T good dir; done",
        there.display()
    );
    let tasks = job["TaskGroups"][0]["Tasks"].as_array_mut().expect("tasks");
    let mut swaps = exec_job("", "", &line)["TaskGroups"][0]["Tasks"][0].take();
    swaps["Name"] = json!("swaps");
    swaps["Lifecycle"] = json!({"Hook": "prestart", "Sidecar": true});
    tasks.push(swaps);
}

/// With the kernel's help no swap could do anything, so it goes without.
#[test]
fn artifacts_are_not_put_through_links_that_are_swapped() {
    let test = "artifacts_are_not_put_through_links_that_are_swapped";
    let extra = "client { artifact { disable_filesystem_isolation = true } }";
    let Some(agent) = isolating(test, extra, "") else {
        return;
    };
    let outside = outside(&agent);
    let before = seen(&outside);
    let pages = (0..40).map(|number| (format!("/{number}"), vec![b'x'; 10]));
    let site = serve(pages.collect::<BTreeMap<_, _>>());
    let mut job = exec_job("fetches", "service", "exec sleep 3600");
    let artifacts = (0..40).map(|number| {
        json!({"GetterSource": format!("http://{site}/{number}"), "RelativeDest": "${NOMAD_ALLOC_DIR}/data/dir"})
    });
    task_of(&mut job)["Artifacts"] = artifacts.collect();
    // What meets a link fails, and is tried again until none did.
    job["TaskGroups"][0]["RestartPolicy"] =
        json!({"Attempts": 20, "Mode": "fail", "Interval": 86_400 * SECOND, "Delay": 0});
    swapping(&mut job, &outside);
    agent.register(&job).expect("registered");
    until("all are fetched, or it gave up", || {
        let all = agent.get("/v1/job/fetches/allocations").ok()?;
        let task = &all[0]["TaskStates"]["t"];
        (task["State"] == "dead" || task["StartedAt"].is_string() && task["State"] == "running")
            .then_some(())
    });
    assert_eq!(seen(&outside), before);
}

/// The engine opens by name what a task mounts of its allocation, some time after it was looked at.
#[test]
fn containers_mount_what_was_looked_at() {
    let test = "containers_mount_what_was_looked_at";
    let Some(agent) = isolating(test, "", "") else {
        return;
    };
    if skipped(test, no_docker()) {
        return;
    }
    let outside = outside(&agent);
    let before = seen(&outside);
    let swap = format!(
        "cd /alloc/data; mkdir good; echo fine > good/f; \
         while true; do ln -sfn good next; mv -T next dir; ln -sfn {} next; mv -T next dir; done",
        outside.display()
    );
    let mut swaps = task_of(&mut exec_job("", "", &swap)).take();
    swaps["Name"] = json!("swaps");
    swaps["Lifecycle"] = json!({"Hook": "prestart", "Sidecar": true});
    let volumes = json!({"volumes": ["../alloc/data/dir:/x"]});
    let mount = json!({"type": "bind", "source": "../alloc/data/dir", "target": "/x"});
    let mounts = [volumes, json!({ "mount": [mount] })];
    let mut said = String::new();
    // Who wins is chance: again until it went both ways.
    for round in 0..50 {
        for (kind, mounts) in mounts.iter().enumerate() {
            let name = format!("mounts-{round}-{kind}");
            said.push_str(&mounted_while_swapped(&agent, &name, mounts, &swaps));
        }
        assert!(!said.contains(SECRET), "{said}");
        assert_eq!(seen(&outside), before);
        if said.contains("fine\n") && said.contains("volumes are not enabled") {
            return;
        }
    }
    panic!("it always went one way: {said}");
}

/// What containers say that mount, at once, what another task of theirs swaps.
fn mounted_while_swapped(agent: &Agent, name: &str, mounts: &Value, swaps: &Value) -> String {
    const COUNT: usize = 8;
    let mut job = exec_job(name, "batch", "");
    job["TaskGroups"][0]["Count"] = json!(COUNT);
    let task = task_of(&mut job);
    task["Driver"] = json!("docker");
    task["Config"] = json!({"image": "redis:4.0", "command": "sh", "args": ["-c", "cat /x/f; touch /x/written"]});
    for (key, value) in mounts.as_object().expect("an object") {
        task["Config"][key] = value.clone();
    }
    let tasks = job["TaskGroups"][0]["Tasks"].as_array_mut().expect("tasks");
    tasks.push(swaps.clone());
    agent.register(&job).expect("registered");
    let all = until("all have ended", || {
        let all = agent.get(&format!("/v1/job/{name}/allocations")).ok()?;
        let all = all.as_array()?.clone();
        let ended = |one: &&Value| one["TaskStates"]["t"]["State"] == "dead";
        (all.iter().filter(ended).count() == COUNT).then_some(all)
    });
    let mut said = String::new();
    for alloc in all {
        let output = agent.nomad(&["alloc", "logs", "-task", "t", &id(&alloc)]);
        said.push_str(&String::from_utf8_lossy(&output.stdout));
        said.push_str(&alloc["TaskStates"]["t"]["Events"].to_string());
    }
    said
}

/// What every container gets: a task beside it that mounts its directory can put links there before it starts again.
#[test]
fn containers_get_their_own_directories_only() {
    let test = "containers_get_their_own_directories_only";
    if skipped(test, crate::support::no_agent().or_else(no_docker)) {
        return;
    }
    let agent = Agent::start("");
    let outside = outside(&agent);
    let before = seen(&outside);
    let there = outside.display();
    let container = |name: &str, config: Value| {
        let mut task = task_of(&mut shell_job("", "batch", 1, "")).take();
        task["Name"] = json!(name);
        task["Driver"] = json!("docker");
        task["Config"] = config;
        task["Config"]["image"] = json!("redis:4.0");
        task["Config"]["command"] = json!("sh");
        task
    };
    // By paths of the host and by ways to what the agent keeps.
    for (name, to) in [
        ("host", format!("{there}")),
        ("agents", "../.kept-t".into()),
    ] {
        let links = format!(
            "until [ -e /t/local/ran ]; do sleep 0.1; done; cd /t; mv local was; ln -s {to} local; touch /alloc/data/set; \
             exec sleep 3600"
        );
        let look = "touch /local/ran; until [ -e /alloc/data/set ]; do sleep 0.1; done; \
                    cat /local/f; ls -a /local; touch /local/written; exit 1";
        let mut job = shell_job(name, "batch", 1, "");
        let group = &mut job["TaskGroups"][0];
        group["RestartPolicy"] =
            json!({"Attempts": 1, "Mode": "fail", "Interval": 86_400 * SECOND, "Delay": 0});
        let mut links = container(
            "links",
            json!({"args": ["-c", links], "volumes": ["../t:/t"]}),
        );
        links["Lifecycle"] = json!({"Hook": "prestart", "Sidecar": true});
        group["Tasks"] = json!([container("t", json!({"args": ["-c", look]})), links]);
        agent.register(&job).expect("registered");
        let alloc = agent.until_allocations(name, "failed", 1).remove(0);
        let said = agent.nomad(&["alloc", "logs", "-task", "t", &id(&alloc)]);
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert_eq!(said.matches("ran\n").count(), 1, "it ran once: {said}");
        assert!(
            !said.contains(SECRET) && !said.contains("volumes"),
            "{said}"
        );
        let events = alloc["TaskStates"]["t"].to_string();
        assert!(events.contains("cannot mount host path"), "{events}");
        let kept = agent.path(&format!("data/alloc/{}/.kept-t/written", id(&alloc)));
        assert!(!kept.exists());
    }
    assert_eq!(seen(&outside), before);
}

/// One that nobody swaps is what the container has, made where it is not there; nothing of it is left with the agent.
#[test]
fn containers_mount_directories_and_files_of_their_allocation() {
    let test = "containers_mount_directories_and_files_of_their_allocation";
    if skipped(test, crate::support::no_agent().or_else(no_docker)) {
        return;
    }
    let agent = Agent::start("");
    let mut job = shell_job("own", "batch", 1, "");
    let task = task_of(&mut job);
    task["Driver"] = json!("docker");
    task["Templates"] = json!([{"EmbeddedTmpl": "a file\n", "DestPath": "local/file"}]);
    task["Config"] = json!({"image": "redis:4.0", "command": "sh",
        "args": ["-c", "cat /file; cp /file /made/copy; cat /local/made/it/copy; touch /file 2>/dev/null || echo closed"],
        "volumes": ["local/file:/file:ro", "local/made/it:/made"]});
    agent.register(&job).expect("registered");
    let alloc = id(&agent.until_allocations("own", "complete", 1)[0]);
    let said = agent.ok(&["alloc", "logs", &alloc]);
    assert_eq!(said, "a file\na file\nclosed\n");
    let mounts = std::fs::read_to_string("/proc/mounts").expect("read");
    assert!(
        !mounts.contains(&format!("{alloc}/.kept-t/volumes")),
        "{mounts}"
    );
}

#[test]
fn logs_of_containers_are_not_led_elsewhere() {
    let test = "logs_of_containers_are_not_led_elsewhere";
    if skipped(test, crate::support::no_agent().or_else(no_docker)) {
        return;
    }
    let agent = Agent::start("");
    let outside = outside(&agent);
    std::fs::write(outside.join("t.stdout.0"), SECRET).expect("written");
    let before = seen(&outside);
    // The next files of the logs are pipes; then the whole directory is elsewhere.
    let line = format!(
        "mkfifo /alloc/logs/t.stdout.1 /alloc/logs/t.stderr.1; head -c 2500000 /dev/zero | tr '\\0' x; \
         mv /alloc/logs /alloc/moved; ln -s {} /alloc/logs; head -c 2500000 /dev/zero | tr '\\0' y >&2; touch /local/done; \
         exec sleep 3600",
        outside.display()
    );
    let mut job = shell_job("logs", "service", 1, "");
    let task = task_of(&mut job);
    task["Driver"] = json!("docker");
    task["Config"] = json!({"image": "redis:4.0", "command": "sh", "args": ["-c", line]});
    task["LogConfig"]["MaxFiles"] = json!(5);
    agent.register(&job).expect("registered");
    let alloc = id(&agent.until_allocations("logs", "running", 1)[0]);
    let done = agent.path(&format!("data/alloc/{alloc}/t/local/done"));
    until("it has written much", || done.exists().then_some(()));
    for kind in ["stdout", "stderr"] {
        let said = ask(
            &agent,
            &format!("/v1/client/fs/logs/{alloc}?task=t&type={kind}&plain=true"),
        );
        assert!(!said.contains(SECRET), "{said}");
    }
    goes_on(&agent, "next");
    assert_eq!(seen(&outside), before);
    agent.ok(&["job", "stop", "-purge", "-detach", "logs"]);
    until("its container is gone", || {
        let label = format!("label=com.hashicorp.nomad.alloc_id={alloc}");
        let found = Command::new("docker")
            .args(["ps", "-aq", "--filter", &label])
            .output()
            .ok()?;
        (found.status.success() && found.stdout.is_empty()).then_some(())
    });
}

/// Reads while the directory of logs is exchanged for another one, again and again.
#[test]
fn logs_that_are_swapped_show_nothing_of_the_host() {
    let test = "logs_that_are_swapped_show_nothing_of_the_host";
    let Some(agent) = isolating(test, "", "") else {
        return;
    };
    let outside = outside(&agent);
    std::fs::write(outside.join("t.stdout.0"), SECRET).expect("written");
    let line = format!(
        "cd /alloc; echo ready; ln -s {} bad; touch /local/set; \
         while true; do mv -T logs good; mv -T bad logs; mv -T logs bad; mv -T good logs; done",
        outside.display()
    );
    agent
        .register(&exec_job("swaps", "service", &line))
        .expect("registered");
    let alloc = id(&agent.until_allocations("swaps", "running", 1)[0]);
    let set = agent.path(&format!("data/alloc/{alloc}/t/local/set"));
    until("it swaps", || set.exists().then_some(()));
    let (mut own, mut other) = (0, 0);
    for _ in 0..200 {
        for origin in ["start", "end"] {
            let path = format!(
                "/v1/client/fs/logs/{alloc}?task=t&type=stdout&plain=true&origin={origin}&offset=0"
            );
            let said = ask(&agent, &path);
            assert!(!said.contains(SECRET), "{said}");
            own += usize::from(said == "ready\n");
        }
        let said = ask(&agent, &format!("/v1/client/fs/ls/{alloc}?path=alloc/logs"));
        let named = said.contains("\"f\"");
        assert!(!named, "{said}");
        other += usize::from(!said.contains("t.stdout.0"));
    }
    assert!(own > 0 && other > 0, "the race was run: {own} {other}");
}

/// A volume that is mounted below a directory which the task led elsewhere the last time it ran.
#[test]
fn volumes_are_mounted_inside_whatever_is_there() {
    let test = "volumes_are_mounted_inside_whatever_is_there";
    let volume = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(volume.path(), std::fs::Permissions::from_mode(0o777)).expect("set");
    let extra = format!(
        "client {{ host_volume \"kept\" {{ path = \"{}\" }} }}",
        volume.path().display()
    );
    let Some(agent) = isolating(test, &extra, "") else {
        return;
    };
    let outside = outside(&agent);
    let before = seen(&outside);
    let there = outside.display();
    let line = format!(
        "echo ran >> /local/dir/data/runs; mv /local/dir /local/moved; ln -s {there} /local/dir; exit 1"
    );
    let mut job = exec_job("mounts", "batch", &line);
    let group = &mut job["TaskGroups"][0];
    group["Volumes"] = json!({"v": {"Name": "v", "Type": "host", "Source": "kept"}});
    group["RestartPolicy"]["Attempts"] = json!(2);
    group["RestartPolicy"]["Delay"] = json!(0);
    task_of(&mut job)["VolumeMounts"] = json!([{"Volume": "v", "Destination": "/local/dir/data"}]);
    agent.register(&job).expect("registered");
    let ended = agent.until_allocations("mounts", "failed", 1).remove(0);
    let said = ended["TaskStates"].to_string();
    assert!(said.contains("at /local/dir/data: "), "{said}");
    assert_eq!(seen(&outside), before);
    let runs = std::fs::read_to_string(volume.path().join("runs")).expect("written");
    assert_eq!(runs.lines().count(), 1, "{runs}");
}
