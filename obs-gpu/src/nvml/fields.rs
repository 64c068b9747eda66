//! Field values: which are asked for at which turn, and what they become.

use super::raw::{Answer, Field, Handle, Library, MISSING, Room};
use super::units::From;
use super::{Verdict, verdict};
use crate::calls::Calls;
use crate::quantity::Quantity;
use crate::source::SourceError;
use nvml_wrapper_sys::bindings::nvmlReturn_enum_NVML_ERROR_INVALID_ARGUMENT;

/// A scope that is all links together.
const ALL_LINKS: u32 = u32::MAX;

/// A field value that is a quantity: its number, as drivers before 580.82 had it, its scope and unit.
struct Row(u32, u32, Quantity, From);

/// Fields that are asked for together. What costs much stands apart from what costs little: on an H100 with driver 580.159.04 most take
/// 10 µs or less, and those of the groups that stretch from 0.4 to 5 ms (`docs/gpu.md`).
const FAST: &[Row] = &[Row(186, 0, Quantity::Power, From::Ours)];

const ENERGY: &[Row] = &[Row(83, 0, Quantity::Energy, From::Ours)];

const SECOND: &[Row] = &[
    Row(185, 0, Quantity::PowerAverage, From::Ours),
    Row(186, 1, Quantity::ModulePower, From::Ours),
    Row(82, 0, Quantity::MemoryTemperature, From::Degrees),
    Row(74, 0, Quantity::ThrottlePower, From::Ours),
    Row(76, 0, Quantity::ThrottleSyncBoost, From::Ours),
    Row(251, 0, Quantity::ThrottleThermalSoftware, From::Ours),
];

const THROTTLE: &[Row] = &[
    Row(252, 0, Quantity::ThrottleThermalHardware, From::Ours),
    Row(253, 0, Quantity::ThrottlePowerBrake, From::Ours),
];

const PCIE: &[Row] = &[
    // Counters of bytes, and not the call that watches for 20 ms each way.
    Row(197, 0, Quantity::PcieSent, From::Ours),
    Row(198, 0, Quantity::PcieReceived, From::Ours),
];

const LINKS: &[Row] = &[
    Row(138, ALL_LINKS, Quantity::NvlinkSent, From::Kibibytes),
    Row(139, ALL_LINKS, Quantity::NvlinkReceived, From::Kibibytes),
];

const SLOW: &[Row] = &[
    Row(3, 0, Quantity::EccCorrected, From::Ours),
    Row(4, 0, Quantity::EccUncorrected, From::Ours),
    Row(5, 0, Quantity::EccCorrectedLifetime, From::Ours),
    Row(6, 0, Quantity::EccUncorrectedLifetime, From::Ours),
    Row(29, 0, Quantity::RetiredPagesSingle, From::Ours),
    Row(30, 0, Quantity::RetiredPagesDouble, From::Ours),
    Row(31, 0, Quantity::RetirementPending, From::Ours),
    Row(142, 0, Quantity::RemappedCorrectable, From::Ours),
    Row(143, 0, Quantity::RemappedUncorrectable, From::Ours),
    Row(144, 0, Quantity::RemapPending, From::Ours),
    Row(145, 0, Quantity::RemapFailed, From::Ours),
    Row(230, 0, Quantity::RecoveryAction, From::Ours),
];

const PCIE_ERRORS: &[Row] = &[
    Row(94, 0, Quantity::PcieReplays, From::Ours),
    Row(173, 0, Quantity::PcieCorrectable, From::Ours),
    Row(179, 0, Quantity::PcieNonFatal, From::Ours),
    Row(180, 0, Quantity::PcieFatal, From::Ours),
];

/// The number that this driver has for a field: from 580.82 on those from 251 to 255 are 18 higher
/// (docs.nvidia.com/deploy/nvml-api/known-issues.html).
fn number(id: u32, is_renumbered: bool) -> u32 {
    match id {
        251..=255 if is_renumbered => id + 18,
        _ => id,
    }
}

/// Values that are asked for together. What the device does not have is asked for once.
#[derive(Debug)]
pub(super) struct Batch<K> {
    fields: Vec<Field>,
    keys: Vec<(K, From)>,
    room: Room,
}

/// As many as are asked for in one call.
const AT_ONCE: usize = 64;

