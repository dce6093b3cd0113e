//! Reading a section of the job file: every field from where it was written, every mistake told.

use std::collections::BTreeMap;
use std::ops::Deref;

use super::yaml::{Node, Value};
use crate::diagnostic::{Problem, nearest};

/// A type that a field of the job file can have.
pub trait Read: Sized + Default {
    /// Whether leaving the field out is a mistake.
    const REQUIRED: bool = false;

    /// What is expected, for messages, `explain` and the schema.
    fn kind() -> Kind;

    /// The value at `node`. What is wrong goes to the reader, so that the rest is still read.
    fn read(node: &Node, reader: &mut Reader) -> Self;
}

/// What a field expects.
#[derive(Clone, Debug)]
pub enum Kind {
    Text,
    Boolean,
    /// A whole number, at least and at most.
    Integer(i64, i64),
    /// One of a few words.
    Word(&'static [&'static str]),
    /// Text of a certain form, in words: "an amount of memory as Spark writes it: 512m, 4g".
    Form(&'static str),
    List(Box<Kind>),
    Map(Box<Kind>),
    Section(fn() -> Vec<Field>),
    /// A type of the Kubernetes API, by its name there.
    Kubernetes(&'static str),
}

/// A field of a section, for `explain`, the schema and the table of fields.
#[derive(Clone, Debug)]
pub struct Field {
    pub key: String,
    pub doc: String,
    /// Where it goes: the setting of Spark or the part of the objects that it becomes.
    pub becomes: &'static str,
    pub required: bool,
    pub kind: Kind,
}

/// A mapping of the job file with known fields.
pub trait Section: Sized + Default {
    fn fields() -> Vec<Field>;

    /// Reads the fields from a mapping whose keys are checked by the caller.
    fn read_fields(node: &Node, reader: &mut Reader) -> Self;
}

/// Where the reader is, and what it found wrong.
#[derive(Debug, Default)]
pub struct Reader {
    path: String,
    pub problems: Vec<Problem>,
}

impl Reader {
    pub fn error(&mut self, node: &Node, message: impl Into<String>) {
        self.push(Problem::error(message).at(node.place));
    }

    /// Adds a problem of the field being read.
    pub fn push(&mut self, problem: Problem) {
        self.problems.push(problem.at_field(self.path.clone()));
    }

    fn expected(&mut self, node: &Node, kind: &Kind) {
        self.error(node, format!("expected {}, found {}", kind.words(), node.found()));
    }

    /// Reads something below the present path.
    fn below<T>(&mut self, part: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        if !self.path.is_empty() && !part.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(part);
        let value = read(self);
        self.path.truncate(length);
        value
    }

    /// The field `key` of a mapping: its default when it is left out or empty.
    pub fn field<T: Read>(&mut self, section: &Node, key: &str) -> T {
        match section.get(key).filter(|node| !node.is_null()) {
            Some(node) => self.below(key, |reader| T::read(node, reader)),
            None => {
                if T::REQUIRED {
                    let missing = Problem::error(format!("`{key}` is missing: expected {}", T::kind().words()));
                    self.push(missing.at(section.place));
                }
                T::default()
            }
        }
    }

    /// Tells keys that are not among `fields`.
    pub fn refuse_unknown(&mut self, node: &Node, fields: &[Field]) {
        let known: Vec<&str> = fields.iter().map(|field| field.key.as_str()).collect();
        for entry in node.entries().iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let help = match nearest(&entry.key, known.iter().copied()) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("known here: {}", known.join(", ")),
            };
            let unknown = Problem::error(format!("unknown field `{}`", entry.key)).at(entry.place).help(help);
            self.below(&entry.key, |reader| reader.push(unknown));
        }
    }
}

impl Kind {
    /// "a list of texts".
    pub fn words(&self) -> String {
        match self {
            Kind::Text => "text".into(),
            Kind::Boolean => "`true` or `false`".into(),
            Kind::Integer(i64::MIN, _) => "a whole number".into(),
            Kind::Integer(least, most) if *most >= i64::from(i32::MAX) => format!("a whole number from {least} on"),
            Kind::Integer(least, most) => format!("a whole number from {least} to {most}"),
            Kind::Word(words) => format!("one of {}", words.join(", ")),
            Kind::Form(form) => (*form).into(),
            Kind::List(kind) => format!("a list, each of it {}", kind.words()),
            Kind::Map(kind) => format!("a mapping, each value {}", kind.words()),
            Kind::Section(_) => "a mapping".into(),
            Kind::Kubernetes(name) => format!("Kubernetes' {name}"),
        }
    }
}

impl Read for String {
    const REQUIRED: bool = true;

