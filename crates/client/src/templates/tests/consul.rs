//! What is asked of Consul, and what comes of its answers.

use super::*;

/// What `source` asks of Consul, and what comes of the answer.
fn over_consul(source: &str, answers: &[(&str, serde_json::Value)]) -> (String, Vec<String>) {
    let mut data = Data::default();
    let mut asked = Vec::new();
    loop {
        let (text, missing) = run(source, &data).unwrap();
        let mut learnt = false;
        for need in missing {
            let Need::Consul { path, .. } = &need else {
                panic!("{need:?}");
            };
            asked.push(path.clone());
            if let Some((_, answer)) = answers.iter().find(|(place, _)| place == path) {
                learnt |= data.put(need, Value::Json(answer.clone()));
            }
        }
        if !learnt {
            return (text, asked);
        }
    }
}

#[test]
fn consul_is_asked_for_what_is_named() {
    let paths = |source: &str| over_consul(&format!("{{{{ {source} }}}}"), &[]).1;
    for (source, path) in [
        ("key \"a/b c@dc2\"", "/v1/kv/a/b%20c?dc=dc2"),
        ("ls \"/a/@dc2\"", "/v1/kv/a?recurse=true&dc=dc2"),
        (
            "service \"v1.web@dc2~_agent\"",
            "/v1/health/service/web?dc=dc2&near=_agent&tag=v1&passing=true",
        ),
        ("service \"web|any\"", "/v1/health/service/web"),
        ("connect \"web\"", "/v1/health/connect/web?passing=true"),
        ("services \"@dc2\"", "/v1/catalog/services?dc=dc2"),
        ("node", "/v1/agent/self"),
        ("node \"n1@dc2\"", "/v1/catalog/node/n1?dc=dc2"),
        ("nodes \"@dc2~n1\"", "/v1/catalog/nodes?dc=dc2&near=n1"),
        ("caRoots", "/v1/agent/connect/ca/roots"),
        ("caLeaf \"web\"", "/v1/agent/connect/ca/leaf/web"),
        (
            "exportedServices \"p\"",
            "/v1/config/exported-services?partition=p",
        ),
        (
            "importedServices \"p\"",
            "/v1/imported-services?partition=p",
        ),
        ("partitions", "/v1/partitions"),
        ("peerings", "/v1/peerings"),
    ] {
        assert_eq!(paths(source), [path], "{source}");
    }
    // What may be missing is not waited for.
    for source in ["keyExists \"a\"", "keyOrDefault \"a\" \"b\""] {
        let need = run(&format!("{{{{ {source} }}}}"), &Data::default())
            .unwrap()
            .1;
        assert!(need.iter().all(Need::is_optional), "{need:?}");
    }
}

#[test]
fn what_consul_answers_is_as_templates_know_it() {
    use serde_json::json;
    let nodes = json!([{"Node": "b", "Address": "10.0.0.2"}, {"Node": "a", "Address": "10.0.0.1", "Meta": {"rack": "r"}}]);
    let own = json!({"Config": {"NodeName": "a"}});
    let node = json!({"Node": {"Node": "a", "Address": "10.0.0.1"}, "Services": {"x": {"ID": "x", "Service": "web", "Port": 80}}});
    let found = |source: &str| {
        let answers = [
            ("/v1/catalog/nodes", nodes.clone()),
            ("/v1/agent/self", own.clone()),
            ("/v1/catalog/node/a", node.clone()),
            (
                "/v1/agent/connect/ca/roots",
                json!({"Roots": [{"ID": "r", "RootCert": "PEM"}]}),
            ),
            (
                "/v1/agent/connect/ca/leaf/web",
                json!({"CertPEM": "C", "PrivateKeyPEM": "K"}),
            ),
            (
                "/v1/health/service/web",
                json!([
                    {"Node": {"Node": "b", "Address": "10.0.0.2"}, "Service": {"ID": "2", "Service": "web", "Port": 2},
                     "Checks": [{"Status": "passing"}, {"Status": "warning"}]},
                    {"Node": {"Node": "a", "Address": "10.0.0.1"}, "Service": {"ID": "1", "Service": "web", "Port": 1, "Address": "1.1.1.1"},
                     "Checks": [{"Status": "critical"}]},
                ]),
            ),
            (
                "/v1/config/exported-services?partition=p",
                json!([{"Services": [{"Name": "web", "Consumers": [{"Peer": "far"}, {"Partition": "q"}]}]}]),
            ),
            (
                "/v1/kv/a?recurse=true",
                json!([{"Key": "a/x", "Value": "MQ=="}, {"Key": "a/y/z", "Value": "Mg=="}]),
            ),
        ];
        over_consul(source, &answers).0
    };
    for (source, expected) in [
        (
            "{{ range nodes }}{{ .Node }}={{ .Address }} {{ end }}",
            "a=10.0.0.1 b=10.0.0.2 ",
        ),
        (
            "{{ with node }}{{ .Node.Address }}{{ range .Services }} {{ .Service }}:{{ .Port }}{{ end }}{{ end }}",
            "10.0.0.1 web:80",
        ),
        ("{{ range caRoots }}{{ .RootCertPEM }}{{ end }}", "PEM"),
        (
            "{{ with caLeaf \"web\" }}{{ .CertPEM }}{{ .PrivateKeyPEM }}{{ end }}",
            "CK",
        ),
        (
            "{{ range service \"web|any\" }}{{ .Address }}:{{ .Port }}={{ .Status }} {{ end }}",
            "1.1.1.1:1=critical 10.0.0.2:2=warning ",
        ),
        (
            "{{ range service \"web|passing,warning\" }}{{ .ID }}{{ end }}",
            "2",
        ),
        (
            "{{ range exportedServices \"p\" }}{{ .Service }} {{ .Consumers.Peers | join \",\" }} {{ .Consumers.Partitions | join \",\" }}{{ end }}",
            "web far q",
        ),
        (
            "{{ range ls \"a\" }}{{ .Key }}={{ .Value }} {{ end }}{{ range tree \"a\" }}{{ .Key }} {{ end }}",
            "x=1 x y/z ",
        ),
    ] {
        assert_eq!(found(source), expected, "{source}");
    }
}
