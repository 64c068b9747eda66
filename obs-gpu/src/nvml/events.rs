//! What a device reports by itself.

use super::error;
use super::raw::{Answer, EventSet, Handle, Library, Reported};
use crate::calls::Calls;
use crate::source::{Event, GpuEvents, SourceError};
use nvml_wrapper_sys::bindings::*;
use std::time::Duration;

/// Bits of events that are of no interest: a device that works changes its clocks all the time.
const NOISE: u64 =
    (nvmlEventTypePState | nvmlEventTypeClock | nvmlEventTypePowerSourceChange) as u64;

/// The events of one device; none once the library said that there are none to wait for.
#[derive(Debug)]
pub(super) struct NvmlEvents(Option<EventSet>);

impl NvmlEvents {
    pub(super) fn new(
        library: Library,
        handle: Handle,
        calls: &mut Calls,
    ) -> Result<Self, SourceError> {
        let types = calls.time("nvmlDeviceGetSupportedEventTypes", || {
            library.event_types(handle)
        });
        // Whatever it knows, also what has no name here yet.
        let types = types.map_err(error)? & !NOISE;
        if types == 0 {
            return Err(SourceError::Unsupported);
        }
        let set = calls.time("nvmlDeviceRegisterEvents", || {
            EventSet::of(library, handle, types)
        });
        set.map(|set| Self(Some(set))).map_err(error)
    }
}

impl GpuEvents for NvmlEvents {
    fn wait(&mut self, at_most: Duration, calls: &mut Calls) -> Result<Option<Event>, SourceError> {
        let milliseconds = u32::try_from(at_most.as_millis()).unwrap_or(u32::MAX);
        let Some(set) = &mut self.0 else {
            return Err(error(nvmlReturn_enum_NVML_ERROR_INVALID_ARGUMENT));
        };
        let answer = calls.wait("nvmlEventSetWait_v2", at_most, || set.wait(milliseconds));
        let taken = taken(answer);
        if taken.is_err() {
            // Whoever asks again opens another one. Let go of here, where somebody sees if that does not come back.
            let set = self.0.take();
            calls.time("nvmlEventSetFree", || drop(set));
        }
        taken
    }
}

fn taken(answer: Answer<Reported>) -> Result<Option<Event>, SourceError> {
    match answer {
        Ok(reported) => Ok(Some(event(reported))),
        Err(nvmlReturn_enum_NVML_ERROR_TIMEOUT) => Ok(None),
        Err(code) => Err(error(code)),
    }
}

fn event(reported: Reported) -> Event {
    match u32::try_from(reported.bits).unwrap_or(0) {
        nvmlEventTypeXidCriticalError => Event::Xid {
            code: reported.data,
            gpu_instance: Some(reported.gpu_instance).filter(|instance| *instance != u32::MAX),
        },
        nvmlEventTypeSingleBitEccError => Event::EccSingle,
        nvmlEventTypeDoubleBitEccError => Event::EccDouble,
        nvmlEventTypeSingleBitEccErrorStorm => Event::EccStorm,
        nvmlEventTypeDramRetirementEvent => Event::MemoryRetired,
        nvmlEventTypeDramRetirementFailure => Event::RetirementFailed,
        nvmlEventTypeNonFatalPoisonError => Event::Poison { fatal: false },
        nvmlEventTypeFatalPoisonError => Event::Poison { fatal: true },
        nvmlEventTypeGpuUnavailableError => Event::Unavailable,
        nvmlEventTypeGpuRecoveryAction => Event::RecoveryAction,
        _ => Event::Other(reported.bits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bits: u64, expect: Event) {
        let reported = Reported {
            bits,
            data: 79,
            gpu_instance: u32::MAX,
        };
        assert_eq!(event(reported), expect, "{bits:#x}");
    }

    #[test]
    fn every_bit_is_an_event() {
        check(0x1, Event::EccSingle);
        check(0x2, Event::EccDouble);
        check(
            0x8,
            Event::Xid {
                code: 79,
                gpu_instance: None,
            },
        );
        check(0x200, Event::EccStorm);
        check(0x400, Event::MemoryRetired);
        check(0x800, Event::RetirementFailed);
        check(0x1000, Event::Poison { fatal: false });
        check(0x2000, Event::Poison { fatal: true });
        check(0x4000, Event::Unavailable);
        check(0x8000, Event::RecoveryAction);
        // One that nobody knows yet, and one beyond 32 bits.
        check(0x10000, Event::Other(0x10000));
        check(1 << 40, Event::Other(1 << 40));
    }

    #[test]
    fn a_fault_of_a_part_says_which() {
        let reported = Reported {
            bits: 8,
            data: 94,
            gpu_instance: 3,
        };
        let expect = Event::Xid {
            code: 94,
            gpu_instance: Some(3),
        };
        assert_eq!(taken(Ok(reported)), Ok(Some(expect)));
        assert_eq!(taken(Err(10)), Ok(None));
        assert_eq!(taken(Err(15)), Err(SourceError::Lost(15)));
        assert_eq!(taken(Err(999)), Err(SourceError::Failed(999)));
    }
}
