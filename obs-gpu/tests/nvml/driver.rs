//! A driver that is not there, goes, comes; devices that are lost, reset, hang; events.

use crate::{Rig, builder, check, ms};
use obs_gpu::{
    Calls, Event, GpuSource, GpuState, NvmlSource, Quantity, Readings, SourceError, Tier,
};
use std::time::{Duration, Instant};

#[test]
fn a_machine_without_a_library_is_no_error() {
    let telemetry = builder().manual().build().expect("usable");
    let source = NvmlSource::with_library(&telemetry, "/nowhere/libnvidia-ml.so.1");
    let mut calls = Calls::unwatched();
    assert_eq!(source.devices(&mut calls), Err(SourceError::Absent));
    assert_eq!(source.devices(&mut calls), Err(SourceError::Absent));
    // A file that is no library.
    let source = NvmlSource::with_library(&telemetry, file!());
    assert_eq!(source.devices(&mut calls), Err(SourceError::Absent));
}

#[test]
fn a_driver_that_comes_later_is_found() {
    let mut rig = Rig::new("scenario = S10");
    assert_eq!(rig.source.devices(&mut rig.calls), Err(SourceError::Absent));
    rig.advance(ms(9_000));
    assert_eq!(rig.source.devices(&mut rig.calls), Err(SourceError::Absent));
    rig.advance(ms(1_500));
    assert_eq!(rig.ids().len(), 2);
}

#[test]
fn a_driver_that_goes_and_comes_back_is_initialised_anew() {
    let mut rig = Rig::new("gpus = H100; 0 * power=70_000");
    let mut device = rig.open(0);
    rig.push("+0 driver absent");
    let mut readings = Readings::new();
    assert_eq!(
        rig.read(&mut device, Tier::Fast, &mut readings),
        Err(SourceError::Absent)
    );
    assert_eq!(rig.source.devices(&mut rig.calls), Err(SourceError::Absent));
    rig.push("+0 driver present");
    let ids = rig.ids();
    let mut device = rig.source.open(&ids[0], &mut rig.calls).expect("a device");
    rig.read(&mut device, Tier::Fast, &mut readings)
        .expect("it is there");
    check(&readings, Quantity::Power, 70_000);
}

#[test]
fn one_that_is_lost_is_still_known_and_the_others_are_read() {
    let mut rig = Rig::new("scenario = S2");
    let before = rig.ids();
    let (mut lost, mut well) = (rig.open(1), rig.open(0));
    rig.advance(ms(6_000));
    let mut readings = Readings::new();
    for tier in Tier::ALL {
        assert_eq!(
            rig.read(&mut lost, tier, &mut readings),
            Err(SourceError::Lost(15))
        );
        rig.read(&mut well, tier, &mut readings)
            .expect("it is well");
    }
    check(&readings, Quantity::Utilization, 800_000);
    assert_eq!(rig.ids(), before);
    let opened = rig.source.open(&before[1], &mut rig.calls);
    assert!(matches!(opened, Err(SourceError::Lost(_))), "{opened:?}");
}

#[test]
fn a_device_that_left_the_list_moves_the_others_up() {
    let mut rig = Rig::new("gpus = H100*3");
    let before = rig.ids();
    let mut last = rig.open(2);
    rig.push("+0 0 remove");
    assert_eq!(rig.ids(), before[1..]);
    let infos = rig.source.devices(&mut rig.calls).expect("a driver");
    assert_eq!((infos[1].index, &infos[1].id), (1, &before[2]));
    // It is the same device for whoever has it open.
    rig.push("+0 2 util=42");
    let mut readings = Readings::new();
    rig.read(&mut last, Tier::Fast, &mut readings)
        .expect("it is there");
    check(&readings, Quantity::Utilization, 420_000);
    rig.push("+0 0 add");
    assert_eq!(rig.ids(), before);
}

/// The one that took its place is lost, and says of neither what it is.
#[test]
fn a_device_that_moved_is_not_looked_for_where_it_was() {
    // Where a device was is kept in no order: of sixteen some would look in the wrong place first.
    for _ in 0..16 {
        let mut rig = Rig::new("gpus = H100*2");
        let second = rig.ids().remove(1);
        rig.push("+0 0 remove");
        assert_eq!(rig.ids(), std::slice::from_ref(&second));
        rig.push("+0 0 add; +0 0 lost");
        assert_eq!(rig.ids(), std::slice::from_ref(&second));
        let opened = rig.source.open(&second, &mut rig.calls);
        assert!(opened.is_ok(), "{opened:?}");
    }
}

/// NVSentinel #155: off the bus, and nothing that says so.
#[test]
fn one_that_was_lost_before_anybody_looked_is_counted() {
    let mut rig = Rig::new("gpus = H100*3; 0 1 lost; 0 2 err:nvmlDeviceGetUUID=4");
    let first = rig.ids();
    // Of the third we are not to know.
    assert_eq!((first.len(), rig.source.nameless()), (1, 1));
    rig.push("+0 1 reset");
    assert_eq!((rig.ids().len(), rig.source.nameless()), (2, 0));
    // From now on it is known by its place.
    rig.push("+0 1 lost");
    assert_eq!((rig.ids().len(), rig.source.nameless()), (2, 0));
    rig.push("+0 driver absent");
    assert_eq!(rig.source.devices(&mut rig.calls), Err(SourceError::Absent));
    assert_eq!(rig.source.nameless(), 0);
}

