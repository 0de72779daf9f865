//! Servers and clients as separate agents: what runs on a client is reached through its servers, plainly and with
//! certificates, and the loss of a server costs neither tasks nor acknowledged jobs.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Agent, binary, shell_job, skipped, until};

/// Certificates of one authority for servers and clients of region `global`.
struct Certificates {
    dir: tempfile::TempDir,
}

impl Certificates {
    fn make() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).expect("parameters");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "test authority");
        let key = rcgen::KeyPair::generate().expect("a key");
        let ca = rcgen::CertifiedIssuer::self_signed(params, key).expect("an authority");
        std::fs::write(dir.path().join("ca.pem"), ca.pem()).expect("written");
        for role in ["server", "client"] {
            let names = vec![
                format!("{role}.global.nomad"),
                "localhost".to_owned(),
                "127.0.0.1".to_owned(),
            ];
            let params = rcgen::CertificateParams::new(names).expect("parameters");
            let key = rcgen::KeyPair::generate().expect("a key");
            let cert = params.signed_by(&key, &ca).expect("signed");
            std::fs::write(dir.path().join(format!("{role}.pem")), cert.pem()).expect("written");
            std::fs::write(
                dir.path().join(format!("{role}-key.pem")),
                key.serialize_pem(),
            )
            .expect("written");
        }
        Self { dir }
    }

    fn block(&self, role: &str) -> String {
        let dir = self.dir.path().display();
        format!(
            "tls {{ rpc = true verify_server_hostname = true ca_file = \"{dir}/ca.pem\" \
             cert_file = \"{dir}/{role}.pem\" key_file = \"{dir}/{role}-key.pem\" }}\n"
        )
    }
}

fn base(name: &str, dir: &Path, ports: [u16; 3], extra: &str) -> String {
    format!(
        "name = \"{name}\"\ndata_dir = \"{}\"\nbind_addr = \"127.0.0.1\"\nlog_level = \"DEBUG\"\n\
         ports {{ http = {} rpc = {} serf = {} }}\nlimits {{ http_max_conns_per_client = 0 }}\n{extra}\n",
        dir.join("data").display(),
        ports[0],
        ports[1],
        ports[2]
    )
}

pub(crate) fn server(name: &str, expect: usize, join: &[u16], extra: &str) -> Agent {
    let mut agent = prepared_server(name, expect, join, extra);
    agent.launch();
    agent
}

fn prepared_server(name: &str, expect: usize, join: &[u16], extra: &str) -> Agent {
    let join: Vec<String> = join
        .iter()
        .map(|port| format!("\"127.0.0.1:{port}\""))
        .collect();
    let block = format!(
        "server {{ enabled = true bootstrap_expect = {expect} heartbeat_grace = \"30s\" \
         server_join {{ retry_join = [{}] }} }}\n{extra}",
        join.join(", ")
    );
    Agent::configured(|dir, ports| base(name, dir, ports, &block))
}

pub(crate) fn client(name: &str, servers: &[u16], extra: &str) -> Agent {
    let servers: Vec<String> = servers
        .iter()
        .map(|port| format!("\"127.0.0.1:{port}\""))
        .collect();
    let block = format!(
        "client {{ enabled = true servers = [{}] gc_disk_usage_threshold = 100 gc_inode_usage_threshold = 100 cpu_total_compute = 10000 memory_total_mb = 10000 \
         disk_total_mb = 100000 options {{ \"fingerprint.denylist\" = \"env_aws,env_gce,env_azure,env_digitalocean\" }} }}\n\
         plugin \"raw_exec\" {{ config {{ enabled = true }} }}\n{extra}",
        servers.join(", ")
    );
    let mut agent = Agent::configured(|dir, ports| base(name, dir, ports, &block));
    agent.launch();
    agent
}

/// What a follower of logs prints first.
fn followed(agent: &Agent, alloc: &str) -> String {
    let mut child = Command::new(binary())
        .args(["alloc", "logs", "-f", alloc])
        .env("NOMAD_ADDR", format!("http://127.0.0.1:{}", agent.ports[0]))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let first = lines.next().expect("a line").expect("text");
    let later = lines.nth(4).expect("more lines").expect("text");
    child.kill().expect("killed");
    child.wait().expect("waited for");
    assert_ne!(first, later);
    first
}

