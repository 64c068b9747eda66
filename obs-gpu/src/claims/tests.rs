use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const MS: u64 = 1_000_000;
const GB: u64 = 1 << 30;

/// One device with its books.
struct Rig {
    claims: Claims,
    device: DeviceId,
    ledger: Ledger,
    energy: u64,
}

impl Rig {
    fn new() -> Self {
        let claims = Claims::new();
        let device = DeviceId::new("GPU-1");
        let mut ledger = Ledger::new(device.clone(), &claims);
        let energy = 5_000_000;
        ledger.settle(&Window {
            energy: Some(energy),
            ..Window::default()
        });
        Self {
            claims,
            device,
            ledger,
            energy,
        }
    }

    fn hold(&self, model: &str, task: &str) -> Claim {
        self.claims
            .claim(&self.device)
            .model(model)
            .task(task)
            .hold()
    }

    /// A quarter of a second in which so many millijoules were used and so many hundredths of it something ran.
    fn window(&mut self, energy: u64, percent: u32) -> Settled {
        self.window_with(energy, percent, Vec::new())
    }

    fn window_with(
        &mut self,
        energy: u64,
        percent: u32,
        others: Vec<(Foreign, Option<u64>, Option<u32>)>,
    ) -> Settled {
        self.energy += energy;
        let window = Window {
            nanos: 250 * MS,
            energy: Some(self.energy),
            power: None,
            utilization: Some(percent * 10_000),
            memory: Some(40 * GB),
            others,
        };
        self.ledger.settle(&window).clone()
    }
}

fn claimed(model: &str, task: &str) -> Owner {
    Owner::Claim {
        model: Some(model.into()),
        task: Some(task.into()),
    }
}

fn service(name: &str) -> Foreign {
    Foreign {
        service: Some(name.into()),
        ..Foreign::default()
    }
}

#[track_caller]
fn check(part: &BTreeMap<Owner, u64>, expect: &[(Owner, u64)]) {
    assert_eq!(*part, expect.iter().cloned().collect());
}

#[test]
fn work_divides_energy_and_time() {
    let mut rig = Rig::new();
    let (chat, embed) = (rig.hold("qwen3-8b", "chat"), rig.hold("bge-m3", "embed"));
    chat.tokens(300);
    embed.worked(100);
    let settled = rig.window(1000, 80);
    let owners = [claimed("qwen3-8b", "chat"), claimed("bge-m3", "embed")];
    let [chat_owner, embed_owner] = owners;
    check(
        &settled.energy,
        &[(chat_owner.clone(), 750), (embed_owner.clone(), 250)],
    );
    check(
        &settled.busy,
        &[
            (chat_owner.clone(), 150 * MS),
            (embed_owner.clone(), 50 * MS),
        ],
    );
    assert_eq!(
        rig.claims.tokens(),
        [(embed_owner.clone(), 0), (chat_owner.clone(), 300)]
    );
    // Who does nothing uses nothing, though he holds the device.
    embed.worked(1);
    let settled = rig.window(1000, 100);
    check(&settled.energy, &[(chat_owner, 750), (embed_owner, 1250)]);
}

#[test]
fn energy_that_is_read_later_is_split_over_all_windows_since() {
    let mut rig = Rig::new();
    let (chat, embed) = (rig.hold("a", "chat"), rig.hold("b", "embed"));
    let mut unread = |claim: &Claim, power| {
        claim.tokens(10);
        let window = Window {
            nanos: 250 * MS,
            power: Some(power),
            utilization: Some(1_000_000),
            ..Window::default()
        };
        rig.ledger.settle(&window).clone()
    };
    // At three times the power in one window as in three others.
    assert!(unread(&chat, 600_000).energy.is_empty());
    let busy = unread(&embed, 200_000).busy;
    assert_eq!(busy.values().sum::<u64>(), 500 * MS);
    unread(&embed, 200_000);
    embed.tokens(10);
    let window = Window {
        nanos: 250 * MS,
        energy: Some(rig.energy + 1_000),
        power: Some(200_000),
        utilization: Some(1_000_000),
        ..Window::default()
    };
    rig.energy += 1_000;
    let settled = rig.ledger.settle(&window).clone();
    let owners = [claimed("a", "chat"), claimed("b", "embed")];
    let both: Vec<_> = owners.iter().cloned().zip([500, 500]).collect();
    check(&settled.energy, &both);
    // What is read each time is its own window's.
    chat.tokens(1);
    let settled = rig.window(70, 100);
    let both: Vec<_> = owners.into_iter().zip([570, 500]).collect();
    check(&settled.energy, &both);
}

