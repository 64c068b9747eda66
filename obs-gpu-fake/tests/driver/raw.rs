//! Calls that nvml-wrapper has no safe form of, as a reader makes them: through the loaded symbols.

use crate::{S, millis, open};
use nvml_wrapper::error::{NvmlError, nvml_try};
use nvml_wrapper::{Device, Nvml};
use nvml_wrapper_sys::bindings::*;
use obs_gpu_fake::Fake;
use std::mem::zeroed;
use std::ptr;

fn version<T>(number: u32) -> u32 {
    size_of::<T>() as u32 | number << 24
}

/// Values by number and scope.
fn fields(nvml: &Nvml, gpu: &Device<'_>, ids: &[(u32, u32)]) -> Vec<Result<u64, NvmlError>> {
    // SAFETY: plain numbers, of which zero is one.
    let empty: nvmlFieldValue_t = unsafe { zeroed() };
    let asked = |&(id, scope)| nvmlFieldValue_t {
        fieldId: id,
        scopeId: scope,
        ..empty
    };
    let mut values: Vec<_> = ids.iter().map(asked).collect();
    // SAFETY: a handle of this library, and as many values as are told.
    let code = unsafe {
        nvml.lib()
            .nvmlDeviceGetFieldValues(gpu.handle(), values.len() as i32, values.as_mut_ptr())
    };
    nvml_try(code).unwrap();
    let value = |one: &nvmlFieldValue_t| {
        // SAFETY: the library writes all of the union.
        nvml_try(one.nvmlReturn).map(|()| unsafe { one.value.ullVal })
    };
    values.iter().map(value).collect()
}

/// Calls with a structure that has a version, right and wrong.
macro_rules! versioned {
    ($nvml:expr, $gpu:expr, $call:ident, $type:ty, $number:expr) => {{
        // SAFETY: plain numbers, of which zero is one; a handle of this library.
        unsafe {
            let mut value: $type = zeroed();
            value.version = version::<$type>($number) + 1;
            let wrong = nvml_try($nvml.lib().$call($gpu.handle(), &mut value));
            assert!(
                matches!(wrong, Err(NvmlError::UnexpectedVariant(25))),
                "{wrong:?}"
            );
            value.version = version::<$type>($number);
            nvml_try($nvml.lib().$call($gpu.handle(), &mut value)).map(|()| value)
        }
    }};
}

#[test]
fn links_are_told_by_scope() {
    let fake = Fake::start("gpus = H100 B200 L40S; clock = virtual").unwrap();
    let nvml = open(&fake);
    fake.push(
        "+0 * nvlink.tx.rate=1_024_000; +0 * nvlink.tx.rate:3=4_096_000; +0 * nvlink.rx.rate=0",
    )
    .unwrap();
    fake.advance(2 * S);
    let gpu = |index| nvml.device_by_index(index).unwrap();
    let all = u32::MAX;
    // KiB by link and all together; a link that there is not.
    let hopper = fields(
        &nvml,
        &gpu(0),
        &[
            (138, 0),
            (138, 3),
            (138, all),
            (139, 3),
            (138, 18),
            (202, 3),
        ],
    );
    assert_eq!(
        hopper[..4]
            .iter()
            .map(|one| *one.as_ref().unwrap())
            .collect::<Vec<_>>(),
        [2000, 8000, 17 * 2000 + 8000, 0]
    );
    assert!(matches!(hopper[4], Err(NvmlError::InvalidArg)));
    assert!(
        matches!(hopper[5], Err(NvmlError::NotSupported)),
        "that is NVLink 5"
    );
    let blackwell = fields(
        &nvml,
        &gpu(1),
        &[(202, 3), (202, 0), (138, 3), (91, 0), (164, 3)],
    );
    assert_eq!(*blackwell[0].as_ref().unwrap(), 8_192_000);
    assert_eq!(*blackwell[1].as_ref().unwrap(), 2_048_000);
    assert!(
        matches!(blackwell[2], Err(NvmlError::NotSupported)),
        "that is NVLink 4"
    );
    assert_eq!(*blackwell[3].as_ref().unwrap(), 18);
    assert_eq!(*blackwell[4].as_ref().unwrap(), 53_125);
    let ada = fields(
        &nvml,
        &gpu(2),
        &[(138, 0), (91, 0), (164, 0), (165, 0), (52, 0)],
    );
    assert!(
        ada.iter()
            .all(|one| matches!(one, Err(NvmlError::NotSupported))),
        "{ada:?}"
    );
}

