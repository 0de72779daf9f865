//! Rendering over what is known.

use super::data::{Data, Need, Value};
use super::engine::{Context, render};
use caravan_model::Template;
use std::collections::BTreeMap;
use std::path::Path;

fn run(source: &str, data: &Data) -> Result<(String, Vec<Need>), String> {
    let env = BTreeMap::from([("NOMAD_TASK_NAME".to_owned(), "t".to_owned())]);
    let denied = vec!["executeTemplate".to_owned()];
    let context = Context {
        env: &env,
        data,
        denied: &denied,
        files: Path::new("/nonexistent"),
        sandboxed: true,
        addresses: |text| Ok(format!("address of {text}")),
    };
    render(&Template::default(), source, &context)
}

fn text(source: &str) -> String {
    run(source, &Data::default()).unwrap().0
}

/// The functions that the runtime sheet lists (§M), those of Sprig aside.
const LISTED: &str = "
    datacenters file key keyExists keyOrDefault ls safeLs tree safeTree node nodes service services connect caRoots caLeaf
    exportedServices importedServices partitions peerings
    secret secrets pkiCert
    nomadServices nomadService nomadVarList nomadVarListSafe nomadVar nomadVarExists
    scratch scratch.Key scratch.Set scratch.SetX scratch.Get scratch.MapSet scratch.MapSetX scratch.MapValues
    base64Decode base64Encode base64URLDecode base64URLEncode byKey byMeta byPort byTag contains containsAll containsAny
    containsNone containsNotAll env envOrDefault mustEnv explode explodeMap mergeMap mergeMapWithOverride in indent join loop
    trim trimPrefix trimSuffix trimSpace parseBool parseFloat parseInt parseJSON parseUint parseYAML regexReplaceAll regexMatch
    replaceAll sha256Hex md5sum hmacSHA256Hex timestamp toLower toUpper toTitle toJSON toJSONPretty toUnescapedJSON
    toUnescapedJSONPretty toTOML toYAML split splitToMap sockaddr executeTemplate plugin writeToFile
    add subtract multiply divide modulo minimum maximum
    spew_dump spew_printf spew_sdump spew_sprintf
    and or not len index slice print printf println html js urlquery call eq ne lt le gt ge
";

#[test]
fn every_listed_function_is_there() {
    for name in LISTED.split_whitespace() {
        // Whatever it says of being given nothing, it is known.
        if let Err(error) = run(&format!("{{{{ {name} }}}}"), &Data::default()) {
            let unknown = ["is not defined", "not defined", "undefined"];
            assert!(
                !unknown.iter().any(|word| error.contains(word)),
                "{name}: {error}"
            );
        }
    }
    let unknown = run("{{ nonsense }}", &Data::default()).unwrap_err();
    assert!(
        unknown.contains("not defined") || unknown.contains("undefined"),
        "{unknown}"
    );
}

#[test]
fn a_scratchpad_lasts_for_one_pass() {
    assert_eq!(
        text(
            "{{ scratch.Set \"a\" 1 }}{{ scratch.SetX \"a\" 2 }}{{ scratch.Get \"a\" }} {{ scratch.Key \"b\" }}"
        ),
        "1 false"
    );
    assert_eq!(
        text(concat!(
            "{{ define \"d\" }}{{ \"x\" | scratch.MapSet \"m\" . }}{{ end }}{{ template \"d\" \"k2\" }}",
            "{{ scratch.MapSet \"m\" \"k1\" \"y\" }}{{ scratch.MapSetX \"m\" \"k1\" \"z\" }}",
            "{{ range scratch.MapValues \"m\" }}{{ . }}{{ end }} {{ (scratch.Get \"m\").k1 }}",
            "{{ if scratch.Key \"m\" }} there{{ end }}{{ with $v := scratch.Get \"none\" }}never{{ end }}",
        )),
        "yx y there"
    );
    assert_eq!(text("a scratch.Set outside"), "a scratch.Set outside");
    assert!(run("{{ scratch.Nothing }}", &Data::default()).is_err());
}