#[test]
fn what_nobody_did_is_idle_and_what_nobody_said_is_unattributed() {
    let mut rig = Rig::new();
    let settled = rig.window(20, 0);
    check(&settled.energy, &[(Owner::Idle, 20)]);
    check(&settled.busy, &[]);
    let settled = rig.window(100, 50);
    check(
        &settled.energy,
        &[(Owner::Idle, 20), (Owner::Unattributed, 100)],
    );
    let _first = rig.hold("a", "chat");
    let _second = rig.hold("b", "chat");
    let settled = rig.window(100, 50);
    check(
        &settled.energy,
        &[(Owner::Idle, 20), (Owner::Unattributed, 200)],
    );
}

#[test]
fn one_claim_alone_need_not_say_that_it_worked() {
    let mut rig = Rig::new();
    let claim = rig.hold("a", "train");
    let settled = rig.window(100, 50);
    check(&settled.energy, &[(claimed("a", "train"), 100)]);
    let settled = rig.window(10, 0);
    check(
        &settled.energy,
        &[(claimed("a", "train"), 100), (Owner::Idle, 10)],
    );
    // With somebody else there who might have, it has to.
    let other = vec![(service("batch"), Some(GB), None)];
    let settled = rig.window_with(100, 50, other);
    assert_eq!(settled.energy[&Owner::Unattributed], 100);
    drop(claim);
}

#[test]
fn other_processes_have_their_time() {
    let mut rig = Rig::new();
    let claim = rig.hold("a", "chat");
    claim.tokens(7);
    let others = vec![(service("batch"), Some(10 * GB), Some(200_000))];
    let settled = rig.window_with(1000, 80, others);
    let batch = Owner::Process(service("batch"));
    check(
        &settled.energy,
        &[(claimed("a", "chat"), 750), (batch.clone(), 250)],
    );
    check(
        &settled.busy,
        &[(claimed("a", "chat"), 150 * MS), (batch, 50 * MS)],
    );
}

#[test]
fn memory_is_what_was_said_and_the_rest_is_unattributed() {
    let mut rig = Rig::new();
    let claim = rig.hold("a", "chat");
    let settled = rig.window(0, 0);
    check(&settled.memory, &[(Owner::Unattributed, 40 * GB)]);
    claim.set_memory(&rig.device, 17 * GB);
    let others = vec![
        (service("batch"), Some(10 * GB), None),
        (service("mystery"), None, None),
    ];
    let settled = rig.window_with(0, 0, others.clone());
    let batch = (Owner::Process(service("batch")), 10 * GB);
    check(
        &settled.memory,
        &[
            (claimed("a", "chat"), 17 * GB),
            batch.clone(),
            (Owner::Unattributed, 13 * GB),
        ],
    );
    assert_eq!(settled.over_claimed, 0);
    // More than there is cannot be had.
    let greedy = rig.hold("b", "chat");
    greedy.set_memory(&rig.device, 34 * GB);
    claim.set_memory(&rig.device, 17 * GB);
    let settled = rig.window_with(0, 0, others);
    let parts = [
        (claimed("a", "chat"), 10 * GB),
        (claimed("b", "chat"), 20 * GB),
    ];
    check(
        &settled.memory,
        &[parts[0].clone(), parts[1].clone(), batch],
    );
    assert_eq!(settled.over_claimed, 1);
    // Whoever let go has nothing.
    drop((claim, greedy));
    let settled = rig.window(0, 0);
    check(&settled.memory, &[(Owner::Unattributed, 40 * GB)]);
}