#[test]
fn numbers_moved_with_a_driver() {
    #[track_caller]
    fn check(driver: &str, software: u32, hardware: u32, unknown: u32) {
        let fake = Fake::start(&format!(
            "driver = {driver}; clock = virtual; 0 0 throttle=0x20; 1000 0 throttle=0x40"
        ))
        .unwrap();
        let nvml = open(&fake);
        fake.advance(3 * S);
        let gpu = nvml.device_by_index(0).unwrap();
        let read = fields(
            &nvml,
            &gpu,
            &[(software, 0), (hardware, 0), (unknown, 0), (274, 0), (0, 0)],
        );
        assert_eq!(*read[0].as_ref().unwrap(), 1_000_000_000, "{driver}");
        assert_eq!(*read[1].as_ref().unwrap(), 2_000_000_000, "{driver}");
        assert!(
            matches!(read[2], Err(NvmlError::NotSupported)),
            "{driver}: {:?}",
            read[2]
        );
        assert!(matches!(read[3], Err(NvmlError::InvalidArg)), "{driver}");
        assert!(matches!(read[4], Err(NvmlError::InvalidArg)), "{driver}");
        // The wrapper translates by itself.
        assert_eq!(crate::field(&gpu, 251).unwrap(), 1_000_000_000, "{driver}");
    }
    check("570.148.08", 251, 252, 269);
    check("580.65.06", 251, 252, 270);
    check("580.82.07", 269, 270, 251);
    check("595.71.05", 269, 270, 252);
}

#[test]
fn errors_in_detail() {
    let fake = Fake::start("clock = virtual").unwrap();
    let nvml = open(&fake);
    let gpu = nvml.device_by_index(0).unwrap();
    fake.push(
        "+0 0 sram.corrected=3; +0 0 sram.parity=2; +0 0 sram.secded+=4; +0 0 sram.threshold=1",
    )
    .unwrap();
    fake.push("+1000 0 reset; +1000 0 sram.parity+=1; +1000 0 remap.correctable=7; +1000 0 remap.failure=1; +1000 0 rows.max=2553; +1000 0 rows.low=7").unwrap();
    fake.advance(S);
    let sram = versioned!(
        nvml,
        gpu,
        nvmlDeviceGetSramEccErrorStatus,
        nvmlEccSramErrorStatus_t,
        1
    )
    .unwrap();
    assert_eq!(
        (
            sram.volatileCor,
            sram.volatileUncParity,
            sram.volatileUncSecDed
        ),
        (0, 1, 0)
    );
    assert_eq!(
        (
            sram.aggregateCor,
            sram.aggregateUncParity,
            sram.aggregateUncSecDed
        ),
        (3, 3, 4)
    );
    assert_eq!(
        (sram.aggregateUncBucketOther, sram.bThresholdExceeded),
        (7, 1)
    );
    let (mut corrected, mut uncorrected, mut pending, mut failed) = (9, 9, 9, 9);
    // SAFETY: a handle of this library, and places of the caller's.
    let rows = unsafe {
        let values = (&mut corrected, &mut uncorrected, &mut pending, &mut failed);
        nvml_try(nvml.lib().nvmlDeviceGetRemappedRows(
            gpu.handle(),
            values.0,
            values.1,
            values.2,
            values.3,
        ))
        .unwrap();
        let mut rows: nvmlRowRemapperHistogramValues_t = zeroed();
        nvml_try(
            nvml.lib()
                .nvmlDeviceGetRowRemapperHistogram(gpu.handle(), &mut rows),
        )
        .unwrap();
        rows
    };
    assert_eq!((corrected, uncorrected, pending, failed), (7, 0, 0, 1));
    assert_eq!(
        (rows.max, rows.high, rows.partial, rows.low, rows.none),
        (2553, 0, 0, 7, 0)
    );
}

