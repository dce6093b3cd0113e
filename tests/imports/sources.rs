//! The modules of `src` and their imports. The text is read, not compiled: `use` declarations, and paths in code that begin
//! with `crate`, `super`, `self`, or a module that the file declares.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module's path below the crate: `["state", "outcome"]`. The crate itself has an empty one.
pub type Module = Vec<String>;

/// All modules of the program, without those of tests.
pub struct Sources {
    pub files: BTreeMap<Module, File>,
}

/// The file of a module.
pub struct File {
    /// Its path below `src`.
    pub path: String,
    /// Its text without comments, literals and tests.
    pub code: String,
    /// The modules that it declares.
    children: BTreeSet<String>,
    /// Names that its `use` declarations bring in, and the paths behind them.
    bindings: BTreeMap<String, Vec<String>>,
    /// All paths that it names, of this crate and of others.
    paths: BTreeSet<Vec<String>>,
}

impl Sources {
    pub fn read() -> Self {
        let mut sources = Self { files: BTreeMap::new() };
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        sources.add(&root, &root.join("lib.rs"), Vec::new());
        sources
    }

    fn add(&mut self, root: &Path, path: &Path, module: Module) {
        let file =
            File::parse(path.strip_prefix(root).expect("below src"), &fs::read_to_string(path).expect("a source"));
        let directory = match path.file_name().and_then(|name| name.to_str()) {
            Some("lib.rs" | "mod.rs") => path.parent().expect("a directory").to_owned(),
            _ => path.with_extension(""),
        };
        for child in file.children.clone() {
            let candidates = [directory.join(format!("{child}.rs")), directory.join(&child).join("mod.rs")];
            let path = candidates.iter().find(|path| path.exists()).unwrap_or_else(|| panic!("no file of {child}"));
            self.add(root, path, [module.clone(), vec![child]].concat());
        }
        self.files.insert(module, file);
    }

    /// The modules whose items a module uses. An item that another module re-exports is its own module's.
    pub fn uses(&self, module: &Module) -> BTreeSet<Module> {
        let paths = self.files[module].paths.iter();
        let used = paths.filter_map(|path| self.home(module, path, 0)).filter(|used| used != module);
        used.collect()
    }

    /// The paths into other crates and the standard library that a module names, as text.
    pub fn foreign(&self, module: &Module) -> BTreeSet<String> {
        let file = &self.files[module];
        let foreign = file.paths.iter().filter(|path| self.home(module, path, 0).is_none());
        foreign.map(|path| path.join("::")).collect()
    }

    /// The module that has the item behind a path in `module`; none for other crates.
    fn home(&self, module: &Module, path: &[String], depth: usize) -> Option<Module> {
        let file = &self.files[module];
        let (mut at, rest) = match path.first()?.as_str() {
            "crate" => (Vec::new(), &path[1..]),
            "self" => (module.clone(), &path[1..]),
            "super" => (module[..module.len() - 1].to_vec(), &path[1..]),
            first if file.children.contains(first) => (module.clone(), path),
            // The name of something that another declaration of the file brings in.
            first => {
                let binding = file.bindings.get(first).filter(|binding| depth < 8 && binding.as_slice() != path)?;
                return self.home(module, &[binding, &path[1..]].concat(), depth + 1);
            }
        };
        for (index, segment) in rest.iter().enumerate() {
            if segment == "super" {
                at.pop();
                continue;
            }
            let here = &self.files[&at];
            if here.children.contains(segment) {
                at.push(segment.clone());
                continue;
            }
            return match here
                .bindings
                .get(segment)
                .filter(|binding| depth < 8 && binding.as_slice() != [segment.clone()])
            {
                Some(binding) => {
                    let path = [binding, &rest[index + 1..]].concat();
                    // A name of another crate: what re-exports it is its home here.
                    self.home(&at, &path, depth + 1).or(Some(at))
                }
                None => Some(at),
            };
        }
        Some(at)
    }

