//! A YAML document as a tree that knows where each of its parts was written.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use crate::diagnostic::{Place, Problem, lines, place_in};

/// Bytes of one input. A job file is a few KiB; what is larger is not one.
const MAX_BYTES: usize = 8 << 20;
/// Nodes of one input, aliases expanded, so that a few lines cannot ask for gigabytes.
const MAX_NODES: usize = 250_000;
/// Documents of one input.
const MAX_DOCUMENTS: usize = 1000;
/// Nesting of one document. The deepest of the API's own types stay below 30.
const MAX_DEPTH: usize = 64;

/// A value and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub place: Place,
    pub value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A scalar as it was written: what it means depends on who reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    pub text: String,
    /// Neither quoted nor a block: `5` may be a number, `"5"` is text.
    pub plain: bool,
}

/// One key of a mapping with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: String,
    pub place: Place,
    pub node: Node,
}

impl Node {
    /// The value under `key`, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// What was found, for a message: "a list", "the text `abc`".
    pub fn found(&self) -> String {
        match &self.value {
            Value::Null => "nothing".into(),
            Value::Scalar(Scalar { text, .. }) if text.len() > 60 => "a long text".into(),
            Value::Scalar(Scalar { text, plain: true }) => format!("`{text}`"),
            Value::Scalar(Scalar { text, .. }) => format!("the text {text:?}"),
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a mapping".into(),
        }
    }

    /// The same value as JSON, plain scalars resolved by YAML's core schema.
    pub fn json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Scalar(scalar) => scalar.json(),
            Value::List(nodes) => nodes.iter().map(Node::json).collect(),
            Value::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), entry.node.json())).collect(),
        }
    }

    /// The place of `path` (`spec.driver.env[2].name`), or of the last part of it that exists.
    /// Keys may themselves hold dots, as Spark's settings do.
    pub fn place_of(&self, path: &str) -> Place {
        self.follow(path, self.place)
    }

    fn follow(&self, path: &str, here: Place) -> Place {
        let path = path.trim_start_matches('.');
        if let Some((index, rest)) = path.strip_prefix('[').and_then(|path| path.split_once(']'))
            && let Value::List(nodes) = &self.value
            && let Some(node) = index.parse::<usize>().ok().and_then(|index| nodes.get(index))
        {
            return node.follow(rest, node.place);
        }
        self.entries()
            .iter()
            .filter_map(|entry| Some((entry, path.strip_prefix(entry.key.as_str())?)))
            .filter(|(_, rest)| rest.is_empty() || rest.starts_with(['.', '[']))
            .max_by_key(|(entry, _)| entry.key.len())
            .map_or(here, |(entry, rest)| entry.node.follow(rest, entry.place))
    }
}

impl Scalar {
    /// A plain scalar's boolean, by YAML's core schema: `yes` and `on` are text.
    pub fn boolean(&self) -> Option<bool> {
        match self.text.as_str() {
            "true" | "True" | "TRUE" if self.plain => Some(true),
            "false" | "False" | "FALSE" if self.plain => Some(false),
            _ => None,
        }
    }

    fn json(&self) -> serde_json::Value {
        if let Some(boolean) = self.boolean() {
            return boolean.into();
        }
        if !self.plain {
            return self.text.clone().into();
        }
        let number = self.text.strip_prefix('+').unwrap_or(&self.text);
        if let Ok(integer) = number.parse::<i64>() {
            return integer.into();
        }
        let decimal = number.contains(['.', 'e', 'E'])
            && number.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.');
        match number.parse::<f64>() {
            Ok(float) if decimal && float.is_finite() => float.into(),
            _ => self.text.clone().into(),
        }
    }
}

/// The documents of `source`, empty ones left out.
///
/// # Errors
/// What is not YAML, with its place; and what is too large, too deep or too often repeated.
/// Duplicate keys are told in `problems`, so that the rest of the file is still looked at.
pub fn documents(source: &str, problems: &mut Vec<Problem>) -> Result<Vec<Node>, Problem> {
    if source.len() > MAX_BYTES {
        return Err(Problem::error(format!(
            "the input has {} MiB; a job file has at most {} MiB",
            source.len() >> 20,
            MAX_BYTES >> 20
        )));
    }
    if let Some(at) = source.find('\0') {
        return Err(Problem::error("a NUL character: this is not a text file").at(place_in(source, at)));
    }
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let mut builder = Builder { events: Parser::new_from_str(source), nodes: 0, anchors: Vec::new(), problems };
    builder
        .documents()
        .map_err(|problem| Problem { place: problem.place.map(|place| within(source, place)), ..problem })
}