    fn kind() -> Kind {
        Kind::Text
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        match &node.value {
            Value::Scalar(scalar) => scalar.text.clone(),
            _ => {
                reader.expected(node, &Kind::Text);
                String::new()
            }
        }
    }
}

impl Read for bool {
    const REQUIRED: bool = true;

    fn kind() -> Kind {
        Kind::Boolean
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        let boolean = match &node.value {
            Value::Scalar(scalar) => scalar.boolean(),
            _ => None,
        };
        boolean.unwrap_or_else(|| {
            reader.expected(node, &Kind::Boolean);
            false
        })
    }
}

impl<T: Read> Read for Option<T> {
    fn kind() -> Kind {
        T::kind()
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        Some(T::read(node, reader))
    }
}

impl<T: Read> Read for Vec<T> {
    fn kind() -> Kind {
        Kind::List(Box::new(T::kind()))
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        let Value::List(nodes) = &node.value else {
            reader.expected(node, &Self::kind());
            return Vec::new();
        };
        let read = |(index, node)| reader.below(&format!("[{index}]"), |reader| T::read(node, reader));
        nodes.iter().enumerate().map(read).collect()
    }
}

impl<T: Read> Read for BTreeMap<String, T> {
    fn kind() -> Kind {
        Kind::Map(Box::new(T::kind()))
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        let Value::Map(entries) = &node.value else {
            reader.expected(node, &Self::kind());
            return BTreeMap::new();
        };
        let read = |entry: &super::yaml::Entry| {
            let value = reader.below(&entry.key, |reader| match entry.node.is_null() {
                true => T::default(),
                false => T::read(&entry.node, reader),
            });
            (entry.key.clone(), value)
        };
        entries.iter().map(read).collect()
    }
}

impl<S: Section> Read for S {
    fn kind() -> Kind {
        Kind::Section(S::fields)
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        if !matches!(node.value, Value::Map(_)) {
            reader.expected(node, &Self::kind());
            return S::default();
        }
        reader.refuse_unknown(node, &S::fields());
        S::read_fields(node, reader)
    }
}

/// A whole number between two bounds, both taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole<const LEAST: i64, const MOST: i64>(pub i64);

/// A 32-bit number from 0 on.
pub type Count = Whole<0, { i32::MAX as i64 }>;
/// A 32-bit number from 1 on.
pub type Positive = Whole<1, { i32::MAX as i64 }>;
/// Any 64-bit number.
pub type Integer = Whole<{ i64::MIN }, { i64::MAX }>;
/// A TCP port.
pub type Port = Whole<1, 65535>;

impl<const LEAST: i64, const MOST: i64> Default for Whole<LEAST, MOST> {
    fn default() -> Self {
        Self(LEAST.max(0))
    }
}

impl<const LEAST: i64, const MOST: i64> Deref for Whole<LEAST, MOST> {
    type Target = i64;

    fn deref(&self) -> &i64 {
        &self.0
    }
}

impl<const LEAST: i64, const MOST: i64> Read for Whole<LEAST, MOST> {
    const REQUIRED: bool = true;

    fn kind() -> Kind {
        Kind::Integer(LEAST, MOST)
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        let number = match &node.value {
            Value::Scalar(scalar) if scalar.plain => scalar.text.parse().ok(),
            _ => None,
        };
        match number {
            Some(number) if (LEAST..=MOST).contains(&number) => Self(number),
            _ => {
                reader.expected(node, &Self::kind());
                Self::default()
            }
        }
    }
}

/// A mapping of texts, as Spark's settings are.
pub type Texts = BTreeMap<String, String>;

