//! The functions of Sprig.

use super::*;

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
        ("sprig_regexReplaceAllLiteral \"{\" \"a{b\" \"-\"", "a-b"),
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
