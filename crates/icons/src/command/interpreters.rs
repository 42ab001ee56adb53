//! Which of the words after an interpreter is a script: its options, as it reads them itself.
//!
//! Code that stands in an argument is never a script, and neither is the value of an option.

use super::Started;
use super::options::{
    BUN, DENO, DOTNET, FISH, GJS, LUA, MONO, NODE, Options, PERL, PHP, RUBY, SHELL,
};

/// What an interpreter of this name, without a version, runs.
pub(super) fn script<'a>(interpreter: &str, words: &[&'a str]) -> Option<Started<'a>> {
    let file = |options: &Options| options.file(words).map(|(file, _)| Started::Script(file));
    match interpreter {
        "java" => java(words),
        "python" | "pypy" => python(words),
        "php" => php(words),
        "deno" => subcommand(&DENO, &["run", "serve"], words),
        "bun" => subcommand(&BUN, &["run"], words),
        "dotnet" => subcommand(&DOTNET, &["exec"], words),
        "tclsh" | "wish" => tcl(words),
        "perl" => file(&PERL),
        "ruby" => file(&RUBY),
        "node" | "nodejs" | "electron" => file(&NODE),
        "gjs" | "gjs-console" => file(&GJS),
        "lua" | "luajit" => file(&LUA),
        "mono" | "mono-sgen" => file(&MONO),
        "fish" => file(&FISH),
        _ => file(&SHELL),
    }
}

/// Options may stand together, and what one of them takes behind it: `-Im module`, `-Wignore`.
fn python<'a>(words: &[&'a str]) -> Option<Started<'a>> {
    let mut words = words.iter();
    while let Some(&word) = words.next() {
        let options = match word {
            "-" => return None,
            "--" => return words.next().map(|file| Started::Script(file)),
            "--check-hash-based-pycs" | "--jit" => {
                words.next();
                continue;
            }
            word if word.starts_with("--") => continue,
            word => word,
        };
        let Some(options) = options.strip_prefix('-') else {
            return Some(Started::Script(word));
        };
        let Some(at) = options.find(['c', 'm', 'W', 'X', 'Q']) else {
            continue;
        };
        let (option, rest) = options[at..].split_at(1);
        match (option, rest) {
            // Code, for which there is no file.
            ("c", _) => return None,
            ("m", "") => return words.next().map(|name| Started::Module(name)),
            ("m", name) => return Some(Started::Module(name)),
            (_, "") => {
                words.next();
            }
            _ => {}
        }
    }
    None
}

/// A file may have an option of its own. What follows `--` is for a script on standard input.
fn php<'a>(words: &[&'a str]) -> Option<Started<'a>> {
    const FILE: [&str; 2] = ["-f", "--file"];
    let at = words.iter().position(|word| {
        FILE.contains(word)
            || *word == "--"
            || word.starts_with("-f")
            || word.starts_with("--file=")
    });
    let (before, from) = words.split_at(at.unwrap_or(words.len()));
    // Options before it may take it, or be code.
    let mut with_end = before.to_vec();
    with_end.push("/");
    match PHP.file(&with_end)? {
        ("/", []) => {}
        (file, _) => return Some(Started::Script(file)),
    }
    let (&option, rest) = from.split_first()?;
    if FILE.contains(&option) {
        return rest.first().map(|file| Started::Script(file));
    }
    let file = option.strip_prefix("--file=");
    let file = file.or_else(|| option.strip_prefix("-f"));
    file.map(Started::Script)
}

/// `deno run x.ts`, `dotnet exec x.dll`: a file has a dot or a slash in its name, so that
/// `dotnet build` has none.
fn subcommand<'a>(options: &Options, runs: &[&str], words: &[&'a str]) -> Option<Started<'a>> {
    let (mut file, rest) = options.file(words)?;
    if runs.contains(&file) {
        // What was said before the command holds for its file, too.
        let before = &words[..words.len() - rest.len() - 1];
        let words: Vec<&str> = before.iter().chain(rest).copied().collect();
        (file, _) = options.file(&words)?;
    }
    file.contains(['.', '/']).then_some(Started::Script(file))
}

/// Only the first word, or the one after an encoding, is a script.
fn tcl<'a>(words: &[&'a str]) -> Option<Started<'a>> {
    let (["-encoding", _, file, ..] | [file, ..]) = words else {
        return None;
    };
    (!file.starts_with('-')).then_some(Started::Script(file))
}

fn java<'a>(words: &[&'a str]) -> Option<Started<'a>> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "-jar" => return words.next().map(|file| Started::Script(file)),
            "-m" | "--module" => return words.next().map(|name| Started::Module(name)),
            "-cp"
            | "-classpath"
            | "--class-path"
            | "--module-path"
            | "-p"
            | "--add-modules"
            | "--add-opens"
            | "--add-exports"
            | "--add-reads"
            | "--describe-module"
            | "-d"
            | "--enable-native-access"
            | "--limit-modules"
            | "--patch-module"
            | "--source"
            | "--upgrade-module-path" => {
                words.next();
            }
            // A file of arguments may hold what comes next.
            file if file.starts_with('@') => return None,
            option if option.starts_with('-') => {
                if let Some(name) = option.strip_prefix("--module=") {
                    return Some(Started::Module(name));
                }
            }
            class => return Some(Started::Module(class)),
        }
    }
    None
}

#[cfg(test)]
mod tests;
