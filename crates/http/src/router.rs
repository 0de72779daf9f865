//! From a raw path and a method to a row of the table.
//!
//! Paths are matched as they came, segment by segment, so that `%2F` within an ID is no separator; an ID with
//! plain slashes is taken as far as the words that follow it allow. The row with the most literal words wins.

use std::{collections::HashMap, sync::LazyLock};

use crate::{
    go,
    method::Method,
    request::Params,
    route::{Refusal, Route, WrongMethod},
    routes,
};

/// What a path and method lead to.
#[derive(Debug)]
pub(crate) enum Found {
    Route {
        route: &'static Route,
        params: Params,
    },
    /// The path is known, the method is not. `cors`: other origins may ask which methods there are.
    WrongMethod {
        answer: WrongMethod,
        cors: bool,
    },
    Refused(&'static Refusal),
    /// 307 to another path.
    Moved(String),
    Unknown,
    /// The path itself is broken.
    BadPath,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    Literal(&'static str),
    One(&'static str),
    Many(&'static str),
}

#[derive(Debug)]
enum Leads {
    Routes(Vec<&'static Route>),
    Refusal(&'static Refusal),
}

#[derive(Debug)]
struct Pattern {
    path: &'static str,
    segments: Vec<Segment>,
    leads: Leads,
}

/// The table, indexed by the second word of the path.
#[derive(Debug)]
pub(crate) struct Router {
    by_word: HashMap<&'static str, Vec<Pattern>>,
}

impl Router {
    /// The one router.
    pub(crate) fn get() -> &'static Self {
        static ROUTER: LazyLock<Router> = LazyLock::new(Router::build);
        &ROUTER
    }

    fn build() -> Self {
        let mut patterns: Vec<Pattern> = Vec::new();
        for route in routes::all() {
            match patterns.iter_mut().find(|known| known.path == route.path) {
                Some(Pattern {
                    leads: Leads::Routes(routes),
                    ..
                }) => routes.push(route),
                _ => patterns.push(Pattern::new(route.path, Leads::Routes(vec![route]))),
            }
        }
        patterns.extend(
            routes::REFUSALS
                .iter()
                .map(|refusal| Pattern::new(refusal.path, Leads::Refusal(refusal))),
        );
        let mut by_word: HashMap<&'static str, Vec<Pattern>> = HashMap::new();
        for pattern in patterns {
            let Some(Segment::Literal(word)) = pattern.segments.get(1) else {
                unreachable!(
                    "every path of the table starts with two words: {}",
                    pattern.path
                )
            };
            by_word.entry(word).or_default().push(pattern);
        }
        for patterns in by_word.values_mut() {
            patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.rank()));
        }
        Self { by_word }
    }

    /// Finds the row for a raw path (without the query).
    pub(crate) fn find(&self, raw: &str, method: Method) -> Found {
        if let Some(clean) = cleaned(raw) {
            return Found::Moved(clean);
        }
        let Some(segments) = raw
            .strip_prefix('/')
            .and_then(|path| path.split('/').map(go::unescape_path).collect())
        else {
            return Found::BadPath;
        };
        let segments: Vec<String> = segments;
        let Some(patterns) = segments
            .get(1)
            .and_then(|word| self.by_word.get(word.as_str()))
        else {
            return Found::Unknown;
        };
        for pattern in patterns {
            if let Some(params) = pattern.matches(&segments) {
                return pattern.lead(method, params);
            }
        }
        if patterns.iter().any(|pattern| pattern.is_below(&segments)) {
            return Found::Moved(format!("{raw}/"));
        }
        Found::Unknown
    }
}

impl Pattern {
    fn new(path: &'static str, leads: Leads) -> Self {
        let segment = |text: &'static str| match text.split_at_checked(1) {
            Some((":", name)) => Segment::One(name),
            Some(("*", name)) => Segment::Many(name),
            _ => Segment::Literal(text),
        };
        let segments = path.split('/').skip(1).map(segment).collect();
        Self {
            path,
            segments,
            leads,
        }
    }

    /// More words before fewer, words at the front before words behind a name, one segment before many.
    fn rank(&self) -> (usize, usize, bool) {
        let literal = |segment: &&Segment| matches!(segment, Segment::Literal(_));
        let words = self.segments.iter().filter(literal).count();
        let front = self.segments.iter().take_while(literal).count();
        let exact = !self
            .segments
            .iter()
            .any(|segment| matches!(segment, Segment::Many(_)));
        (words, front, exact)
    }

    fn matches(&self, path: &[String]) -> Option<Params> {
        let surplus = path.len().checked_sub(self.segments.len())?;
        let mut params = Params::default();
        let mut rest = path;
        let last = self.segments.len() - 1;
        for (at, segment) in self.segments.iter().enumerate() {
            let takes = if matches!(segment, Segment::Many(_)) {
                surplus + 1
            } else {
                1
            };
            let (taken, behind) = rest.split_at_checked(takes)?;
            rest = behind;
            match segment {
                Segment::Literal(word) if taken[0] != *word => return None,
                Segment::Literal(_) => {}
                Segment::One(_) | Segment::Many(_) if at != last && taken[0].is_empty() => {
                    return None;
                }
                Segment::One(name) | Segment::Many(name) => {
                    params.0.push(((*name).to_owned(), taken.join("/")))
                }
            }
        }
        rest.is_empty().then_some(params)
    }

    fn lead(&self, method: Method, params: Params) -> Found {
        let routes = match &self.leads {
            Leads::Refusal(refusal) => return Found::Refused(refusal),
            Leads::Routes(routes) => routes,
        };
        let cors = routes.iter().any(|route| route.cors);
        let asked = if cors && method == Method::Head {
            Method::Get
        } else {
            method
        };
        match routes.iter().find(|route| route.methods.contains(asked)) {
            Some(route) => Found::Route { route, params },
            None => {
                let own = routes
                    .iter()
                    .map(|route| route.wrong_method)
                    .find(|wrong| *wrong != WrongMethod::USUAL);
                Found::WrongMethod {
                    answer: own.unwrap_or(WrongMethod::USUAL),
                    cors,
                }
            }
        }
    }

    /// Whether the path is this pattern up to its first name, without the slash: `/v1/job` for `/v1/job/*id`.
    fn is_below(&self, path: &[String]) -> bool {
        self.segments.len() > path.len()
            && !matches!(self.segments[path.len()], Segment::Literal(_))
            && self
                .segments
                .iter()
                .zip(path)
                .all(|(segment, word)| matches!(segment, Segment::Literal(w) if w == word))
    }
}

/// The path without double slashes and dots, when it has any.
fn cleaned(raw: &str) -> Option<String> {
    let odd = raw.contains("//")
        || raw
            .split('/')
            .any(|segment| segment == "." || segment == "..");
    if !odd {
        return None;
    }
    let mut out: Vec<&str> = Vec::new();
    for segment in raw.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                out.pop();
            }
            word => out.push(word),
        }
    }
    let mut path = format!("/{}", out.join("/"));
    if raw.ends_with('/') && path.len() > 1 {
        path.push('/');
    }
    Some(path)
}

#[cfg(test)]
mod tests;