fn pid_of(client: &Agent, alloc: &str) -> String {
    let file = client
        .path("data")
        .join("alloc")
        .join(alloc)
        .join("t/local/pid");
    until("the task has written its pid", || {
        std::fs::read_to_string(&file)
            .ok()
            .filter(|text| text.ends_with('\n'))
    })
}

const COUNT: &str =
    "echo $$ > local/pid; i=0; while true; do i=$((i+1)); echo line $i; sleep 0.05; done";

fn a_server_and_a_client(server_extra: &str, client_extra: &str) {
    let mut server = server("s", 1, &[], server_extra);
    let client = client("c", &[server.ports[1]], client_extra);
    server.wait_ready();
    server
        .register(&shell_job("steady", "service", 1, COUNT))
        .expect("registered");
    let alloc = server.until_allocations("steady", "running", 1).remove(0);
    let id = alloc["ID"].as_str().expect("an id").to_owned();
    let pid = pid_of(&client, &id);

    // The server reaches the node over the connection that the node opened; the client asks its server.
    for asked in [&server, &client] {
        assert!(followed(asked, &id).starts_with("line "));
        let said = asked.ok(&[
            "alloc",
            "exec",
            "-i=false",
            "-t=false",
            &id,
            "/bin/sh",
            "-c",
            "echo said; exit 0",
        ]);
        assert_eq!(said.trim(), "said");
        let code = asked.nomad(&[
            "alloc", "exec", "-i=false", "-t=false", &id, "/bin/sh", "-c", "exit 7",
        ]);
        assert_eq!(
            code.status.code(),
            Some(7),
            "{}",
            String::from_utf8_lossy(&code.stderr)
        );
        let stats = asked
            .get(&format!("/v1/client/allocation/{id}/stats"))
            .expect("numbers");
        assert!(stats["Tasks"]["t"].is_object(), "{stats}");
        assert_eq!(
            asked
                .get("/v1/jobs")
                .expect("jobs")
                .as_array()
                .map(Vec::len),
            Some(1)
        );
    }
    let node = alloc["NodeID"].as_str().expect("a node");
    assert!(
        server
            .get(&format!("/v1/client/stats?node_id={node}"))
            .expect("numbers")["Memory"]
            .is_object()
    );
    let refused = server.get("/v1/client/stats").expect_err("no node here");
    assert_eq!(refused, "400: No local Node and node_id not provided");
    let unknown = "00000000-0000-4000-8000-000000000000";
    let refused = server
        .get(&format!("/v1/client/fs/logs/{unknown}?task=t&type=stdout"))
        .expect_err("no such allocation");
    assert_eq!(refused, format!("404: Unknown allocation \"{unknown}\""));

    server.kill();
    server.launch();
    server.wait_ready();
    server.until_allocations("steady", "running", 1);
    until("the node is called back again", || {
        server
            .get(&format!("/v1/client/allocation/{id}/stats"))
            .ok()
    });
    assert_eq!(pid_of(&client, &id), pid, "the task went on");
    assert!(Path::new(&format!("/proc/{}", pid.trim())).exists());
    server.ok(&["job", "stop", "-purge", "-detach", "steady"]);
    until("the task has ended", || {
        (!Path::new(&format!("/proc/{}", pid.trim())).exists()).then_some(())
    });
}

#[test]
fn a_client_is_reached_through_its_server() {
    a_server_and_a_client("", "");
}

#[test]
fn a_client_is_reached_through_its_server_with_certificates() {
    let certificates = Certificates::make();
    a_server_and_a_client(&certificates.block("server"), &certificates.block("client"));
}

