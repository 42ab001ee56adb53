//! Names from other programs and hosts, wherever the command line writes them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use common::terminal::{PROMPT, Terminal};
use common::{flowner, json_lines, run, stderr, stdout};
use flowner_core::capture::LinkType;
use flowner_core::capture::pcapng::{Interface, Section, Writer};
use flowner_core::text::{is_hidden, mask};
use tempfile::TempDir;

/// What names may have in them.
const NAMES: [&str; 16] = [
    "curl",
    "s\u{1b}[msh\u{1b}[md",
    "x\u{1b}]0;never-ended",
    "x\u{1b}[[",
    "x\u{7f}y",
    "c1\u{9b}31m\u{85}",
    "a\nflowner: INJECT",
    "a\rb\tc",
    "a\u{202e}fdp.sh",
    "s\u{200b}sh\u{2066}d\u{feff}",
    "ls\u{2028}sep\u{2029}",
    "tag\u{e0041}\u{fe0f}",
    "a\"b,c; d",
    "\\x1b",
    " \t＝1+1",
    "\u{0}=1+1",
];

/// An Ethernet frame: an IPv4 datagram of UDP between two ports.
fn frame(port: u8) -> Vec<u8> {
    let ethernet = [[0; 12].as_slice(), &[8, 0]].concat();
    let ip = [
        0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 9, //
        1, port, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4,
    ];
    [&ethernet[..], &ip].concat()
}

/// The name as the comments of packets have it.
fn quoted(name: &str) -> String {
    let escaped = name.chars().map(|it| match it {
        '"' | '\\' => format!("\\{it}"),
        '\0'..='\u{1f}' => format!("\\u{{{:x}}}", u32::from(it)),
        it => it.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// A file with a flow for each name; the owner of the flow has this name.
fn file(folder: &TempDir) -> PathBuf {
    let mut writer = Writer::new(Vec::new(), &Section::default()).unwrap();
    let interface = writer
        .interface(&Interface::new(LinkType::Ethernet))
        .unwrap();
    for (number, name) in (1_u8..).zip(NAMES) {
        let owner = format!(
            "flowner: program={0} pid={number} user={0} uid=7 path={0} verdict=process \
             match=five-tuple end=source",
            quoted(name)
        );
        let data = frame(number);
        let time = Duration::from_secs(1_800_000_000 + u64::from(number));
        let length = u32::try_from(data.len()).unwrap();
        let comments = [owner.as_str()];
        writer
            .packet(interface, time, length, &data, &comments)
            .unwrap();
    }
    let path = folder.path().join("names.pcapng");
    std::fs::write(&path, writer.into_inner()).unwrap();
    path
}

fn read(path: &Path, more: &[&str]) -> Output {
    let path = path.to_str().unwrap();
    let output = run(&[&["read", path, "--local", "none"], more].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

/// No control characters, and no invisible ones.
#[track_caller]
fn check_shown(text: &str) {
    for line in text.lines() {
        let hidden: Vec<char> = line.chars().filter(|it| is_hidden(*it)).collect();
        assert!(hidden.is_empty(), "{hidden:?} in {line:?}");
    }
}

/// The rows of comma-separated values (RFC 4180).
fn rows(text: &str) -> Vec<Vec<String>> {
    let mut rows = vec![vec![String::new()]];
    let mut is_quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let row = rows.last_mut().unwrap();
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                row.last_mut().unwrap().push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => row.push(String::new()),
            '\r' if !is_quoted && characters.peek() == Some(&'\n') => {
                characters.next();
                rows.push(vec![String::new()]);
            }
            other => row.last_mut().unwrap().push(other),
        }
    }
    assert_eq!(rows.pop(), Some(vec![String::new()]));
    rows
}

#[test]
fn tables_show_what_was_there_and_do_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    for by in ["flow", "program", "process"] {
        for colour in ["auto", "always"] {
            let text = stdout(&read(&path, &["--by", by, "--color", colour]));
            let plain = anstream::adapter::strip_str(&text).to_string();
            check_shown(&plain);
            for name in NAMES {
                assert!(
                    plain.contains(mask(name).trim()),
                    "{by}: {name:?} in {plain}"
                );
            }
        }
    }
}

#[test]
fn comma_separated_values_keep_every_character() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    for (by, column) in [
        ("flow", "process"),
        ("program", "program"),
        ("process", "process"),
    ] {
        for colour in ["auto", "always", "never"] {
            let text = stdout(&read(&path, &["--csv", "--by", by, "--color", colour]));
            let rows = rows(&text);
            let fields = rows[0].len();
            let place = rows[0].iter().position(|it| it == column).unwrap();
            assert_eq!(rows.len(), NAMES.len() + 1);
            let mut found = Vec::new();
            for row in &rows[1..] {
                assert_eq!(row.len(), fields, "{row:?}");
                let name = &row[place];
                found.push(name.strip_prefix('\'').unwrap_or(name));
                assert_eq!(name.starts_with('\''), name.ends_with("1+1"), "{name:?}");
            }
            for name in NAMES {
                assert!(found.contains(&name), "{by}: {name:?} in {found:?}");
            }
        }
    }
}

#[test]
fn json_keeps_every_character_and_shows_none_that_does_something() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    for by in ["flow", "program", "process"] {
        let text = stdout(&read(&path, &["--json", "--by", by]));
        check_shown(&text);
        let lines = json_lines(&text);
        let names = lines.iter().filter_map(|line| match by {
            "flow" => line["owner"]["program"].as_str(),
            "program" => line["program"].as_str(),
            _ => line["name"].as_str(),
        });
        let names: Vec<_> = names.collect();
        for name in NAMES {
            assert!(names.contains(&name), "{by}: {name:?} in {names:?}");
        }
    }
}

