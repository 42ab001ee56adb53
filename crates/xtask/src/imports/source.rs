//! The words of one file → its modules, its imports and the paths in its code.

use std::collections::BTreeSet;

use super::tokens::{Token, tokens};

/// What one file says about others. Tests are left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) modules: Vec<Module>,
    pub(super) imports: Vec<Import>,
    pub(super) paths: Vec<Path>,
    /// Names that stand alone in the code.
    pub(super) words: BTreeSet<String>,
    /// The names of what stands at the margin of a module, by the modules of this file that it
    /// is in.
    pub(super) items: Vec<(Vec<String>, String)>,
}

/// `mod name;` or `mod name { … }`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Module {
    /// The modules of this file that it is in.
    pub(super) within: Vec<String>,
    pub(super) name: String,
    /// The files that attributes name; one of them on each platform.
    pub(super) files: Vec<String>,
    /// Whether it is in this file.
    pub(super) is_inline: bool,
}

/// One name that `use` brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    /// The modules of this file that it is in.
    pub(super) within: Vec<String>,
    /// What it is called here; `*` for everything.
    pub(super) name: String,
    pub(super) path: Vec<String>,
    /// Whether it is handed on: `pub use`.
    pub(super) is_handed_on: bool,
}

/// A path in the code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// The modules of this file that it is in.
    pub(super) within: Vec<String>,
    pub(super) path: Vec<String>,
}

/// Reads a file.
pub(super) fn read(text: &str) -> Source {
    let tokens = tokens(text);
    let mut reader = Reader {
        rest: &tokens,
        found: Source::default(),
        within: Vec::new(),
        depth: 0,
    };
    reader.read();
    reader.found
}

struct Reader<'a> {
    rest: &'a [Token],
    found: Source,
    /// The modules that are open, with the depth of braces in them.
    within: Vec<(String, usize)>,
    depth: usize,
}

/// Of an item that follows.
#[derive(Default)]
struct Attributes {
    is_test: bool,
    files: Vec<String>,
}

