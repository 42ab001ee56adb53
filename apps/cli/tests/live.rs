//! The live view in a real terminal, below a real shell: keys, sizes, and every way to
//! end it, after which the terminal is as it was.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::io::Read;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use common::terminal::Terminal;
use tempfile::TempDir;
use vt100::Screen;

/// A shell that runs the view of sockets, which needs no privilege.
struct Stage {
    terminal: Terminal,
    folder: TempDir,
    /// Something to see.
    listener: TcpListener,
}

impl Stage {
    fn new(columns: u16, lines: u16) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let terminal = Terminal::open(columns, lines, folder.path())?;
        let mut stage = Self {
            terminal,
            folder,
            listener,
        };
        stage.terminal.command("stty -g > before; echo STORED");
        stage.terminal.wait_for("STORED");
        Some(stage)
    }

    fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// Starts it; what it ended with is written down.
    fn start(&mut self, before: &str) {
        let run = format!(
            "{before} bash -c 'echo $$ > pid; exec \"$FLOWNER\" --sockets'; \
             echo ENDED $? > ended; echo OVER"
        );
        self.terminal.command(&run);
    }

    fn start_and_wait(&mut self) {
        self.start("");
        self.wait_view();
    }

    #[track_caller]
    fn wait_view(&self) {
        self.terminal.wait("live view", is_view);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sends a signal to it.
    fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(self.file("pid")).unwrap();
        let status = Command::new("kill")
            .args([&format!("-{name}"), pid.trim()])
            .status();
        assert!(status.unwrap().success());
    }

    /// It has ended with this code, and the terminal is as it was.
    #[track_caller]
    fn check_ended(&mut self, code: u8) -> String {
        let screen = self.terminal.wait_restored("OVER");
        let ended = std::fs::read_to_string(self.file("ended")).unwrap();
        assert_eq!(ended.trim(), format!("ENDED {code}"), "{screen}");
        self.check_modes();
        screen
    }

    /// The modes of the terminal are those that the shell had set.
    #[track_caller]
    fn check_modes(&mut self) {
        self.terminal.keys("stty -g > after; echo COMPARED\r");
        self.terminal.wait_for("COMPARED");
        let [before, after] =
            ["before", "after"].map(|name| std::fs::read_to_string(self.file(name)).unwrap());
        assert_eq!(before, after);
    }
}

fn is_view(screen: &Screen) -> bool {
    screen.alternate_screen()
        && screen.hide_cursor()
        && screen.contents().contains("PROGRAM")
        && screen.contents().contains("listening")
}

#[test]
fn keys_are_understood() {
    let Some(mut stage) = Stage::new(80, 24) else {
        return;
    };
    stage.start_and_wait();
    let port = stage.port();
    stage.terminal.keys("2");
    stage.terminal.wait_for("PROTO");
    stage.terminal.keys("/");
    stage
        .terminal
        .wait("cursor", |screen| !screen.hide_cursor());
    stage.terminal.keys("prot:1");
    stage.terminal.wait_for("did you mean `proto`?");
    // Sockets of all network namespaces are listed: another may have the port in its own.
    let pid = std::process::id();
    let filter = format!("port:{port} pid:{pid}");
    stage.terminal.keys(&format!("\u{15}{filter}\r"));
    stage.terminal.wait("the list below the filter", |screen| {
        let is_over = screen.hide_cursor() && screen.contents().contains(&format!("/{filter}"));
        is_over && screen.contents().contains("1 socket ")
    });
    let address = format!("127.0.0.1:{port}");
    let screen = stage.terminal.wait_for(&address);
    assert!(screen.contains("listen"), "{screen}");
    stage.terminal.keys("jd");
    let screen = stage.terminal.wait_for("Details");
    assert!(screen.contains(&format!("process   {pid} ")), "{screen}");
    stage.terminal.keys("?");
    stage.terminal.wait_for("details, evidence");
    stage.terminal.keys("?p");
    stage.terminal.wait_for("paused");
    stage.terminal.keys("q");
    stage.check_ended(0);
}

#[test]
fn it_shrinks_to_ten_lines_of_forty() {
    let Some(mut stage) = Stage::new(120, 40) else {
        return;
    };
    stage.start_and_wait();
    stage.terminal.resize(40, 10);
    let screen = stage.terminal.wait("small view", |screen| {
        let text = screen.contents();
        text.lines().count() == 10 && text.lines().last().unwrap().starts_with(" q quit")
    });
    assert!(
        screen.lines().all(|line| line.chars().count() <= 40),
        "{screen}"
    );
    stage.terminal.resize(100, 30);
    stage.terminal.wait("large view", |screen| {
        screen.contents().lines().count() == 30
    });
    // As Ctrl-C does.
    stage.terminal.keys("\u{3}");
    stage.check_ended(0);
}

