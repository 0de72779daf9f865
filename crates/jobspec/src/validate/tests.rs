//! Rules that only some blocks and places know.

use crate::admission::{Admission, NoCluster, admit};
use crate::{Inputs, Source, parse};

fn judged(text: &str) -> Admission {
    let source = Source::new("test.hcl", text);
    let parsed = parse(&source, &Inputs::default()).expect(text);
    admit(parsed.job, &NoCluster)
}

/// What is wrong with a group of these blocks, each problem without the lines around it.
fn of_group(blocks: &str) -> Vec<String> {
    let task = "task \"t\" {\n driver = \"raw_exec\"\n}\n";
    let text = format!("job \"j\" {{\n group \"g\" {{\n{blocks}\n{task}}}\n}}\n");
    innermost(&judged(&text).errors)
}

/// The same of a task.
fn of_task(blocks: &str) -> Vec<String> {
    let task = format!("task \"t\" {{\n driver = \"raw_exec\"\n{blocks}\n}}\n");
    innermost(&judged(&format!("job \"j\" {{\n group \"g\" {{\n{task}}}\n}}\n")).errors)
}

fn innermost(errors: &[String]) -> Vec<String> {
    let lines = errors.iter().flat_map(|error| error.lines());
    let lines = lines.filter(|line| !line.trim().is_empty() && !line.ends_with("occurred:"));
    lines
        .map(|line| line.trim_start_matches("\t* ").to_owned())
        .collect()
}

#[test]
fn address_modes_belong_to_one_kind_of_service() {
    let service = |mode: &str| {
        format!("service {{\n name = \"a\"\n port = \"80\"\n address_mode = \"{mode}\"\n}}")
    };
    assert_eq!(
        of_group(&service("driver")),
        [
            "service \"a\" cannot use address_mode=\"driver\", only services defined in a \"task\" block can use this mode"
        ]
    );
    assert_eq!(of_group(&service("alloc_ipv6")), Vec::<String>::new());
    for mode in ["alloc", "alloc_ipv6"] {
        assert_eq!(
            of_task(&service(mode))[0],
            format!(
                "service \"a\" cannot use address_mode=\"{mode}\", only services defined in a \"group\" block can use this mode"
            )
        );
    }
}

#[test]
fn services_are_told_apart_by_owner_name_and_port() {
    let service = |port: &str| format!("service {{\n name = \"a\"\n port = \"{port}\"\n}}\n");
    assert_eq!(
        of_group(&(service("80") + &service("80"))),
        ["Services are not unique: [group->a:80]"]
    );
    assert_eq!(
        of_group(&(service("80") + &service("81"))),
        Vec::<String>::new()
    );
    for task in ["u", "group"] {
        let own = format!(
            "service {{\n name = \"a\"\n}}\ntask \"{task}\" {{\n driver = \"raw_exec\"\n{}}}",
            service("")
        );
        assert_eq!(of_group(&own), Vec::<String>::new());
    }
}

#[test]
fn names_of_tasks_are_names_of_directories() {
    let of = |name: &str| {
        let task = format!("task \"{name}\" {{\n driver = \"raw_exec\"\n}}\n");
        innermost(&judged(&format!("job \"j\" {{\n group \"g\" {{\n{task}}}\n}}\n")).errors)
    };
    for (name, why) in [
        ("alloc", "Task cannot be named \"alloc\""),
        (".", "Task cannot be named \".\""),
        ("..", "Task cannot be named \"..\""),
        ("a/b", "Task name cannot include slashes"),
    ] {
        assert_eq!(of(name).last().map(String::as_str), Some(why), "{name}");
    }
    assert_eq!(of("..."), Vec::<String>::new());
}