/// The place, or the end of the line where it is behind that: the parser looks further than it says.
fn within(source: &str, place: Place) -> Place {
    match lines(source).nth(place.line.saturating_sub(1)) {
        Some(line) => Place { column: place.column.min(line.chars().count() + 1), ..place },
        None => place_in(source, source.len()),
    }
}

struct Builder<'a, 'p> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    nodes: usize,
    /// Anchored nodes and their sizes, by saphyr's number of the anchor.
    anchors: Vec<Option<(Node, usize)>>,
    problems: &'p mut Vec<Problem>,
}

impl<'a> Builder<'a, '_> {
    fn documents(&mut self) -> Result<Vec<Node>, Problem> {
        let mut documents = Vec::new();
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(documents),
                (Event::DocumentStart(_), _) => {
                    let first = self.next()?;
                    let node = self.node(first, 0)?;
                    if documents.len() == MAX_DOCUMENTS {
                        return Err(Problem::error(format!("more than {MAX_DOCUMENTS} documents")).at(node.place));
                    }
                    if !node.is_null() {
                        documents.push(node);
                    }
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Problem> {
        match self.events.next_event() {
            Some(event) => event.map_err(syntax_error),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, (event, span): (Event<'a>, Span), depth: usize) -> Result<Node, Problem> {
        let place = place_of(&span);
        self.count(1, place)?;
        if depth > MAX_DEPTH {
            return Err(Problem::error(format!("nested more than {MAX_DEPTH} levels deep")).at(place));
        }
        let before = self.nodes;
        let (anchor, value) = match event {
            Event::Alias(anchor) => return self.alias(anchor, place),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.as_ref().is_none_or(|tag| tag.suffix != "str");
                let null = plain && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL");
                let scalar = Scalar { text: text.into_owned(), plain };
                (anchor, if null { Value::Null } else { Value::Scalar(scalar) })
            }
            Event::SequenceStart(anchor, _) => (anchor, Value::List(self.list(depth)?)),
            Event::MappingStart(anchor, _) => (anchor, Value::Map(self.map(depth)?)),
            _ => return Ok(Node { place, value: Value::Null }),
        };
        let node = Node { place, value };
        if anchor > 0 {
            let size = self.nodes - before + 1;
            self.anchors.resize(self.anchors.len().max(anchor + 1), None);
            self.anchors[anchor] = Some((node.clone(), size));
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<Node, Problem> {
        let Some((node, size)) = self.anchors.get(anchor).and_then(Clone::clone) else {
            return Err(Problem::error("an alias inside of what it stands for").at(place));
        };
        self.count(size, place)?;
        Ok(Node { place, value: node.value })
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Problem> {
        let mut nodes = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd | Event::StreamEnd, _) => return Ok(nodes),
                event => nodes.push(self.node(event, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry>, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged: Vec<Entry> = Vec::new();
        // A mapping of thousands of keys must not cost a comparison of each with each.
        let mut seen = std::collections::HashMap::<String, Place>::new();
        loop {
            let event = self.next()?;
            if matches!(event.0, Event::MappingEnd | Event::StreamEnd) {
                break;
            }
            let key = self.node(event, depth + 1)?;
            let value = self.next()?;
            let node = self.node(value, depth + 1)?;
            let text = match &key.value {
                Value::Scalar(scalar) => scalar.text.clone(),
                Value::Null => "null".into(),
                _ => return Err(Problem::error("a key must be a word, not a list or a mapping").at(key.place)),
            };
            let plain = matches!(&key.value, Value::Scalar(scalar) if scalar.plain);
            if text == "<<" && plain {
                merged.extend(merge_source(node)?);
                continue;
            }
            if let Some(first) = seen.get(&text) {
                self.problems.push(
                    Problem::error(format!(
                        "`{text}` is given twice in the same mapping, first on line {}",
                        first.line
                    ))
                    .at(key.place)
                    .help("remove one of the two: which of them was meant cannot be known"),
                );
                continue;
            }
            seen.insert(text.clone(), key.place);
            entries.push(Entry { key: text, place: key.place, node });
        }
        for entry in merged {
            if seen.insert(entry.key.clone(), entry.place).is_none() {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    fn count(&mut self, more: usize, place: Place) -> Result<(), Problem> {
        self.nodes += more;
        if self.nodes > MAX_NODES {
            return Err(Problem::error(format!(
                "more than {MAX_NODES} values, aliases counted as often as they are used"
            ))
            .at(place));
        }
        Ok(())
    }
}

/// What `<<` brings in: the keys of a mapping, or of several of which the first wins.
fn merge_source(node: Node) -> Result<Vec<Entry>, Problem> {
    match node.value {
        Value::Map(entries) => Ok(entries),
        Value::List(nodes) => Ok(nodes.into_iter().map(merge_source).collect::<Result<Vec<_>, _>>()?.concat()),
        _ => Err(Problem::error("`<<` merges a mapping or a list of mappings").at(node.place)),
    }
}

fn place_of(span: &Span) -> Place {
    Place { line: span.start.line(), column: span.start.col() + 1 }
}

fn syntax_error(error: ScanError) -> Problem {
    let marker = error.marker();
    if error.info().contains("recursion") {
        let place = Place { line: marker.line(), column: marker.col() + 1 };
        return Problem::error(format!("nested more than {MAX_DEPTH} levels deep")).at(place);
    }
    Problem::error(format!("this is not YAML: {}", error.info()))
        .at(Place { line: marker.line(), column: marker.col() + 1 })
        .help(if error.info().contains('\t') || error.info().contains("tab") {
            "YAML is indented with blanks, not with tabs"
        } else {
            "look at the indentation, quotes and brackets on this line and the one before"
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(source: &str) -> Node {
        let mut problems = Vec::new();
        let mut documents = documents(source, &mut problems).unwrap();
        assert_eq!(problems, []);
        assert_eq!(documents.len(), 1);
        documents.remove(0)
    }

    #[test]
    fn knows_where_things_were_written() {
        let node = one("spec:\n  sparkConf:\n    spark.ui.port: 1\n  env:\n  - name: a\n  - name: b\n");
        assert_eq!(node.place_of("spec.sparkConf.spark.ui.port"), Place { line: 3, column: 5 });
        assert_eq!(node.place_of("spec.env[1].name"), Place { line: 6, column: 5 });
        assert_eq!(node.place_of("spec.driver.cores"), Place { line: 1, column: 1 });
    }

    #[test]
    fn keeps_scalars_as_written_until_they_are_read() {
        let node = one("{a: 3.0.0, b: 3.10, c: '5', d: 5, e: yes, f: true, g: 0755, h: 1e3, i: .inf, j: ~}");
        let json = serde_json::json!({"a": "3.0.0", "b": 3.1, "c": "5", "d": 5, "e": "yes", "f": true, "g": 755, "h": 1000.0, "i": ".inf", "j": null});
        assert_eq!(node.json(), json);
        assert_eq!(node.get("b").and_then(Node::text), Some("3.10"));
    }

    #[test]
    fn merges_and_aliases() {
        let node = one("base: &b {x: 1, y: 2}\nmine: {<<: *b, y: 3}\nlist: [*b]");
        assert_eq!(
            node.json(),
            serde_json::json!({"base": {"x": 1, "y": 2}, "mine": {"y": 3, "x": 1}, "list": [{"x": 1, "y": 2}]})
        );
    }

    #[test]
    fn tells_duplicate_keys_and_goes_on() {
        let mut problems = Vec::new();
        let nodes = documents("a: 1\nb: 2\na: 3\n", &mut problems).unwrap();
        assert_eq!(nodes[0].json(), serde_json::json!({"a": 1, "b": 2}));
        assert_eq!(problems[0].place, Some(Place { line: 3, column: 1 }));
    }

    #[test]
    fn refuses_bombs_quickly() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..20 {
            let inner = vec![format!("*a{}", level - 1); 9].join(", ");
            bomb += &format!("a{level}: &a{level} [{inner}]\n");
        }
        let deep = "[".repeat(100_000);
        let unended = documents("a: b\nc", &mut Vec::new()).unwrap_err();
        assert_eq!(unended.place, Some(Place { line: 2, column: 2 }));
        assert_eq!(place_in("a: b\r\nc\rd", 8), Place { line: 3, column: 1 });
        assert_eq!(lines("a: b\r\nc\rd\n").collect::<Vec<_>>(), ["a: b", "c", "d", ""]);
        for (input, words) in [
            (bomb.as_str(), "aliases"),
            (deep.as_str(), "deep"),
            ("a: \0", "NUL"),
            ("a: [1", "YAML"),
            ("a: *b", "YAML"),
        ] {
            let problem = documents(input, &mut Vec::new()).unwrap_err();
            assert!(problem.message.contains(words), "{problem:?}");
        }
    }

    #[test]
    fn takes_several_documents_and_skips_empty_ones() {
        let nodes = documents("---\n# nothing\n---\na: 1\n---\nb: 2\n...\n", &mut Vec::new()).unwrap();
        assert_eq!(nodes.len(), 2);
    }
}
