//! Values by number, many in one call.

use super::unsigned;
use crate::answer::{Answer, Code};
use crate::entry::{self, Seen};
use crate::metric::{Level, Total};
use crate::out::Array;
use crate::script::{ALL, Numbered};
use crate::value::Micros;
use crate::world;
use nvml_wrapper_sys::bindings::*;
use std::ffi::c_int;

/// As large as a value is in the union that it is given in.
enum Value {
    Int(i64),
    Long(u64),
    Signed(i64),
}

impl Seen<'_> {
    fn field(&self, id: u32, scope: u32) -> Answer<Value> {
        let gpu = self.gpu();
        let scripted = [(id, scope), (id, ALL), (ALL, ALL)];
        if let Some(signal) = scripted.iter().find_map(|key| gpu.fields.get(key)) {
            let value = signal.get()?.at(self.now);
            return Ok(u64::try_from(value).map_or(Value::Signed(value), Value::Long));
        }
        let level = |level| Ok(Value::Int(self.level(level)?));
        let total = |total| Ok(Value::Long(self.total(total)? as u64));
        let count = |total| Ok(Value::Int(self.total(total)?));
        let ever = |total| Ok(Value::Long(gpu.total(total, ALL, self.now)?.ever as u64));
        match canonical(id, &self.world.driver)? {
            1 | 2 => level(Level::EccMode),
            3 => total(Total::EccCorrected),
            4 => total(Total::EccUncorrected),
            5 => ever(Total::EccCorrected),
            6 => ever(Total::EccUncorrected),
            29 => count(Total::RetiredSingle),
            30 => count(Total::RetiredDouble),
            31 => level(Level::RetiredPending),
            38 | 45 => self.links(Total::NvlinkCrc, ALL, 1),
            52 => self.links(Total::NvlinkReplay, ALL, 1),
            59 => self.links(Total::NvlinkRecovery, ALL, 1),
            74 => total(Total::ThrottlePower),
            75 => total(Total::ThrottleThermal),
            76 => total(Total::ThrottleSyncBoost),
            82 => level(Level::TemperatureMemory),
            83 | 191 => total(Total::Energy),
            90 => Ok(Value::Int(self.link_level(Level::NvlinkSpeed, 0)?)),
            91 => match gpu.profile.links {
                0 => Err(Code::NOT_SUPPORTED),
                links => Ok(Value::Int(links.into())),
            },
            94 => count(Total::PcieReplay),
            // Kibibytes, up to NVLink 4; from NVLink 5 on it is bytes, by other numbers. No raw count without a data count.
            138 | 140 => self.links(Total::NvlinkTx, scope, 1024),
            139 | 141 => self.links(Total::NvlinkRx, scope, 1024),
            142..=145 if self.is_whole().is_err() => Err(Code::NOT_SUPPORTED),
            142 => count(Total::RemapCorrectable),
            143 => count(Total::RemapUncorrectable),
            144 => level(Level::RemapPending),
            145 => level(Level::RemapFailure),
            161 => self.links(Total::NvlinkReplay, scope, 1),
            162 => self.links(Total::NvlinkRecovery, scope, 1),
            163 => self.links(Total::NvlinkCrc, scope, 1),
            164 => Ok(Value::Int(self.link_level(Level::NvlinkSpeed, scope)?)),
            165 => Ok(Value::Int(self.link_level(Level::NvlinkState, scope)?)),
            173 => count(Total::PcieCorrectable),
            179 => count(Total::PcieNonFatal),
            180 => count(Total::PcieFatal),
            185 if scope == NVML_POWER_SCOPE_GPU => {
                Ok(Value::Int(gpu.mean(Level::Power, 1_000_000, self.now)?))
            }
            186 if scope == NVML_POWER_SCOPE_GPU => level(Level::Power),
            185 | 186 if scope == NVML_POWER_SCOPE_MODULE => level(Level::PowerModule),
            // Of the memory there is an average only.
            185 if scope == NVML_POWER_SCOPE_MEMORY => level(Level::PowerMemory),
            187 => level(Level::PowerLimitMin),
            188 => level(Level::PowerLimitMax),
            189 => level(Level::PowerLimitDefault),
            190 | 192 => level(Level::PowerLimit),
            197 => total(Total::PcieTx),
            198 => total(Total::PcieRx),
            202 => self.links_five(Total::NvlinkTx, scope),
            204 => self.links_five(Total::NvlinkRx, scope),
            208 | 219 => self.links_five(Total::NvlinkErrors, scope),
            213 | 215 => self.links_five(Total::NvlinkRecovery, scope),
            230 => level(Level::Recovery),
            251 => total(Total::ThrottleThermalSoftware),
            252 => total(Total::ThrottleThermalHardware),
            253 => total(Total::ThrottlePowerBrake),
            _ => Err(Code::NOT_SUPPORTED),
        }
    }

    /// What a link counts, or all of them together. Only up to NVLink 4: devices with NVLink 5 give it by other numbers.
    fn links(&self, total: Total, scope: u32, unit: i64) -> Answer<Value> {
        if self.has_nvlink_five() {
            return Err(Code::NOT_SUPPORTED);
        }
        Ok(Value::Long((self.link_total(total, scope)? / unit) as u64))
    }

    fn links_five(&self, total: Total, scope: u32) -> Answer<Value> {
        if !self.has_nvlink_five() {
            return Err(Code::NOT_SUPPORTED);
        }
        Ok(Value::Long(self.link_total(total, scope)? as u64))
    }

    pub(super) fn has_nvlink_five(&self) -> bool {
        self.gpu().profile.architecture >= NVML_DEVICE_ARCH_BLACKWELL
    }

    pub(super) fn link_total(&self, total: Total, scope: u32) -> Answer<i64> {
        let gpu = self.gpu();
        let of = |link| Ok(gpu.total(total, link, self.now)?.now);
        if scope == ALL {
            // A device without links has no total either.
            self.link(0)?;
            return (0..gpu.profile.links).map(of).sum();
        }
        of(self.link(scope)?)
    }

    pub(super) fn link_level(&self, level: Level, link: u32) -> Answer<i64> {
        self.gpu().level(level, self.link(link)?, self.now)
    }

    /// The link, if there is one of this number.
    fn link(&self, link: u32) -> Answer<u32> {
        match self.gpu().profile.links {
            0 => Err(Code::NOT_SUPPORTED),
            links if link < links => Ok(link),
            _ => Err(Code::INVALID_ARGUMENT),
        }
    }
}

