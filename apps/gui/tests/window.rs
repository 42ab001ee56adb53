//! The real program in a real window, under Xvfb: it shows the traffic of a process that
//! this test starts, by the name that this test gives it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flowner_core::{Config, Input, Monitor};
use flowner_gui::settings::{Settings, Store};
use flowner_gui::theme::Scheme;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the process that talks is called.
const TALKER: &str = "flowner-talker";

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// A screen that nobody sees.
struct Screen {
    _server: Running,
    display: String,
}

impl Screen {
    fn new() -> Self {
        let mut server = Command::new("Xvfb")
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                "1180x740x24",
                "-nolisten",
                "tcp",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = server.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        Self {
            _server: Running(server),
            display: format!(":{}", line.trim()),
        }
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("DISPLAY", &self.display)
            .env_remove("WAYLAND_DISPLAY");
        command
    }

    /// Presses these keys, as xdotool names them.
    fn keys(&self, keys: &[&str]) {
        let status = self.command("xdotool").arg("key").args(keys).status();
        assert!(status.unwrap().success());
    }

    fn type_text(&self, text: &str) {
        let status = self.command("xdotool").args(["type", text]).status();
        assert!(status.unwrap().success());
    }

    /// The colours of all pixels, row by row; empty while there is no picture.
    fn pixels(&self) -> Vec<[u8; 4]> {
        let output = self
            .command("xwd")
            .args(["-root", "-silent"])
            .output()
            .unwrap();
        let dump = output.stdout;
        // XWDFile.h: sizes of the header and of the colour map, big-endian.
        let number = |place: usize| -> Option<usize> {
            let bytes = dump.get(place * 4..place * 4 + 4)?;
            Some(u32::from_be_bytes(bytes.try_into().unwrap()) as usize)
        };
        let start = number(0)
            .zip(number(19))
            .map(|(header, colors)| header + colors * 12);
        let pixels = start
            .and_then(|start| dump.get(start..))
            .unwrap_or_default();
        pixels
            .chunks_exact(4)
            .map(|pixel| pixel.try_into().unwrap())
            .collect()
    }

    fn colors(&self) -> usize {
        self.pixels().into_iter().collect::<HashSet<_>>().len()
    }
}

#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Why there is no screen here.
fn no_screen() -> Option<String> {
    missing(&["Xvfb"])
}

fn missing(programs: &[&str]) -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let exists =
        |program: &&&str| std::env::split_paths(&path).any(|it| it.join(program).is_file());
    let missing = programs.iter().find(|program| !exists(program))?;
    Some(format!("there is no {missing}"))
}

/// Why a window cannot be tested here.
fn obstacle() -> Option<String> {
    if let Some(why) = missing(&["Xvfb", "xdotool", "xwd"]) {
        return Some(why);
    }
    let config = Config {
        input: Input::Device("lo".to_owned()),
        ..Config::default()
    };
    Monitor::builder(&config)
        .start()
        .err()
        .map(|error| error.to_string())
}

/// What the talker does.
#[test]
#[ignore = "a role: other tests run it, in a process of its own"]
fn talk() {
    let port = std::env::var("TALK_TO").expect("only another test runs this");
    let port: u16 = port.parse().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // Until the test closes the connection.
    let mut rest = Vec::new();
    let _reset = stream.read_to_end(&mut rest);
}

/// This test's own program under another name, which talks to a port.
fn talker(folder: &Path, port: u16) -> Running {
    let program = folder.join(TALKER);
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let child = Command::new(program)
        .args(["--exact", "talk", "--ignored", "--nocapture"])
        .env("TALK_TO", port.to_string())
        .stdout(Stdio::null())
        .spawn();
    Running(child.unwrap())
}