#[test]
fn the_api_speaks_tls() {
    let certificates = Certificates::make();
    let block = certificates.block("server").replace(
        "rpc = true",
        "rpc = true http = true verify_https_client = true",
    );
    let server = server("s", 1, &[], &block);
    let dir = certificates.dir.path().display();
    let address = format!("-address=https://127.0.0.1:{}", server.ports[0]);
    let files = [
        format!("-ca-cert={dir}/ca.pem"),
        format!("-client-cert={dir}/client.pem"),
        format!("-client-key={dir}/client-key.pem"),
    ];
    let [ca, cert, key] = &files;
    let members = until("the servers are listed over TLS", || {
        let output = server.nomad(&["server", "members", &address, ca, cert, key]);
        let listed = output.status.success();
        listed.then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    });
    assert!(members.contains("s.global"), "{members}");
    let stranger = server.nomad(&["server", "members", &address, ca]);
    assert_eq!(
        stranger.status.code(),
        Some(1),
        "a certificate is asked for"
    );
}

fn leader(servers: &[Agent]) -> Option<usize> {
    let told = servers
        .iter()
        .find_map(|server| server.get("/v1/status/leader").ok())?;
    let port = told.as_str()?.rsplit_once(':')?.1.parse::<u16>().ok()?;
    servers.iter().position(|server| server.ports[1] == port)
}

#[test]
fn another_server_takes_over_and_nothing_acknowledged_is_lost() {
    let first = server("s1", 3, &[], "");
    // Both the port of servers and the one of members lead to a server.
    let second = server("s2", 3, &[first.ports[1]], "");
    let third = server("s3", 3, &[first.ports[2]], "");
    let mut servers = vec![first, second, third];
    let ports: Vec<u16> = servers.iter().map(|server| server.ports[1]).collect();
    let client = client("c", &ports, "");
    for server in &mut servers {
        server.wait_ready();
    }
    for server in &servers {
        let voters = server
            .get("/v1/operator/raft/configuration")
            .expect("voters");
        assert_eq!(
            voters["Servers"].as_array().map(Vec::len),
            Some(3),
            "{voters}"
        );
        assert_eq!(
            server
                .get("/v1/status/peers")
                .expect("peers")
                .as_array()
                .map(Vec::len),
            Some(3)
        );
    }
    // Whichever server is asked.
    for (number, server) in servers.iter().enumerate() {
        server
            .register(&shell_job(&format!("steady-{number}"), "service", 1, COUNT))
            .expect("registered");
    }
    let pids: Vec<String> = (0..3)
        .map(|number| {
            let alloc = servers[0]
                .until_allocations(&format!("steady-{number}"), "running", 1)
                .remove(0);
            pid_of(&client, alloc["ID"].as_str().expect("an id"))
        })
        .collect();

    let lost = until("a leader", || leader(&servers));
    servers[lost].kill();
    let rest: Vec<&Agent> = servers
        .iter()
        .enumerate()
        .filter(|(number, _)| *number != lost)
        .map(|(_, server)| server)
        .collect();
    until("another server leads", || rest[0].get("/v1/jobs").ok());
    for server in &rest {
        let jobs = until("jobs", || server.get("/v1/jobs").ok());
        assert_eq!(jobs.as_array().map(Vec::len), Some(3));
    }
    until("jobs are taken again", || {
        rest[1]
            .register(&shell_job("later", "service", 1, COUNT))
            .ok()
    });
    let later = rest[0].until_allocations("later", "running", 1).remove(0);
    let id = later["ID"].as_str().expect("an id");
    until("the new leader calls the node back", || {
        rest[0]
            .get(&format!("/v1/client/allocation/{id}/stats"))
            .ok()
    });
    assert!(
        pids.iter()
            .all(|pid| Path::new(&format!("/proc/{}", pid.trim())).exists()),
        "tasks went on"
    );

    servers[lost].launch();
    until("the lost server is back", || {
        servers[lost].get("/v1/job/later?stale=true").ok()
    });
}

/// A server with a small disk of its own; `None` where none can be mounted.
fn with_small_disk(name: &str, join: &[u16]) -> Option<Agent> {
    let mut agent = prepared_server(name, 3, join, "");
    let data = agent.path("data");
    std::fs::create_dir(&data).expect("made");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=32m,mode=700", "tmpfs"])
        .arg(&data)
        .stderr(Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        return None;
    }
    agent.launch();
    Some(agent)
}

