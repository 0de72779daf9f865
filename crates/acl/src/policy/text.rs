//! The text of policies: HCL of the first version, or JSON, read into plain blocks. It must never know what the
//! blocks mean.
//!
//! The first version of the language differs from the second: blocks may share a line, commas between members are
//! optional, and nothing is evaluated.

use std::fmt;

/// The members of a block, in the order written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Body(pub(super) Vec<Member>);

/// `key "label" { … }` or `key = value`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    pub(super) keys: Vec<String>,
    pub(super) value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    /// A number or a boolean, as written: no rule has one.
    Other(String),
    List(Vec<Value>),
    Block(Body),
}

/// What is wrong with the text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TextError {
    line: usize,
    column: usize,
    what: String,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "At {}:{}: {}", self.line, self.column, self.what)
    }
}

/// How deep blocks may nest; rules need four levels.
const DEPTH: usize = 32;

/// Reads a policy's text.
pub(super) fn read(text: &str) -> Result<Body, TextError> {
    if text.trim_start().starts_with('{') {
        return json(text);
    }
    let mut reader = Reader {
        text,
        at: 0,
        line: 1,
        line_start: 0,
    };
    let body = reader.members(0)?;
    match reader.token()? {
        Token::End => Ok(body),
        other => Err(reader.error(format!("object expected, got: {}", other.name()))),
    }
}

fn json(text: &str) -> Result<Body, TextError> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| TextError {
        line: error.line(),
        column: error.column(),
        what: error.to_string(),
    })?;
    match from_json(value) {
        Value::Block(body) => Ok(body),
        _ => Err(TextError {
            line: 1,
            column: 1,
            what: "object expected".to_owned(),
        }),
    }
}

fn from_json(value: serde_json::Value) -> Value {
    match value {
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(from_json).collect()),
        serde_json::Value::Object(members) => Value::Block(Body(
            members
                .into_iter()
                .map(|(key, value)| Member {
                    keys: vec![key],
                    value: from_json(value),
                })
                .collect(),
        )),
        other => Value::Other(other.to_string()),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Other(String),
    Mark(char),
    End,
}

impl Token {
    /// The name that the language's own tools use in messages.
    fn name(&self) -> &str {
        match self {
            Self::Word(_) => "IDENT",
            Self::Text(_) => "STRING",
            Self::Other(_) => "NUMBER",
            Self::Mark('{') => "LBRACE",
            Self::Mark('}') => "RBRACE",
            Self::Mark('[') => "LBRACK",
            Self::Mark(']') => "RBRACK",
            Self::Mark(',') => "COMMA",
            Self::Mark('=') => "ASSIGN",
            Self::Mark(_) => "ILLEGAL",
            Self::End => "EOF",
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    line_start: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// The place just read. The end of the text counts as a character, as it does for the language's own tools.
    fn error(&self, what: String) -> TextError {
        let read = self.text[self.line_start..self.at].chars().count();
        let end = usize::from(self.rest().is_empty());
        TextError {
            line: self.line,
            column: read + 1 + end,
            what,
        }
    }

    fn skip(&mut self, bytes: usize) {
        for (offset, byte) in self.text.as_bytes()[self.at..self.at + bytes]
            .iter()
            .enumerate()
        {
            if *byte == b'\n' {
                self.line += 1;
                self.line_start = self.at + offset + 1;
            }
        }
        self.at += bytes;
    }

    fn skip_space_and_comments(&mut self) -> Result<(), TextError> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            if blank > 0 {
                self.skip(blank);
            } else if rest.starts_with('#') || rest.starts_with("//") {
                let length = rest.find('\n').unwrap_or(rest.len());
                self.skip(length);
            } else if rest.starts_with("/*") {
                let Some(end) = rest.find("*/") else {
                    return Err(self.error("comment not terminated".to_owned()));
                };
                self.skip(end + 2);
            } else {
                return Ok(());
            }
        }
    }

    fn token(&mut self) -> Result<Token, TextError> {
        self.skip_space_and_comments()?;
        let Some(first) = self.rest().chars().next() else {
            return Ok(Token::End);
        };
        if "{}[],=".contains(first) {
            self.skip(1);
            return Ok(Token::Mark(first));
        }
        if first == '"' {
            return self.quoted().map(Token::Text);
        }
        if self.rest().starts_with("<<") {
            return self.heredoc().map(Token::Text);
        }
        let word = |c: char| c.is_alphanumeric() || "_-.+".contains(c);
        let length = self.rest().find(|c| !word(c)).unwrap_or(self.rest().len());
        if length == 0 {
            return Err(self.error("illegal character".to_owned()));
        }
        let text = self.rest()[..length].to_owned();
        self.skip(length);
        let number = text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+');
        Ok(if number || text == "true" || text == "false" {
            Token::Other(text)
        } else {
            Token::Word(text)
        })
    }