    /// The sets of modules that use each other in a circle.
    pub fn circles(&self) -> Vec<BTreeSet<Module>> {
        let uses: BTreeMap<&Module, BTreeSet<Module>> =
            self.files.keys().map(|module| (module, self.uses(module))).collect();
        let reached = |from: &Module| {
            let mut seen = BTreeSet::new();
            let mut to_see: Vec<Module> = uses[from].iter().cloned().collect();
            while let Some(module) = to_see.pop() {
                if seen.insert(module.clone()) {
                    to_see.extend(uses[&module].iter().cloned());
                }
            }
            seen
        };
        let reached: BTreeMap<&Module, BTreeSet<Module>> =
            self.files.keys().map(|module| (module, reached(module))).collect();
        let circle = |module: &Module| -> BTreeSet<Module> {
            reached[module].iter().filter(|other| reached[other].contains(module)).cloned().collect()
        };
        let circles: BTreeSet<BTreeSet<Module>> =
            self.files.keys().map(circle).filter(|circle| circle.len() > 1).collect();
        circles.into_iter().collect()
    }
}

impl File {
    fn parse(path: &Path, text: &str) -> Self {
        let code = without_tests(&without_literals(text));
        let tokens = tokens(&code);
        let mut file = Self {
            path: path.display().to_string(),
            children: children(&tokens),
            bindings: BTreeMap::new(),
            paths: BTreeSet::new(),
            code: code.clone(),
        };
        let mut at = 0;
        let mut words = BTreeSet::new();
        let mut reexported = Vec::new();
        while at < tokens.len() {
            if tokens[at] != "use" {
                words.insert(tokens[at]);
                at = file.inline(&tokens, at);
                continue;
            }
            let end = at + tokens[at..].iter().position(|token| *token == ";").unwrap_or(tokens.len() - at);
            let declared = file.declare(&tokens[at + 1..end], &mut 0, &[]);
            match at > 0 && matches!(tokens[at - 1], "pub" | ")") {
                true => reexported.extend(declared),
                false => file.paths.extend(declared.into_iter().map(|(_, path)| path)),
            }
            at = end;
        }
        // What is passed on alone is no need of this file's own.
        let used = reexported.into_iter().filter(|(name, _)| words.contains(name.as_str()));
        file.paths.extend(used.map(|(_, path)| path));
        file
    }

    /// Reads the tree of a `use` declaration. Returns the names that it brings in, with their paths.
    fn declare(&mut self, tokens: &[&str], at: &mut usize, prefix: &[String]) -> Vec<(String, Vec<String>)> {
        let mut path = prefix.to_vec();
        let mut declared = Vec::new();
        while let Some(token) = tokens.get(*at) {
            *at += 1;
            match *token {
                "::" => {}
                "{" => {
                    while tokens.get(*at).is_some_and(|token| *token != "}") {
                        declared.extend(self.declare(tokens, at, &path));
                        if tokens.get(*at) == Some(&",") {
                            *at += 1;
                        }
                    }
                    *at += 1;
                    return declared;
                }
                "," | "}" => {
                    *at -= 1;
                    break;
                }
                "as" => {
                    let name = tokens.get(*at).copied().unwrap_or_default();
                    *at += 1;
                    return vec![self.bind(name, path)];
                }
                "self" if !path.is_empty() => {}
                word => path.push(word.to_owned()),
            }
        }
        path.last().cloned().map(|name| self.bind(&name, path)).into_iter().collect()
    }

    fn bind(&mut self, name: &str, path: Vec<String>) -> (String, Vec<String>) {
        self.bindings.insert(name.to_owned(), path.clone());
        (name.to_owned(), path)
    }