#[test]
fn a_leader_whose_disk_is_full_leaves_the_work_to_others() {
    let test = "a_leader_whose_disk_is_full_leaves_the_work_to_others";
    let Some(first) = with_small_disk("s1", &[]) else {
        skipped(test, Some("a file system can be mounted by root only"));
        return;
    };
    let join = [first.ports[1]];
    let rest = ["s2", "s3"].map(|name| with_small_disk(name, &join).expect("mounted"));
    let servers: Vec<Agent> = [first].into_iter().chain(rest).collect();
    let full = until("a leader, and all are voters", || {
        let voters = servers[0].get("/v1/operator/raft/configuration").ok()?;
        (voters["Servers"].as_array()?.len() == 3).then_some(())?;
        leader(&servers)
    });
    until("a job is taken", || {
        servers[full]
            .register(&shell_job("before", "service", 0, "true"))
            .ok()
    });
    let filler = servers[full].path("data/filler");
    let filled = std::fs::File::create(&filler)
        .and_then(|mut file| std::io::copy(&mut std::io::repeat(0), &mut file));
    assert!(filled.is_err(), "the disk is full");
    let others: Vec<&Agent> = (0..3)
        .filter(|number| *number != full)
        .map(|number| &servers[number])
        .collect();
    // Large ones, which need room at once.
    let mut job = shell_job("large", "service", 0, "true");
    job["Meta"] = serde_json::json!({"text": "x".repeat(200_000)});
    let mut taken = 0;
    until("jobs are taken by another leader", || {
        job["ID"] = format!("large-{taken}").into();
        let asked = others[taken % 2];
        if asked.register(&job).is_ok() {
            taken += 1;
        }
        let leads = others[0].get("/v1/status/leader").ok()?;
        let port = leads.as_str()?.rsplit_once(':')?.1.parse::<u16>().ok()?;
        (taken >= 10 && port != servers[full].ports[1]).then_some(())
    });
    std::fs::remove_file(&filler).expect("removed");
    for number in 0..taken {
        let path = format!("/v1/job/large-{number}?stale=true");
        until("it has what the others took", || {
            servers[full].get(&path).ok()
        });
    }
}

/// What `nomad server members` says of each server.
fn statuses(asked: &Agent) -> Vec<(String, String)> {
    let told = asked.get("/v1/agent/members").unwrap_or_default();
    let members = told["Members"].as_array().cloned().unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    members
        .iter()
        .map(|member| (text(&member["Name"]), text(&member["Status"])))
        .collect()
}

fn voters(asked: &Agent) -> usize {
    let told = asked
        .get("/v1/operator/raft/configuration?stale=true")
        .unwrap_or_default();
    told["Servers"].as_array().map_or(0, Vec::len)
}

#[test]
fn servers_leave_and_come_back() {
    let first = server("s1", 3, &[], "");
    let second = server("s2", 3, &[first.ports[1]], "");
    let mut third = server(
        "s3",
        3,
        &[first.ports[1], second.ports[1]],
        "leave_on_interrupt = true",
    );
    for server in [&first, &second, &third] {
        until("three servers know each other", || {
            let all = statuses(server);
            (all.len() == 3 && all.iter().all(|(_, status)| status == "alive")).then_some(())
        });
    }
    until("three vote", || (voters(&first) == 3).then_some(()));
    for asked in [&first, &second, &third] {
        let listed = asked.ok(&["operator", "raft", "list-peers"]);
        assert_eq!(listed.matches("follower").count(), 2, "{listed}");
        assert!(asked.ok(&["agent-info"]).contains("raft"));
    }
    until("autopilot finds all of them well", || {
        let health = first.nomad(&["operator", "autopilot", "health"]);
        String::from_utf8_lossy(&health.stdout)
            .contains("Healthy: true")
            .then_some(())
    });

    third.signal("INT");
    assert_eq!(third.wait(), Some(0), "{}", third.log());
    until("it has left", || {
        statuses(&first)
            .contains(&("s3.global".to_owned(), "left".to_owned()))
            .then_some(())
    });
    until("two vote", || (voters(&second) == 2).then_some(()));
    second
        .register(&shell_job("meanwhile", "service", 0, "true"))
        .expect("two of two are a majority");

    third.launch();
    until("it is back", || (voters(&third) == 3).then_some(()));
    until("it has what was written meanwhile", || {
        third.get("/v1/job/meanwhile?stale=true").ok()
    });
    third.kill();
    until("it has failed", || {
        statuses(&first)
            .contains(&("s3.global".to_owned(), "failed".to_owned()))
            .then_some(())
    });
    first.ok(&["server", "force-leave", "s3.global"]);
    until("two vote again", || (voters(&first) == 2).then_some(()));
}

