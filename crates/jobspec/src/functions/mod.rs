//! The functions of the language, one file for each family.
//!
//! A function sees values that were brought to the types of its parameters, and nothing of where they came from.
//! Whatever it produces is bounded before it is built.

mod case;
mod cidr;
mod collection;
mod crypto;
mod encoding;
mod fs;
mod glob;
mod json;
mod numeric;
mod printf;
mod rsa;
mod set;
mod text;
mod time;
mod time_format;
mod yaml;
mod yaml_write;

#[cfg(test)]
mod tests;

pub(crate) use caravan_codec::quote::quote;

use crate::eval::Random;
use crate::files::Files;
use crate::number::Number;
use crate::types::{Type, convert};
use crate::value::{MOST_WEIGHT, Value};
use std::rc::Rc;

/// Why a function gave no value.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The call as a whole.
    Call(String),
    /// This argument.
    Argument(usize, String),
}

impl From<String> for Fault {
    fn from(why: String) -> Self {
        Self::Call(why)
    }
}

impl From<&str> for Fault {
    fn from(why: &str) -> Self {
        Self::Call(why.to_owned())
    }
}

pub(crate) type Outcome = Result<Value, Fault>;

/// A parameter: what it is called in messages and what it takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    takes: Takes,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Takes {
    Text,
    Number,
    /// A list, set or tuple.
    Items,
    /// The same, its items brought to one type.
    List,
    /// Anything but null.
    Any,
    /// Anything.
    Null,
}

/// A function.
pub(crate) struct Function {
    name: &'static str,
    pub(crate) parameters: &'static [Parameter],
    /// What further arguments are.
    pub(crate) rest: Option<Parameter>,
    /// How many of the further arguments may be given.
    most_rest: usize,
    pub(crate) run: fn(&mut Call<'_>) -> Outcome,
}

impl Function {
    pub(crate) fn parameter(&self, index: usize) -> Option<Parameter> {
        self.parameters.get(index).copied().or(self.rest)
    }

    /// What a call costs besides its arguments.
    pub(crate) fn cost(&self, values: &[Value]) -> usize {
        match self.name {
            // Slow by design.
            "bcrypt" => crypto::bcrypt_cost(values.get(1)),
            "rsadecrypt" => 50_000,
            "regex_replace" => text::pattern_cost(values.get(1)),
            _ => 1,
        }
    }

    pub(crate) fn most(&self) -> usize {
        self.parameters.len().saturating_add(self.most_rest)
    }
}

/// A call, its arguments already of the right types.
pub(crate) struct Call<'a> {
    pub(crate) args: Vec<Value>,
    pub(crate) files: Option<&'a dyn Files>,
    pub(crate) random: &'a mut Random,
}

impl Call<'_> {
    /// A text argument.
    fn text(&self, at: usize) -> Rc<str> {
        match self.args.get(at) {
            Some(Value::Text(text)) => text.clone(),
            _ => "".into(),
        }
    }

    /// A number argument.
    fn number(&self, at: usize) -> Number {
        match self.args.get(at) {
            Some(Value::Number(number)) => number.clone(),
            _ => Number::Whole(0),
        }
    }

    /// A number argument that has to be whole.
    fn whole(&self, at: usize) -> Result<i64, Fault> {
        let number = self.number(at);
        let why = || Fault::Argument(at, "a whole number is required".to_owned());
        number.as_i64().ok_or_else(why)
    }

    /// A list, set or tuple argument.
    fn items(&self, at: usize) -> &[Value] {
        self.args.get(at).and_then(Value::items).unwrap_or_default()
    }
}

/// Refuses texts that are longer than a value may be, before they are built.
fn bounded(length: usize) -> Result<usize, Fault> {
    match length > MOST_WEIGHT * 64 {
        true => Err("the result would be too large".into()),
        false => Ok(length),
    }
}