#[test]
fn yaml_times_addresses_and_truths() {
    assert_eq!(
        text("{{ with parseYAML \"a: {b: [1, x]}\" }}{{ index .a.b 1 }}{{ end }}"),
        "x"
    );
    assert_eq!(text("{{ timestamp \"2006\" | len }}"), "4");
    assert!(text("{{ timestamp \"unix\" }}").parse::<i64>().unwrap() > 1_700_000_000);
    assert_eq!(
        text("{{ sockaddr \"GetPrivateIP\" }}"),
        "address of {{ GetPrivateIP }}"
    );
    assert_eq!(
        text("{{ parseBool \"f\" }} {{ parseInt \"\" }} {{ parseUint \"7\" }}"),
        "false 0 7"
    );
    assert!(run("{{ parseBool \"maybe\" }}", &Data::default()).is_err());
}

#[test]
fn what_is_denied_works_where_it_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let allowed = |source: &str| {
        let context = Context {
            env: &BTreeMap::new(),
            data: &Data::default(),
            denied: &[],
            files: dir.path(),
            sandboxed: true,
            addresses: |_| Err(String::new()),
        };
        render(&Template::default(), source, &context).map(|(text, _)| text)
    };
    assert_eq!(
        allowed("{{ define \"d\" }}<{{ . }}>{{ end }}{{ executeTemplate \"d\" 4 | toUpper }}"),
        Ok("<4>".to_owned())
    );
    let endless = allowed(
        "{{ define \"d\" }}{{ executeTemplate \"d\" }}{{ end }}{{ executeTemplate \"d\" }}",
    );
    assert!(endless.unwrap_err().contains("without end"));
    assert_eq!(allowed("{{ plugin \"echo\" \"a\" }}"), Ok("a\n".to_owned()));
    assert!(
        allowed("{{ plugin \"false\" }}")
            .unwrap_err()
            .contains("ended with")
    );
    assert_eq!(
        allowed("{{ \"x\" | writeToFile \"/local/f\" \"\" \"\" \"0600\" }}"),
        Ok(String::new())
    );
    let more = "{{ \"y\" | writeToFile \"local/f\" \"\" \"\" \"0600\" \"append,newline\" }}";
    assert_eq!(allowed(more), Ok(String::new()));
    let written = std::fs::read_to_string(dir.path().join("local/f")).unwrap();
    assert_eq!(written, "xy\n");
    assert!(allowed("{{ \"x\" | writeToFile \"../f\" \"\" \"\" \"0600\" }}").is_err());
}

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

#[test]
fn certificates_and_what_is_written_to_vault() {
    let need = Need::Secret {
        path: "pki/issue/web".into(),
        pairs: vec!["common_name=web".into(), "ttl=1h".into()],
    };
    let source = "{{ with pkiCert \"pki/issue/web\" \"common_name=web\" \"ttl=1h\" }}{{ .Cert }} {{ .Key }} {{ .CA }}{{ range .CAChain }} {{ . }}{{ end }}{{ end }}";
    let mut data = Data::default();
    assert_eq!(run(source, &data).unwrap().1, [need.clone()]);
    let answer = serde_json::json!({"Data": {"certificate": "C", "private_key": "K", "issuing_ca": "A", "ca_chain": ["A", "R"]}});
    data.put(need, Value::Json(answer));
    assert_eq!(run(source, &data).unwrap().0, "C K A A R");
    assert!(run("{{ secret \"a\" \"b\" }}", &Data::default()).is_err());
}

#[test]
fn text_functions() {
    assert_eq!(
        text("rendered for {{ env \"NOMAD_TASK_NAME\" }}"),
        "rendered for t"
    );
    assert_eq!(
        text("{{ \"a,b\" | split \",\" | join \"-\" }} {{ toUpper \"x\" }}"),
        "a-b X"
    );
    assert_eq!(
        text("{{ add 2 3 }} {{ 10 | divide 2 }} {{ range loop 3 }}{{ . }}{{ end }}"),
        "5 5 012"
    );
    assert_eq!(
        text("{{ with parseJSON \"{\\\"a\\\":[1,2]}\" }}{{ .a | toJSON }}{{ end }}"),
        "[1,2]"
    );
    let services = r#"[{"ServiceMeta":{"zone":"a","n":"7"}},{"ServiceMeta":{"zone":"a","n":"7"}},{"ServiceMeta":{}}]"#;
    assert_eq!(
        text(&format!(
            "{{{{ range $k, $v := byMeta \"zone,n|int\" (parseJSON `{services}`) }}}}{{{{ $k }}}}={{{{ len $v }}}} {{{{ end }}}}"
        )),
        "_=1 a_00007=2 "
    );
    assert_eq!(
        text("{{ base64Encode \"hi\" }} {{ envOrDefault \"NOPE\" \"d\" }}"),
        "aGk= d"
    );
}

