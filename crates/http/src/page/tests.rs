//! Pages, as a table.

use super::*;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Thing {
    #[serde(rename = "ID")]
    id: &'static str,
    odd: bool,
}

const THINGS: [&str; 5] = ["a", "b", "c", "d", "e"];

fn options(per_page: i64, next_token: &str, filter: &str, reverse: bool) -> QueryOptions {
    QueryOptions {
        per_page,
        next_token: next_token.to_owned(),
        filter: filter.to_owned(),
        reverse,
        ..QueryOptions::default()
    }
}

fn ids(options: &QueryOptions) -> (String, Option<String>) {
    let mut things: Vec<Thing> = THINGS
        .iter()
        .enumerate()
        .map(|(at, id)| Thing {
            id,
            odd: at % 2 == 0,
        })
        .collect();
    if options.reverse {
        things.reverse();
    }
    let token = |thing: &Thing| Token::Named("default".into(), thing.id.into());
    let page = page(things, Order::of(options), options, token).expect("a page");
    (page.items.iter().map(|thing| thing.id).collect(), page.next)
}

#[test]
fn pages() {
    for (per_page, token, filter, reverse, items, next) in [
        (0, "", "", false, "abcde", None),
        (2, "", "", false, "ab", Some("default.c")),
        (2, "default.c", "", false, "cd", Some("default.e")),
        (2, "default.e", "", false, "e", None),
        (5, "", "", false, "abcde", None),
        (2, "", "", true, "ed", Some("default.c")),
        (2, "default.c", "", true, "cb", Some("default.a")),
        (2, "default.bb", "", false, "cd", Some("default.e")),
        (-1, "", "", false, "", Some("default.a")),
        (1, "", "Odd == true", false, "a", Some("default.c")),
        (0, "", "Odd == false", false, "bd", None),
        (2, "default.x", "", false, "", None),
    ] {
        let got = ids(&options(per_page, token, filter, reverse));
        assert_eq!(
            got,
            (items.to_owned(), next.map(str::to_owned)),
            "{per_page} {token:?} {filter:?} {reverse}"
        );
    }
}

#[test]
fn tokens_compare_by_their_parts() {
    for (token, sent, order) in [
        (Token::Created(9, "x".into()), "10.a", Ordering::Less),
        (Token::Created(10, "b".into()), "10.a", Ordering::Greater),
        (
            Token::Named("a-b".into(), "x".into()),
            "a.x",
            Ordering::Greater,
        ),
        (Token::Modified(100), "99", Ordering::Greater),
        (Token::Id("a.b".into()), "a.b", Ordering::Equal),
    ] {
        assert_eq!(token.against(sent), order, "{token} against {sent}");
    }
}

#[test]
fn bad_filters_have_their_texts() {
    let error = |filter: &str| {
        let options = options(0, "", filter, false);
        page(
            [Thing { id: "a", odd: true }],
            Order::Ascending,
            &options,
            |t| Token::Id(t.id.into()),
        )
        .expect_err("refused")
    };
    assert_eq!(
        error("Colour == red"),
        ApiError::bad_request(
            "failed to read result page: error finding value in datum: /Colour at part 0: \
             couldn't find key: struct field with name \"Colour\""
        )
    );
    assert!(error("ID").message.starts_with(
        "failed to create result paginator: failed to read filter expression: 1:3 (2): "
    ));
}
