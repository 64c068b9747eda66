//! A test's hold on the library that the loader under test has open.

use crate::control::Controls;
use crate::find;
use crate::script::ScriptError;
use libloading::Library;
use std::ffi::{CString, c_char, c_int, c_uint};
use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Tests of one process that use the same image take turns: whether one has it, and who is told when it is free. A guard of a mutex
/// would tie a [`Fake`] to its thread.
static TAKEN: Mutex<bool> = Mutex::new(false);
static FREE: Condvar = Condvar::new();

/// Where this process has copies. The loader knows images by their path: another file under an old path would be the old image.
static COPIES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// The library with a world of its own. Dropping it lets go of every thread that its script held.
#[must_use = "dropping it ends the world"]
pub struct Fake {
    path: PathBuf,
    controls: Controls,
    // Never unloaded: a thread that hung in it may still be on its way out.
    _image: ManuallyDrop<Library>,
    _turn: Option<Turn>,
}

/// What a [`Fake`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Threads that a script holds in a call.
    Stalled,
    /// Threads that wait for an event.
    Listening,
    /// Sets of events that were not freed.
    EventSets,
    /// GPM samples that were not freed.
    GpmSamples,
    /// Initialisations without a shutdown.
    Initialised,
}

/// Why there is no fake.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The library is not where cargo puts it.
    Missing(io::Error),
    /// It could not be opened, or is another one.
    NotLoaded(libloading::Error),
    /// The script is wrong.
    Script(String),
}

impl Fake {
    /// Begins a world with the library that [`library_path`](crate::library_path) finds. Another one of this process is waited
    /// for.
    ///
    /// # Errors
    /// Where the library is missing, or the script is wrong.
    pub fn start(script: &str) -> Result<Self, Error> {
        let path = find::library_path().map_err(Error::Missing)?;
        Self::open(path, Some(Turn::take()), script)
    }

    /// Begins a world with an image of its own: a copy of the library in a folder, under the name that loaders look for,
    /// `libnvidia-ml.so.1`. What is told to other fakes does not reach it, so tests need not take turns.
    ///
    /// The copy has none of the symbols named in `without`: that is an older driver. A call that is there and answers "function
    /// not found" is `err:CALL=13` in the script.
    ///
    /// # Errors
    /// Where the library is missing or has no such symbol, the copy cannot be written, the folder had one of this process before, or
    /// the script is wrong.
    pub fn install(folder: &Path, without: &[&str], script: &str) -> Result<Self, Error> {
        let path = find::install(folder, without).map_err(Error::Missing)?;
        let known = path.canonicalize().map_err(Error::Missing)?;
        let mut copies = COPIES.lock().unwrap_or_else(PoisonError::into_inner);
        if copies.contains(&known) {
            let why = format!("this process has one loaded from {known:?}; take another folder");
            let error = io::Error::new(io::ErrorKind::AlreadyExists, why);
            return Err(Error::Missing(error));
        }
        copies.push(known);
        drop(copies);
        Self::open(path, None, script)
    }

    fn open(path: PathBuf, turn: Option<Turn>, script: &str) -> Result<Self, Error> {
        // SAFETY: the library is this crate's own, which does nothing when it is loaded and is never unloaded.
        let image = unsafe { Library::new(&path) }.map_err(Error::NotLoaded)?;
        let image = ManuallyDrop::new(image);
        let controls = Controls::of(&image).map_err(Error::NotLoaded)?;
        let fake = Self {
            path,
            controls,
            _image: image,
            _turn: turn,
        };
        fake.reset(script)?;
        Ok(fake)
    }

    /// Where the library is, for `Nvml::builder().lib_path(…)`.
    pub fn library(&self) -> &Path {
        &self.path
    }