/// Declares a section of the job file: the struct, how it is read, and what is told about its
/// fields. After `=>` stands what the field becomes. `..name: Type` takes in the fields of
/// another section; a field whose name in the file is not its own in camelCase has it in
/// parentheses.
macro_rules! section {
    (
        $(#[$meta:meta])*
        $vis:vis struct $section:ident {
            $( ..$inner:ident: $inner_type:ty, )*
            $( $(#[doc = $doc:literal])* $name:ident $(($key:literal))? : $type:ty => $becomes:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        $vis struct $section {
            $( pub $inner: $inner_type, )*
            $( $(#[doc = $doc])* pub $name: $type, )*
        }

        impl $crate::job::schema::Section for $section {
            fn fields() -> Vec<$crate::job::schema::Field> {
                #[allow(unused_mut)]
                let mut fields = vec![
                    $( $crate::job::schema::Field {
                        key: $crate::job::schema::key(stringify!($name), None$(.or(Some($key)))?),
                        doc: concat!("" $(, $doc, "\n")*).trim().to_owned(),
                        becomes: $becomes,
                        required: <$type as $crate::job::schema::Read>::REQUIRED,
                        kind: <$type as $crate::job::schema::Read>::kind(),
                    }, )*
                ];
                $( fields.extend(<$inner_type as $crate::job::schema::Section>::fields()); )*
                fields
            }

            fn read_fields(node: &$crate::job::yaml::Node, reader: &mut $crate::job::schema::Reader) -> Self {
                Self {
                    $( $inner: <$inner_type as $crate::job::schema::Section>::read_fields(node, reader), )*
                    $( $name: reader.field(node, &$crate::job::schema::key(stringify!($name), None$(.or(Some($key)))?)), )*
                }
            }
        }
    };
}
pub(crate) use section;

/// A type that is one of a few words in the job file, the first being the default.
macro_rules! word {
    ($(#[$meta:meta])* $vis:vis enum $word:ident { $( $(#[$doc:meta])* $variant:ident ),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        $vis enum $word { #[default] $( $(#[$doc])* $variant ),+ }

        impl $word {
            pub const WORDS: &'static [&'static str] = &[$(stringify!($variant)),+];

            /// The word as it is written in the job file.
            #[allow(dead_code, reason = "not every word is written again")]
            pub fn word(self) -> &'static str {
                match self { $( Self::$variant => stringify!($variant) ),+ }
            }
        }

        impl $crate::job::schema::Read for $word {
            fn kind() -> $crate::job::schema::Kind {
                $crate::job::schema::Kind::Word(Self::WORDS)
            }

            fn read(node: &$crate::job::yaml::Node, reader: &mut $crate::job::schema::Reader) -> Self {
                match node.text() {
                    $( Some(stringify!($variant)) => Self::$variant, )+
                    _ => {
                        reader.refuse_word(node, Self::WORDS);
                        Self::default()
                    }
                }
            }
        }
    };
}
pub(crate) use word;

impl Reader {
    /// Tells a word that is none of `words`, and which of them was probably meant.
    pub fn refuse_word(&mut self, node: &Node, words: &'static [&'static str]) {
        let mut problem =
            Problem::error(format!("expected {}, found {}", Kind::Word(words).words(), node.found())).at(node.place);
        if let Some(word) = node.text().and_then(|text| nearest(text, words.iter().copied())) {
            problem = problem.help(format!("did you mean `{word}`?"));
        }
        self.push(problem);
    }
}

/// The key of a field in the file: its own name in camelCase, unless another is given.
pub fn key(name: &str, given: Option<&str>) -> String {
    if let Some(given) = given {
        return given.to_owned();
    }
    let mut key = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                key.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => key.push(c),
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::yaml::documents;

    section! {
        /// Of a test.
        struct Box {
            ..lid: Lid,
            /// How heavy,
            /// in kilograms.
            net_weight: Option<Whole<1, 10>> => "weight",
            name: String => "name",
            size: Size => "size",
        }
    }
    section! {
        struct Lid {
            ui_colour("uiColour"): Option<String> => "colour",
        }
    }
    word! { enum Size { Small, Large } }

    fn read(source: &str) -> (Box, Vec<String>) {
        let nodes = documents(source, &mut Vec::new()).unwrap();
        let mut reader = Reader { path: "spec".into(), ..Reader::default() };
        let section = Box::read(&nodes[0], &mut reader);
        (section, reader.problems.iter().map(|p| p.text("f", "")).collect())
    }

    #[test]
    fn reads_fields_of_inner_sections_too() {
        let (section, problems) = read("{name: a, netWeight: 3, uiColour: red, size: Large}");
        assert_eq!(problems, [""; 0]);
        let expected = Box {
            lid: Lid { ui_colour: Some("red".into()) },
            net_weight: Some(Whole(3)),
            name: "a".into(),
            size: Size::Large,
        };
        assert_eq!(section, expected);
    }

    #[test]
    fn tells_all_mistakes_at_once() {
        let (_, problems) = read("{netWeight: 30, uicolour: red, size: large}");
        assert_eq!(
            problems,
            [
                "error: f:1:17: spec.uicolour: unknown field `uicolour`\n   = did you mean `uiColour`?",
                "error: f:1:13: spec.netWeight: expected a whole number from 1 to 10, found `30`",
                "error: f:1:1: spec: `name` is missing: expected text",
                "error: f:1:38: spec.size: expected one of Small, Large, found `large`\n   = did you mean `Large`?",
            ]
        );
    }

    #[test]
    fn documents_itself() {
        let fields = Box::fields();
        assert_eq!(fields[0].key, "netWeight");
        assert_eq!(fields[0].doc, "How heavy,\n in kilograms.");
        assert_eq!(fields.last().map(|field| field.key.as_str()), Some("uiColour"));
    }
}