#[test]
fn what_was_done_before_letting_go_counts() {
    let mut rig = Rig::new();
    let claim = rig.hold("a", "chat");
    claim.tokens(9);
    drop(claim);
    let settled = rig.window(100, 50);
    check(&settled.energy, &[(claimed("a", "chat"), 100)]);
    assert_eq!(rig.claims.tokens(), [(claimed("a", "chat"), 9)]);
    let settled = rig.window(100, 50);
    assert_eq!(settled.energy[&Owner::Unattributed], 100);
    assert!(lock(&rig.claims.0).held[&rig.device].is_empty());
    assert_eq!(rig.ledger.many(), 0);
}

#[test]
fn a_counter_that_fell_began_anew() {
    let mut rig = Rig::new();
    rig.window(100, 50);
    rig.energy = 0;
    let settled = rig.window(30, 50);
    check(&settled.energy, &[(Owner::Unattributed, 130)]);
}

#[test]
fn what_was_not_read_is_nobodys() {
    let mut rig = Rig::new();
    let settled = rig.ledger.settle(&Window {
        nanos: 250 * MS,
        ..Window::default()
    });
    assert_eq!(*settled, Settled::default());
    // What was used meanwhile belongs to the next window that was read.
    let settled = rig.window(100, 0);
    check(&settled.energy, &[(Owner::Idle, 100)]);
}

#[test]
fn a_model_on_several_devices_is_on_each() {
    let claims = Claims::new();
    let (first, second) = (DeviceId::new("GPU-1"), DeviceId::new("GPU-2"));
    let claim = claims
        .claim(&second)
        .and(&first)
        .and(&second)
        .model("a")
        .hold();
    let devices = claims.devices_of("a").unwrap();
    assert_eq!(*devices, [first.clone(), second.clone()]);
    assert_eq!(claims.devices_of("b"), None);
    assert_eq!(claim.devices().count(), 2);
    claim.tokens(5);
    for device in [&first, &second] {
        let mut ledger = Ledger::new(device.clone(), &claims);
        let window = |energy| Window {
            energy: Some(energy),
            utilization: Some(500_000),
            ..Window::default()
        };
        ledger.settle(&window(10));
        claim.tokens(1);
        assert_eq!(ledger.settle(&window(17)).energy.values().sum::<u64>(), 7);
    }
    // A token is one token, on however many devices.
    assert_eq!(
        claims.tokens().iter().map(|(_, count)| count).sum::<u64>(),
        7
    );
    drop(claim);
    assert_eq!(claims.devices_of("a"), None);
}

#[test]
fn owners_without_end_are_others() {
    let mut rig = Rig::new();
    for model in 0..2 * MOST_OWNERS {
        let claim = rig.hold(&model.to_string(), "chat");
        claim.tokens(1);
        rig.window(10, 50);
    }
    let settled = rig.window(0, 0);
    assert_eq!(settled.energy.len(), MOST_OWNERS + 1);
    assert_eq!(
        settled.energy.values().sum::<u64>(),
        20 * MOST_OWNERS as u64
    );
    assert_eq!(settled.energy[&Owner::Other], 10 * MOST_OWNERS as u64);
    let tokens = rig.claims.tokens();
    assert_eq!(
        tokens
            .iter()
            .map(|(_, count)| *count as usize)
            .sum::<usize>(),
        2 * MOST_OWNERS
    );
    assert_eq!(tokens.len(), MOST_OWNERS + 1);
}

#[test]
fn a_service_that_never_lets_go_fills_no_memory() {
    let mut rig = Rig::new();
    for _ in 0..3 {
        for _ in 0..MOST {
            let claim = rig.hold("m", "t");
            claim.tokens(1);
            std::mem::forget(claim);
        }
        let settled = rig.window(1_000, 50);
        assert_eq!(settled.energy.keys().count(), 1);
        assert_eq!(rig.ledger.many(), MOST);
    }
}

