//! Bodies, good and bad; floats; indentation.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct JobRegisterRequest {
    job: Option<Job>,
    enforce_index: bool,
    job_modify_index: u64,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Job {
    #[serde(rename = "ID")]
    id: String,
    priority: Option<i32>,
    datacenters: Vec<String>,
    meta: BTreeMap<String, String>,
    task_groups: Option<Vec<Job>>,
    config: Option<BTreeMap<String, serde_json::Value>>,
    weight: f64,
}

fn register(body: &str) -> Result<JobRegisterRequest, String> {
    decode(body.as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn names_match_in_any_case_and_unknown_ones_are_passed_over() {
    let request = register(r#" {"job":{"id":"a","DATACENTERS":["x"],"Colour":[1,{"x":null}]},"EnforceIndex":true,"JobModifyIndex":7} rubbish"#)
        .expect("decoded");
    let job = request.job.expect("a job");
    assert_eq!(
        (job.id.as_str(), job.datacenters.as_slice()),
        ("a", &["x".to_owned()][..])
    );
    assert!(request.enforce_index && request.job_modify_index == 7);
}

#[test]
fn null_is_the_zero_value_and_the_last_of_two_counts() {
    let request = register(
        r#"{"EnforceIndex":null,"JobModifyIndex":null,"Job":{"ID":null,"Priority":null,"Datacenters":null,
            "Meta":null,"Weight":null,"TaskGroups":null,"id":"x","ID":"y"}}"#,
    )
    .expect("decoded");
    assert_eq!(
        request.job,
        Some(Job {
            id: "y".into(),
            ..Job::default()
        })
    );
    assert_eq!(
        register("null").expect("decoded"),
        JobRegisterRequest::default()
    );
}

#[test]
fn free_values_keep_their_shape() {
    let request = register(r#"{"Job":{"Config":{"args":["a",1,-2,1.5,true,null,{"b":{}}],"é\n":"\u00e9\ud83d\ude00"}}}"#)
        .expect("decoded");
    let config = request.job.and_then(|job| job.config).expect("a config");
    assert_eq!(
        config["args"],
        serde_json::json!(["a", 1, -2, 1.5, true, null, {"b": {}}])
    );
    assert_eq!(config["é\n"], serde_json::json!("é😀"));
}

#[test]
fn what_is_no_json() {
    for (body, text) in [
        ("", "Request body is empty"),
        ("  ", "EOF"),
        (
            "hello",
            "invalid character 'h' looking for beginning of value",
        ),
        (
            r#"{"Job":{"ID":"x",}}"#,
            "invalid character '}' looking for beginning of object key string",
        ),
        (
            "{'Job':1}",
            r"invalid character '\'' looking for beginning of object key string",
        ),
        (r#"{"Job" 1}"#, "invalid character '1' after object key"),
        (
            r#"{"Job":1 2}"#,
            "invalid character '2' after object key:value pair",
        ),
        ("[1 2]", "invalid character '2' after array element"),
        (
            "[1,]",
            "invalid character ']' looking for beginning of value",
        ),
        ("{", "unexpected EOF"),
        (r#"{"Job"#, "unexpected EOF"),
        (
            "not",
            "invalid character 'o' in literal null (expecting 'u')",
        ),
        ("[01]", "invalid character '1' after array element"),
        ("[-a]", "invalid character 'a' in numeric literal"),
        (
            "[1.x]",
            "invalid character 'x' after decimal point in numeric literal",
        ),
        (
            "[1ex]",
            "invalid character 'x' in exponent of numeric literal",
        ),
        ("[\"a\nb\"]", r"invalid character '\n' in string literal"),
        (r#"["\x"]"#, "invalid character 'x' in string escape code"),
        (
            r#"["\u00g0"]"#,
            r"invalid character 'g' in \u hexadecimal character escape",
        ),
    ] {
        assert_eq!(register(body), Err(text.to_owned()), "{body}");
    }
    assert_eq!(
        register(&"[".repeat(100_000)),
        Err("exceeded max depth".to_owned())
    );
    assert_eq!(
        register(&format!("[{}", "{},".repeat(300_000))),
        Err("exceeded max number of objects".to_owned())
    );
}

#[test]
fn what_has_the_wrong_type() {
    for (body, text) in [
        (
            "[1,2]",
            "json: cannot unmarshal array into Go value of type structs.JobRegisterRequest",
        ),
        (
            r#""x""#,
            "json: cannot unmarshal string into Go value of type structs.JobRegisterRequest",
        ),
        (
            r#"{"Job":"x"}"#,
            "json: cannot unmarshal string into Go struct field JobRegisterRequest.Job of type api.Job",
        ),
        (
            r#"{"JobModifyIndex":"one"}"#,
            "json: cannot unmarshal string into Go struct field JobRegisterRequest.JobModifyIndex of type uint64",
        ),
        (
            r#"{"JobModifyIndex":-1}"#,
            "json: cannot unmarshal number -1 into Go struct field JobRegisterRequest.JobModifyIndex of type uint64",
        ),
        (
            r#"{"JobModifyIndex":1.5}"#,
            "json: cannot unmarshal number 1.5 into Go struct field JobRegisterRequest.JobModifyIndex of type uint64",
        ),
        (
            r#"{"EnforceIndex":"yes"}"#,
            "json: cannot unmarshal string into Go struct field JobRegisterRequest.EnforceIndex of type bool",
        ),
        (
            r#"{"Job":{"Datacenters":{"a":1}}}"#,
            "json: cannot unmarshal object into Go struct field Job.Job.Datacenters of type []string",
        ),
        (
            r#"{"Job":{"Meta":{"a":1}}}"#,
            "json: cannot unmarshal number into Go struct field Job.Job.Meta of type string",
        ),
        (
            r#"{"Job":{"Meta":[]}}"#,
            "json: cannot unmarshal array into Go struct field Job.Job.Meta of type map[string]string",
        ),
        (
            r#"{"Job":{"TaskGroups":[{"Priority":"x"}]}}"#,
            "json: cannot unmarshal string into Go struct field Job.Job.TaskGroups.Priority of type int",
        ),
        (
            r#"{"Job":{"TaskGroups":1}}"#,
            "json: cannot unmarshal number into Go struct field Job.Job.TaskGroups of type []*api.Job",
        ),
    ] {
        assert_eq!(register(body), Err(text.to_owned()), "{body}");
    }
    let error = decode_from::<JobRegisterRequest>(b"[]", "api").expect_err("no object");
    assert_eq!(
        error.to_string(),
        "json: cannot unmarshal array into Go value of type api.JobRegisterRequest"
    );
}

#[test]
fn floats() {
    for (value, text) in [
        (0.0, "0.0"),
        (100.0, "100.0"),
        (-3.0, "-3.0"),
        (0.1, "0.1"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1e20, "100000000000000000000.0"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
    ] {
        assert_eq!(encode(&value).expect("written"), text.as_bytes(), "{value}");
    }
}

#[test]
fn signs_are_not_escaped() {
    assert_eq!(
        encode("<a & b>").expect("written"),
        br#""<a & b>""#.as_slice()
    );
}

#[test]
fn indentation() {
    let compact = br#"{"a":[1,{"b":"x,{:\"]"}],"c":{},"d":[]}"#;
    let expected = "{\n    \"a\": [\n        1,\n        {\n            \"b\": \"x,{:\\\"]\"\n        }\n    ],\n    \"c\": {},\n    \"d\": []\n}\n";
    assert_eq!(String::from_utf8_lossy(&indent(compact)), expected);
}

#[test]
fn numbers_in_free_form_members_are_floats() {
    let task = serde_json::json!({"Config": {"a": 1, "deep": [{"b": -2}], "Count": 3}, "CPU": 100, "Meta": {"n": 4}});
    let list = serde_json::json!([{"Policy": {"a": 1}}, {"Max": 4, "Policy": null}, {"Configs": [5], "Config": 6}]);
    let text = |value: &serde_json::Value| {
        String::from_utf8(encode(value).expect("written").to_vec()).expect("text")
    };
    assert_eq!(
        text(&task),
        r#"{"Config":{"a":1.0,"deep":[{"b":-2.0}],"Count":3.0},"CPU":100,"Meta":{"n":4.0}}"#
    );
    assert_eq!(
        text(&list),
        r#"[{"Policy":{"a":1.0}},{"Max":4,"Policy":null},{"Configs":[5],"Config":6}]"#
    );
}