    fn quoted(&mut self) -> Result<String, TextError> {
        let mut text = String::new();
        let mut escaped = false;
        for (offset, c) in self.rest().char_indices().skip(1) {
            match (escaped, c) {
                (false, '"') => {
                    self.skip(offset + 1);
                    return Ok(text);
                }
                (false, '\\') => escaped = true,
                (false, '\n') => break,
                (false, c) => text.push(c),
                (true, c) => {
                    escaped = false;
                    text.push(match c {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        c => c,
                    });
                }
            }
        }
        Err(self.error("literal not terminated".to_owned()))
    }

    fn heredoc(&mut self) -> Result<String, TextError> {
        let unended = |reader: &Self| reader.error("heredoc not terminated".to_owned());
        let rest = self.rest();
        let head_end = rest.find('\n').ok_or_else(|| unended(self))?;
        let mark = rest[2..head_end].trim().trim_start_matches('-').to_owned();
        let mut length = head_end + 1;
        let mut text = String::new();
        for line in rest[head_end + 1..].split_inclusive('\n') {
            length += line.len();
            if line.trim() == mark {
                self.skip(length);
                return Ok(text);
            }
            text.push_str(line);
        }
        Err(unended(self))
    }

    /// Members until the block or the text ends; what ends them is left unread.
    fn members(&mut self, depth: usize) -> Result<Body, TextError> {
        let mut members = Vec::new();
        loop {
            let mut keys = Vec::new();
            let value = loop {
                let (at, line, line_start) = (self.at, self.line, self.line_start);
                match self.token()? {
                    Token::Word(key) | Token::Text(key) => keys.push(key),
                    Token::Mark(',') if keys.is_empty() => {}
                    Token::Mark('=') if !keys.is_empty() => break Some(self.value(depth)?),
                    Token::Mark('{') if !keys.is_empty() => {
                        break Some(Value::Block(self.block(depth)?));
                    }
                    Token::End | Token::Mark('}') if keys.is_empty() => {
                        (self.at, self.line, self.line_start) = (at, line, line_start);
                        break None;
                    }
                    Token::End => {
                        let keys: Vec<String> = keys.iter().map(|key| format!("{key:?}")).collect();
                        return Err(self.error(format!(
                            "end of file reached after the key {}",
                            keys.join(" ")
                        )));
                    }
                    other => {
                        return Err(
                            self.error(format!("expected an object key, got: {}", other.name()))
                        );
                    }
                }
            };
            match value {
                Some(value) => members.push(Member { keys, value }),
                None => return Ok(Body(members)),
            }
        }
    }

    fn block(&mut self, depth: usize) -> Result<Body, TextError> {
        if depth >= DEPTH {
            return Err(self.error("blocks are nested too deeply".to_owned()));
        }
        let body = self.members(depth + 1)?;
        match self.token()? {
            Token::Mark('}') => Ok(body),
            other => Err(self.error(format!(
                "object expected closing RBRACE got: {}",
                other.name()
            ))),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, TextError> {
        if depth >= DEPTH {
            return Err(self.error("lists are nested too deeply".to_owned()));
        }
        match self.token()? {
            Token::Text(text) => Ok(Value::Text(text)),
            Token::Other(text) => Ok(Value::Other(text)),
            Token::Mark('{') => self.block(depth).map(Value::Block),
            Token::Mark('[') => self.list(depth + 1).map(Value::List),
            other => Err(self.error(format!("Unknown token: {}", other.name()))),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Value>, TextError> {
        let mut items = Vec::new();
        loop {
            let (at, line, line_start) = (self.at, self.line, self.line_start);
            match self.token()? {
                Token::Mark(']') => return Ok(items),
                Token::Mark(',') => {}
                Token::End => return Err(self.error("list not terminated".to_owned())),
                _ => {
                    (self.at, self.line, self.line_start) = (at, line, line_start);
                    items.push(self.value(depth)?);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_may_share_a_line_and_members_may_have_commas() {
        let body = read("node { policy = \"read\" } agent { policy = \"write\", }\n# end")
            .expect("a policy");
        let keys: Vec<_> = body.0.iter().map(|member| member.keys.join(" ")).collect();
        assert_eq!(keys, ["node", "agent"]);
    }

    #[test]
    fn both_forms_say_the_same() {
        let hcl = read("namespace = { default = { policy = \"read\" } }").expect("HCL");
        let json = read("{\"namespace\": {\"default\": {\"policy\": \"read\"}}}").expect("JSON");
        assert_eq!(hcl, json);
    }

    #[test]
    fn faults_are_placed() {
        let cases = [
            (
                "namespace {",
                "At 1:13: object expected closing RBRACE got: EOF",
            ),
            ("node { policy = \"re", "At 1:17: literal not terminated"),
            ("node { policy = read }", "At 1:21: Unknown token: IDENT"),
            ("\n}", "At 2:3: object expected, got: RBRACE"),
            ("node", "At 1:6: end of file reached after the key \"node\""),
            ("/* open", "At 1:1: comment not terminated"),
        ];
        for (text, told) in cases {
            assert_eq!(read(text).expect_err(text).to_string(), told, "{text}");
        }
        assert!(read(&"a {".repeat(100_000)).is_err());
        assert!(read(&format!("a = {}", "[".repeat(100_000))).is_err());
    }
}
