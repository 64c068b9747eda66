//! The functions that are exported. What `nvml.h` has and this has not is absent on purpose: a reader finds a symbol missing, as
//! with an older driver.

/// Exports calls about a device. In the body, `seen` is what the call found and `?` leaves it with a code.
macro_rules! device_calls {
    ($way:ident: $(fn $name:ident(|$seen:ident| $($arg:ident: $type:ty),*) $body:block)*) => {
        device_calls!(@names $($name)*);
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name(device: nvmlDevice_t $(, #[allow(unused_mut)] mut $arg: $type)*) -> nvmlReturn_t {
                entry::$way(stringify!($name), device, |$seen| $body)
            }
        )*
    };
    (@names $($name:ident)*) => {
        pub(super) const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

mod device;
mod events;
mod fields;
mod gpm;
mod identity;
mod library;
mod mig;
mod processes;
mod raw;
mod samples;

/// The names of all calls.
pub(crate) fn calls() -> impl Iterator<Item = &'static str> {
    let modules = [
        library::NAMES,
        device::NAMES,
        events::NAMES,
        fields::NAMES,
        gpm::NAMES,
        identity::NAMES,
        mig::NAMES,
        processes::NAMES,
        raw::NAMES,
        samples::NAMES,
    ];
    modules.into_iter().flatten().copied()
}

/// Whether a call is about the driver, or about something of its caller's.
pub(crate) fn is_about_no_device(call: &str) -> bool {
    let begins = ["nvmlInit", "nvmlShutdown", "nvmlSystem", "nvmlEventSet"];
    let others = [
        "nvmlDeviceGetCount_v2",
        "nvmlGpmSampleAlloc",
        "nvmlGpmSampleFree",
        "nvmlGpmMetricsGet",
    ];
    begins.iter().any(|begin| call.starts_with(begin)) || others.contains(&call)
}

/// The word by which a caller says which shape of a structure it has: its size, and a number in the highest byte.
pub(crate) const fn version_of<T>(number: u32) -> u32 {
    size_of::<T>() as u32 | number << 24
}

/// Unsigned as the structures want it; what does not fit is the largest.
fn unsigned(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}
