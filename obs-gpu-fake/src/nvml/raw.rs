//! What a reader finds in the header and in no safe crate: errors in detail, margins, links.

use super::{unsigned, version_of};
use crate::answer::Code;
use crate::entry;
use crate::metric::{Level, Total};
use crate::out::{InOut, Out};
use crate::script::ALL;
use nvml_wrapper_sys::bindings::*;
use std::ffi::{c_uint, c_ulonglong};

device_calls! { device:
    fn nvmlDeviceGetSramEccErrorStatus(|seen| status: InOut<nvmlEccSramErrorStatus_t>) {
        let status = status.get()?;
        if status.version != version_of::<nvmlEccSramErrorStatus_t>(1) {
            return Err(Code::VERSION);
        }
        let count = |total| seen.gpu().total(total, ALL, seen.now);
        let (corrected, parity, secded) =
            (count(Total::SramCorrected)?, count(Total::SramParity)?, count(Total::SramSecded)?);
        *status = nvmlEccSramErrorStatus_t {
            version: status.version,
            aggregateUncParity: parity.ever as u64,
            aggregateUncSecDed: secded.ever as u64,
            aggregateCor: corrected.ever as u64,
            volatileUncParity: parity.now as u64,
            volatileUncSecDed: secded.now as u64,
            volatileCor: corrected.now as u64,
            // Where they were is not scripted: all in one place, so that the sum is right.
            aggregateUncBucketL2: 0,
            aggregateUncBucketSm: 0,
            aggregateUncBucketPcie: 0,
            aggregateUncBucketMcu: 0,
            aggregateUncBucketOther: (parity.ever + secded.ever) as u64,
            bThresholdExceeded: unsigned(seen.level(Level::SramThreshold).unwrap_or(0)),
        };
        Ok(())
    }
    fn nvmlDeviceGetRemappedRows(
        |seen| corrected: Out<c_uint>,
        uncorrected: Out<c_uint>,
        pending: Out<c_uint>,
        failed: Out<c_uint>
    ) {
        seen.is_whole()?;
        corrected.put(unsigned(seen.total(Total::RemapCorrectable)?))?;
        uncorrected.put(unsigned(seen.total(Total::RemapUncorrectable)?))?;
        pending.put(unsigned(seen.level(Level::RemapPending)?))?;
        failed.put(unsigned(seen.level(Level::RemapFailure)?))
    }
    fn nvmlDeviceGetRowRemapperHistogram(|seen| values: Out<nvmlRowRemapperHistogramValues_t>) {
        values.put(nvmlRowRemapperHistogramValues_t {
            max: unsigned(seen.level(Level::RowsMax)?),
            high: unsigned(seen.level(Level::RowsHigh)?),
            partial: unsigned(seen.level(Level::RowsPartial)?),
            low: unsigned(seen.level(Level::RowsLow)?),
            none: unsigned(seen.level(Level::RowsNone)?),
        })
    }
    fn nvmlDeviceGetRetiredPagesPendingStatus(|seen| pending: Out<nvmlEnableState_t>) {
        pending.put(unsigned(seen.level(Level::RetiredPending)?))
    }
    fn nvmlDeviceGetMarginTemperature(|seen| margin: InOut<nvmlMarginTemperature_t>) {
        let margin = margin.get()?;
        if margin.version != version_of::<nvmlMarginTemperature_t>(1) {
            return Err(Code::VERSION);
        }
        margin.marginTemperature = seen.margin()? as i32;
        Ok(())
    }
    fn nvmlDeviceGetTemperatureV(|seen| temperature: InOut<nvmlTemperature_t>) {
        let temperature = temperature.get()?;
        if temperature.version != version_of::<nvmlTemperature_t>(1) {
            return Err(Code::VERSION);
        }
        if temperature.sensorType != nvmlTemperatureSensors_enum_NVML_TEMPERATURE_GPU {
            return Err(Code::INVALID_ARGUMENT);
        }
        temperature.temperature = seen.level(Level::Temperature)? as i32;
        Ok(())
    }
    fn nvmlDeviceGetViolationStatus(|seen| policy: nvmlPerfPolicyType_t, time: Out<nvmlViolationTime_t>) {
        let total = match policy {
            nvmlPerfPolicyType_enum_NVML_PERF_POLICY_POWER => Total::ThrottlePower,
            nvmlPerfPolicyType_enum_NVML_PERF_POLICY_THERMAL => Total::ThrottleThermal,
            nvmlPerfPolicyType_enum_NVML_PERF_POLICY_SYNC_BOOST => Total::ThrottleSyncBoost,
            3..nvmlPerfPolicyType_enum_NVML_PERF_POLICY_COUNT => return Err(Code::NOT_SUPPORTED),
            _ => return Err(Code::INVALID_ARGUMENT),
        };
        time.put(nvmlViolationTime_t {
            referenceTime: seen.world.clock.stamp(seen.now),
            violationTime: seen.total(total)? as u64,
        })
    }
    fn nvmlDeviceGetNvLinkState(|seen| link: c_uint, active: Out<nvmlEnableState_t>) {
        active.put(unsigned(seen.link_level(Level::NvlinkState, link)?))
    }
    fn nvmlDeviceGetNvLinkErrorCounter(
        |seen| link: c_uint,
        counter: nvmlNvLinkErrorCounter_t,
        count: Out<c_ulonglong>
    ) {
        let total = match counter {
            nvmlNvLinkErrorCounter_enum_NVML_NVLINK_ERROR_DL_REPLAY => Total::NvlinkReplay,
            nvmlNvLinkErrorCounter_enum_NVML_NVLINK_ERROR_DL_RECOVERY => Total::NvlinkRecovery,
            nvmlNvLinkErrorCounter_enum_NVML_NVLINK_ERROR_DL_CRC_FLIT => Total::NvlinkCrc,
            3..nvmlNvLinkErrorCounter_enum_NVML_NVLINK_ERROR_COUNT => return Err(Code::NOT_SUPPORTED),
            _ => return Err(Code::INVALID_ARGUMENT),
        };
        if seen.has_nvlink_five() {
            return Err(Code::NOT_SUPPORTED);
        }
        count.put(seen.link_total(total, link)? as u64)
    }
    fn nvmlDeviceGetGpuFabricInfoV(|seen| info: InOut<nvmlGpuFabricInfo_v2_t>) {
        // The second and the third shape begin alike; the third says at its end how it is in one word.
        let version = info.get()?.version;
        let third = version == version_of::<nvmlGpuFabricInfo_v3_t>(3);
        if !third && version != version_of::<nvmlGpuFabricInfo_v2_t>(2) {
            return Err(Code::VERSION);
        }
        if seen.gpu().profile.links == 0 {
            return Err(Code::NOT_SUPPORTED);
        }
        *info.get()? = nvmlGpuFabricInfo_v2_t {
            version,
            clusterUuid: [0; 16],
            status: nvmlReturn_enum_NVML_SUCCESS,
            cliqueId: 0,
            state: NVML_GPU_FABRIC_STATE_COMPLETED as _,
            healthMask: 0,
        };
        if third {
            // SAFETY: its version says that it is of the third shape.
            let third = unsafe { info.later::<nvmlGpuFabricInfo_v3_t>() }?;
            third.healthSummary = NVML_GPU_FABRIC_HEALTH_SUMMARY_HEALTHY as _;
        }
        Ok(())
    }
    // Boards with a CPU of NVIDIA's beside, racks and protected memory: no profile has them.
    fn nvmlDeviceGetC2cModeInfoV(|_seen| _info: Out<nvmlC2cModeInfo_v1_t>) {
        Err(Code::NOT_SUPPORTED)
    }
    fn nvmlDeviceGetPlatformInfo(|_seen| _info: Out<nvmlPlatformInfo_t>) {
        Err(Code::NOT_SUPPORTED)
    }
    fn nvmlDeviceGetConfComputeProtectedMemoryUsage(|_seen| _memory: Out<nvmlMemory_t>) {
        Err(Code::NOT_SUPPORTED)
    }
}