#[test]
fn services_of_the_mesh() {
    let connect = "connect {\n native = true\n}\n";
    assert_eq!(
        of_task(&format!("service {{\n name = \"a\"\n{connect}}}")),
        [
            "service \"a\" cannot have \"connect\" block, only services defined in a \"group\" block can"
        ]
    );
    let service = |name: &str, proxy: &str| {
        format!(
            "service {{\n name = \"{name}\"\n connect {{\n sidecar_service {{\n proxy {{\n{proxy}\n}}\n}}\n}}\n}}\n"
        )
    };
    let network = "network {\n mode = \"bridge\"\n port \"http\" {}\n}\n";
    let upstream = "upstreams {\n destination_name = \"x\"\n local_bind_port = 9\n}";
    assert_eq!(
        of_group(&(network.to_owned() + &service("a", upstream) + &service("b", upstream))),
        [
            "Consul Connect services \"b\" and \"a\" in group \"g\" using same address for upstreams (:9)"
        ]
    );
    let transparent =
        |ports: &str| format!("transparent_proxy {{\n exclude_inbound_ports = [{ports}]\n}}");
    assert_eq!(
        of_group(&(network.to_owned() + &service("a", &transparent("\"http\", \"80\", \"web\"")))),
        [
            "Consul Connect transparent proxy port \"web\" must be numeric or one of network.port labels"
        ]
    );
    assert_eq!(
        of_group(&(network.to_owned() + &service("a", &transparent("")) + &service("b", ""))),
        ["Consul Connect transparent proxy requires there is only one connect block"]
    );
}

#[test]
fn checks_of_services() {
    let service = |check: &str| {
        format!(
            "service {{\n name = \"a\"\n port = \"80\"\n check {{\n name = \"c\"\n{check}\n interval = \"5s\"\n}}\n}}"
        )
    };
    let script = "type = \"script\"\n command = \"x\"\n task = \"t\"\n timeout = \"1s\"\n success_before_passing = 2";
    for (check, why) in [
        ("type = \"http\"", "http type must have http path"),
        (
            "type = \"tcp\"",
            "missing required value timeout. Timeout cannot be less than 1s",
        ),
        (
            "type = \"tcp\"\n timeout = \"1ms\"",
            "timeout (1ms) is lower than required minimum timeout 1s",
        ),
        (
            "type = \"tcp\"\n timeout = \"1s\"\n address_mode = \"auto\"",
            "invalid address_mode \"auto\" - auto only valid for services",
        ),
        (
            script,
            "success_before_passing not supported for check of type \"script\"",
        ),
    ] {
        assert_eq!(
            of_group(&service(check)),
            [format!("Check c invalid: {why}")]
        );
    }
    let twice = "check {\n type = \"tcp\"\n interval = \"5s\"\n timeout = \"1s\"\n address_mode = \"driver\"\n}\n".repeat(2);
    let service =
        format!("service {{\n name = \"a\"\n port = \"80\"\n address_mode = \"driver\"\n{twice}}}");
    assert_eq!(
        of_task(&service),
        ["check \"service: \\\"a\\\" check\" is duplicate"]
    );
}

#[test]
fn networks() {
    let host = "network {\n hostname = \"a..b\"\n}";
    assert_eq!(of_group(host), ["Hostname is not a valid DNS name"]);
    let ports =
        "network {\n port \"a\" {\n static = 80\n to = -2\n }\n port \"b\" {\n static = 80\n }\n}";
    assert_eq!(
        of_group(ports),
        [
            "Port \"a\" cannot be mapped to negative value -2",
            "Static port 80 already reserved by taskgroup network:a"
        ]
    );
    let task = |name: &str| {
        format!(
            "task \"{name}\" {{\n driver = \"x\"\n resources {{\n network {{\n port \"http\" {{}}\n}}\n}}\n}}\n"
        )
    };
    assert_eq!(of_group(&(task("a") + &task("b"))), Vec::<String>::new());
    assert_eq!(
        of_group(&("network {\n port \"http\" {}\n}\n".to_owned() + &task("a"))),
        ["Port label http already in use by taskgroup network"]
    );
    let cni = "network {\n mode = \"cni/x\"\n cni {\n args = { a = \"b\" }\n }\n}\n";
    assert_eq!(of_group(&cni.repeat(2)), ["duplicate CNI arg \"a\""]);
}

#[test]
fn modes_of_template_files() {
    let of = |perms: &str| {
        of_task(&format!(
            "template {{\n data = \"x\"\n destination = \"local/x\"\n perms = \"{perms}\"\n}}"
        ))
    };
    for good in ["", "0644", "7777", "000000755"] {
        assert_eq!(of(good), Vec::<String>::new());
    }
    for (bad, why) in [("77777", "value out of range"), ("+644", "invalid syntax")] {
        assert_eq!(
            of(bad),
            [format!(
                "Failed to parse \"{bad}\" as octal: strconv.ParseUint: parsing \"{bad}\": {why}"
            )]
        );
    }
}

