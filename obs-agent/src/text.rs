//! Texts that are made only where somebody records them.

use std::fmt;

/// What is said: a prompt, arguments, a result. Whoever records no content never asks for it, so that what is dear to make is made
/// on demand.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Text<'a> {
    /// It is there.
    Plain(&'a str),
    /// It is there, and JSON.
    Json(&'a str),
    /// Appended to what it is given, when somebody asks.
    PlainBy(&'a (dyn Fn(&mut String) + Sync)),
    /// The same, and JSON.
    JsonBy(&'a (dyn Fn(&mut String) + Sync)),
}

impl Text<'_> {
    /// Whether it says that it is JSON.
    pub const fn is_json(&self) -> bool {
        matches!(self, Self::Json(_) | Self::JsonBy(_))
    }

    /// Appends it.
    pub fn write_to(&self, out: &mut String) {
        match self {
            Self::Plain(text) | Self::Json(text) => out.push_str(text),
            Self::PlainBy(write) | Self::JsonBy(write) => write(out),
        }
    }

    /// Lends it, made where it is not there.
    pub fn with<R>(&self, read: impl FnOnce(&str) -> R) -> R {
        match self {
            Self::Plain(text) | Self::Json(text) => read(text),
            Self::PlainBy(write) | Self::JsonBy(write) => {
                let mut made = String::new();
                write(&mut made);
                read(&made)
            }
        }
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self::Plain(text)
    }
}

/// Without what is said.
impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text")
            .field("is_json", &self.is_json())
            .finish_non_exhaustive()
    }
}