#[test]
fn what_is_left_until_it_is_slowed_down() {
    let fake = Fake::start("gpus = H100 A100; clock = virtual; 0 * temperature=80").unwrap();
    let nvml = open(&fake);
    let (hopper, ampere) = (
        nvml.device_by_index(0).unwrap(),
        nvml.device_by_index(1).unwrap(),
    );
    let margin = |gpu: &Device<'_>| {
        versioned!(
            nvml,
            gpu,
            nvmlDeviceGetMarginTemperature,
            nvmlMarginTemperature_t,
            1
        )
    };
    assert_eq!(margin(&hopper).unwrap().marginTemperature, 7);
    assert!(matches!(margin(&ampere), Err(NvmlError::NotSupported)));
    fake.push("+0 0 temperature=90; +0 1 temperature.margin=4")
        .unwrap();
    assert_eq!(margin(&hopper).unwrap().marginTemperature, -3);
    assert_eq!(margin(&ampere).unwrap().marginTemperature, 4);
    let degrees = versioned!(
        nvml,
        hopper,
        nvmlDeviceGetTemperatureV,
        nvmlTemperature_t,
        1
    );
    assert_eq!(degrees.unwrap().temperature, 90);
    // Thresholds are told as margins: a signed number, of a type that the wrapper does not know.
    let shutdown = fields(&nvml, &hopper, &[(193, 0)]).remove(0).unwrap();
    assert_eq!(shutdown as i32, -8);
    assert!(matches!(
        crate::field(&hopper, 193),
        Err(NvmlError::UnexpectedVariant(5))
    ));
}

#[test]
fn fabric_in_both_shapes() {
    let fake = Fake::start("gpus = H100 L40S A100; clock = virtual").unwrap();
    let nvml = open(&fake);
    let gpu = nvml.device_by_index(0).unwrap();
    let info = versioned!(
        nvml,
        gpu,
        nvmlDeviceGetGpuFabricInfoV,
        nvmlGpuFabricInfoV_t,
        3
    )
    .unwrap();
    assert_eq!(
        (u32::from(info.state), info.status),
        (NVML_GPU_FABRIC_STATE_COMPLETED, 0)
    );
    assert_eq!(
        u32::from(info.healthSummary),
        NVML_GPU_FABRIC_HEALTH_SUMMARY_HEALTHY
    );
    // SAFETY: plain numbers, of which zero is one; a handle of this library; the second shape is the beginning of the third.
    let second = unsafe {
        let mut info: nvmlGpuFabricInfoV_t = zeroed();
        info.version = version::<nvmlGpuFabricInfo_v2_t>(2);
        info.healthSummary = 77;
        nvml_try(
            nvml.lib()
                .nvmlDeviceGetGpuFabricInfoV(gpu.handle(), &mut info),
        )
        .unwrap();
        info
    };
    assert_eq!(second.healthSummary, 77, "that is beyond the second shape");
    for index in [1, 2] {
        let gpu = nvml.device_by_index(index).unwrap();
        // SAFETY: as above.
        let without = unsafe {
            let mut info: nvmlGpuFabricInfoV_t = zeroed();
            info.version = version::<nvmlGpuFabricInfoV_t>(3);
            nvml_try(
                nvml.lib()
                    .nvmlDeviceGetGpuFabricInfoV(gpu.handle(), &mut info),
            )
        };
        assert!(matches!(without, Err(NvmlError::NotSupported)), "{index}");
    }
}

