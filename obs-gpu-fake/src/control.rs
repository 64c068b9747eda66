//! What a test drives the library with: exported beside NVIDIA's functions, so that any language can.

use crate::clock::Deadline;
use crate::entry::guarded;
use crate::out::{Text, TextOut};
use crate::script::{Script, ScriptError};
use crate::world::{self, World};
use std::ffi::{c_char, c_int, c_uint};
use std::time::Duration;

/// Puts a new world, made from a text, where the old one was. 0, or -1 where the text is wrong: then the old world stays.
#[unsafe(no_mangle)]
extern "C" fn obs_gpu_fake_reset(script: Text) -> c_int {
    told(|| {
        let world = World::begin(text(&script)?)?;
        world::lock().replace(world);
        Ok(())
    })
}

/// Adds steps. 0, or -1 where the text is wrong: then nothing is added.
#[unsafe(no_mangle)]
extern "C" fn obs_gpu_fake_push(script: Text) -> c_int {
    told(|| {
        let script = Script::parse(text(&script)?)?;
        let refused = |message: String| ScriptError {
            statement: 0,
            message,
        };
        if let Some(setting) = script.settings.first() {
            return Err(refused(format!("a world has begun with its {setting:?}")));
        }
        world::lock().push(script.steps).map_err(refused)
    })
}

/// Why the last text was wrong, for its caller to keep: 0, or -1 where there is no room.
#[unsafe(no_mangle)]
extern "C" fn obs_gpu_fake_error(message: TextOut, length: c_uint) -> c_int {
    let put = guarded(|| {
        let why = world::lock().error.as_ref().map(ToString::to_string);
        message.put(&why.unwrap_or_default(), length)
    });
    if put == 0 { 0 } else { -1 }
}

/// Microseconds since the world began.
#[unsafe(no_mangle)]
extern "C" fn obs_gpu_fake_clock_us() -> u64 {
    world::lock().clock.now()
}

/// Moves the clock, and lets all happen that was due on the way. A real clock then runs ahead.
#[unsafe(no_mangle)]
extern "C" fn obs_gpu_fake_advance_us(by: u64) {
    world::lock().advance(by);
}

/// How often a call was made (`*`: any), of the device that stands in this place of the script, or with -1 of all and of none.
#[unsafe(no_mangle)]
extern "C" fn obs_gpu_fake_calls(call: Text, gpu: c_int) -> u64 {
    let gpu = u32::try_from(gpu).ok();
    call.get().map_or(0, |call| world::lock().calls(call, gpu))
}

/// How many there are now of: threads that a script holds in a call (0), threads that wait for an event (1), sets of events that
/// were not freed (2), GPM samples that were not (3), initialisations without a shutdown (4).
#[unsafe(no_mangle)]
extern "C" fn obs_gpu_fake_count(what: c_uint) -> u64 {
    counted(&world::lock(), what)
}

/// Waits until there are at least so many. 0, or -1 when it took longer than so many real milliseconds.
#[unsafe(no_mangle)]
extern "C" fn obs_gpu_fake_until(what: c_uint, many: u64, timeout_ms: c_uint) -> c_int {
    let deadline = Deadline::after(Duration::from_millis(timeout_ms.into()));
    let mut world = world::lock();
    while counted(&world, what) < many {
        let Some(left) = deadline.left() else {
            return -1;
        };
        world = world::wait_for_counts(world, left);
    }
    0
}

fn counted(world: &World, what: c_uint) -> u64 {
    match what {
        0 => world.stalled.into(),
        1 => world.listening.into(),
        2 => world.sets.len() as u64,
        3 => world.samples.len() as u64,
        4 => world.inits.into(),
        _ => 0,
    }
}

fn text(script: &Text) -> Result<&str, ScriptError> {
    script.get().ok_or_else(|| ScriptError {
        statement: 0,
        message: "no text".to_owned(),
    })
}

fn told(body: impl FnOnce() -> Result<(), ScriptError>) -> c_int {
    let done = guarded(|| {
        body().map_err(|error| {
            world::lock().error = Some(error);
            crate::answer::Code::UNKNOWN
        })
    });
    if done == 0 { 0 } else { -1 }
}

/// The controls, as Rust calls them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Controls {
    pub(crate) reset: unsafe extern "C" fn(*const c_char) -> c_int,
    pub(crate) push: unsafe extern "C" fn(*const c_char) -> c_int,
    pub(crate) error: unsafe extern "C" fn(*mut c_char, c_uint) -> c_int,
    pub(crate) clock_us: unsafe extern "C" fn() -> u64,
    pub(crate) advance_us: unsafe extern "C" fn(u64),
    pub(crate) calls: unsafe extern "C" fn(*const c_char, c_int) -> u64,
    pub(crate) count: unsafe extern "C" fn(c_uint) -> u64,
    pub(crate) until: unsafe extern "C" fn(c_uint, u64, c_uint) -> c_int,
}

impl Controls {
    /// Those of an image; they are good for as long as it is loaded.
    pub(crate) fn of(image: &libloading::Library) -> Result<Self, libloading::Error> {
        // SAFETY: each symbol is the function of that name above, whose type the field has.
        unsafe {
            Ok(Self {
                reset: *image.get(b"obs_gpu_fake_reset\0")?,
                push: *image.get(b"obs_gpu_fake_push\0")?,
                error: *image.get(b"obs_gpu_fake_error\0")?,
                clock_us: *image.get(b"obs_gpu_fake_clock_us\0")?,
                advance_us: *image.get(b"obs_gpu_fake_advance_us\0")?,
                calls: *image.get(b"obs_gpu_fake_calls\0")?,
                count: *image.get(b"obs_gpu_fake_count\0")?,
                until: *image.get(b"obs_gpu_fake_until\0")?,
            })
        }
    }
}
