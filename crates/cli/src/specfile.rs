//! Small specification files: namespaces, pools, volumes, variables.
//!
//! Attributes and blocks of the configuration language with plain values: texts, numbers, truths, lists and maps.
//! Job files have functions and variables besides; those are read elsewhere.

use serde_json::{Map, Number, Value};

/// What stands between braces, or in the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    attributes: Map<String, Value>,
    pub(crate) blocks: Vec<Block>,
}

/// `kind "label" { … }`
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) kind: String,
    pub(crate) labels: Vec<String>,
    pub(crate) body: Body,
}

impl Body {
    /// An attribute; null when it is not there.
    pub(crate) fn value(&self, name: &str) -> Value {
        self.attributes.get(name).cloned().unwrap_or_default()
    }

    /// An attribute's text.
    pub(crate) fn text(&self, name: &str) -> String {
        self.value(name).as_str().unwrap_or_default().to_owned()
    }

    /// The first block of a kind.
    pub(crate) fn block(&self, kind: &str) -> Option<&Body> {
        self.blocks
            .iter()
            .find(|block| block.kind == kind)
            .map(|block| &block.body)
    }

    /// A map written as a block or as an attribute; null when it is not there.
    pub(crate) fn map(&self, name: &str) -> Value {
        match self.block(name) {
            Some(body) => Value::Object(body.attributes.clone()),
            None => self.value(name),
        }
    }
}