#[test]
fn what_is_missing_is_asked_for_and_then_used() {
    let source = "{{ with nomadVar \"nomad/jobs/web\" }}{{ .key }}{{ end }}";
    let mut data = Data::default();
    let need = Need::Variable {
        path: "nomad/jobs/web".into(),
        optional: false,
    };
    assert_eq!(run(source, &data).unwrap().1, [need.clone()]);
    data.put(need.clone(), Value::Absent);
    assert_eq!(run(source, &data).unwrap().1, [need.clone()]);
    data.put(
        need,
        Value::Items(BTreeMap::from([("key".into(), "v".into())])),
    );
    assert_eq!(run(source, &data).unwrap(), ("v".to_owned(), Vec::new()));
}

#[test]
fn denied_and_unknown_functions_fail() {
    assert!(run("{{ executeTemplate \"x\" }}", &Data::default()).is_err());
    assert!(run("{{ nonsense }}", &Data::default()).is_err());
    assert!(run("{{ file \"../../etc/passwd\" }}", &Data::default()).is_err());
}

#[test]
fn sprig_on_dates_and_versions() {
    for (source, expected) in [
        (
            "sprig_dateInZone \"2006-01-02 15:04 MST\" 1700000000 \"UTC\"",
            "2023-11-14 22:13 UTC",
        ),
        (
            "sprig_date_in_zone \"Mon 15:04 -0700\" 1700000000 \"Europe/Berlin\"",
            "Tue 23:13 +0100",
        ),
        (
            "sprig_toDate \"2006-01-02 MST\" \"2023-11-14 UTC\" | sprig_dateModify \"-24h\" | sprig_unixEpoch",
            "1699833600",
        ),
        ("sprig_duration 95", "1m35s"),
        ("sprig_durationRound \"2h10m5s\"", "2h"),
        ("sprig_ago sprig_now", "0s"),
        ("(sprig_semver \"v1.2.3-rc1\").Prerelease", "rc1"),
        ("sprig_semverCompare \"^1.2.0 || ^3\" \"3.1.4\"", "true"),
        ("sprig_b32enc \"hi\" | sprig_b32dec", "hi"),
        ("sprig_adler32sum \"Wikipedia\"", "300286872"),
        (
            "sprig_urlParse \"https://a:b@c:1/d?e=f#g\" | sprig_urlJoin",
            "https://a:b@c:1/d?e=f#g",
        ),
    ] {
        assert_eq!(text(&format!("{{{{ {source} }}}}")), expected, "{source}");
    }
}