/// Arguments as the types of their parameters.
pub(crate) fn prepare(function: &Function, values: Vec<Value>) -> Result<Vec<Value>, Fault> {
    let mut args = Vec::with_capacity(values.len());
    for (at, value) in values.into_iter().enumerate() {
        let Some(parameter) = function.parameter(at) else {
            continue;
        };
        if value.is_null() && parameter.takes != Takes::Null {
            return Err(Fault::Argument(at, "argument must not be null".to_owned()));
        }
        let to = match parameter.takes {
            Takes::Text => Type::Text,
            Takes::Number => Type::Number,
            Takes::Items | Takes::List if value.items().is_none() => {
                let why = format!(
                    "a list, set or tuple is required, but have {}",
                    value.type_name()
                );
                return Err(Fault::Argument(at, why));
            }
            Takes::List => Type::List(Type::Any.into()),
            Takes::Items | Takes::Any | Takes::Null => Type::Any,
        };
        let converted = convert(&value, &to).map_err(|why| Fault::Argument(at, why))?;
        args.push(converted);
    }
    Ok(args)
}

/// The function of this name.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// All names, for suggestions.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let lazy = ["try", "can", "convert"];
    FUNCTIONS.iter().map(|function| function.name).chain(lazy)
}

const fn text(name: &'static str) -> Parameter {
    let takes = Takes::Text;
    Parameter { name, takes }
}

const fn number(name: &'static str) -> Parameter {
    let takes = Takes::Number;
    Parameter { name, takes }
}

const fn items(name: &'static str) -> Parameter {
    let takes = Takes::Items;
    Parameter { name, takes }
}

const fn list(name: &'static str) -> Parameter {
    let takes = Takes::List;
    Parameter { name, takes }
}

const fn any(name: &'static str) -> Parameter {
    let takes = Takes::Any;
    Parameter { name, takes }
}

const fn null(name: &'static str) -> Parameter {
    let takes = Takes::Null;
    Parameter { name, takes }
}