    /// Reads a path in code, if one begins there. Returns where to go on.
    fn inline(&mut self, tokens: &[&str], at: usize) -> usize {
        let is_name = |token: &str| token.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let begins = is_name(tokens[at])
            && tokens.get(at + 1) == Some(&"::")
            && (at == 0 || !matches!(tokens[at - 1], "::" | "."));
        if !begins {
            return at + 1;
        }
        let mut path = vec![tokens[at].to_owned()];
        let mut end = at + 1;
        while tokens.get(end) == Some(&"::") && tokens.get(end + 1).is_some_and(|token| is_name(token)) {
            path.push(tokens[end + 1].to_owned());
            end += 2;
        }
        self.paths.insert(path);
        end
    }
}

/// The modules that a file declares: `mod name;`.
fn children(tokens: &[&str]) -> BTreeSet<String> {
    let declared = tokens.windows(3).filter(|window| window[0] == "mod" && window[2] == ";");
    declared.map(|window| window[1].to_owned()).collect()
}

/// The text with comments, strings and characters replaced by blanks.
fn without_literals(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal(&chars, at);
        match end {
            Some(end) => {
                code.push(' ');
                at = end;
            }
            None => {
                code.push(chars[at]);
                at += 1;
            }
        }
    }
    code
}

/// Where the comment, string or character ends that begins there, if one does.
fn literal(chars: &[char], at: usize) -> Option<usize> {
    let starts = |text: &str| chars[at..].iter().copied().take(text.len()).eq(text.chars());
    let find = |from: usize, text: &str| {
        let text: Vec<char> = text.chars().collect();
        (from..chars.len())
            .find(|index| chars[*index..].starts_with(&text))
            .map_or(chars.len(), |index| index + text.len())
    };
    let in_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    if starts("//") {
        return Some((at..chars.len()).find(|index| chars[*index] == '\n').unwrap_or(chars.len()));
    }
    if starts("/*") {
        return Some(find(at, "*/"));
    }
    let raw = (!in_word).then(|| raw_string(chars, at)).flatten();
    if let Some((begin, hashes)) = raw {
        return Some(find(begin, &format!("\"{}", "#".repeat(hashes))));
    }
    match chars[at] {
        '"' => Some(quoted(chars, at + 1, '"')),
        // A lifetime has no closing quote after one character.
        '\'' if chars.get(at + 1) == Some(&'\\') => Some(quoted(chars, at + 1, '\'')),
        '\'' if chars.get(at + 2) == Some(&'\'') => Some(at + 3),
        _ => None,
    }
}

/// Where the content of a raw string begins, and its number of `#`.
fn raw_string(chars: &[char], at: usize) -> Option<(usize, usize)> {
    let at = if chars[at] == 'b' { at + 1 } else { at };
    if chars.get(at) != Some(&'r') {
        return None;
    }
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    (chars.get(at + 1 + hashes) == Some(&'"')).then_some((at + 2 + hashes, hashes))
}

/// Where a quoted text ends.
fn quoted(chars: &[char], mut at: usize, quote: char) -> usize {
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The code without what `#[cfg(test)]` marks: a module in the file or of its own, or an item.
fn without_tests(code: &str) -> String {
    let mut rest = code;
    let mut kept = String::with_capacity(code.len());
    while let Some((before, marked)) = ["#[cfg(test)]", "#[cfg(any(test, fuzzing))]"]
        .iter()
        .filter_map(|mark| rest.split_once(mark))
        .min_by_key(|(before, _)| before.len())
    {
        kept.push_str(before);
        rest = &marked[item_end(marked)..];
    }
    kept + rest
}

/// Where the item ends that the text begins with: at its `;`, or with its last brace.
fn item_end(text: &str) -> usize {
    let mut depth = 0_u32;
    for (index, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return index + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return index + 1,
            _ => {}
        }
    }
    text.len()
}

/// Names, `::`, and single signs.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let name = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let length = match name {
            0 if rest.starts_with("::") => 2,
            0 => first.len_utf8(),
            length => length,
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}