#[test]
fn sprig_on_texts() {
    for (source, expected) in [
        ("sprig_trimAll \"$\" \"$5.00$\"", "5.00"),
        ("sprig_title \"hello world\"", "Hello World"),
        ("sprig_repeat 3 \"ab\"", "ababab"),
        ("sprig_substr 0 5 \"hello world\"", "hello"),
        ("sprig_substr 6 -1 \"hello world\"", "world"),
        ("sprig_trunc 5 \"hello world\"", "hello"),
        ("sprig_trunc -5 \"hello world\"", "world"),
        ("sprig_nospace \"hello w o r l d\"", "helloworld"),
        ("sprig_abbrev 5 \"hello world\"", "he..."),
        ("sprig_abbrevboth 5 10 \"1234 5678 9123\"", "...5678..."),
        ("sprig_initials \"First Try\"", "FT"),
        ("sprig_wrapWith 5 \"\\t\" \"Hello World\"", "Hello\tWorld"),
        ("sprig_wrap 3 \"abcdef gh\"", "abcdef\ngh"),
        ("sprig_contains \"cat\" \"catch\"", "true"),
        ("sprig_hasPrefix \"cat\" \"catch\"", "true"),
        ("sprig_quote \"a\\\"b\" 1", "\"a\\\"b\" \"1\""),
        ("sprig_squote \"x\" \"y\"", "'x' 'y'"),
        (
            "sprig_cat \"hello\" \"beautiful\" \"world\"",
            "hello beautiful world",
        ),
        ("sprig_nindent 2 \"a\\nb\"", "\n  a\n  b"),
        ("\"I Am\" | sprig_replace \" \" \"-\"", "I-Am"),
        ("sprig_plural \"one\" \"many\" 1", "one"),
        ("sprig_plural \"one\" \"many\" 2", "many"),
        ("sprig_snakecase \"FirstName\"", "first_name"),
        ("sprig_snakecase \"HTTPServer name\"", "http_server_name"),
        ("sprig_camelcase \"http_server\"", "HttpServer"),
        ("sprig_kebabcase \"FirstName\"", "first-name"),
        ("sprig_swapcase \"This Is A.Test\"", "tHIS iS a.tEST"),
        (
            "sprig_splitList \"$\" \"foo$bar\" | sprig_join \"_\"",
            "foo_bar",
        ),
        ("(sprig_split \"$\" \"foo$bar$baz\")._1", "bar"),
        ("(sprig_splitn \"$\" 2 \"foo$bar$baz\")._1", "bar$baz"),
        ("sprig_sortAlpha (sprig_list \"b\" \"a\")", "[a b]"),
        ("sprig_b64enc \"hi\" | sprig_b64dec", "hi"),
        (
            "sprig_sha1sum \"\"",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        ),
        ("sprig_base \"/a/b.txt\"", "b.txt"),
        ("sprig_dir \"/a/b/../c.txt\"", "/a"),
        ("sprig_clean \"a//b/./../c\"", "a/c"),
        ("sprig_ext \"a.b/c.tar.gz\"", ".gz"),
        (
            "sprig_regexFindAll \"[2,4,6,8]\" \"123456789\" -1",
            "[2 4 6 8]",
        ),
        (
            "sprig_regexReplaceAll \"a(x*)b\" \"-ab-axxb-\" \"${1}W\"",
            "-W-xxW-",
        ),
        (
            "sprig_regexReplaceAllLiteral \"a(x*)b\" \"-ab-\" \"${1}\"",
            "-${1}-",
        ),
        ("sprig_regexSplit \"z+\" \"pizza\" -1", "[pi a]"),
        ("sprig_regexQuoteMeta \"1.2.3\"", "1\\.2\\.3"),
    ] {
        assert_eq!(text(&format!("{{{{ {source} }}}}")), expected, "{source}");
    }
    assert_eq!(
        text("{{ len (sprig_randAlphaNum 12) }} {{ len sprig_uuidv4 }}"),
        "12 36"
    );
}

#[test]
fn sprig_on_numbers_and_values() {
    for (source, expected) in [
        ("sprig_add 1 2 3", "6"),
        ("sprig_add1 \"4\"", "5"),
        ("sprig_sub 5 2", "3"),
        ("sprig_div 7 2", "3"),
        ("sprig_mod 7 2", "1"),
        ("sprig_mul 2 3 4", "24"),
        ("sprig_max 1 3 2", "3"),
        ("sprig_min 1 3 2", "1"),
        ("sprig_round 123.5555 3", "123.556"),
        ("sprig_floor 1.9", "1"),
        ("sprig_ceil 1.1", "2"),
        ("sprig_addf 1.5 2", "3.5"),
        ("sprig_int \"12\"", "12"),
        ("sprig_toDecimal \"0777\"", "511"),
        ("sprig_until 3", "[0 1 2]"),
        ("sprig_untilStep 3 6 2", "[3 5]"),
        ("sprig_untilStep 3 6 -1", "[]"),
        ("sprig_seq 0 2 6", "0 2 4 6"),
        ("sprig_seq -2", "1 0 -1 -2"),
        ("sprig_default \"d\" \"\"", "d"),
        ("\"x\" | sprig_default \"d\"", "x"),
        ("sprig_coalesce \"\" 0 \"z\"", "z"),
        ("sprig_ternary \"a\" \"b\" false", "b"),
        ("sprig_empty (sprig_list)", "true"),
        ("sprig_kindOf 1", "int"),
        ("sprig_kindIs \"map\" (sprig_dict)", "true"),
        ("sprig_typeOf (sprig_list 1)", "[]interface {}"),
        ("(sprig_fromJson \"{\\\"a\\\":1}\").a", "1"),
        ("sprig_toJson (sprig_list \"<\")", "[\"\\u003c\"]"),
        ("sprig_toRawJson (sprig_list \"<\")", "[\"<\"]"),
        ("toJSON (sprig_list \"&\")", "[\"\\u0026\"]"),
    ] {
        assert_eq!(text(&format!("{{{{ {source} }}}}")), expected, "{source}");
    }
}