#[test]
fn it_is_suspended_and_continued() {
    let Some(mut stage) = Stage::new(80, 24) else {
        return;
    };
    stage.start_and_wait();
    // By the key, from outside, and without a chance to tidy up.
    for how in ["key", "TSTP", "STOP"] {
        match how {
            "key" => stage.terminal.keys("\u{1a}"),
            signal => stage.signal(signal),
        }
        if how == "STOP" {
            // The program cannot leave the screen in this case; the shell prints on it.
            stage.terminal.wait_for("Stopped");
        } else {
            stage.terminal.wait_restored("Stopped");
            stage.check_modes();
        }
        // On an empty screen, so that next time nothing there is taken for news.
        stage.terminal.command("fg");
        stage.wait_view();
        stage.terminal.keys("?");
        stage.terminal.wait_for("suspend");
        stage.terminal.keys("?");
        stage.terminal.wait("view without help", |screen| {
            is_view(screen) && !screen.contents().contains("suspend")
        });
    }
    stage.terminal.keys("q");
    // Stopping ended what the shell would have run next, so its files are not there.
    stage.terminal.wait_restored("READY");
    stage.check_modes();
}

#[test]
fn signals_end_it() {
    for (signal, code) in [("TERM", 143), ("HUP", 129), ("INT", 0)] {
        let Some(mut stage) = Stage::new(80, 24) else {
            return;
        };
        stage.start_and_wait();
        stage.signal(signal);
        stage.check_ended(code);
    }
}

#[cfg(debug_assertions)]
/// The terminal is gone, and standard error with it: no message can reach the user.
#[test]
fn it_ends_with_its_terminal() {
    for attempt in 0..3 {
        let pair = portable_pty::native_pty_system()
            .openpty(portable_pty::PtySize::default())
            .unwrap();
        let mut command = portable_pty::CommandBuilder::new(env!("CARGO_BIN_EXE_flowner"));
        command.args(["--no-config", "live", "--sockets"]);
        command.env("TERM", "xterm-256color");
        let mut view = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let mut seen = Vec::new();
        // Until something was drawn: each time, the cursor is hidden once more.
        let mut bytes = [0; 4_096];
        while String::from_utf8_lossy(&seen).matches("?25l").count() < 2 {
            let length = reader.read(&mut bytes).unwrap();
            assert!(length > 0, "it ended");
            seen.extend_from_slice(&bytes[..length]);
        }
        drop(reader);
        drop(pair.master);
        let code = view.wait().unwrap().exit_code();
        // What it notices first: that the terminal is gone, or the signal that says so.
        assert!(matches!(code, 0 | 129), "{attempt}: {code}");
    }
}

#[test]
fn a_panic_is_printed_on_the_previous_screen() {
    let Some(mut stage) = Stage::new(80, 24) else {
        return;
    };
    stage.start("FLOWNER_TEST_PANIC=1");
    let screen = stage.check_ended(101);
    assert!(screen.contains("a panic was asked for"), "{screen}");
}

#[test]
fn a_wrong_filter_or_device_is_reported_without_a_screen() {
    let Some(mut stage) = Stage::new(80, 24) else {
        return;
    };
    stage
        .terminal
        .command("$FLOWNER --filter prot:tcp; echo CODE $?");
    let screen = stage.terminal.wait_restored("CODE 2");
    assert!(screen.contains("did you mean `proto`?"), "{screen}");
    stage
        .terminal
        .command("$FLOWNER live -i no-such-device; echo THEN $?");
    let screen = stage.terminal.wait_restored("THEN 2");
    assert!(screen.contains("no-such-device"), "{screen}");
}

/// While nothing happens, nothing is done: neither drawing nor asking.
#[cfg(target_os = "linux")]
#[test]
fn it_rests_between_refreshes() {
    let Some(mut stage) = Stage::new(80, 24) else {
        return;
    };
    stage
        .terminal
        .command("echo $$ > pid; exec $FLOWNER --sockets --interval 1h");
    stage.wait_view();
    let pid = std::fs::read_to_string(stage.file("pid")).unwrap();
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap();
        let fields: Vec<_> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        // utime and stime (proc(5)), in hundredths of a second.
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = ticks();
    // What is not done can only be seen by letting time pass.
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert!(ticks() - before <= 1, "{} ticks", ticks() - before);
}