#[test]
fn messages_repeat_what_was_typed_on_one_line() {
    let odd = "a\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{200b}\u{2028}\nflowner: INJECT";
    let option = format!("--{odd}");
    let port = format!("port:{odd}");
    let key = format!("{odd}:1");
    for arguments in [
        &["read", odd][..],
        &["read", ".", "-f", odd],
        &["read", "x", "--by", odd],
        &["read", "x", "--from", odd],
        &["read", "x", "--filter", &port],
        &["who", odd],
        &["sockets", &key],
        &["sockets", &port],
        &["watch", "-i", odd],
        &["watch", "--duration", odd],
        &["record", "-w", odd, "-i", odd],
        &["man", odd],
        &["man", "--dir", odd],
        &["--config", odd, "sockets"],
        &["completions", odd],
        &[odd],
        &[&option],
        &["sockets", &option],
        &["--color", odd, "sockets"],
    ] {
        let output = run(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        let said = stderr(&output);
        check_shown(&said);
        assert!(!said.is_empty(), "{arguments:?}");
        let fakes = said
            .lines()
            .filter(|it| it.trim_start().starts_with("flowner: INJECT"));
        assert_eq!(fakes.count(), 0, "{said}");
        assert_eq!(stdout(&output), "", "{arguments:?}");
    }
    let said = stderr(&run(&["read", odd]));
    assert!(said.contains(&*mask(odd)), "{said}");
}

#[cfg(unix)]
#[test]
fn arguments_that_are_no_text_are_visible() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let odd = OsStr::from_bytes(b"raw\xff\x1b[31m");
    for arguments in [
        &["read"][..],
        &["read", "x", "--by"],
        &["watch", "-i"],
        &["man"],
    ] {
        let output = flowner().args(arguments).arg(odd).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        check_shown(&stderr(&output));
    }
}

#[test]
fn settings_are_shown_in_visible_form() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    for text in [
        "\"\\u001b]0;x\" = 1",
        "[\"a\\u202e\"]\nby = 1",
        "[read]\nby = \"\\u001b[31m\\u0085\"",
        "interface = \"\\u001b[31m\\u202e\"",
    ] {
        std::fs::write(&path, text).unwrap();
        let output = run(&["--config", path.to_str().unwrap(), "config"]);
        check_shown(&stderr(&output));
        check_shown(&stdout(&output));
        assert!(!(stdout(&output) + &stderr(&output)).is_empty());
    }
}

#[test]
fn a_terminal_gets_visible_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let path = path.to_str().unwrap();
    let Some(mut terminal) = Terminal::open(200, 60, folder.path()) else {
        return;
    };
    for (arguments, first) in [
        ("--csv --by program", "received_here_packets"),
        ("--by program", "PROGRAM"),
        ("--json --by program", "\"command\":\"read\""),
    ] {
        terminal.command(&format!("$FLOWNER read {path} --local none {arguments}"));
        let text = terminal.wait("all of it", |screen| {
            let text = screen.contents();
            text.contains(first) && text.trim_end().ends_with(PROMPT.trim())
        });
        // The screen was not cleared, no row is hidden or coloured.
        let escape = if arguments.contains("json") {
            r"s\u001b[msh\u001b[md"
        } else {
            r"s\x1b[msh\x1b[md"
        };
        assert!(text.contains(escape), "{arguments}: {text}");
        assert!(text.contains("curl"), "{arguments}: {text}");
        if arguments.contains("csv") {
            // Four plain characters are not the escape character.
            assert!(text.contains(r"\\x1b"), "{text}");
        }
    }
}
