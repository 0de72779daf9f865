//! Laws of job files, over files that are made up: random blocks of every kind in random layouts.

use caravan_jobspec::{
    Inputs, NoCluster, Source, admit, canonicalize, format_source, parse, parse_json_job,
};
use caravan_model::api::ApiJob;
use caravan_model::{DiffType, Job};
use proptest::prelude::*;

/// A text as it is written in a file.
fn text() -> BoxedStrategy<String> {
    prop_oneof![
        "[a-z][a-z0-9-]{0,8}".prop_map(|text| format!("{text:?}")),
        Just("\"${attr.kernel.name}\"".to_owned()),
        Just("\"${NOMAD_PORT_http}:$${x} %%{y}\"".to_owned()),
        Just("\"${ env[\"HOME\"] }/a\"".to_owned()),
        Just("<<-EOT\n    one\n      two # no comment\n    EOT".to_owned()),
        Just("\"tab\\t quote \\\" é\"".to_owned()),
    ]
    .boxed()
}

fn duration() -> BoxedStrategy<String> {
    (1u32..500)
        .prop_map(|seconds| format!("\"{seconds}s\""))
        .boxed()
}

fn number(range: std::ops::Range<i64>) -> BoxedStrategy<String> {
    range.prop_map(|number| number.to_string()).boxed()
}

/// A value without a schema.
fn free() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        text().prop_filter("heredocs end lines", |text| !text.starts_with("<<")),
        number(-5..100_000),
        Just("true".to_owned()),
        Just("1.5e3".to_owned()),
        Just("null".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(" , "))),
            prop::collection::vec(inner, 0..3).prop_map(|items| {
                let members = items.iter().enumerate();
                let members: Vec<String> = members
                    .map(|(at, value)| format!("k{at} = {value}"))
                    .collect();
                format!("{{ {} }}", members.join(", "))
            }),
        ]
    })
    .boxed()
}

/// `name = value` or nothing.
fn attribute(name: &'static str, value: BoxedStrategy<String>) -> BoxedStrategy<String> {
    prop::option::of((value, 0usize..3, 0usize..4))
        .prop_map(move |given| match given {
            Some((value, before, after)) => {
                format!(
                    "{name}{}={}{value}\n",
                    " ".repeat(before),
                    " ".repeat(after)
                )
            }
            None => String::new(),
        })
        .boxed()
}

/// A block with these contents in this order, or nothing.
fn block(header: &'static str, parts: Vec<BoxedStrategy<String>>) -> BoxedStrategy<String> {
    let noise = prop_oneof![
        Just(""),
        Just("\n"),
        Just("# a comment\n"),
        Just("  // another\n\n"),
        Just("/* a\nthird */\n"),
    ];
    prop::option::of((parts, noise))
        .prop_map(move |given| match given {
            Some((parts, noise)) => format!("{header} {{\n{noise}{}}}\n", parts.concat()),
            None => String::new(),
        })
        .boxed()
}

fn task() -> BoxedStrategy<String> {
    let resources = block(
        "resources",
        vec![
            attribute("cpu", number(1..5000)),
            attribute("memory", number(10..5000)),
        ],
    );
    let template = block(
        "template",
        vec![
            Just("destination = \"local/x\"\n".to_owned()).boxed(),
            attribute("data", text()),
            attribute("splay", duration()),
            attribute("perms", Just("\"0600\"".to_owned()).boxed()),
        ],
    );
    let config = block(
        "config",
        vec![
            attribute("command", free()),
            attribute("args", free()),
            block("port_map", vec![attribute("http", number(1..9))]),
            block("labels", vec![attribute("a", text())]),
        ],
    );
    let env = block(
        "env",
        vec![attribute("A", text()), attribute("B", number(0..9))],
    );
    (config, env, resources, template, attribute("user", text()))
        .prop_map(|(config, env, resources, template, user)| {
            format!(
                "task \"t\" {{\ndriver = \"raw_exec\"\n{user}{config}{env}{resources}{template}}}\n"
            )
        })
        .boxed()
}

fn group() -> BoxedStrategy<String> {
    let check = "check {\ntype = \"tcp\"\ninterval = \"10s\"\ntimeout = \"2s\"\n}\n";
    let service = block(
        "service",
        vec![
            attribute("name", Just("\"web-${TASKGROUP}\"".to_owned()).boxed()),
            Just("port = \"http\"\nprovider = \"nomad\"\n".to_owned()).boxed(),
            prop_oneof![Just(String::new()), Just(check.to_owned())].boxed(),
        ],
    );
    let network = "network {\nport \"http\" {\nto = 80\n}\nport \"admin\" {\nstatic = 8080\n}\n}\n";
    let restart = block(
        "restart",
        vec![
            attribute("attempts", number(0..5)),
            attribute("delay", duration()),
            attribute("mode", Just("\"delay\"".to_owned()).boxed()),
        ],
    );
    let scaling = block(
        "scaling",
        vec![
            Just("max = 10\n".to_owned()).boxed(),
            block("policy", vec![attribute("cooldown", free())]),
        ],
    );
    let parts = (
        attribute("count", number(0..9)),
        service,
        restart,
        scaling,
        task(),
        attribute("shutdown_delay", duration()),
    );
    parts
        .prop_map(move |(count, service, restart, scaling, task, delay)| {
            format!("{count}{network}{service}{restart}{scaling}{delay}{task}")
        })
        .boxed()
}