/// What an allocation kept goes with it to another node.
#[test]
fn data_migrates_to_another_node() {
    let mut server = server("s", 1, &[], "");
    let clients = ["one", "two"].map(|name| {
        // The disk is always too full for what ended.
        let meta = format!(
            "client {{ node_class = \"{name}\" gc_disk_usage_threshold = 1 gc_interval = \"1s\" }}"
        );
        client(name, &[server.ports[1]], &meta)
    });
    server.wait_ready();
    let nodes = until("both nodes are ready", || {
        let nodes = server.get("/v1/nodes").ok()?;
        let ready = nodes
            .as_array()?
            .iter()
            .filter(|node| node["Status"] == "ready");
        (ready.count() == 2).then_some(nodes)
    });
    let line = "echo kept >> $NOMAD_ALLOC_DIR/data/kept; echo mine >> local/mine; ln -sf /etc/passwd local/link; \
                echo secret > secrets/secret; echo $$ > local/pid; exec sleep 3600";
    let mut job = shell_job("moves", "service", 1, line);
    job["TaskGroups"][0]["EphemeralDisk"]["Migrate"] = true.into();
    job["TaskGroups"][0]["Migrate"] = serde_json::json!({
        "MaxParallel": 1, "HealthCheck": "task_states", "MinHealthyTime": 1_000_000, "HealthyDeadline": 60_000_000_000_i64,
    });
    server.register(&job).expect("registered");
    let first = server.until_allocations("moves", "running", 1).remove(0);
    let here = |alloc: &serde_json::Value| {
        let node = nodes
            .as_array()
            .expect("nodes")
            .iter()
            .find(|node| node["ID"] == alloc["NodeID"]);
        let name = node.expect("its node")["Name"]
            .as_str()
            .expect("a name")
            .to_owned();
        let at = usize::from(name == "two");
        clients[at]
            .path("data")
            .join("alloc")
            .join(alloc["ID"].as_str().expect("an id"))
    };
    let written = |alloc: &serde_json::Value| {
        let pid = std::fs::metadata(here(alloc).join("t/local/pid")).ok()?;
        pid.modified().ok()
    };
    let old = until("the first has written", || written(&first));
    server.ok(&[
        "node",
        "drain",
        "-enable",
        "-yes",
        "-detach",
        first["NodeID"].as_str().expect("a node"),
    ]);
    let second = until("the second runs on the other node", || {
        let running = server.allocations("moves", "running");
        running
            .into_iter()
            .find(|alloc| alloc["NodeID"] != first["NodeID"])
    });
    let dir = here(&second);
    until("the second has written", || {
        (written(&second)? > old).then_some(())
    });
    until("the first makes room once its data is there", || {
        (!here(&first).exists()).then_some(())
    });
    let read = |path: &str| std::fs::read_to_string(dir.join(path)).unwrap_or_default();
    assert_eq!(read("alloc/data/kept"), "kept\nkept\n");
    assert_eq!(read("t/local/mine"), "mine\nmine\n");
    assert_eq!(
        std::fs::read_link(dir.join("t/local/link")).ok().as_deref(),
        Some(Path::new("/etc/passwd"))
    );
    assert!(!dir.join(".incoming").exists());
    let drain = |change: &str, alloc: &serde_json::Value| {
        let node = alloc["NodeID"].as_str().expect("a node");
        server.ok(&["node", "drain", change, "-yes", "-detach", node]);
    };
    drain("-disable", &first);
    server.ok(&["job", "stop", "-purge", "-detach", "moves"]);
    example_moves(&server, drain);
}

