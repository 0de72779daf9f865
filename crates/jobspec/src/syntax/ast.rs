//! What a source says, with the place of everything.

use crate::number::Number;
use crate::source::Span;
use std::rc::Rc;

/// The content of a file or block.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) blocks: Vec<Block>,
    /// Where something that is missing would stand.
    pub(crate) start: Span,
}

/// `name = expression`.
#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) name: Name,
    pub(crate) expr: Expr,
    pub(crate) span: Span,
}

/// `type "label" { … }`.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) kind: Name,
    pub(crate) labels: Vec<Name>,
    pub(crate) open: Span,
    pub(crate) body: Body,
}

impl Block {
    /// The type and the labels.
    pub(crate) fn header(&self) -> Span {
        let last = self.labels.last().unwrap_or(&self.kind);
        self.kind.span.to(last.span)
    }
}

/// A word with its place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Name {
    pub(crate) text: Rc<str>,
    pub(crate) span: Span,
}

/// An expression.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub(crate) span: Span,
    pub(crate) kind: ExprKind,
    /// How deep the tree below is; evaluation recurses as deep.
    pub(crate) height: u16,
}

#[derive(Clone, Debug)]
pub(crate) enum ExprKind {
    Null,
    Bool(bool),
    Number(Number),
    /// With where it stands, without its quotes.
    Text(Rc<str>, Span),
    /// Several parts make a text.
    Template(Vec<Part>),
    /// A template of one interpolation and nothing else: the value itself.
    Wrapped {
        expr: Box<Expr>,
        /// The whole `${…}`.
        sequence: Span,
    },
    /// A name and what is looked up from it without computing.
    Traversal {
        root: Name,
        steps: Vec<Step>,
    },
    /// The same from a value.
    Relative {
        source: Box<Expr>,
        steps: Vec<Step>,
    },
    /// `source[key]` with a computed key.
    Index {
        source: Box<Expr>,
        key: Box<Expr>,
        bracket: Span,
    },
    /// `source[*]…` or `source.*…`; the rest is applied to each item, which is [`ExprKind::SplatItem`] in it.
    Splat {
        source: Box<Expr>,
        each: Box<Expr>,
        marker: Span,
    },
    SplatItem,
    Call {
        name: Name,
        args: Vec<Expr>,
        /// The last argument is a list of the last arguments.
        expand: bool,
        open: Span,
        close: Span,
    },
    Conditional {
        condition: Box<Expr>,
        yes: Box<Expr>,
        no: Box<Expr>,
    },
    Binary {
        operator: Operator,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Negative(Box<Expr>),
    Not(Box<Expr>),
    Tuple {
        items: Vec<Expr>,
        open: Span,
    },
    Object {
        items: Vec<(Expr, Expr)>,
        open: Span,
    },
    For(Box<For>),
    Paren(Box<Expr>),
}

/// `[for …]` or `{for …}`.
#[derive(Clone, Debug)]
pub(crate) struct For {
    pub(crate) key_name: Option<Name>,
    pub(crate) value_name: Name,
    pub(crate) collection: Expr,
    /// Given for an object.
    pub(crate) key: Option<Expr>,
    pub(crate) value: Expr,
    pub(crate) condition: Option<Expr>,
    /// Values of equal keys are collected.
    pub(crate) group: bool,
    pub(crate) open: Span,
}

/// `.name`, `.0`, `["name"]` or `[0]`.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) key: StepKey,
    pub(crate) span: Span,
}

#[derive(Clone, Debug)]
pub(crate) enum StepKey {
    Name(Rc<str>),
    Text(Rc<str>),
    Number(Number),
}

/// A part of a template.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Text(Rc<str>, Span),
    /// The whole `${…}` and what is in it.
    Value(Expr, Span),
    If {
        condition: Expr,
        yes: Vec<Part>,
        no: Vec<Part>,
        span: Span,
    },
    For {
        key_name: Option<Name>,
        value_name: Name,
        collection: Expr,
        body: Vec<Part>,
        span: Span,
    },
}

impl Part {
    pub(crate) fn start(&self) -> Span {
        match self {
            Self::Text(_, span) | Self::If { span, .. } | Self::For { span, .. } => *span,
            Self::Value(expr, _) => expr.start(),
        }
    }
}

/// Operators between two operands, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    /// How strongly it binds.
    pub(crate) fn level(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal | Self::NotEqual => 3,
            Self::Less | Self::LessEqual | Self::Greater | Self::GreaterEqual => 4,
            Self::Add | Self::Subtract => 5,
            Self::Multiply | Self::Divide | Self::Remainder => 6,
        }
    }
}

impl ExprKind {
    fn height_of_children(&self) -> u16 {
        let most =
            |exprs: &mut dyn Iterator<Item = &Expr>| exprs.map(|it| it.height).max().unwrap_or(0);
        match self {
            Self::Null
            | Self::Bool(_)
            | Self::Number(_)
            | Self::Text(..)
            | Self::Traversal { .. }
            | Self::SplatItem => 0,
            Self::Template(parts) => height_of_parts(parts),
            Self::Wrapped { expr, .. }
            | Self::Relative { source: expr, .. }
            | Self::Negative(expr)
            | Self::Not(expr)
            | Self::Paren(expr) => expr.height,
            Self::Index { source, key, .. } => source.height.max(key.height),
            Self::Splat { source, each, .. } => source.height.max(each.height),
            Self::Call { args, .. } => most(&mut args.iter()),
            Self::Conditional { condition, yes, no } => {
                condition.height.max(yes.height).max(no.height)
            }
            Self::Binary { left, right, .. } => left.height.max(right.height),
            Self::Tuple { items, .. } => most(&mut items.iter()),
            Self::Object { items, .. } => {
                most(&mut items.iter().flat_map(|(key, value)| [key, value]))
            }
            Self::For(it) => {
                let rest = it.key.iter().chain(&it.condition);
                most(&mut rest.chain([&it.collection, &it.value]))
            }
        }
    }
}

fn height_of_parts(parts: &[Part]) -> u16 {
    let heights = parts.iter().map(|part| match part {
        Part::Text(..) => 0,
        Part::Value(expr, _) => expr.height,
        Part::If {
            condition, yes, no, ..
        } => {
            let inner = height_of_parts(yes).max(height_of_parts(no));
            condition.height.max(inner) + 1
        }
        Part::For {
            collection, body, ..
        } => collection.height.max(height_of_parts(body)) + 1,
    });
    heights.max().unwrap_or(0)
}

impl Expr {
    pub(crate) fn new(span: Span, kind: ExprKind) -> Self {
        let height = kind.height_of_children().saturating_add(1);
        Self { span, kind, height }
    }

    /// The part that is pointed at when something is wrong with the value: the name of a call, the opening
    /// bracket of a list, the first part of a text.
    pub(crate) fn start(&self) -> Span {
        match &self.kind {
            ExprKind::Template(parts) => parts.first().map_or(self.span, Part::start),
            ExprKind::Text(_, inside) => *inside,
            ExprKind::Call { name, open, .. } => name.span.to(*open),
            ExprKind::Conditional { condition, .. } => condition.start(),
            ExprKind::Binary { left, .. } => left.start(),
            ExprKind::Tuple { open, .. } | ExprKind::Object { open, .. } => *open,
            ExprKind::For(it) => it.open,
            _ => self.span,
        }
    }

    /// The name, when the expression is nothing but one.
    pub(crate) fn keyword(&self) -> Option<&Name> {
        match &self.kind {
            ExprKind::Traversal { root, steps } if steps.is_empty() => Some(root),
            _ => None,
        }
    }
}