/// A job file.
fn file() -> BoxedStrategy<String> {
    let constraint = block(
        "constraint",
        vec![
            Just("attribute = \"${node.class}\"\n".to_owned()).boxed(),
            attribute("operator", Just("\"!=\"".to_owned()).boxed()),
            Just("value = \"x\"\n".to_owned()).boxed(),
        ],
    );
    let update = block(
        "update",
        vec![
            attribute("max_parallel", number(0..4)),
            attribute("canary", number(0..3)),
            attribute("min_healthy_time", duration()),
        ],
    );
    let meta = block(
        "meta",
        vec![attribute("a", text()), attribute("b", number(0..9))],
    );
    let parts = (
        attribute("priority", number(1..101)),
        constraint,
        update,
        meta,
        prop::collection::vec(group(), 1..4),
    );
    parts
        .prop_map(|(priority, constraint, update, meta, groups)| {
            let groups = groups.iter().enumerate();
            let groups: String = groups
                .map(|(at, group)| format!("group \"g{at}\" {{\n{group}}}\n"))
                .collect();
            format!("job \"made-up\" {{\n{priority}{constraint}{update}{meta}{groups}}}\n")
        })
        .boxed()
}

fn read(text: &str) -> ApiJob {
    match parse(&Source::new("made-up.hcl", text), &Inputs::default()) {
        Ok(parsed) => parsed.job,
        Err(errors) => panic!("{}\n{text}", errors.render(false)),
    }
}

fn stored(text: &str) -> Job {
    admit(read(text), &NoCluster).job
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn laying_out_a_file_changes_nothing_it_says(text in file()) {
        let laid_out = format_source(&Source::new("made-up.hcl", text.as_str())).unwrap();
        prop_assert_eq!(read(&laid_out), read(&text), "{}\n---\n{}", text, laid_out);
        let again = format_source(&Source::new("made-up.hcl", laid_out.as_str())).unwrap();
        prop_assert_eq!(&again, &laid_out);
        let comments = |text: &str| ["a comment", "another", "third"].map(|word| text.matches(word).count());
        prop_assert_eq!(comments(&laid_out), comments(&text));
    }

    #[test]
    fn defaults_are_given_once(text in file()) {
        let mut once = read(&text);
        canonicalize(&mut once);
        let mut twice = once.clone();
        canonicalize(&mut twice);
        prop_assert_eq!(twice, once);
    }

    #[test]
    fn a_job_survives_its_json(text in file()) {
        let mut job = read(&text);
        let json = serde_json::to_vec(&job).unwrap();
        prop_assert_eq!(parse_json_job(&json).unwrap(), job.clone());
        canonicalize(&mut job);
        let json = serde_json::to_vec(&job).unwrap();
        prop_assert_eq!(parse_json_job(&json).unwrap(), job);
    }

    #[test]
    fn admitting_again_makes_no_new_version(text in file()) {
        let first = admit(read(&text), &NoCluster);
        prop_assume!(first.errors.is_empty());
        let json = serde_json::to_vec(&first.job).unwrap();
        let again = admit(parse_json_job(&json).unwrap(), &NoCluster);
        prop_assert_eq!(&again.errors, &first.errors);
        prop_assert!(again.job.same_spec(&first.job), "{:#?}\n{:#?}", first.job, again.job);
    }

    #[test]
    fn jobs_differ_where_they_differ(old in file(), new in file()) {
        let (old, new) = (stored(&old), stored(&new));
        let same = caravan_diff::job_diff(Some(&old), Some(&old), true);
        prop_assert_eq!(same.r#type, DiffType::None);
        prop_assert!(same.fields.is_empty() && same.objects.is_empty());
        let there = caravan_diff::job_diff(Some(&old), Some(&new), true);
        let back = caravan_diff::job_diff(Some(&new), Some(&old), true);
        prop_assert_eq!(there.r#type, back.r#type);
        prop_assert_eq!(there.fields.len(), back.fields.len());
        let groups = |diff: &caravan_model::JobDiff| diff.task_groups.len();
        prop_assert_eq!(groups(&there), groups(&back));
        if there.r#type == DiffType::None {
            prop_assert_eq!(old.task_groups, new.task_groups);
        }
    }
}