/// Reads a file.
pub(crate) fn parse(text: &str) -> Result<Body, String> {
    let mut reader = Reader { text, at: 0 };
    let body = reader.body()?;
    match reader.peek() {
        None => Ok(body),
        Some(_) => Err(reader.wrong("expected an attribute or a block")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn wrong(&self, what: &str) -> String {
        let line = self.text[..self.at].matches('\n').count() + 1;
        format!("line {line}: {what}")
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// The next character that says something.
    fn peek(&mut self) -> Option<char> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            let skipped = rest.len() - trimmed.len();
            let comment = match () {
                () if trimmed.starts_with('#') || trimmed.starts_with("//") => {
                    trimmed.find('\n').unwrap_or(trimmed.len())
                }
                () if trimmed.starts_with("/*") => {
                    trimmed.find("*/").map_or(trimmed.len(), |end| end + 2)
                }
                () => 0,
            };
            let first = trimmed.chars().next();
            self.at += skipped + comment;
            if comment == 0 {
                return first;
            }
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn body(&mut self) -> Result<Body, String> {
        let mut body = Body::default();
        loop {
            match self.peek() {
                None | Some('}') => return Ok(body),
                Some(_) => self.item(&mut body)?,
            }
        }
    }

    fn item(&mut self, body: &mut Body) -> Result<(), String> {
        let name = self.name()?;
        if self.take('=') {
            let value = self.value()?;
            body.attributes.insert(name, value);
            return Ok(());
        }
        let mut labels = Vec::new();
        while self.peek().is_some_and(|c| c != '{') {
            labels.push(self.name()?);
        }
        if !self.take('{') {
            return Err(self.wrong(&format!("expected \"=\" or \"{{\" after {name:?}")));
        }
        let inner = self.body()?;
        if !self.take('}') {
            return Err(self.wrong(&format!("block {name:?} has no closing brace")));
        }
        body.blocks.push(Block {
            kind: name,
            labels,
            body: inner,
        });
        Ok(())
    }

    fn name(&mut self) -> Result<String, String> {
        if self.peek() == Some('"') {
            return self.string();
        }
        let end = self
            .rest()
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')))
            .unwrap_or(self.rest().len());
        if end == 0 {
            return Err(self.wrong("expected a name"));
        }
        let name = self.rest()[..end].to_owned();
        self.at += end;
        Ok(name)
    }

    fn string(&mut self) -> Result<String, String> {
        let mut out = String::new();
        let mut chars = self.text[self.at + 1..].char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += at + 2;
                    return Ok(out);
                }
                '\\' => match chars.next().map(|(_, c)| c) {
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    Some('r') => out.push('\r'),
                    Some(other) => out.push(other),
                    None => break,
                },
                '\n' => break,
                c => out.push(c),
            }
        }
        Err(self.wrong("a text has no closing quote"))
    }

    fn heredoc(&mut self) -> Result<String, String> {
        let indented = self.rest().starts_with("<<-");
        let head_end = self
            .rest()
            .find('\n')
            .ok_or_else(|| self.wrong("a heredoc has no lines"))?;
        let marker = self.rest()[if indented { 3 } else { 2 }..head_end]
            .trim()
            .to_owned();
        self.at += head_end + 1;
        let mut lines: Vec<&str> = Vec::new();
        let start = self.at;
        let mut used = 0;
        for line in self.text[start..].split_inclusive('\n') {
            used += line.len();
            if line.trim() == marker {
                self.at = start + used;
                let margin = lines
                    .iter()
                    .filter(|line| !line.trim().is_empty())
                    .map(|line| line.len() - line.trim_start().len())
                    .min()
                    .filter(|_| indented)
                    .unwrap_or(0);
                return Ok(lines
                    .iter()
                    .map(|line| line.get(margin..).unwrap_or("\n"))
                    .collect());
            }
            lines.push(line);
        }
        Err(self.wrong(&format!("a heredoc has no closing {marker}")))
    }

    fn value(&mut self) -> Result<Value, String> {
        match self.peek() {
            Some('"') => self.string().map(Value::String),
            Some('[') => self.list(),
            Some('{') => self.object(),
            Some('<') if self.rest().starts_with("<<") => self.heredoc().map(Value::String),
            Some(_) => self.word(),
            None => Err(self.wrong("expected a value")),
        }
    }

    fn word(&mut self) -> Result<Value, String> {
        let end = self
            .rest()
            .find(|c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}' | '#'))
            .unwrap_or(self.rest().len());
        let word = self.rest()[..end].to_owned();
        let value = match word.as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            number => match (number.parse::<i64>(), number.parse::<f64>()) {
                (Ok(whole), _) => Value::from(whole),
                (_, Ok(real)) => Number::from_f64(real).map_or(Value::Null, Value::Number),
                _ => return Err(self.wrong(&format!("{word:?} is no value"))),
            },
        };
        self.at += end;
        Ok(value)
    }

    fn list(&mut self) -> Result<Value, String> {
        self.at += 1;
        let mut items = Vec::new();
        while !self.take(']') {
            items.push(self.value()?);
            if !self.take(',') && self.peek() != Some(']') {
                return Err(self.wrong("expected \",\" or \"]\" in a list"));
            }
        }
        Ok(Value::Array(items))
    }

    fn object(&mut self) -> Result<Value, String> {
        self.at += 1;
        let mut members = Map::new();
        while !self.take('}') {
            let name = self.name()?;
            if !self.take('=') && !self.take(':') {
                return Err(self.wrong("expected \"=\" in a map"));
            }
            members.insert(name, self.value()?);
            self.take(',');
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn attributes_blocks_and_comments_are_read() {
        let text = "# c\nname = \"a\\n\" // d\npool \"x\" { n = [1, 2.5, true,] /* e */ m = { k = \"v\", l: 1 } }\nh = <<-EOT\n  one\n   two\n  EOT\n";
        let body = parse(text).unwrap();
        assert_eq!(body.text("name"), "a\n");
        assert_eq!(body.text("h"), "one\n two\n");
        let pool = body.block("pool").unwrap();
        assert_eq!(pool.value("n"), json!([1, 2.5, true]));
        assert_eq!(pool.map("m"), json!({"k": "v", "l": 1}));
        assert_eq!(body.blocks[0].labels, ["x"]);
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        for text in ["\na = ", "\na {", "\n\"a", "\na = [1 2]", "\na = nope"] {
            assert!(parse(text).unwrap_err().starts_with("line 2"), "{text:?}");
        }
    }
}