#[test]
fn a_service_that_never_looks_fills_no_memory() {
    let rig = Rig::new();
    let kept = rig.hold("kept", "chat");
    for _ in 0..2 * MOST {
        drop(rig.hold("a", "chat"));
    }
    let held = lock(&rig.claims.0).held[&rig.device].len();
    assert_eq!(held, MOST);
    assert_eq!(rig.claims.devices_of("kept").unwrap().len(), 1);
    drop(kept);
}

#[derive(Clone, Debug)]
enum Step {
    Hold(u8),
    Release(u8),
    Work(u8, u32),
    Memory(u8, u64),
    Reset,
    Window {
        energy: u32,
        /// Whether it is read in this window.
        read: bool,
        share: Option<u32>,
        memory: Option<u64>,
        others: Vec<(u8, Option<u64>, Option<u32>)>,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = 0..80 * GB;
    let other = (
        0..3_u8,
        prop::option::of(bytes.clone()),
        prop::option::of(0..1_100_000_u32),
    );
    let window = (
        (any::<u32>(), any::<bool>()),
        prop::option::of(0..1_100_000_u32),
        prop::option::of(bytes.clone()),
        prop::collection::vec(other, 0..3),
    );
    let window = window.prop_map(|((energy, read), share, memory, others)| Step::Window {
        energy,
        read,
        share,
        memory,
        others,
    });
    let step = prop_oneof![
        2 => (0..4_u8).prop_map(Step::Hold),
        1 => (0..4_u8).prop_map(Step::Release),
        3 => (0..4_u8, any::<u32>()).prop_map(|(claim, work)| Step::Work(claim, work)),
        1 => (0..4_u8, bytes).prop_map(|(claim, bytes)| Step::Memory(claim, bytes)),
        1 => Just(Step::Reset),
        4 => window,
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    /// Whoever comes, works, claims and goes: what owners used is what the device used, to the millijoule, the nanosecond and the
    /// byte.
    #[test]
    fn sums_are_the_devices(steps in steps()) {
        let mut rig = Rig::new();
        let mut held: [Option<Claim>; 4] = [const { None }; 4];
        let (mut energy, mut busy, mut reset) = (0_u64, 0_u64, false);
        // Used and not read yet, and what was read last.
        let (mut unread, mut last) = (0_u64, rig.energy);
        for step in steps {
            match step {
                Step::Hold(who) => held[usize::from(who)] = Some(rig.hold(&who.to_string(), "t")),
                Step::Release(who) => held[usize::from(who)] = None,
                Step::Work(who, work) => {
                    if let Some(claim) = &held[usize::from(who)] {
                        claim.tokens(work.into());
                    }
                }
                Step::Memory(who, bytes) => {
                    if let Some(claim) = &held[usize::from(who)] {
                        claim.set_memory(&rig.device, bytes);
                    }
                }
                Step::Reset => reset = true,
                Step::Window { energy: spent, read, share, memory, others } => {
                    // One that climbed past where it was before anybody looked cannot be told from one that went on.
                    let hidden = u64::from(spent) >= last;
                    let read = read || reset;
                    if reset && !hidden {
                        // What was used before it and not read is not known.
                        (rig.energy, unread) = (0, 0);
                    }
                    reset = false;
                    rig.energy += u64::from(spent);
                    unread += u64::from(spent);
                    let window = Window {
                        nanos: 250 * MS,
                        energy: read.then_some(rig.energy),
                        power: share.map(u64::from),
                        utilization: share,
                        memory,
                        others: others.iter().map(|&(who, bytes, share)| {
                            (service(&who.to_string()), bytes, share)
                        }).collect(),
                    };
                    if read {
                        energy += std::mem::take(&mut unread);
                        last = rig.energy;
                    }
                    busy += u64::from(share.unwrap_or(0).min(1_000_000)) * 250;
                    let settled = rig.ledger.settle(&window);
                    prop_assert_eq!(settled.energy.values().sum::<u64>(), energy);
                    prop_assert_eq!(settled.busy.values().sum::<u64>(), busy);
                    let memory_of_all = settled.memory.values().sum::<u64>();
                    prop_assert_eq!(memory_of_all, memory.unwrap_or(0));
                }
            }
        }
    }
}