/// The number as drivers before 580.82 had it. Later ones moved 256–273 to the front of that block and 251–255 behind it.
fn canonical(id: u32, driver: &str) -> Answer<u32> {
    if id == 0 || id >= field_id::NVML_FI_MAX {
        return Err(Code::INVALID_ARGUMENT);
    }
    Ok(match id {
        _ if !is_renumbered(driver) => id,
        251..=268 => id + 5,
        269..=273 => id - 18,
        _ => id,
    })
}

fn is_renumbered(driver: &str) -> bool {
    let mut parts = driver
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    (major, minor) >= (580, 82)
}

pub(super) const NAMES: &[&str] = &["nvmlDeviceGetFieldValues"];

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetFieldValues(
    device: nvmlDevice_t,
    count: c_int,
    mut values: Array<nvmlFieldValue_t>,
) -> nvmlReturn_t {
    let count = usize::try_from(count).unwrap_or(0);
    let added = adds(count, &mut values);
    entry::device(NAMES[0], device, |seen| {
        read(seen, count, &mut values, added)
    })
}

/// Holds the call up for what it asks for.
fn adds(count: usize, values: &mut Array<nvmlFieldValue_t>) -> Micros {
    let Ok(asked) = values.get(count) else {
        return 0;
    };
    let driver = world::lock().driver.clone();
    let numbers = asked.iter();
    let numbers = numbers.filter_map(|value| canonical(value.fieldId, &driver).ok());
    entry::held_for(NAMES[0], numbers.map(Numbered::Field))
}

fn read(
    seen: &Seen<'_>,
    count: usize,
    values: &mut Array<nvmlFieldValue_t>,
    added: Micros,
) -> Answer<()> {
    if count == 0 {
        return Err(Code::INVALID_ARGUMENT);
    }
    let stamp = seen.world.clock.stamp(seen.now) as i64;
    // What the call took is shared between those that it read.
    let latency = ((seen.held + added) / count as u64) as i64;
    for value in values.get(count)? {
        (value.timestamp, value.latencyUsec) = (stamp, latency);
        match seen.field(value.fieldId, value.scopeId) {
            Err(Code(code)) => value.nvmlReturn = code,
            Ok(read) => {
                value.nvmlReturn = nvmlReturn_enum_NVML_SUCCESS;
                // The whole union, so that no byte of it is left from before.
                (value.valueType, value.value.ullVal) = match read {
                    Value::Int(int) => (
                        nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_INT,
                        unsigned(int).into(),
                    ),
                    Value::Signed(int) => {
                        (nvmlValueType_enum_NVML_VALUE_TYPE_SIGNED_INT, int as u64)
                    }
                    Value::Long(long) => {
                        (nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG_LONG, long)
                    }
                };
            }
        }
    }
    Ok(())
}
