//! The library as nvml-wrapper's loader reads it.

mod first;
mod raw;
mod readings;
mod scenarios;

use nvml_wrapper::bitmasks::event::EventTypes;
use nvml_wrapper::enums::device::SampleValue;
use nvml_wrapper::enums::event::XidError;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::{Device, EventSet, Nvml};
use obs_gpu_fake::Fake;
use std::time::Duration;

const S: Duration = Duration::from_secs(1);

fn open(fake: &Fake) -> Nvml {
    let path = fake.library().as_os_str();
    Nvml::builder().lib_path(path).init().unwrap()
}

/// A scenario by a virtual clock.
fn play(name: &str) -> (Fake, Nvml) {
    let fake = Fake::start(&format!("scenario = {name}; clock = virtual")).unwrap();
    let nvml = open(&fake);
    (fake, nvml)
}

/// A field value as it is for link 0.
fn field(gpu: &Device<'_>, id: u32) -> Result<u64, NvmlError> {
    let read = gpu.field_values_for(&[FieldId(id)])?.remove(0);
    Ok(match read?.value? {
        SampleValue::U32(value) => value.into(),
        SampleValue::U64(value) => value,
        other => panic!("{other:?}"),
    })
}

/// Everything that a device reports, in a set of its own.
fn listen<'nvml>(nvml: &'nvml Nvml, gpu: &Device<'nvml>) -> EventSet<'nvml> {
    let set = nvml.create_event_set().unwrap();
    let all = EventTypes::from_bits_retain(0xFE0B);
    gpu.register_events(all, set).unwrap()
}

/// Codes of all faults that are there to be had now.
fn xids(set: &EventSet<'_>) -> Vec<u64> {
    let mut codes = Vec::new();
    loop {
        match set.wait(0) {
            Ok(event) => match event.event_data {
                Some(XidError::Value(code)) => codes.push(code),
                Some(XidError::Unknown) => codes.push(999),
                None => {}
            },
            Err(NvmlError::Timeout | NvmlError::GpuLost) => return codes,
            Err(other) => panic!("{other}"),
        }
    }
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
