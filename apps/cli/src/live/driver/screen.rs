//! Takes the terminal over, and restores it whatever happens.

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

/// Whether the view has the mouse, too, so that the terminal cannot select text. Every path that
/// restores the terminal, including a panic, must know.
static MOUSE: AtomicBool = AtomicBool::new(false);

/// The terminal while the view has it.
pub(super) struct Screen {
    /// Not dropped: the library would show the cursor, which [`give_back`] does, and panic if
    /// neither the terminal nor standard error accepts output any more.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<SixteenColours<Stdout>>>>,
}

impl Screen {
    /// Takes the terminal over, and its mouse if wanted.
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
        // A program that stopped this one without its knowledge left the terminal in another mode,
        // which would count as ours.
        let _was_not_raw = disable_raw_mode();
        take_over().map_err(|error| failure(&error))?;
        // This clears, too. `clear()` would request the cursor position from the terminal, and the
        // thread that waits for keys might get the answer.
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

/// Restores the terminal. If that fails, it is gone.
pub(super) fn give_back() {
    leave(&mut io::stdout());
    let _terminal_gone = disable_raw_mode();
}

/// Shows the earlier content of the terminal.
pub(super) fn leave(output: &mut impl Write) {
    if MOUSE.load(Ordering::Relaxed) {
        let _terminal_gone = execute!(output, DisableMouseCapture);
    }
    let _terminal_gone = execute!(output, DisableBracketedPaste, Show, LeaveAlternateScreen);
    let _terminal_gone = output.flush();
}

/// The message for an error of the terminal. None if the terminal is gone: no one would read it.
fn failure(error: &io::Error) -> Failure {
    // The error itself is not reliable. Writing to a terminal that hung up fails with EIO, and
    // opening `/dev/tty` with ENXIO. The library then starts `tput` for the size and reports
    // whichever error came last. The view began on a terminal, so if there is none any more, it is
    // gone.
    if !is_there() {
        return Failure::ClosedPipe;
    }
    Failure::Message(format!("the terminal could not be used: {error}"))
}

/// Whether there is a terminal for output.
pub(crate) fn is_there() -> bool {
    io::stdout().is_terminal() && io::stdin().is_terminal()
}