#[test]
fn events_with_bits_that_the_wrapper_drops() {
    let fake = Fake::start("gpus = H100*2; clock = virtual; 1000 1 recovery=2; 2000 1 xid:5=94; 3000 1 event:unavailable=0").unwrap();
    let nvml = open(&fake);
    let gpu = nvml.device_by_index(1).unwrap();
    let set = crate::listen(&nvml, &gpu);
    let wait = || {
        // SAFETY: plain numbers, of which zero is one; a set of this library.
        unsafe {
            let mut data: nvmlEventData_t = zeroed();
            nvml_try(nvml.lib().nvmlEventSetWait_v2(set.handle(), &mut data, 0)).map(|()| data)
        }
    };
    assert!(matches!(wait(), Err(NvmlError::Timeout)));
    fake.advance(3 * S);
    let asked = wait().unwrap();
    assert_eq!((asked.eventType, asked.eventData), (0x8000, 2));
    // SAFETY: only compared.
    assert_eq!(asked.device, unsafe { gpu.handle() });
    let fault = wait().unwrap();
    assert_eq!(
        (
            fault.eventType,
            fault.eventData,
            fault.gpuInstanceId,
            fault.computeInstanceId
        ),
        (0x8, 94, 5, u32::MAX)
    );
    assert_eq!(wait().unwrap().eventType, 0x4000);
    assert!(matches!(wait(), Err(NvmlError::Timeout)));
}

#[test]
fn shares_of_all_processes() {
    let fake = Fake::start(
        "clock = virtual; 0 0 process:11.sm=40; 0 0 process:12.sm=250; 0 0 process:13=1GiB",
    )
    .unwrap();
    let nvml = open(&fake);
    let gpu = nvml.device_by_index(0).unwrap();
    fake.advance(S);
    // SAFETY: plain numbers, of which zero is one; a handle of this library; room for as many as are told.
    let ask = |room: u32, since: u64| unsafe {
        let mut rows: Vec<nvmlProcessUtilizationInfo_v1_t> = vec![zeroed(); room as usize];
        let mut info = nvmlProcessesUtilizationInfo_t {
            version: version::<nvmlProcessesUtilizationInfo_t>(1),
            processSamplesCount: room,
            lastSeenTimeStamp: since,
            procUtilArray: if room == 0 {
                ptr::null_mut()
            } else {
                rows.as_mut_ptr()
            },
        };
        let code = nvml
            .lib()
            .nvmlDeviceGetProcessesUtilizationInfo(gpu.handle(), &mut info);
        rows.truncate(info.processSamplesCount as usize);
        (nvml_try(code), info.processSamplesCount, rows)
    };
    let (asked, needed, _) = ask(0, 0);
    assert!(matches!(asked, Err(NvmlError::InsufficientSize(_))));
    assert_eq!(needed, 2);
    assert!(matches!(ask(1, 0).0, Err(NvmlError::InsufficientSize(_))));
    let (read, count, rows) = ask(9, 0);
    read.unwrap();
    assert_eq!(count, 2);
    let shares: Vec<_> = rows.iter().map(|row| (row.pid, row.smUtil)).collect();
    assert_eq!(shares, [(11, 40), (12, 250)], "also what cannot be true");
    assert!(
        matches!(ask(9, rows[0].timeStamp).0, Err(NvmlError::NotFound)),
        "nothing newer"
    );
    fake.advance(millis(200));
    assert!(ask(9, rows[0].timeStamp).0.is_ok());
}

#[test]
fn shapes_are_those_of_the_header() {
    assert_eq!(size_of::<nvmlFieldValue_t>(), 40);
    assert_eq!(size_of::<nvmlMemory_v2_t>(), 40);
    assert_eq!(size_of::<nvmlEventData_t>(), 32);
    assert_eq!(size_of::<nvmlProcessInfo_t>(), 24);
    assert_eq!(size_of::<nvmlPciInfo_t>(), 68);
    assert_eq!(size_of::<nvmlSample_t>(), 16);
    assert_eq!(size_of::<nvmlGpmMetricsGet_t>(), 24 + 210 * 40);
}