#[test]
fn live_traffic_is_shown_by_the_name_of_its_program() {
    if let Some(why) = obstacle() {
        flowner_testing::skipped!("{why}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let screen = Screen::new();
    let app = screen
        .command(env!("CARGO_BIN_EXE_flowner-gui"))
        .args(["-i", "lo"])
        .env("HOME", folder.path())
        .env("XDG_CONFIG_HOME", folder.path())
        .env("XDG_STATE_HOME", folder.path())
        .spawn();
    let _app = Running(app.unwrap());
    // Letters, lines and icons have many colours; an empty window and an error have few.
    until("a window with something in it", || screen.colors() > 60);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let talker = talker(folder.path(), port);
    let (mut stream, _) = listener.accept().unwrap();
    let before = screen.pixels();
    let chatter = std::thread::spawn(move || {
        // Ends when the talker is gone.
        while std::io::Write::write_all(&mut stream, &[7; 9_000]).is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    until("another picture", || screen.pixels() != before);

    // Nobody manages windows on this screen, so nobody gives them the keys.
    let find = [
        "search",
        "--onlyvisible",
        "--name",
        "Flowner",
        "windowfocus",
    ];
    let focused = screen.command("xdotool").args(find).status();
    assert!(focused.unwrap().success());

    // What the window lists is what it writes.
    let written = folder.path().join("network-flows.csv");
    screen.keys(&["2", "slash"]);
    until("the flow of the talker in what is listed", || {
        screen.keys(&["slash"]);
        screen.keys(&["ctrl+a"]);
        screen.type_text(&format!("program:{TALKER}"));
        screen.keys(&["Escape", "e"]);
        screen.keys(&["Return"]);
        let until_written = Instant::now() + Duration::from_secs(2);
        while !written.exists() && Instant::now() < until_written {
            std::thread::sleep(Duration::from_millis(20));
        }
        let text = fs::read_to_string(&written).unwrap_or_default();
        let _again = fs::remove_file(&written);
        let is_talker =
            |line: &str| line.contains(TALKER) && line.contains(&format!("127.0.0.1,{port}"));
        text.lines().any(is_talker)
    });
    assert!(screen.colors() > 60);
    keep(&screen);
    drop(talker);
    chatter.join().unwrap();
}

/// The marks of themes that are on trial.
fn marks(folder: &Path) -> usize {
    let entries = fs::read_dir(folder.join("flowner"));
    let names = entries.into_iter().flatten().flatten();
    let is_mark = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("gui-starting-");
    names.filter(|entry| is_mark(&entry.file_name())).count()
}

/// An app that is killed before it has drawn its theme starts with the default theme; one
/// that has drawn it keeps it, however it ends.
#[test]
fn a_theme_that_was_not_drawn_is_not_tried_again() {
    if let Some(why) = no_screen() {
        flowner_testing::skipped!("{why}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path().join("flowner/gui.toml"));
    let settings = Settings {
        scheme: Scheme::Contrast,
        ..Settings::default()
    };
    let screen = Screen::new();
    let start = || {
        let app = screen
            .command(env!("CARGO_BIN_EXE_flowner-gui"))
            .env("HOME", folder.path())
            .env("XDG_CONFIG_HOME", folder.path())
            .env("XDG_STATE_HOME", folder.path())
            .spawn();
        Running(app.unwrap())
    };
    store.save(&settings).unwrap();
    // Drawn, and killed then.
    let app = start();
    until("a theme on trial", || marks(folder.path()) == 1);
    until("no theme on trial", || marks(folder.path()) == 0);
    drop(app);
    let app = start();
    until("another start", || marks(folder.path()) == 1);
    assert_eq!(store.load(), settings);
    // Killed before it was drawn, this time or the next.
    drop(app);
    until("a kill that came in time", || {
        if marks(folder.path()) == 1 {
            return true;
        }
        let app = start();
        until("another start", || marks(folder.path()) == 1);
        drop(app);
        false
    });
    let _app = start();
    until("the default theme", || {
        store.load().scheme == Scheme::System
    });
    until("no theme on trial", || marks(folder.path()) == 0);
}

/// Keeps the picture where `FLOWNER_SCREENSHOT` says, to be looked at.
fn keep(screen: &Screen) {
    if let Some(path) = std::env::var_os("FLOWNER_SCREENSHOT").map(PathBuf::from) {
        let output = screen
            .command("xwd")
            .args(["-root", "-silent"])
            .output()
            .unwrap();
        fs::write(path, output.stdout).unwrap();
    }
}