impl Reader<'_> {
    fn read(&mut self) {
        let mut attributes = Attributes::default();
        let mut is_public = false;
        while let [first, after @ ..] = self.rest {
            if first.is('#') {
                self.attribute(&mut attributes);
                continue;
            }
            if attributes.is_test {
                self.skip_item();
                attributes = Attributes::default();
                continue;
            }
            match first {
                Token::Word(word) if word == "pub" => {
                    self.rest = after;
                    self.skip_group('(', ')');
                    is_public = true;
                    continue;
                }
                Token::Word(word) if word == "use" => {
                    self.rest = after;
                    self.tree(&mut Vec::new(), is_public);
                }
                Token::Word(word) if word == "mod" => {
                    self.rest = after;
                    self.module(std::mem::take(&mut attributes.files));
                }
                Token::Word(_) => {
                    self.item();
                    self.path();
                }
                Token::Sign('{') => {
                    self.rest = after;
                    self.depth += 1;
                }
                Token::Sign('}') => {
                    self.rest = after;
                    self.depth = self.depth.saturating_sub(1);
                    let depth = self.depth;
                    self.within.retain(|(_, inside)| *inside <= depth);
                }
                _ => self.rest = after,
            }
            attributes = Attributes::default();
            is_public = false;
        }
    }

    /// `#[…]` or `#![…]`.
    fn attribute(&mut self, attributes: &mut Attributes) {
        let mut rest = &self.rest[1..];
        rest = rest.strip_prefix(&[Token::Sign('!')]).unwrap_or(rest);
        let end = group_end(rest, '[', ']');
        let inside = &rest[..end];
        let word = |place: usize| inside.get(place).and_then(Token::word);
        attributes.is_test |= word(1) == Some("cfg") && word(3) == Some("test");
        for window in inside.windows(3) {
            if let [Token::Word(name), Token::Sign('='), Token::Text(path)] = window
                && name == "path"
            {
                attributes.files.push(path.clone());
            }
        }
        self.rest = &rest[end..];
    }

    /// Passes over what an attribute stands before: up to `;`, `,` or the end of a group in braces.
    fn skip_item(&mut self) {
        let mut depth = 0_usize;
        while let [first, after @ ..] = self.rest {
            match first {
                // The end of the group that it stands in.
                Token::Sign('}' | ')' | ']') if depth == 0 => return,
                Token::Sign('{' | '(' | '[') => depth += 1,
                Token::Sign('}' | ')' | ']') => depth -= 1,
                _ => {}
            }
            self.rest = after;
            let is_over = matches!(first, Token::Sign(';' | ',' | '}'));
            if depth == 0 && is_over {
                return;
            }
        }
    }

    fn skip_group(&mut self, open: char, close: char) {
        if self.rest.first().is_some_and(|first| first.is(open)) {
            self.rest = &self.rest[group_end(self.rest, open, close)..];
        }
    }

    fn module(&mut self, files: Vec<String>) {
        let [Token::Word(name), sign, after @ ..] = self.rest else {
            return;
        };
        let is_inline = sign.is('{');
        if !is_inline && !sign.is(';') {
            return;
        }
        self.found.modules.push(Module {
            within: self.names(),
            name: name.clone(),
            files,
            is_inline,
        });
        if is_inline {
            self.depth += 1;
            self.within.push((name.clone(), self.depth));
        }
        self.rest = after;
    }

    /// What is defined at the margin of a module is found by its name.
    fn item(&mut self) {
        const KINDS: [&str; 8] = [
            "fn", "struct", "enum", "union", "trait", "type", "const", "static",
        ];
        let is_at_margin = self.depth == self.within.last().map_or(0, |(_, depth)| *depth);
        if let [Token::Word(kind), Token::Word(name), ..] = self.rest
            && is_at_margin
            && KINDS.contains(&kind.as_str())
        {
            let item = (self.names(), name.clone());
            self.found.items.push(item);
        }
    }

    /// A tree of `use`, up to its `;`, `,` or `}`.
    fn tree(&mut self, path: &mut Vec<String>, is_handed_on: bool) {
        let length = path.len();
        while let [first, after @ ..] = self.rest {
            match first {
                Token::Word(word) if word == "as" => {
                    let name = after.first().and_then(Token::word).unwrap_or("_");
                    self.import(name.to_owned(), path, is_handed_on);
                    self.rest = &self.rest[2.min(self.rest.len())..];
                    path.truncate(length);
                    return;
                }
                Token::Word(word) => {
                    path.push(word.clone());
                    self.rest = after;
                    let goes_on = after
                        .first()
                        .is_some_and(|next| *next == Token::Colons || next.is_word("as"));
                    if goes_on {
                        continue;
                    }
                    // `a::{self}` is `a`.
                    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
                        path.pop();
                    }
                    let name = path.last().cloned().unwrap_or_default();
                    self.import(name, path, is_handed_on);
                    path.truncate(length);
                    return;
                }
                Token::Colons => self.rest = after,
                Token::Sign('*') => {
                    self.rest = after;
                    self.import("*".to_owned(), path, is_handed_on);
                    path.truncate(length);
                    return;
                }
                Token::Sign('{') => {
                    self.rest = after;
                    while let [first, after @ ..] = self.rest {
                        if first.is('}') {
                            self.rest = after;
                            break;
                        } else if first.is(',') {
                            self.rest = after;
                        } else {
                            self.tree(path, is_handed_on);
                        }
                    }
                    path.truncate(length);
                    return;
                }
                _ => {
                    path.truncate(length);
                    if first.is(',') || first.is('}') {
                        return;
                    }
                    self.rest = after;
                    return;
                }
            }
        }
    }

    fn import(&mut self, name: String, path: &[String], is_handed_on: bool) {
        // `a::self as b` is `a as b`.
        let path = match path {
            [before @ .., last] if last == "self" && !before.is_empty() => before,
            path => path,
        };
        self.found.imports.push(Import {
            within: self.names(),
            name,
            path: path.to_vec(),
            is_handed_on,
        });
    }

    /// A path of more than one name.
    fn path(&mut self) {
        let mut path = Vec::new();
        while let [Token::Word(word), after @ ..] = self.rest {
            path.push(word.clone());
            self.rest = after;
            match after {
                [Token::Colons, next @ ..] if matches!(next.first(), Some(Token::Word(_))) => {
                    self.rest = next;
                }
                _ => break,
            }
        }
        if let [word] = path.as_mut_slice() {
            self.found.words.insert(std::mem::take(word));
            return;
        }
        self.found.words.extend(path.first().cloned());
        self.found.paths.push(Path {
            within: self.names(),
            path,
        });
    }

    fn names(&self) -> Vec<String> {
        self.within.iter().map(|(name, _)| name.clone()).collect()
    }
}

