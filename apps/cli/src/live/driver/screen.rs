//! The terminal: taken over, and given back as it was, whatever happens.

use std::io::{self, IsTerminal, Stdout, Write};
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::layout::{Position, Rect};
use ratatui::{Frame, Terminal};

use super::colours::SixteenColours;
use crate::error::Failure;

/// Whether the mouse is ours, too: the terminal cannot select text then. A person who gives the
/// terminal back, a panic too, has to know.
static MOUSE: AtomicBool = AtomicBool::new(false);

/// The terminal while it is ours.
pub(super) struct Screen {
    /// Not dropped: the library would show the cursor, which [`give_back`] does, and panic where
    /// neither the terminal nor standard error takes a word any more.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<SixteenColours<Stdout>>>>,
}

impl Screen {
    /// Takes the terminal over, and its mouse if that is wanted.
    pub(super) fn enter(takes_mouse: bool) -> Result<Self, Failure> {
        MOUSE.store(takes_mouse, Ordering::Relaxed);
        let terminal = take_over().and_then(|()| {
            let backend = CrosstermBackend::new(SixteenColours::new(io::stdout()));
            Terminal::new(backend)
        });
        let terminal = terminal
            .inspect_err(|_| give_back())
            .map_err(|error| failure(&error))?;
        let terminal = ManuallyDrop::new(terminal);
        Ok(Self { terminal })
    }

    /// Takes it over again, whatever it shows now.
    pub(super) fn reenter(&mut self) -> Result<(), Failure> {
        // Who stopped this program without its knowledge left the terminal in a mode
        // that is not ours, and that would be taken for ours.
        let _was_not_raw = disable_raw_mode();
        take_over().map_err(|error| failure(&error))?;
        // Clears too. `clear()` would ask the terminal where its cursor is, and wait for
        // an answer that the thread that waits for keys may get.
        let size = self.terminal.size().map_err(|error| failure(&error))?;
        let resized = self.terminal.resize(Rect::from((Position::ORIGIN, size)));
        resized.map_err(|error| failure(&error))
    }

    /// Columns and lines.
    pub(super) fn size(&self) -> Result<(u16, u16), Failure> {
        let size = self.terminal.size().map_err(|error| failure(&error))?;
        Ok((size.width, size.height))
    }

    pub(super) fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> Result<(), Failure> {
        let drawn = self.terminal.draw(view);
        drawn.map(|_frame| ()).map_err(|error| failure(&error))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take_over() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(
        io::stdout(),
        EnterAlternateScreen,
        EnableBracketedPaste,
        Hide
    )?;
    if MOUSE.load(Ordering::Relaxed) {
        execute!(io::stdout(), EnableMouseCapture)?;
    }
    Ok(())
}

/// Leaves the terminal as it was found. Where that fails, it is gone.
pub(super) fn give_back() {
    leave(&mut io::stdout());
    let _terminal_gone = disable_raw_mode();
}

/// Shows on the terminal what was there before.
pub(super) fn leave(output: &mut impl Write) {
    if MOUSE.load(Ordering::Relaxed) {
        let _terminal_gone = execute!(output, DisableMouseCapture);
    }
    let _terminal_gone = execute!(output, DisableBracketedPaste, Show, LeaveAlternateScreen);
    let _terminal_gone = output.flush();
}

/// What to say of an error of the terminal. Nothing, where the terminal is gone: nobody would
/// read it.
fn failure(error: &io::Error) -> Failure {
    // The error itself does not say so reliably. Writing to a terminal that hung up fails with
    // EIO, opening `/dev/tty` with ENXIO, and the library that asks for the size then starts
    // `tput` and reports whatever error came last. The view began on a terminal, so what is
    // none any more is gone.
    if !is_there() {
        return Failure::ClosedPipe;
    }
    Failure::Message(format!("the terminal could not be used: {error}"))
}

/// Whether there is a terminal to show something on.
pub(crate) fn is_there() -> bool {
    io::stdout().is_terminal() && io::stdin().is_terminal()
}