#[test]
fn counts_of_a_property() {
    for (count, why) in [
        ("x", "invalid syntax"),
        ("99999999999999999999", "value out of range"),
    ] {
        let constraint = format!(
            "constraint {{\n distinct_property = \"${{meta.rack}}\"\n value = \"{count}\"\n}}"
        );
        assert_eq!(
            of_group(&constraint),
            [format!(
                "Failed to convert RTarget \"{count}\" to uint64: strconv.ParseUint: parsing \"{count}\": {why}"
            )]
        );
    }
}

#[test]
fn proxies_of_services() {
    let proxy = "kind = \"connect-proxy:a\"\nleader = true\nservice {\n name = \"b\"\n}";
    assert_eq!(
        of_task(proxy),
        [
            "Connect proxy task must not have a service block",
            "Connect proxy task must not have leader set",
            "No Connect services in task group with Connect proxy (\"a\")"
        ]
    );
}

#[test]
fn gateways() {
    let gateway = |kind: &str| {
        let gateway = format!("connect {{\n gateway {{\n{kind}\n}}\n}}\n");
        of_group(&format!(
            "network {{\n mode = \"bridge\"\n}}\nservice {{\n name = \"a\"\n{gateway}}}"
        ))
    };
    let linked = |files: &str| {
        gateway(&format!(
            "terminating {{\n service {{\n name = \"x\"\n{files}\n}}\n}}"
        ))
    };
    assert_eq!(
        linked("cert_file = \"c\"\nkey_file = \"k\""),
        ["Consul Linked Service TLS requires CAFile"]
    );
    assert_eq!(
        linked("ca_file = \"c\"\nkey_file = \"k\""),
        ["Consul Linked Service TLS Cert and Key must both be set"]
    );
    assert_eq!(linked("ca_file = \"c\"\nsni = \"s\""), Vec::<String>::new());
    let listener = |protocol: &str, service: &str| {
        gateway(&format!(
            "ingress {{\n listener {{\n port = 80\n protocol = \"{protocol}\"\n service {{\n{service}\n}}\n}}\n}}"
        ))
    };
    assert_eq!(
        listener("tcp", "name = \"*\""),
        ["Consul Ingress Service doesn't support wildcard name for \"tcp\" protocol"]
    );
    assert_eq!(listener("http", "name = \"*\""), Vec::<String>::new());
}

#[test]
fn jobs_that_cannot_be_completed() {
    let native = "service {\n name = \"a\"\n connect {\n native = true\n }\n}\n";
    let two = "task \"t\" {\n driver = \"x\"\n}\ntask \"u\" {\n driver = \"x\"\n}\n";
    let job = judged(&format!(
        "job \"j\" {{\n group \"g\" {{\n{native}{two}}}\n}}\n"
    ));
    assert_eq!(
        job.refusal.as_deref(),
        Some(
            "error in job mutator connect: task for Consul Connect Native service g->a is ambiguous and must be set"
        )
    );
    let exposed = "network {\n mode = \"bridge\"\n}\nservice {\n name = \"a\"\n port = \"ghost\"\n check {\n type = \
                   \"http\"\n path = \"/\"\n expose = true\n interval = \"5s\"\n timeout = \"1s\"\n }\n connect {\n \
                   sidecar_service {}\n }\n}\n";
    let job = judged(&format!(
        "job \"j\" {{\n group \"g\" {{\n{exposed}{two}}}\n}}\n"
    ));
    assert!(job.refusal.is_some_and(|why| {
        why.starts_with("error in job mutator expose-check: unable to determine")
    }));
}

#[test]
fn identities_for_a_vault_that_is_not_used() {
    let identity = "identity {\n name = \"vault_default\"\n aud = [\"a\"]\n ttl = \"1h\"\n}\n";
    let task = |vault: &str| {
        judged(&format!(
            "job \"j\" {{\n group \"g\" {{\n task \"t\" {{\n driver = \"x\"\n{identity}{vault}}}\n}}\n}}\n"
        ))
    };
    assert_eq!(
        task("").warnings,
        ["Task t has an identity called vault_default but no vault block"]
    );
    assert_eq!(task("vault {}\n").warnings, Vec::<String>::new());
}