#[test]
fn sprig_on_lists_and_maps() {
    for (source, expected) in [
        ("sprig_first (sprig_list 1 2 3)", "1"),
        ("sprig_rest (sprig_list 1 2 3)", "[2 3]"),
        ("sprig_last (sprig_list 1 2 3)", "3"),
        ("sprig_initial (sprig_list 1 2 3)", "[1 2]"),
        ("sprig_append (sprig_list 1) 2", "[1 2]"),
        ("sprig_prepend (sprig_list 1) 0", "[0 1]"),
        ("sprig_concat (sprig_list 1) (sprig_list 2)", "[1 2]"),
        ("sprig_reverse (sprig_list 1 2)", "[2 1]"),
        ("sprig_uniq (sprig_list 1 1 2)", "[1 2]"),
        ("sprig_without (sprig_list 1 2 3) 2 3", "[1]"),
        ("sprig_has 2 (sprig_list 1 2)", "true"),
        ("sprig_compact (sprig_list 1 0 \"\" 2)", "[1 2]"),
        ("sprig_slice (sprig_list 1 2 3) 1", "[2 3]"),
        ("sprig_chunk 2 (sprig_list 1 2 3)", "[[1 2] [3]]"),
        ("sprig_get (sprig_dict \"a\" 1) \"a\"", "1"),
        ("sprig_hasKey (sprig_dict \"a\" 1) \"b\"", "false"),
        ("sprig_keys (sprig_dict \"a\" 1 \"b\" 2)", "[a b]"),
        ("sprig_values (sprig_dict \"a\" 1 \"b\" 2)", "[1 2]"),
        (
            "sprig_pick (sprig_dict \"a\" 1 \"b\" 2) \"a\" | sprig_toJson",
            "{\"a\":1}",
        ),
        (
            "sprig_omit (sprig_dict \"a\" 1 \"b\" 2) \"a\" | sprig_toJson",
            "{\"b\":2}",
        ),
        (
            "sprig_pluck \"a\" (sprig_dict \"a\" 1) (sprig_dict \"a\" 2)",
            "[1 2]",
        ),
        (
            "sprig_dig \"a\" \"b\" \"none\" (sprig_dict \"a\" (sprig_dict \"b\" 1))",
            "1",
        ),
        (
            "sprig_dig \"a\" \"x\" \"none\" (sprig_dict \"a\" (sprig_dict \"b\" 1))",
            "none",
        ),
        (
            "sprig_merge (sprig_dict \"a\" 1) (sprig_dict \"a\" 2 \"b\" 3) | sprig_toJson",
            "{\"a\":1,\"b\":3}",
        ),
        (
            "sprig_mergeOverwrite (sprig_dict \"a\" 1) (sprig_dict \"a\" 2) | sprig_toJson",
            "{\"a\":2}",
        ),
        (
            "(sprig_urlParse \"http://u:p@h:80/x?y=1#z\").userinfo",
            "u:p",
        ),
    ] {
        assert_eq!(text(&format!("{{{{ {source} }}}}")), expected, "{source}");
    }
}

#[test]
fn sprig_refuses_what_it_may_not_do() {
    for (source, why) in [
        ("sprig_env \"HOME\"", "function is disabled"),
        ("sprig_expandenv \"$HOME\"", "function is disabled"),
        ("sprig_fail \"no such thing\"", "no such thing"),
        (
            "sprig_repeat 2000000 \"x\"",
            "more than a template may make",
        ),
        (
            "sprig_repeat 900000 \"xx\"",
            "longer than a template may make",
        ),
        (
            "sprig_until 2000000",
            "more numbers than a template may make",
        ),
        ("sprig_first 1", "is no list"),
        ("sprig_keys 1", "is no map"),
        ("sprig_div 1 0", "no number"),
        ("sprig_regexMatch \"(\" \"x\"", "regex"),
        ("sprig_upper", "missing argument 1"),
        ("sprig_nothing", "sprig_nothing"),
    ] {
        let error = run(&format!("{{{{ {source} }}}}"), &Data::default()).unwrap_err();
        assert!(error.contains(why), "{source}: {error}");
    }
}
