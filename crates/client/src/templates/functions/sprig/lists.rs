//! Lists. Each function gives a new one.

use gotmpl::Value;

use super::{Function, fail, items, list, value, whole};

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("sprig_list", |_, args| Ok(list(args.iter().cloned()))),
    ("sprig_first", |_, args| {
        Ok(all(args)?.first().cloned().unwrap_or(Value::Nil))
    }),
    ("sprig_last", |_, args| {
        Ok(all(args)?.last().cloned().unwrap_or(Value::Nil))
    }),
    ("sprig_rest", |_, args| {
        Ok(list(all(args)?.into_iter().skip(1)))
    }),
    ("sprig_initial", |_, args| {
        let mut all = all(args)?;
        all.pop();
        Ok(list(all))
    }),
    ("sprig_append", |_, args| {
        let mut all = all(args)?;
        all.push(value(args, 1)?.clone());
        Ok(list(all))
    }),
    ("sprig_prepend", |_, args| {
        let first = value(args, 1)?.clone();
        Ok(list(std::iter::once(first).chain(all(args)?)))
    }),
    ("sprig_concat", |_, args| {
        Ok(list(args.iter().flat_map(|list| items(Some(list)))))
    }),
    ("sprig_reverse", |_, args| {
        Ok(list(all(args)?.into_iter().rev()))
    }),
    ("sprig_uniq", |_, args| {
        let mut kept: Vec<Value> = Vec::new();
        for item in all(args)? {
            if !kept.contains(&item) {
                kept.push(item);
            }
        }
        Ok(list(kept))
    }),
    ("sprig_without", |_, args| {
        let unwanted = args.get(1..).unwrap_or_default();
        Ok(list(
            all(args)?
                .into_iter()
                .filter(|item| !unwanted.contains(item)),
        ))
    }),
    ("sprig_has", |_, args| {
        Ok(Value::Bool(items(args.get(1)).contains(value(args, 0)?)))
    }),
    ("sprig_compact", |_, args| {
        Ok(list(all(args)?.into_iter().filter(Value::is_truthy)))
    }),
    ("sprig_slice", |_, args| {
        let bound = |at: usize| args.get(at).map(whole);
        value(args, 0)?.slice(bound(1), bound(2))
    }),
];

fn all(args: &[Value]) -> Result<Vec<Value>, gotmpl::TemplateError> {
    match value(args, 0)? {
        Value::List(items) => Ok(items.to_vec()),
        Value::Nil => Ok(Vec::new()),
        other => Err(fail(format!("{} is no list", other.type_name()))),
    }
}
