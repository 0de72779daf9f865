//! What people see when a job file is wrong: each case of the fixture, as it is shown on a terminal.
//!
//! `UPDATE=1 cargo test -p caravan-jobspec --test diagnostics` writes what is shown now; look at the difference.

use caravan_jobspec::{Inputs, Source, parse};
use std::path::Path;

#[test]
fn errors_are_shown_where_they_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/errors.txt");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut actual = String::new();
    for case in text.split("=====\n").filter(|case| !case.trim().is_empty()) {
        let source = case.split("-----\n").next().unwrap();
        let shown = match parse(&Source::new("job.hcl", source), &Inputs::default()) {
            Ok(_) => "fine\n".to_owned(),
            Err(errors) => errors.render(false),
        };
        actual += &format!("=====\n{source}-----\n{shown}");
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &actual).unwrap();
    }
    assert_eq!(text, actual);
}
