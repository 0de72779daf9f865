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
    };
    render(&Template::default(), source, &context)
}

fn text(source: &str) -> String {
    run(source, &Data::default()).unwrap().0
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
