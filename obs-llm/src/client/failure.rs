//! Whether an error of a service means that somebody within it has waited long enough.
//!
//! Layers that give up make errors boxed (tower's `Timeout`), and clients wrap each other's. What is known of them is `io::Error`'s kind,
//! and what the others say, which are constants of their crates: the tests compare them with the real ones.

use std::any::Any;
use std::error::Error;
use std::fmt::{self, Write};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Chains are short; one that bites its tail must not hang the host.
const DEEPEST: usize = 16;

/// tower, tokio, reqwest.
const SAYINGS: [&[u8]; 3] = [
    b"request timed out",
    b"deadline has elapsed",
    b"operation timed out",
];

/// Of an error of any type: boxed ones and those of the system are looked into.
#[cold]
pub(super) fn is_timeout<E: 'static>(error: &E) -> bool {
    let any: &dyn Any = error;
    #[cfg(feature = "reqwest")]
    if let Some(error) = any.downcast_ref::<reqwest::Error>() {
        return error.is_timeout();
    }
    if let Some(error) = any.downcast_ref::<Box<dyn Error + Send + Sync>>() {
        return is_in(&**error);
    }
    if let Some(error) = any.downcast_ref::<Box<dyn Error + Send>>() {
        return is_in(&**error);
    }
    any.downcast_ref::<io::Error>()
        .is_some_and(|error| is_in(error))
}

fn is_in(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    for _ in 0..DEEPEST {
        let Some(error) = next else { break };
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == io::ErrorKind::TimedOut) || says(error) {
            return true;
        }
        // What an error of the system wraps is not its source, but has one.
        let inner = io.and_then(io::Error::get_ref).map(|inner| inner as _);
        next = inner.or_else(|| error.source());
    }
    false
}

fn says(error: &(dyn Error + 'static)) -> bool {
    let mut text = Beginning::default();
    // It fails where the text is longer than what is looked at. An error that panics over its text is not ours to let through: its
    // host goes on with it as it would without us.
    let _ = catch_unwind(AssertUnwindSafe(|| write!(text, "{error}")));
    let text = &text.bytes[..text.len];
    SAYINGS.iter().any(|saying| text.starts_with(saying))
}

/// The beginning of a text, without an allocation.
#[derive(Default)]
struct Beginning {
    bytes: [u8; 32],
    len: usize,
}

impl Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let taken = text.len().min(self.bytes.len() - self.len);
        self.bytes[self.len..self.len + taken].copy_from_slice(&text.as_bytes()[..taken]);
        self.len += taken;
        if taken == text.len() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}
