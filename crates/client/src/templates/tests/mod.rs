//! Rendering over what is known.

use super::data::{Data, Need, Value};
use super::engine::render;
use super::pass::Context;
use caravan_model::{Template, UnixNanos, Variable, VariableMetadata};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

mod consul;
mod sprig;

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
fn tags_and_variables_have_their_methods() {
    let given =
        "{{ with parseJSON `{\"Tags\": [\"a\", \"b\"], \"Map\": {\"x\": \"1\", \"y\": \"2\"}}` }}";
    for (template, expected) in [
        ("{{ if .Tags.Contains \"a\" }}yes{{ end }}", "yes"),
        (
            "{{ if .Tags.Contains \"c\" }}yes{{ else }}no{{ end }}",
            "no",
        ),
        (
            "{{ if and (.Tags.Contains \"a\") (not (.Tags.Contains \"c\")) }}both{{ end }}",
            "both",
        ),
        ("{{ $all := . }}{{ $all.Tags.Contains \"b\" }}", "true"),
        ("{{ with .Tags }}{{ .Contains \"b\" }}{{ end }}", "true"),
        ("{{ \"b\" | .Tags.Contains }}", "true"),
        ("{{ .Tags | contains \"b\" }}", "true"),
        ("{{ (index .Tags 0) }}{{ (.Tags).Contains \"b\" }}", "atrue"),
        (
            "{{ range .Map.Tuples }}{{ .K }}={{ .V }};{{ end }}",
            "x=1;y=2;",
        ),
        (
            "{{ with .Map }}{{ range $pair := .Tuples }}{{ $pair.K }}{{ end }}{{ len .Tuples }}{{ end }}",
            "xy2",
        ),
    ] {
        assert_eq!(
            text(&format!("{given}{template}{{{{ end }}}}")),
            expected,
            "{template}"
        );
    }
    // What the value itself calls so comes first.
    assert_eq!(
        text(
            "{{ with parseJSON `{\"Tuples\": \"mine\", \"Contains\": \"too\"}` }}{{ .Tuples }} {{ .Contains }}{{ end }}"
        ),
        "mine too"
    );
}

#[test]
fn services_are_listed_with_their_tags() {
    let mut data = Data::default();
    let tags = |tags: &[&str]| tags.iter().map(ToString::to_string).collect();
    data.put(
        Need::ServiceTags,
        Value::Tags(BTreeMap::from([
            ("db".to_owned(), tags(&["sql"])),
            ("web".to_owned(), tags(&["blue", "http"])),
        ])),
    );
    let template = "{{ range nomadServices }}{{ if .Tags.Contains \"http\" }}{{ .Name }} {{ .Tags | join \",\" }}{{ end }}{{ end }}";
    assert_eq!(run(template, &data).unwrap().0, "web blue,http");
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

#[test]
fn certificates_and_what_is_written_to_vault() {
    let need = Need::Secret {
        path: "pki/issue/web".into(),
        pairs: vec!["common_name=web".into(), "ttl=1h".into()],
    };
    let source = "{{ with pkiCert \"pki/issue/web\" \"common_name=web\" \"ttl=1h\" }}{{ .Cert }} {{ .Key }} {{ .CA }}{{ range .CAChain }} {{ . }}{{ end }}{{ end }}";
    let mut data = Data::default();
    assert_eq!(run(source, &data).unwrap().1, std::slice::from_ref(&need));
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
    assert_eq!(run(source, &data).unwrap().1, std::slice::from_ref(&need));
    data.put(need.clone(), Value::Absent);
    assert_eq!(run(source, &data).unwrap().1, std::slice::from_ref(&need));
    data.put(need, variable("nomad/jobs/web", &[("key", "v")]));
    assert_eq!(run(source, &data).unwrap(), ("v".to_owned(), Vec::new()));
}

fn variable(path: &str, items: &[(&str, &str)]) -> Value {
    let items = items
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()));
    Value::Variable(Arc::new(Variable {
        namespace: "default".into(),
        path: path.to_owned(),
        create_index: 7,
        modify_index: u64::MAX,
        create_time: UnixNanos(1_700_000_000_500_000_000),
        modify_time: UnixNanos(1_700_000_001_000_000_000),
        items: Some(items.collect()),
        ..Variable::default()
    }))
}

