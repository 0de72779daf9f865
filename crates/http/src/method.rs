//! The methods that the API knows.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    Get,
    Put,
    Post,
    Delete,
    Head,
    Patch,
    Options,
    Other,
}

impl Method {
    /// The method of an HTTP request.
    pub fn of(method: &::http::Method) -> Self {
        match method.as_str() {
            "GET" => Self::Get,
            "PUT" => Self::Put,
            "POST" => Self::Post,
            "DELETE" => Self::Delete,
            "HEAD" => Self::Head,
            "PATCH" => Self::Patch,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }

    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
            Self::Patch => "PATCH",
            Self::Options => "OPTIONS",
            Self::Other => "OTHER",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Methods(u8);

impl Methods {
    pub const GET: Self = Self(Method::Get.bit());
    pub const PUT: Self = Self(Method::Put.bit());
    pub const POST: Self = Self(Method::Post.bit());
    pub const DELETE: Self = Self(Method::Delete.bit());
    /// PUT or POST, which are the same to almost every route.
    pub const WRITE: Self = Self(Method::Put.bit() | Method::Post.bit());
    /// Whatever method.
    pub const ANY: Self = Self(0xff);

    /// Both sets.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the set has `method`.
    pub const fn contains(self, method: Method) -> bool {
        self.0 & method.bit() != 0
    }

    /// Whether the sets share a method.
    pub const fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}