/// Where a group ends that begins here.
fn group_end(tokens: &[Token], open: char, close: char) -> usize {
    let mut depth = 0_usize;
    for (place, token) in tokens.iter().enumerate() {
        if token.is(open) {
            depth += 1;
        } else if token.is(close) {
            depth = depth.saturating_sub(1);
        }
        if depth == 0 {
            return place + 1;
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_imports(text: &str, expected: &[(&str, &str)]) {
        let imports = read(text).imports;
        let found: Vec<(String, String)> = imports
            .into_iter()
            .map(|import| (import.name, import.path.join("::")))
            .collect();
        let expected: Vec<(String, String)> = expected
            .iter()
            .map(|(name, path)| ((*name).to_owned(), (*path).to_owned()))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn trees_of_imports_are_taken_apart() {
        check_imports("use a::b;", &[("b", "a::b")]);
        check_imports(
            "use crate::{a::{self, B, c::*}, d as e, f::G as _};",
            &[
                ("a", "crate::a"),
                ("B", "crate::a::B"),
                ("*", "crate::a::c"),
                ("e", "crate::d"),
                ("_", "crate::f::G"),
            ],
        );
        check_imports("use a::{self as b};", &[("b", "a")]);
        check_imports(
            "use super::{\n  A, // c::D\n  B,\n};\nuse c;",
            &[("A", "super::A"), ("B", "super::B"), ("c", "c")],
        );
        let imports = read("pub(in crate::a) use b::C; use d::E;").imports;
        let handed_on: Vec<bool> = imports.iter().map(|it| it.is_handed_on).collect();
        assert_eq!(handed_on, [true, false]);
    }

    #[test]
    fn modules_and_their_files_are_found() {
        let text = "mod a; #[cfg_attr(unix, path = \"u.rs\")]\n#[cfg_attr(not(unix), path = \
                    \"o.rs\")] mod b; pub(crate) mod c { use x::Y; mod d; } mod e;";
        let modules = read(text).modules;
        let names: Vec<&str> = modules.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "d", "e"]);
        assert_eq!(modules[1].files, ["u.rs", "o.rs"]);
        assert!(modules[2].is_inline);
        assert_eq!(modules[3].within, ["c"]);
        assert!(modules[4].within.is_empty());
        assert_eq!(read(text).imports[0].within, ["c"]);
    }

    #[test]
    fn tests_are_left_out() {
        let text = "#[cfg(test)]\nuse a::B;\nuse c::D;\n#[cfg(test)]\nimpl E { fn f() { g::H } }\n\
                    #[cfg(test)] mod tests { use i::J; }\n#[cfg(test)]\nmod k;\nuse l::M;";
        let source = read(text);
        check_imports(text, &[("D", "c::D"), ("M", "l::M")]);
        assert!(source.modules.is_empty() && source.paths.is_empty());
    }

    #[test]
    fn paths_in_code_are_found() {
        let source = read("fn f(a: b::C) -> D { crate::e::f(); x.g::<h::I>(); Vec::new() }");
        let paths: Vec<String> = source.paths.iter().map(|it| it.path.join("::")).collect();
        assert_eq!(paths, ["b::C", "crate::e::f", "h::I", "Vec::new"]);
        assert_eq!(source.items, [(Vec::new(), "f".to_owned())]);
    }
}