#[test]
fn variables_and_their_items_say_what_they_are_of() {
    let need = |path: &str| Need::Variable {
        path: path.to_owned(),
        optional: false,
    };
    let mut data = Data::default();
    data.put(
        need("a"),
        variable(
            "a",
            &[
                ("Key", "k"),
                ("host", "db"),
                ("port", "5432"),
                ("twin", "db"),
            ],
        ),
    );
    let row = |path: &str| VariableMetadata {
        path: path.to_owned(),
        namespace: "default".into(),
        modify_index: 9,
        ..VariableMetadata::default()
    };
    let all = Value::Variables(vec![row("a"), row("a/b")]);
    data.put(Need::Variables("a".into()), all);
    data.put(Need::Variables("none".into()), Value::Variables(Vec::new()));
    for (template, expected) in [
        (
            "{{ with nomadVar \"a\" }}{{ .host }}:{{ .port.Value }}{{ end }}",
            "db:5432",
        ),
        (
            "{{ range nomadVar \"a\" }}{{ .Key }}={{ .Value }};{{ end }}",
            "Key=k;host=db;port=5432;twin=db;",
        ),
        (
            "{{ range $name, $item := nomadVar \"a\" }}{{ if eq $item.Key \"port\" }}{{ $name }}={{ $item.Value | parseInt | add 1 }}{{ end }}{{ end }}",
            "port=5433",
        ),
        (
            "{{ with nomadVar \"a\" }}{{ or .none.Value \"otherwise\" }} {{ or .host.Value \"otherwise\" }}{{ end }}",
            "otherwise db",
        ),
        (
            "{{ with nomadVar \"a\" }}{{ .Keys | join \",\" }} {{ .Values | join \",\" }}{{ end }}",
            "Key,host,port,twin k,db,5432,db",
        ),
        (
            "{{ with nomadVar \"a\" }}{{ if .Keys | contains \"host\" }}yes{{ end }}{{ end }}",
            "yes",
        ),
        (
            "{{ range (nomadVar \"a\").Tuples }}{{ .K }}={{ .V }},{{ end }}",
            "Key=k,host=db,port=5432,twin=db,",
        ),
        (
            "{{ with (nomadVar \"a\").Metadata }}{{ . }} {{ .Path }}@{{ .Namespace }} {{ .CreateIndex }} {{ .ModifyIndex }} {{ .CreateTime }}{{ end }}",
            "a a@default 7 18446744073709551615 2023-11-14 22:13:20.5 +0000 UTC",
        ),
        (
            "{{ with nomadVar \"a\" }}{{ .ModifyTime }}{{ .Metadata.ModifyTime.Time }}{{ end }}",
            "<no value>2023-11-14 22:13:21 +0000 UTC",
        ),
        (
            "{{ with nomadVar \"a\" }}{{ .port.Parent.Items.host }} {{ .Parent.Path }} {{ .twin.Metadata.Path }}{{ end }}",
            "db a a",
        ),
        (
            "{{ with nomadVar \"a\" }}{{ with $up := .host.Parent }}{{ $up.Namespace }} {{ $up.Metadata }}{{ end }}{{ end }}",
            "default a",
        ),
        (
            "{{ range nomadVarList \"a\" }}{{ . }} {{ .Path }} {{ .ModifyIndex }};{{ end }}",
            "a a 9;a/b a/b 9;",
        ),
        (
            "{{ range nomadVarList \"a\" }}{{ .Path | trimPrefix \"a\" }}{{ end }}{{ len (nomadVarList \"none\") }}",
            "/b0",
        ),
        // What only looks like one is what it is.
        (
            "{{ with parseJSON `{\"Key\": \"k\", \"Value\": {\"Path\": [1]}}` }}{{ .Key }}{{ index .Value.Path 0 }}{{ .Parent }}{{ end }}",
            "k1<no value>",
        ),
    ] {
        let rendered = run(template, &data);
        assert_eq!(
            rendered,
            Ok((expected.to_owned(), Vec::new())),
            "{template}"
        );
    }
    let none = Need::Variables("none".into());
    assert_eq!(
        run("{{ nomadVarListSafe \"none\" }}", &data).unwrap().1,
        [none]
    );
    let error = run(
        "{{ \"text\".Value }}{{ with \"x\" }}{{ .Value }}{{ end }}",
        &data,
    );
    assert!(error.is_err(), "{error:?}");
}

#[test]
fn values_are_shown_with_their_types() {
    for (template, expected) in [
        ("{{ spew_sprintf \"%v and %q\" 1 \"a\" }}", "1 and \"a\""),
        ("{{ spew_dump \"a\" }}", "(string) (len=1) \"a\"\n"),
        (
            "{{ spew_sdump (parseJSON `{\"k\": [1, null]}`) }}",
            "(map[string]interface {}) (len=1) {\n (string) (len=1) \"k\": ([]interface {}) (len=2) {\n  (int) 1,\n  \
             (interface {}) <nil>,\n },\n}\n",
        ),
        (
            "{{ parseJSON `{\"a\": {\"b\": 1}}` | toTOML }}",
            "[a]\nb = 1",
        ),
    ] {
        assert_eq!(text(template), expected, "{template}");
    }
}

#[test]
fn denied_and_unknown_functions_fail() {
    assert!(run("{{ executeTemplate \"x\" }}", &Data::default()).is_err());
    assert!(run("{{ nonsense }}", &Data::default()).is_err());
    assert!(run("{{ file \"../../etc/passwd\" }}", &Data::default()).is_err());
}
