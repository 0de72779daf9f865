//! Local values, which may refer to each other in any order.

use crate::decode::{AttributeRef, BlockRef, attributes};
use crate::eval::{Names, Scope, Session};
use crate::syntax::ast::{Expr, ExprKind, Part, Step, StepKey};
use crate::value::{Members, Value};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The `local` object. Of two with one name the later counts.
pub(crate) fn resolve(cx: &mut Session<'_>, blocks: &[BlockRef<'_>], var: &Value) -> Value {
    let mut exprs: BTreeMap<Rc<str>, AttributeRef<'_>> = BTreeMap::new();
    for block in blocks.iter().filter(|it| &*it.kind.text == "locals") {
        for attribute in attributes(cx, block.body) {
            exprs.insert(attribute.name.text.clone(), attribute);
        }
    }
    let mut resolver = Resolver {
        exprs: &exprs,
        var,
        done: Members::new(),
        open: Vec::new(),
    };
    for name in exprs.keys() {
        resolver.resolve(cx, name);
    }
    Value::object(resolver.done)
}

struct Resolver<'a> {
    exprs: &'a BTreeMap<Rc<str>, AttributeRef<'a>>,
    var: &'a Value,
    done: Members,
    /// Those whose values are being computed.
    open: Vec<Rc<str>>,
}

/// Longer chains of locals than anybody writes.
const MOST_CHAIN: usize = 200;

impl Resolver<'_> {
    fn resolve(&mut self, cx: &mut Session<'_>, name: &Rc<str>) {
        let Some(attribute) = self
            .exprs
            .get(name)
            .filter(|_| !self.done.contains_key(name))
        else {
            return;
        };
        if self.open.contains(name) || self.open.len() > MOST_CHAIN {
            let chain: Vec<&str> = self.open.iter().map(|it| &**it).collect();
            let detail = format!(
                "The value of local.{name} depends on itself: {} refer to each other.",
                chain.join(", ")
            );
            cx.diags
                .error(attribute.expr.span, "Circular local values", detail);
            self.done.insert(name.clone(), Value::Unknown);
            return;
        }
        self.open.push(name.clone());
        let mut needed = Vec::new();
        references(attribute.expr, &mut needed);
        for other in &needed {
            self.resolve(cx, other);
        }
        self.open.pop();
        if self.done.contains_key(name) {
            return;
        }
        let known = needed
            .iter()
            .filter_map(|it| Some((it.clone(), self.done.get(it)?.clone())));
        let local = Value::object(known.collect());
        let names = vec![("var".into(), self.var.clone()), ("local".into(), local)];
        let value = cx.eval(&Scope::root(names, Names::Runtime), attribute.expr);
        self.done.insert(name.clone(), value);
    }
}

/// The names of all locals that an expression mentions.
fn references(expr: &Expr, out: &mut Vec<Rc<str>>) {
    let mut visit = |inner: &Expr| references(inner, out);
    match &expr.kind {
        ExprKind::Null
        | ExprKind::Bool(_)
        | ExprKind::Number(_)
        | ExprKind::Text(..)
        | ExprKind::SplatItem => {}
        ExprKind::Template(parts) => in_parts(parts, out),
        ExprKind::Traversal { root, steps } => {
            if &*root.text == "local"
                && let Some(Step {
                    key: StepKey::Name(name) | StepKey::Text(name),
                    ..
                }) = steps.first()
            {
                out.push(name.clone());
            }
        }
        ExprKind::Wrapped { expr, .. }
        | ExprKind::Relative { source: expr, .. }
        | ExprKind::Negative(expr)
        | ExprKind::Not(expr)
        | ExprKind::Paren(expr) => visit(expr),
        ExprKind::Index { source, key, .. } => {
            visit(source);
            visit(key);
        }
        ExprKind::Splat { source, each, .. } => {
            visit(source);
            visit(each);
        }
        ExprKind::Call { args, .. } => args.iter().for_each(visit),
        ExprKind::Conditional { condition, yes, no } => {
            [condition, yes, no].into_iter().for_each(|it| visit(it));
        }
        ExprKind::Binary { left, right, .. } => {
            visit(left);
            visit(right);
        }
        ExprKind::Tuple { items, .. } => items.iter().for_each(visit),
        ExprKind::Object { items, .. } => {
            for (key, value) in items {
                visit(key);
                visit(value);
            }
        }
        ExprKind::For(it) => {
            visit(&it.collection);
            visit(&it.value);
            it.key.iter().chain(&it.condition).for_each(visit);
        }
    }
}

fn in_parts(parts: &[Part], out: &mut Vec<Rc<str>>) {
    for part in parts {
        match part {
            Part::Text(..) => {}
            Part::Value(expr, _) => references(expr, out),
            Part::If {
                condition, yes, no, ..
            } => {
                references(condition, out);
                in_parts(yes, out);
                in_parts(no, out);
            }
            Part::For {
                collection, body, ..
            } => {
                references(collection, out);
                in_parts(body, out);
            }
        }
    }
}
