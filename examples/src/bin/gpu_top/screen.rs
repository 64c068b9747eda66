//! Where rounds are shown: in place on a terminal, one below the other anywhere else.

use std::io::{self, IsTerminal, Write};

/// Another screen, without a cursor, on which long lines are cut instead of folded; and back. (ECMA-48 and xterm's `ctlseqs`.)
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
/// To the first line; what is left of a line; what is left of the screen.
const HOME: &str = "\x1b[H";
const REST_OF_LINE: &str = "\x1b[K";
const REST: &str = "\x1b[J";

/// The output. Dropped, the terminal is as it was.
#[derive(Debug)]
pub(crate) struct Screen {
    is_live: bool,
}

impl Screen {
    pub(crate) fn open() -> io::Result<Self> {
        let is_live = io::stdout().is_terminal();
        if is_live {
            put(ENTER)?;
        }
        Ok(Self { is_live })
    }

    /// Whether somebody sits before it.
    pub(crate) fn is_live(&self) -> bool {
        self.is_live
    }

    /// A round.
    pub(crate) fn show(&self, lines: &[String]) -> io::Result<()> {
        let mut text = String::new();
        if self.is_live {
            text.push_str(HOME);
        }
        for line in lines {
            text.push_str(line);
            text.push_str(if self.is_live { REST_OF_LINE } else { "" });
            text.push('\n');
        }
        text.push_str(if self.is_live { REST } else { "\n" });
        put(&text)
    }

    pub(crate) fn close(mut self) -> io::Result<()> {
        self.leave()
    }

    fn leave(&mut self) -> io::Result<()> {
        match std::mem::take(&mut self.is_live) {
            true => put(LEAVE),
            false => Ok(()),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nobody can be told that there is no terminal any more.
        let _ = self.leave();
    }
}

/// One line, on whichever screen there is.
pub(crate) fn say(line: &str) -> io::Result<()> {
    put(&format!("{line}\n"))
}

fn put(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
