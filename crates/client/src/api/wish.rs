//! What a request for a stream of a file or log asks for, read as Go reads it.

use caravan_http::{ApiError, ApiRequest};

/// A number as Go reads it, errors included.
pub(super) fn parse_int(text: &str) -> Result<i64, String> {
    text.parse()
        .map_err(|_| format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
}

/// A truth as Go reads it, errors included.
fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!(
            "strconv.ParseBool: parsing {text:?}: invalid syntax"
        )),
    }
}

/// What streams have in common.
pub(super) struct Wish {
    pub(super) follow: bool,
    pub(super) offset: u64,
    pub(super) from_end: bool,
    pub(super) plain: bool,
}

impl Wish {
    pub(super) fn parse(request: &ApiRequest, follows: bool) -> Result<Self, ApiError> {
        let query = &request.query;
        let given = |name: &str| query.get(name).filter(|value| !value.is_empty());
        let truth = |name: &str, otherwise: bool| match given(name) {
            None => Ok(otherwise),
            Some(text) => parse_bool(text).map_err(|error| {
                ApiError::bad_request(format!("failed to parse {name} field to boolean: {error}"))
            }),
        };
        let follow = truth("follow", follows)?;
        let plain = truth("plain", false)?;
        let offset = match given("offset") {
            None => 0,
            Some(text) => parse_int(text)
                .map_err(|error| ApiError::bad_request(format!("error parsing offset: {error}")))?,
        };
        let from_end = match given("origin") {
            None | Some("start") => false,
            Some("end") => true,
            Some(_) => return Err(ApiError::bad_request("origin must be start or end")),
        };
        Ok(Self {
            follow,
            offset: u64::try_from(offset).unwrap_or(0),
            from_end,
            plain,
        })
    }
}