/// The example of data that outlives updates, moved from the node where it is.
fn example_moves(server: &Agent, drain: impl Fn(&str, &serde_json::Value)) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sticky.nomad");
    server.ok(&["job", "run", "-detach", &example.display().to_string()]);
    let says = |alloc: &serde_json::Value, text: &str| {
        let id = alloc["ID"].as_str().expect("an id");
        until("it tells what it found", || {
            let output = server.nomad(&["alloc", "logs", id]);
            (output.stdout == text.as_bytes()).then_some(())
        });
    };
    let before = server.until_allocations("sticky", "running", 1).remove(0);
    says(&before, "release 1\n");
    drain("-enable", &before);
    let after = until("it runs on the other node", || {
        let mut running = server.allocations("sticky", "running").into_iter();
        running.find(|alloc| alloc["NodeID"] != before["NodeID"])
    });
    says(&after, "release 1\nrelease 1\n");
}

/// As many seconds in the notation of jobs.
fn seconds(count: i64) -> serde_json::Value {
    (count * 1_000_000_000).into()
}

/// Servers are away, and a node is: what `disconnect` says decides, and tasks go on under it.
#[test]
fn tasks_do_without_servers_as_their_group_says() {
    let short = "server { heartbeat_grace = \"1s\" min_heartbeat_ttl = \"1s\" max_heartbeats_per_second = 1000 \
                 failover_heartbeat_ttl = \"5s\" }";
    let mut server = server("s", 1, &[], short);
    let mut client = client("c", &[server.ports[1]], "");
    server.wait_ready();
    let mut stays = shell_job("stays", "service", 1, COUNT);
    stays["TaskGroups"][0]["Disconnect"] =
        serde_json::json!({"LostAfter": seconds(3600), "Replace": false});
    let mut stops = shell_job("stops", "service", 1, COUNT);
    stops["TaskGroups"][0]["Disconnect"] = serde_json::json!({"StopOnClientAfter": seconds(2)});
    for job in [&stays, &stops] {
        server.register(job).expect("registered");
    }
    let of = |agent: &Agent, job: &str| {
        let alloc = agent.until_allocations(job, "running", 1).remove(0);
        alloc["ID"].as_str().expect("an id").to_owned()
    };
    let (stays, stops) = (of(&server, "stays"), of(&server, "stops"));
    let (first, other) = (pid_of(&client, &stays), pid_of(&client, &stops));
    let alive = |pid: &str| Path::new(&format!("/proc/{}", pid.trim())).exists();

    server.kill();
    until("the node stops what is to stop without servers", || {
        (!alive(&other)).then_some(())
    });
    assert!(alive(&first));
    server.launch();
    server.wait_ready();
    assert_eq!(of(&server, "stays"), stays);
    assert_eq!(pid_of(&client, &stays), first);

    // The agent of the node hears and says nothing for a while.
    client.signal("STOP");
    server.until_allocations("stays", "unknown", 1);
    let nodes = server.get("/v1/nodes").expect("nodes");
    assert_eq!(nodes[0]["Status"], "disconnected");
    assert!(alive(&first));
    client.signal("CONT");
    assert_eq!(of(&server, "stays"), stays);
    let alloc = until("it is known to be back", || {
        let alloc = server.get(&format!("/v1/allocation/{stays}")).ok()?;
        alloc["TaskStates"]["t"]["Events"]
            .to_string()
            .contains("Reconnected")
            .then_some(alloc)
    });
    assert_eq!(alloc["TaskStates"]["t"]["Restarts"], 0);
    assert!(alive(&first));
    let all = server
        .get("/v1/job/stays/allocations")
        .expect("allocations");
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
    client.kill();
}
