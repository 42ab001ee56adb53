//! Finds what a command starts: the program behind launchers and interpreters. Pure.

mod interpreters;
mod options;

/// The number of words of a command to keep.
const MAX_WORDS: usize = 64;

/// The program that a command starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started<'a> {
    /// An executable, by path or name.
    Executable(&'a str),
    /// A script, or a Java archive, that an interpreter runs.
    Script(&'a str),
    /// A name that an interpreter resolves: a Python module or a Java class.
    Module(&'a str),
    /// The id of an application that D-Bus starts.
    Application(&'a str),
    /// A Flatpak application, by its id.
    Flatpak(&'a str),
    /// A Snap application, by its name.
    Snap(&'a str),
}

/// What is started by a command, its own name first. `None` where only launchers and
/// interpreters are named: `sh -c …`, `env`, an interactive shell.
///
/// ```
/// use flowner_icons::{Started, started};
///
/// let command = ["env", "LANG=C", "/usr/bin/python3", "-u", "/usr/bin/terminator"];
/// assert_eq!(started(&command), Some(Started::Script("/usr/bin/terminator")));
/// assert_eq!(started(&["python3", "-m", "http.server"]), Some(Started::Module("http.server")));
/// assert_eq!(started(&["python3"]), None);
/// ```
pub fn started<'a>(words: &[&'a str]) -> Option<Started<'a>> {
    let (first, rest) = words.split_first()?;
    match file_name(first) {
        "env" => started(after_assignments(rest)),
        "sudo" | "pkexec" | "nohup" | "setsid" | "nice" | "ionice" | "dbus-run-session"
        | "dbus-launch" | "gamemoderun" | "exec" => started(after_options(rest)),
        "flatpak" => flatpak(rest),
        "snap" => snap(rest),
        "gapplication" => match rest {
            ["launch", id, ..] => Some(Started::Application(id)),
            _ => None,
        },
        name if runs_scripts(name) => {
            interpreters::script(name.trim_end_matches(is_of_version), rest)
        }
        "" => None,
        _ if first.starts_with("/snap/bin/") => snap_name(file_name(first)).map(Started::Snap),
        _ => Some(Started::Executable(first)),
    }
}

/// Whether a program with this name only runs other programs, so that it says nothing about its
/// purpose.
pub fn runs_others(name: &str) -> bool {
    runs_scripts(name)
        || matches!(
            name,
            "env"
                | "sudo"
                | "pkexec"
                | "nohup"
                | "setsid"
                | "nice"
                | "ionice"
                | "exec"
                | "gapplication"
        )
        || matches!(name, "dbus-run-session" | "dbus-launch" | "gamemoderun")
        || matches!(
            name,
            "flatpak" | "snap" | "bwrap" | "snap-exec" | "xdg-open" | "busybox" | "toybox"
        )
}

/// Interpreters. A version may follow the name, as in `python3.11` and `electron28`.
fn runs_scripts(name: &str) -> bool {
    const INTERPRETERS: [&str; 27] = [
        "sh",
        "bash",
        "dash",
        "zsh",
        "fish",
        "ksh",
        "python",
        "pypy",
        "perl",
        "ruby",
        "node",
        "nodejs",
        "java",
        "mono",
        "mono-sgen",
        "dotnet",
        "electron",
        "gjs",
        "gjs-console",
        "php",
        "ash",
        "bun",
        "deno",
        "lua",
        "luajit",
        "tclsh",
        "wish",
    ];
    INTERPRETERS.contains(&name.trim_end_matches(is_of_version))
}

fn is_of_version(character: char) -> bool {
    character.is_ascii_digit() || matches!(character, '.' | '-')
}

/// The last part of a path.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn after_assignments<'w, 'a>(mut words: &'w [&'a str]) -> &'w [&'a str] {
    while let Some((first, rest)) = words.split_first() {
        words = match *first {
            "-u" | "-C" | "--unset" | "--chdir" => rest.get(1..).unwrap_or_default(),
            option if option.starts_with('-') || option.contains('=') => rest,
            _ => break,
        };
    }
    words
}

fn after_options<'w, 'a>(mut words: &'w [&'a str]) -> &'w [&'a str] {
    while let Some((first, rest)) = words.split_first() {
        words = match *first {
            "--" => return rest,
            "-u" | "--user" | "-g" | "-n" | "-c" => rest.get(1..).unwrap_or_default(),
            option if option.starts_with('-') => rest,
            _ => break,
        };
    }
    words
}

/// The id in `flatpak run --branch=stable org.x.Y @@u %U @@`.
fn flatpak<'a>(words: &[&'a str]) -> Option<Started<'a>> {
    let run = words.iter().position(|word| *word == "run")?;
    let mut words = words[run + 1..].iter();
    let id = words.find(|word| !word.starts_with('-'))?;
    Some(Started::Flatpak(id))
}

fn snap<'a>(words: &[&'a str]) -> Option<Started<'a>> {
    let run = words.iter().position(|word| *word == "run")?;
    let mut words = words[run + 1..].iter();
    let name = words.find(|word| !word.starts_with('-'))?;
    snap_name(name).map(Started::Snap)
}

/// `firefox` in `firefox.geckodriver`.
fn snap_name(app: &str) -> Option<&str> {
    app.split('.').next().filter(|name| !name.is_empty())
}