    /// Begins another world. Handles of the old one are unknown in it, except those of devices.
    ///
    /// # Errors
    /// Where the script is wrong; the old world then goes on.
    pub fn reset(&self, script: &str) -> Result<(), Error> {
        // SAFETY: a function of the image, which stays loaded, with a text that lives as long as the call.
        self.tell(script, |text| unsafe { (self.controls.reset)(text) })
    }

    /// Adds steps. `+0` is now; a moment that has passed is now, too.
    ///
    /// # Errors
    /// Where a step is wrong; none of them is added then.
    pub fn push(&self, steps: &str) -> Result<(), Error> {
        // SAFETY: as for `reset`.
        self.tell(steps, |text| unsafe { (self.controls.push)(text) })
    }

    /// Since the world began.
    pub fn now(&self) -> Duration {
        // SAFETY: a function of the image, which stays loaded; it takes nothing.
        Duration::from_micros(unsafe { (self.controls.clock_us)() })
    }

    /// Moves the clock; all that was due on the way happens, each at its own moment.
    pub fn advance(&self, by: Duration) {
        // SAFETY: a function of the image, which stays loaded, with a number.
        unsafe { (self.controls.advance_us)(by.as_micros() as u64) }
    }

    /// How often a call was made, by its name in C, of the device in this place of the script or of all; `*` is any call.
    pub fn calls(&self, call: &str, gpu: Option<u32>) -> u64 {
        let gpu = gpu.map_or(-1, |gpu| gpu as c_int);
        CString::new(call).map_or(0, |call| {
            // SAFETY: a function of the image, which stays loaded, with a text that lives as long as the call.
            unsafe { (self.controls.calls)(call.as_ptr(), gpu) }
        })
    }

    /// How many there are now.
    pub fn count(&self, what: Count) -> u64 {
        // SAFETY: a function of the image, which stays loaded, with a number.
        unsafe { (self.controls.count)(what as c_uint) }
    }

    /// Blocks until there are at least so many; says whether it came to that in time.
    #[must_use]
    pub fn until(&self, what: Count, many: u64, at_most: Duration) -> bool {
        let timeout = c_uint::try_from(at_most.as_millis()).unwrap_or(c_uint::MAX);
        // SAFETY: a function of the image, which stays loaded, with numbers.
        unsafe { (self.controls.until)(what as c_uint, many, timeout) == 0 }
    }

    fn tell(&self, text: &str, call: impl FnOnce(*const c_char) -> c_int) -> Result<(), Error> {
        let text = CString::new(text).map_err(|error| Error::Script(error.to_string()))?;
        if call(text.as_ptr()) == 0 {
            return Ok(());
        }
        let mut message = vec![0_u8; 4096];
        // SAFETY: a function of the image, which stays loaded, with room of the length that is told.
        unsafe { (self.controls.error)(message.as_mut_ptr().cast(), message.len() as c_uint) };
        let end = message.iter().position(|byte| *byte == 0).unwrap_or(0);
        Err(Error::Script(
            String::from_utf8_lossy(&message[..end]).into_owned(),
        ))
    }
}

#[derive(Debug)]
struct Turn;

impl Turn {
    fn take() -> Self {
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let free = FREE.wait_while(taken, |taken| *taken);
        *free.unwrap_or_else(PoisonError::into_inner) = true;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = false;
        FREE.notify_one();
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        // An empty world: whoever hangs is let go. A text without words cannot be wrong.
        let _ = self.reset("");
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fake")
            .field("library", &self.path)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(error) => write!(f, "no fake library: {error}"),
            Self::NotLoaded(error) => write!(f, "the fake library does not load: {error}"),
            Self::Script(error) => write!(f, "the script is wrong: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Missing(error) => Some(error),
            Self::NotLoaded(error) => Some(error),
            Self::Script(_) => None,
        }
    }
}

/// Checks a script without a library.
///
/// # Errors
/// Where it is wrong.
pub fn check(script: &str) -> Result<(), ScriptError> {
    crate::world::World::begin(script).map(drop)
}
