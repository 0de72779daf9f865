//! Good and bad parameters.

use super::*;
use crate::{method::Methods, op::Op, request::QueryOptions, route};

fn parse(raw: &str) -> Result<QueryOptions, ApiError> {
    let row = route::route(
        Methods::GET,
        "/",
        Op::JobList,
        caravan_acl::Access::Anonymous,
        route::Forward::Local,
    );
    QueryOptions::parse(&Query::parse(raw), &row)
}

#[test]
fn shared_parameters() {
    let options =
        parse("region=eu&namespace=*&index=7&wait=1m30s&stale&prefix=a%2Fb+c&per_page=2&next_token=x&reverse=true&pretty")
            .expect("all good");
    assert_eq!(options.region.as_deref(), Some("eu"));
    assert_eq!(options.namespace.as_deref(), Some("*"));
    assert_eq!((options.index, options.wait_ms), (7, Some(90_000)));
    assert!(options.stale && options.reverse && options.pretty);
    assert_eq!(options.prefix, "a/b c");
    assert_eq!((options.per_page, options.next_token.as_str()), (2, "x"));
    assert!(
        !parse("reverse=1&pretty=0").expect("good").reverse,
        "only the word counts"
    );
    assert!(!parse("pretty=0").expect("good").pretty);
    assert!(parse("pretty=false").expect("good").pretty);
}

#[test]
fn bad_parameters_have_fixed_texts() {
    for (raw, text) in [
        ("index=x", "Invalid index"),
        ("index=-1", "Invalid index"),
        ("index=1&wait=x", "Invalid wait time"),
        ("index=1&wait=5", "Invalid wait time"),
        (
            "stale=maybe",
            "Expect `true` or `false` for `stale` query string parameter",
        ),
        (
            "per_page=two",
            "Expect a number for `per_page` query string parameter",
        ),
    ] {
        assert_eq!(parse(raw), Err(ApiError::bad_request(text)), "{raw}");
    }
}

#[test]
fn bad_values_name_the_parameter() {
    let query = Query::parse("resources=xx&n=abc&diff=x&empty=&on=t");
    assert_eq!(
        query.bool("resources"),
        Err(ApiError::internal(
            r#"Failed to parse value of "resources" (xx) as a bool: strconv.ParseBool: parsing "xx": invalid syntax"#
        ))
    );
    assert_eq!(
        query.int("n"),
        Err(ApiError::internal(
            r#"Failed to parse value of "n" (abc) as a int: strconv.Atoi: parsing "abc": invalid syntax"#
        ))
    );
    assert_eq!(
        query.uint("diff"),
        Err(ApiError::internal(
            r#"Failed to parse value of "diff" (x) as a uint64: strconv.ParseUint: parsing "x": invalid syntax"#
        ))
    );
    assert_eq!(query.bool("empty"), Ok(None));
    assert_eq!(query.flag("absent"), Ok(false));
    assert_eq!(query.flag("on"), Ok(true));
}

#[test]
fn repeated_names_and_broken_escapes() {
    let query = Query::parse("topic=Job&topic=Node:a%3Ab&bad=%zz&=x");
    assert_eq!(query.all("topic").collect::<Vec<_>>(), ["Job", "Node:a:b"]);
    assert!(!query.has("bad"));
}