#[test]
fn after_a_reset_counters_begin_anew() {
    let mut rig = Rig::new("gpus = H100; 0 * ecc.corrected=50; 0 * power=100_000");
    let mut device = rig.open(0);
    rig.advance(ms(10_000));
    let mut readings = Readings::new();
    for tier in Tier::ALL {
        rig.read(&mut device, tier, &mut readings)
            .expect("it is there");
    }
    check(&readings, Quantity::Energy, 1_000_000);
    check(&readings, Quantity::EccCorrected, 50);
    let before = rig.ids();
    rig.push("+0 0 lost; +1000 0 reset");
    rig.advance(ms(2_000));
    assert_eq!(rig.ids(), before);
    let mut device = rig.open(0);
    for tier in Tier::ALL {
        rig.read(&mut device, tier, &mut readings)
            .expect("it is back");
    }
    let energy = readings.value(Quantity::Energy).expect("a value");
    assert!(energy <= 100_000, "{energy}");
    check(&readings, Quantity::EccCorrected, 0);
}

#[test]
fn faults_come_with_their_number_and_part() {
    let mut rig = Rig::new("gpus = H100*2");
    let id = rig.ids().remove(1);
    let mut events = rig.source.events(&id, &mut rig.calls).expect("it reports");
    let mut next = || events.wait(Duration::ZERO, &mut Calls::unwatched());
    assert_eq!(next(), Ok(None));
    rig.push("+0 1 xid=63; +0 0 xid=31");
    let xid = |code, gpu_instance| Ok(Some(Event::Xid { code, gpu_instance }));
    assert_eq!(next(), xid(63, None));
    // That of another device is not ours.
    assert_eq!(next(), Ok(None));
    rig.push("+0 1 xid:1=94");
    assert_eq!(next(), xid(94, Some(1)));
    rig.push("+0 1 event:ecc.double=0; +0 1 event:0x4000=0; +0 1 recovery=2");
    assert_eq!(next(), Ok(Some(Event::EccDouble)));
    assert_eq!(next(), Ok(Some(Event::Unavailable)));
    assert_eq!(next(), Ok(Some(Event::RecoveryAction)));
    rig.push("+0 1 xid=79; +0 1 lost");
    // Whatever the library makes of it, no event is made up and the next one comes.
    let said = [next(), next(), next()];
    assert!(said.contains(&xid(79, None)), "{said:?}");
    drop(events);
    assert_eq!(rig.fake.count(obs_gpu_fake::Count::EventSets), 0);
}

#[test]
fn each_device_has_a_set_of_its_own() {
    let mut rig = Rig::new("gpus = H100*2; 0 0 err:nvmlDeviceRegisterEvents=3");
    let ids = rig.ids();
    let mut second = rig
        .source
        .events(&ids[1], &mut rig.calls)
        .expect("it reports");
    let first = rig.source.events(&ids[0], &mut rig.calls);
    assert!(matches!(first, Err(SourceError::Unsupported)), "{first:?}");
    // The registration that failed took nothing from the other.
    rig.push("+0 1 xid=48");
    let event = second.wait(Duration::ZERO, &mut rig.calls);
    assert_eq!(
        event,
        Ok(Some(Event::Xid {
            code: 48,
            gpu_instance: None
        }))
    );
}

#[test]
fn waiting_for_events_ends_in_time() {
    let mut rig = Rig::new("gpus = H100; clock = real");
    let id = rig.ids().remove(0);
    let mut events = rig.source.events(&id, &mut rig.calls).expect("it reports");
    let began = Instant::now();
    assert_eq!(events.wait(ms(60), &mut rig.calls), Ok(None));
    let took = began.elapsed();
    assert!((ms(50)..ms(5_000)).contains(&took), "{took:?}");
}

#[test]
fn an_older_driver_reports_nothing() {
    let mut rig = Rig::without("gpus = H100", &["nvmlDeviceGetSupportedEventTypes"]);
    let id = rig.ids().remove(0);
    let events = rig.source.events(&id, &mut rig.calls);
    assert!(
        matches!(events, Err(SourceError::Unsupported)),
        "{events:?}"
    );
}

#[test]
fn two_sources_share_one_library() {
    let mut rig = Rig::new("gpus = H100");
    let ids = rig.ids();
    let telemetry = builder().manual().build().expect("usable");
    let other = NvmlSource::with_library(&telemetry, rig.fake.library());
    let found = other.devices(&mut rig.calls).expect("a driver");
    assert_eq!(found[0].id, ids[0]);
    drop(other);
    // It is not unloaded with one of them.
    assert_eq!(rig.ids(), ids);
}

#[test]
fn a_search_asks_nothing_of_a_device_that_hangs() {
    let end = crate::end::End::new("gpus = H100*2; clock = real");
    let gpus = end.gpus(2);
    end.push("+0 0 stall:*=forever");
    crate::eventually("late", || {
        matches!(gpus[0].state(), GpuState::NotAnswering { .. })
    });
    // Whoever was in it by then is, also who looked for devices; nobody comes after.
    let searches = || end.fake.calls("nvmlDeviceGetCount_v2", None);
    let more = |than: u64| crate::eventually("searched", || searches() > than + 3);
    more(searches());
    let asked = end.fake.calls("*", Some(0));
    more(searches());
    assert_eq!(end.fake.calls("*", Some(0)), asked);
    assert_eq!(gpus[1].state(), GpuState::Answering);
    assert_eq!(end.monitor.gpus().len(), 2);
}