impl<K: Copy> Batch<K> {
    pub(super) fn new(
        library: Library,
        rows: impl IntoIterator<Item = (u32, u32, K, From)>,
    ) -> Self {
        let is_renumbered = library.is_renumbered();
        let mut this = Self {
            fields: Vec::new(),
            keys: Vec::new(),
            room: Room::default(),
        };
        for (id, scope, key, from) in rows {
            this.fields.push(Field {
                id: number(id, is_renumbered),
                scope,
                answer: Err(MISSING),
            });
            this.keys.push((key, from));
        }
        this
    }

    /// Whether one of them is still asked for.
    pub(super) fn has(&self, is: impl Fn(K) -> bool) -> bool {
        self.keys.iter().any(|(key, _)| is(*key))
    }

    /// Asks for all of them and hands on what came of each; those that are not supported are never asked for again.
    pub(super) fn read(
        &mut self,
        library: Library,
        of: Handle,
        calls: &mut Calls,
        mut take: impl FnMut(K, Verdict),
    ) -> Result<(), SourceError> {
        for fields in self.fields.chunks_mut(AT_ONCE) {
            let room = &mut self.room;
            let answer = calls.time("nvmlDeviceGetFieldValues", || {
                library.fields(of, fields, room)
            });
            if let Err(code) = answer {
                if let Verdict::Lost(error) = verdict::<i64>(Err(code)) {
                    return Err(error);
                }
                fields.iter_mut().for_each(|field| field.answer = Err(code));
            }
        }
        let mut lost = None;
        // What is supported moves up to where what is not was: nothing is allocated.
        let mut kept = 0;
        for at in 0..self.fields.len() {
            let (field, (key, from)) = (self.fields[at], self.keys[at]);
            let said = said(field.answer.map(|value| from.convert(value)));
            if let Verdict::Lost(error) = said {
                lost = Some(error);
            }
            take(key, said);
            if said != Verdict::Unsupported {
                self.fields.swap(kept, at);
                self.keys.swap(kept, at);
                kept += 1;
            }
        }
        self.fields.truncate(kept);
        self.keys.truncate(kept);
        lost.map_or(Ok(()), Err)
    }
}

/// A driver that does not know a number says of that one that it is wrong.
fn said(answer: Answer<i64>) -> Verdict {
    match answer {
        Err(nvmlReturn_enum_NVML_ERROR_INVALID_ARGUMENT) => Verdict::Unsupported,
        answer => verdict(answer),
    }
}

/// What is asked for together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fields {
    Fast,
    Energy,
    Second,
    Throttle,
    Pcie,
    Links,
    Slow,
    PcieErrors,
}

impl Fields {
    /// All of them, in the order of their numbers.
    pub(super) const ALL: [Self; 8] = [
        Self::Fast,
        Self::Energy,
        Self::Second,
        Self::Throttle,
        Self::Pcie,
        Self::Links,
        Self::Slow,
        Self::PcieErrors,
    ];

    const fn rows(self) -> &'static [Row] {
        match self {
            Self::Fast => FAST,
            Self::Energy => ENERGY,
            Self::Second => SECOND,
            Self::Throttle => THROTTLE,
            Self::Pcie => PCIE,
            Self::Links => LINKS,
            Self::Slow => SLOW,
            Self::PcieErrors => PCIE_ERRORS,
        }
    }
}

/// The values that are asked for together and are quantities.
pub(super) fn of(library: Library, fields: Fields) -> Batch<Quantity> {
    let row = |Row(id, scope, quantity, from): &Row| (*id, *scope, *quantity, *from);
    Batch::new(library, fields.rows().iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_together_is_of_one_tier() {
        for (at, fields) in Fields::ALL.into_iter().enumerate() {
            let rows = fields.rows();
            let mut tiers = rows.iter().map(|Row(_, _, quantity, _)| quantity.tier());
            let first = tiers.next().expect("a row");
            assert!(tiers.all(|tier| tier == first), "{fields:?}");
            assert!(rows.len() <= AT_ONCE);
            assert_eq!(fields as usize, at);
        }
    }

    #[test]
    fn numbers_are_those_of_the_driver() {
        assert_eq!(
            [250, 251, 253, 255, 256].map(|id| number(id, true)),
            [250, 269, 271, 273, 256]
        );
        assert_eq!([251, 253].map(|id| number(id, false)), [251, 253]);
    }
}
