//! A shell in a real pseudo-terminal, and the screen that a user would see.
#![cfg(unix)]

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use vt100::{Parser, Screen};

use super::DEADLINE;

/// What the shell writes when it waits for a command.
pub(crate) const PROMPT: &str = "READY> ";

/// A terminal with a shell that has job control.
pub(crate) struct Terminal {
    seen: Arc<Seen>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    shell: Box<dyn Child + Send + Sync>,
}

struct Seen {
    parser: Mutex<Parser>,
    changed: Condvar,
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Parser> {
        self.parser.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Terminal {
    /// Of this size, in this folder; `None`, with a visible word, without bash.
    pub(crate) fn open(columns: u16, lines: u16, folder: &Path) -> Option<Self> {
        let pair = native_pty_system().openpty(size(columns, lines)).unwrap();
        let mut command = CommandBuilder::new("bash");
        command.args(["--noprofile", "--norc", "-i"]);
        command.cwd(folder);
        for variable in [
            "NO_COLOR",
            "FLOWNER_CONFIG",
            "FLOWNER_LOG",
            "PROMPT_COMMAND",
        ] {
            command.env_remove(variable);
        }
        command.env("TERM", "xterm-256color");
        command.env("RUST_BACKTRACE", "0");
        command.env("PS1", PROMPT);
        // The shell itself would turn that on, and hide that the program left it so.
        let inputrc = folder.join("inputrc");
        std::fs::write(&inputrc, "set enable-bracketed-paste off\n").unwrap();
        command.env("INPUTRC", inputrc);
        command.env("FLOWNER", env!("CARGO_BIN_EXE_flowner"));
        let Ok(shell) = pair.slave.spawn_command(command) else {
            flowner_testing::skipped!("there is no bash to start a shell with job control");
            return None;
        };
        let parser = Parser::new(cells(lines), cells(columns), 0);
        let seen = Arc::new(Seen {
            parser: Mutex::new(parser),
            changed: Condvar::new(),
        });
        read(pair.master.try_clone_reader().unwrap(), Arc::clone(&seen));
        let terminal = Self {
            keys: pair.master.take_writer().unwrap(),
            master: pair.master,
            seen,
            shell,
        };
        terminal.wait("a prompt", is_at_prompt);
        Some(terminal)
    }

    /// As if typed.
    pub(crate) fn keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// A command, on an empty screen.
    pub(crate) fn command(&mut self, command: &str) {
        self.keys(&format!("clear; {command}\r"));
    }

    /// Waits until the screen shows something; fails after the deadline, with what it
    /// shows instead.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, shows: impl Fn(&Screen) -> bool) -> String {
        let end = Instant::now() + DEADLINE;
        let mut parser = self.seen.lock();
        loop {
            if shows(parser.screen()) {
                return parser.screen().contents();
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "no {what}; the screen shows:\n{}",
                parser.screen().contents()
            );
            let waited = self.seen.changed.wait_timeout(parser, left);
            parser = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for a text on the screen.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) -> String {
        self.wait(text, |screen| shows(screen, text))
    }

    /// Waits until the shell has the terminal, and checks that it is as it was.
    #[track_caller]
    pub(crate) fn wait_restored(&self, text: &str) -> String {
        self.wait(&format!("restored terminal with {text}"), |screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && shows(screen, text)
        })
    }

    /// As the window manager does.
    pub(crate) fn resize(&self, columns: u16, lines: u16) {
        self.seen.lock().set_size(cells(lines), cells(columns));
        self.master.resize(size(columns, lines)).unwrap();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _gone_already = self.shell.kill();
        let _gone_already = self.shell.wait();
    }
}

/// Whether a line has this text, other than a command that will write it.
fn shows(screen: &Screen, text: &str) -> bool {
    let contents = screen.contents();
    let mut lines = contents.lines();
    lines.any(|line| line.contains(text) && !line.contains("; echo"))
}

/// Whether the last line is the shell's prompt.
fn is_at_prompt(screen: &Screen) -> bool {
    screen.contents().trim_end().ends_with(PROMPT.trim_end())
}

fn read(mut output: Box<dyn Read + Send>, seen: Arc<Seen>) {
    std::thread::spawn(move || {
        let mut bytes = [0; 4_096];
        while let Ok(length @ 1..) = output.read(&mut bytes) {
            seen.lock().process(&bytes[..length]);
            seen.changed.notify_all();
        }
    });
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap()
}

const fn size(cols: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols,
        pixel_width: 0,
        pixel_height: 0,
    }
}