const fn fixed(
    name: &'static str,
    parameters: &'static [Parameter],
    run: fn(&mut Call<'_>) -> Outcome,
) -> Function {
    Function {
        name,
        parameters,
        rest: None,
        most_rest: 0,
        run,
    }
}

const fn open(
    name: &'static str,
    parameters: &'static [Parameter],
    rest: Parameter,
    run: fn(&mut Call<'_>) -> Outcome,
) -> Function {
    Function {
        name,
        parameters,
        rest: Some(rest),
        most_rest: 4096,
        run,
    }
}

const STR: Parameter = text("str");
const NUM: Parameter = number("num");
const PATH: Parameter = text("path");
const PREFIX: Parameter = text("prefix");

static FUNCTIONS: &[Function] = &[
    fixed("abs", &[NUM], numeric::abs),
    fixed("abspath", &[PATH], fs::abspath),
    fixed("base64decode", &[STR], encoding::base64decode),
    fixed("base64encode", &[STR], encoding::base64encode),
    fixed("basename", &[PATH], fs::basename),
    open("bcrypt", &[STR], number("cost"), crypto::bcrypt),
    fixed("ceil", &[NUM], numeric::ceil),
    fixed("chomp", &[STR], text::chomp),
    fixed(
        "chunklist",
        &[list("list"), number("size")],
        collection::chunklist,
    ),
    fixed("cidrhost", &[PREFIX, number("hostnum")], cidr::cidrhost),
    fixed("cidrnetmask", &[PREFIX], cidr::cidrnetmask),
    fixed(
        "cidrsubnet",
        &[PREFIX, number("newbits"), number("netnum")],
        cidr::cidrsubnet,
    ),
    open(
        "cidrsubnets",
        &[PREFIX],
        number("newbits"),
        cidr::cidrsubnets,
    ),
    open("coalesce", &[], null("vals"), collection::coalesce),
    open("coalescelist", &[], null("vals"), collection::coalescelist),
    fixed("compact", &[items("list")], collection::compact),
    open("concat", &[], items("seqs"), collection::concat),
    fixed(
        "contains",
        &[items("list"), null("value")],
        collection::contains,
    ),
    fixed("csvdecode", &[STR], encoding::csvdecode),
    fixed("dirname", &[PATH], fs::dirname),
    fixed("distinct", &[list("list")], collection::distinct),
    fixed(
        "element",
        &[items("list"), number("index")],
        collection::element,
    ),
    fixed("file", &[PATH], fs::file),
    fixed("filebase64", &[PATH], fs::filebase64),
    fixed("fileexists", &[PATH], fs::fileexists),
    fixed("fileset", &[PATH, text("pattern")], fs::fileset),
    fixed("flatten", &[items("list")], collection::flatten),
    fixed("floor", &[NUM], numeric::floor),
    open("format", &[text("format")], null("args"), printf::format),
    fixed(
        "formatdate",
        &[text("format"), text("time")],
        time::formatdate,
    ),
    open(
        "formatlist",
        &[text("format")],
        null("args"),
        printf::formatlist,
    ),
    fixed("indent", &[number("spaces"), STR], text::indent),
    fixed("index", &[any("collection"), any("key")], collection::index),
    open("join", &[text("separator")], items("lists"), text::join),
    fixed("jsondecode", &[STR], json::jsondecode),
    fixed("jsonencode", &[null("val")], json::jsonencode),
    fixed("keys", &[any("inputMap")], collection::keys),
    fixed("length", &[any("collection")], collection::length),
    fixed("log", &[NUM, number("base")], numeric::log),
    fixed(
        "lookup",
        &[any("inputMap"), text("key"), null("default")],
        collection::lookup,
    ),
    fixed("lower", &[STR], text::lower),
    open("max", &[], number("numbers"), numeric::max),
    fixed("md5", &[STR], crypto::md5),
    open("merge", &[], null("maps"), collection::merge),
    open("min", &[], number("numbers"), numeric::min),
    fixed(
        "parseint",
        &[any("number"), number("base")],
        numeric::parseint,
    ),
    fixed("pathexpand", &[PATH], fs::pathexpand),
    fixed("pow", &[NUM, number("power")], numeric::pow),
    open("range", &[], number("params"), collection::range),
    fixed(
        "regex_replace",
        &[STR, text("pattern"), text("replace")],
        text::regex_replace,
    ),
    fixed(
        "replace",
        &[STR, text("substr"), text("replace")],
        text::replace,
    ),
    fixed("reverse", &[STR], text::strrev),
    fixed(
        "rsadecrypt",
        &[text("ciphertext"), text("privatekey")],
        rsa::rsadecrypt,
    ),
    open("setintersection", &[], items("sets"), set::intersection),
    open("setproduct", &[], items("sets"), set::product),
    open("setunion", &[], items("sets"), set::union),
    fixed("sha1", &[STR], crypto::sha1),
    fixed("sha256", &[STR], crypto::sha256),
    fixed("sha512", &[STR], crypto::sha512),
    fixed("signum", &[NUM], numeric::signum),
    fixed(
        "slice",
        &[items("list"), number("start_index"), number("end_index")],
        collection::slice,
    ),
    fixed("sort", &[items("list")], collection::sort),
    fixed("split", &[text("separator"), STR], text::split),
    fixed("strlen", &[STR], text::strlen),
    fixed("strrev", &[STR], text::strrev),
    fixed(
        "substr",
        &[STR, number("offset"), number("length")],
        text::substr,
    ),
    fixed(
        "timeadd",
        &[text("timestamp"), text("duration")],
        time::timeadd,
    ),
    fixed("title", &[STR], text::title),
    fixed("trim", &[STR, text("cutset")], text::trim),
    fixed("trimprefix", &[STR, PREFIX], text::trimprefix),
    fixed("trimspace", &[STR], text::trimspace),
    fixed("trimsuffix", &[STR, text("suffix")], text::trimsuffix),
    fixed("upper", &[STR], text::upper),
    fixed("urlencode", &[STR], encoding::urlencode),
    fixed("uuidv4", &[], crypto::uuidv4),
    fixed("uuidv5", &[text("namespace"), text("name")], crypto::uuidv5),
    fixed("values", &[any("mapping")], collection::values),
    fixed("yamldecode", &[text("src")], yaml::yamldecode),
    fixed("yamlencode", &[null("value")], yaml_write::yamlencode),
    fixed(
        "zipmap",
        &[items("keys"), items("values")],
        collection::zipmap,
    ),
];
