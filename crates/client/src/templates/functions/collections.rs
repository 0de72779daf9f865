//! Functions over lists and maps.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::Value;

use super::{Answer, Function, fail, items, list, map, string, text};

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("containsAll", |_, args| {
        contains(args, |wanted, all| {
            wanted.iter().all(|one| all.contains(one))
        })
    }),
    ("containsAny", |_, args| {
        contains(args, |wanted, all| {
            wanted.iter().any(|one| all.contains(one))
        })
    }),
    ("containsNone", |_, args| {
        contains(args, |wanted, all| {
            !wanted.iter().any(|one| all.contains(one))
        })
    }),
    ("containsNotAll", |_, args| {
        contains(args, |wanted, all| {
            !wanted.iter().all(|one| all.contains(one))
        })
    }),
    ("byKey", |_, args| {
        grouped(args, |item| {
            vec![
                member(item, "Key")
                    .split('/')
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            ]
        })
    }),
    ("byMeta", |_, args| {
        let names = text(args, 0)?;
        grouped(args.get(1..).unwrap_or_default(), |item| {
            let of = |name: &str| {
                let (name, is_number) = match name.split_once('|') {
                    Some((name, kind)) => (name, kind == "int"),
                    None => (name, false),
                };
                let found = field(item, "ServiceMeta").map(|meta| member(meta, name));
                let found = found.unwrap_or_default();
                match found.parse::<u64>() {
                    // So that groups come in the order of numbers.
                    Ok(number) if is_number => format!("{number:05}"),
                    _ => found,
                }
            };
            let all: Vec<String> = names.split(',').map(of).collect();
            vec![all.join("_")]
        })
    }),
    ("byPort", |_, args| {
        grouped(args, |item| vec![member(item, "Port")])
    }),
    ("byTag", |_, args| {
        grouped(args, |item| match field(item, "Tags") {
            Some(tags) => items(Some(tags)).iter().map(ToString::to_string).collect(),
            None => Vec::new(),
        })
    }),
    ("explode", |_, args| {
        let mut root = BTreeMap::new();
        for item in items(args.first()) {
            let (key, value) = (member(&item, "Key"), member(&item, "Value"));
            insert(&mut root, &key, string(value));
        }
        Ok(nested(root))
    }),
    ("explodeMap", |_, args| {
        let mut root = BTreeMap::new();
        for (key, value) in members(args.first()) {
            insert(&mut root, &key, value);
        }
        Ok(nested(root))
    }),
    ("mergeMap", |_, args| merged(args, false)),
    ("mergeMapWithOverride", |_, args| merged(args, true)),
    ("splitToMap", |_, args| {
        let (between, inside, whole) = (text(args, 0)?, text(args, 1)?, text(args, 2)?);
        let pairs = whole
            .split(&*between)
            .filter_map(|pair| pair.split_once(&*inside));
        Ok(map(
            pairs.map(|(key, value)| (key.to_owned(), string(value)))
        ))
    }),
];

fn contains(args: &[Value], judge: fn(&[String], &[String]) -> bool) -> Answer {
    let texts = |at: usize| -> Vec<String> {
        items(args.get(at))
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    Ok(Value::Bool(judge(&texts(0), &texts(1))))
}

fn field<'a>(item: &'a Value, name: &str) -> Option<&'a Value> {
    match item {
        Value::Map(members) => members.get(name),
        _ => None,
    }
}

fn member(item: &Value, name: &str) -> String {
    field(item, name)
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn members(value: Option<&Value>) -> Vec<(String, Value)> {
    match value {
        Some(Value::Map(members)) => members
            .iter()
            .map(|(key, value)| (key.to_string(), value.clone()))
            .collect(),
        _ => Vec::new(),
    }
}

fn grouped(args: &[Value], keys: impl Fn(&Value) -> Vec<String>) -> Answer {
    let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for item in items(args.first()) {
        for key in keys(&item) {
            groups.entry(key).or_default().push(item.clone());
        }
    }
    Ok(map(groups
        .into_iter()
        .map(|(key, items)| (key, list(items)))))
}

/// A tree of maps whose leaves are values.
enum Node {
    Leaf(Value),
    Inner(BTreeMap<String, Node>),
}

fn insert(root: &mut BTreeMap<String, Node>, path: &str, value: Value) {
    let (first, rest) = path
        .trim_matches('/')
        .split_once('/')
        .map_or((path.trim_matches('/'), None), |(first, rest)| {
            (first, Some(rest))
        });
    match rest {
        None => {
            root.insert(first.to_owned(), Node::Leaf(value));
        }
        Some(rest) => {
            let below = root
                .entry(first.to_owned())
                .or_insert_with(|| Node::Inner(BTreeMap::new()));
            if let Node::Leaf(_) = below {
                *below = Node::Inner(BTreeMap::new());
            }
            if let Node::Inner(below) = below {
                insert(below, rest, value);
            }
        }
    }
}

fn nested(root: BTreeMap<String, Node>) -> Value {
    map(root.into_iter().map(|(key, node)| match node {
        Node::Leaf(value) => (key, value),
        Node::Inner(below) => (key, nested(below)),
    }))
}

/// The last argument is the one merged into, as it comes through a pipe.
fn merged(args: &[Value], over: bool) -> Answer {
    let [from, into] = args else {
        return Err(fail("two maps are needed"));
    };
    let mut all: BTreeMap<Arc<str>, Value> = BTreeMap::new();
    for (key, value) in members(Some(into)) {
        all.insert(Arc::from(key.as_str()), value);
    }
    for (key, value) in members(Some(from)) {
        let key: Arc<str> = Arc::from(key.as_str());
        if over || !all.contains_key(&key) {
            all.insert(key, value);
        }
    }
    Ok(Value::Map(Arc::new(all)))
}