/// The web app that arguments make a browser open: `--app-id=ID` of Chromium and its derivatives.
pub(crate) fn web_app<'a>(words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut ids = words.filter_map(|word| word.strip_prefix("--app-id="));
    ids.find(|id| !id.is_empty())
}

/// Splits `Exec`, and leaves out codes such as `%U`, which stand for files.
pub(crate) fn words(exec: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut characters = exec.chars().peekable();
    while words.len() < MAX_WORDS {
        while characters.next_if(|c| c.is_whitespace()).is_some() {}
        let Some(first) = characters.peek() else {
            break;
        };
        let word = if *first == '"' {
            characters.next();
            quoted(&mut characters)
        } else {
            let mut word = String::new();
            while let Some(character) = characters.next_if(|c| !c.is_whitespace()) {
                word.push(character);
            }
            word
        };
        words.extend(without_codes(&word));
    }
    words
}

fn quoted(characters: &mut impl Iterator<Item = char>) -> String {
    let mut word = String::new();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => word.extend(characters.next()),
            other => word.push(other),
        }
    }
    word
}

/// `None` if it had only codes.
fn without_codes(word: &str) -> Option<String> {
    if !word.contains('%') {
        return Some(word.to_owned());
    }
    let mut text = String::new();
    let mut characters = word.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' => text.extend(characters.next().filter(|code| *code == '%')),
            other => text.push(other),
        }
    }
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands_start_programs() {
        use Started::{Application, Executable, Flatpak, Module, Script, Snap};
        let check = |command: &str, expected| {
            let words = words(command);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            assert_eq!(started(&words), expected, "{command}");
        };
        check("firefox %u", Some(Executable("firefox")));
        check("/opt/x/x --a=%U", Some(Executable("/opt/x/x")));
        check("env A=b -u C x -d", Some(Executable("x")));
        check("env", None);
        check("sh -c \"exec firefox\"", None);
        check("sh", None);
        check("bash /usr/bin/x", Some(Script("/usr/bin/x")));
        check("python3", None);
        check("python3.11 -u /usr/bin/t", Some(Script("/usr/bin/t")));
        check("python3 -u -m http.server 80", Some(Module("http.server")));
        check("python3 -c pass", None);
        check("python3 -Ic pass", None);
        check(
            "python3 -I -E /srv/shop.py -c",
            Some(Script("/srv/shop.py")),
        );
        check("python3 -Im shop.main", Some(Module("shop.main")));
        check("python3 -Wignore -X dev -mshop", Some(Module("shop")));
        check(
            "python3 --check-hash-based-pycs never a.py",
            Some(Script("a.py")),
        );
        check("python3 -", None);
        check("/usr/bin/env python3 /x.py", Some(Script("/x.py")));
        check("java -Xmx1g -jar /a/b.jar -c", Some(Script("/a/b.jar")));
        check("java -cp /a:/b org.x.Main -jar", Some(Module("org.x.Main")));
        check("java --add-opens a/b=c -m a/b.C @x", Some(Module("a/b.C")));
        check("perl -w /usr/bin/p", Some(Script("/usr/bin/p")));
        check("node --inspect /a.js", Some(Script("/a.js")));
        check("node --import tsx a.ts", Some(Script("a.ts")));
        check("deno run -A a.ts b", Some(Script("a.ts")));
        check("bun install", None);
        check("dotnet exec a.dll", Some(Script("a.dll")));
        check("dotnet run", None);
        check("php8.2 -S [::]:80 -t x a.php", Some(Script("a.php")));
        check("php -r x", None);
        check(
            "electron28 /usr/lib/code/app",
            Some(Script("/usr/lib/code/app")),
        );
        check(
            "/usr/bin/flatpak run --branch=stable --command=f org.x.Y @@u %U @@",
            Some(Flatpak("org.x.Y")),
        );
        check(
            "gapplication launch org.x.Y %U",
            Some(Application("org.x.Y")),
        );
        check("gapplication list-apps", None);
        check("flatpak update", None);
        check("snap run firefox.geckodriver", Some(Snap("firefox")));
        check(
            "env BAMF_DESKTOP_FILE_HINT=/x /snap/bin/firefox %u",
            Some(Snap("firefox")),
        );
        check(
            "pkexec --disable-internal-agent /usr/sbin/g",
            Some(Executable("/usr/sbin/g")),
        );
        check("", None);
    }

    #[test]
    fn words_are_split_as_the_specification_says() {
        let check = |exec, expected: &[&str]| assert_eq!(words(exec), expected, "{exec}");
        check("a  b", &["a", "b"]);
        check(r#""a b" "c\"d" e"#, &["a b", "c\"d", "e"]);
        check("a %f --x=%i 100%%", &["a", "--x=", "100%"]);
        check("\"open", &["open"]);
    }

    #[test]
    fn versions_do_not_hide_an_interpreter() {
        for name in [
            "sh",
            "python3",
            "python3.11",
            "node",
            "env",
            "electron28",
            "bwrap",
        ] {
            assert!(runs_others(name), "{name}");
        }
        for name in ["firefox", "shotwell", "nodeenv", "javaws", "perlbrew"] {
            assert!(!runs_others(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_command_has_words(exec in "[ -~\\PC]{0,80}") {
            let words = words(&exec);
            prop_assert!(words.len() <= MAX_WORDS);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            started(&words);
        }
    }
}
