//! Tokens to entries, for HCL1 and for JSON.

use super::lexer::{Lexer, Token, fail};
use super::{Entry, Node, Pos, SyntaxError, Value};

/// Deep enough for any real file; a bound, so that no file can exhaust the stack.
const MAX_DEPTH: usize = 64;

type Parsed<T> = Result<T, SyntaxError>;

/// Parses a file of HCL1: a sequence of entries.
pub fn parse_hcl(text: &str) -> Parsed<Vec<Entry>> {
    let mut parser = Parser::new(text)?;
    parser.entries(&Token::End)
}

/// Parses a file of JSON: one object.
pub fn parse_json(text: &str) -> Parsed<Vec<Entry>> {
    let mut parser = Parser::new(text)?;
    let node = parser.json_value()?;
    if parser.token != Token::End {
        return fail(
            parser.pos,
            format!(
                "expected the end of the file, found {}",
                parser.token.describe()
            ),
        );
    }
    match node.value {
        Value::Object(entries) => Ok(entries),
        other => fail(
            node.pos,
            format!("expected an object, found {}", other.describe()),
        ),
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    pos: Pos,
    token: Token,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Parsed<Self> {
        let mut lexer = Lexer::new(text);
        let (pos, token) = lexer.next()?;
        Ok(Self {
            lexer,
            pos,
            token,
            depth: 0,
        })
    }

    fn advance(&mut self) -> Parsed<Token> {
        let (pos, token) = self.lexer.next()?;
        self.pos = pos;
        Ok(std::mem::replace(&mut self.token, token))
    }

    fn descend(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return fail(self.pos, format!("nested deeper than {MAX_DEPTH} levels"));
        }
        Ok(())
    }

    /// Entries up to `end`, which is consumed. A comma may follow an entry.
    fn entries(&mut self, end: &Token) -> Parsed<Vec<Entry>> {
        self.descend()?;
        let start = self.pos;
        let mut entries = Vec::new();
        loop {
            if self.token == *end {
                if *end != Token::End {
                    self.advance()?;
                }
                self.depth -= 1;
                return Ok(entries);
            }
            if self.token == Token::End {
                return fail(start, "this block is never closed with `}`");
            }
            entries.push(self.entry()?);
            if self.token == Token::Comma {
                self.advance()?;
            }
        }
    }

    fn entry(&mut self) -> Parsed<Entry> {
        let pos = self.pos;
        let key = match self.advance()? {
            Token::Ident(name) | Token::Text(name) => name,
            other => {
                return fail(
                    pos,
                    format!("expected the name of an option, found {}", other.describe()),
                );
            }
        };
        let mut labels = Vec::new();
        loop {
            match &self.token {
                Token::Equals if labels.is_empty() => {
                    self.advance()?;
                    return Ok(Entry {
                        node: self.value(&key)?,
                        key,
                        pos,
                        labels,
                    });
                }
                Token::OpenBrace => {
                    let at = self.pos;
                    self.advance()?;
                    let value = Value::Object(self.entries(&Token::CloseBrace)?);
                    return Ok(Entry {
                        key,
                        pos,
                        labels,
                        node: Node { pos: at, value },
                    });
                }
                Token::Ident(_) | Token::Text(_) => {
                    let (Token::Ident(label) | Token::Text(label)) = self.advance()? else {
                        return fail(pos, "a label was expected");
                    };
                    labels.push(label);
                }
                other => {
                    return fail(
                        self.pos,
                        format!(
                            "expected `=` or `{{` after {key:?}, found {}",
                            other.describe()
                        ),
                    );
                }
            }
        }
    }

    fn value(&mut self, key: &str) -> Parsed<Node> {
        let pos = self.pos;
        let value = match self.advance()? {
            Token::Text(text) => Value::Text(text),
            Token::Number(text) => number(pos, text)?,
            Token::Ident(word) if word == "true" || word == "false" => Value::Bool(word == "true"),
            Token::OpenBrace => Value::Object(self.entries(&Token::CloseBrace)?),
            Token::OpenBracket => Value::List(self.list(key)?),
            Token::Ident(word) => {
                return fail(pos, format!("text must be quoted: {key} = {word:?}"));
            }
            other => {
                return fail(
                    pos,
                    format!("expected a value for {key:?}, found {}", other.describe()),
                );
            }
        };
        Ok(Node { pos, value })
    }

    fn list(&mut self, key: &str) -> Parsed<Vec<Node>> {
        self.descend()?;
        let mut items = Vec::new();
        loop {
            if self.token == Token::CloseBracket {
                self.advance()?;
                self.depth -= 1;
                return Ok(items);
            }
            items.push(self.value(key)?);
            match self.token {
                Token::Comma => drop(self.advance()?),
                Token::CloseBracket => {}
                _ => {
                    return fail(
                        self.pos,
                        format!("expected `,` or `]`, found {}", self.token.describe()),
                    );
                }
            }
        }
    }

    fn json_value(&mut self) -> Parsed<Node> {
        let pos = self.pos;
        let value = match self.advance()? {
            Token::Text(text) => Value::Text(text),
            Token::Number(text) => number(pos, text)?,
            Token::Ident(word) if word == "true" || word == "false" => Value::Bool(word == "true"),
            Token::Ident(word) if word == "null" => Value::Null,
            Token::OpenBrace => Value::Object(self.json_object()?),
            Token::OpenBracket => Value::List(self.json_list()?),
            other => {
                return fail(
                    pos,
                    format!("expected a JSON value, found {}", other.describe()),
                );
            }
        };
        Ok(Node { pos, value })
    }

    fn json_object(&mut self) -> Parsed<Vec<Entry>> {
        self.descend()?;
        let mut entries = Vec::new();
        while self.token != Token::CloseBrace {
            let pos = self.pos;
            let Token::Text(key) = self.advance()? else {
                return fail(pos, "expected a name in double quotes");
            };
            if self.advance()? != Token::Colon {
                return fail(self.pos, format!("expected `:` after {key:?}"));
            }
            entries.push(Entry {
                key,
                pos,
                labels: Vec::new(),
                node: self.json_value()?,
            });
            self.json_comma(&Token::CloseBrace)?;
        }
        self.advance()?;
        self.depth -= 1;
        Ok(entries)
    }

    fn json_list(&mut self) -> Parsed<Vec<Node>> {
        self.descend()?;
        let mut items = Vec::new();
        while self.token != Token::CloseBracket {
            items.push(self.json_value()?);
            self.json_comma(&Token::CloseBracket)?;
        }
        self.advance()?;
        self.depth -= 1;
        Ok(items)
    }

    fn json_comma(&mut self, end: &Token) -> Parsed<()> {
        if self.token == Token::Comma {
            self.advance()?;
            if self.token == *end {
                return fail(self.pos, "JSON allows no comma before the end");
            }
            return Ok(());
        }
        if self.token == *end {
            return Ok(());
        }
        fail(
            self.pos,
            format!(
                "expected `,` or {}, found {}",
                end.describe(),
                self.token.describe()
            ),
        )
    }
}

fn number(pos: Pos, text: String) -> Parsed<Value> {
    let digits = text.trim_start_matches(['-', '+']);
    let hex = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"));
    let fine = match hex {
        Some(hex) => u64::from_str_radix(hex, 16).is_ok(),
        None => digits.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok(),
    };
    if fine {
        Ok(Value::Number(text))
    } else {
        fail(
            pos,
            format!("`{text}` is not a number; text must be quoted"),
        )
    }
}
