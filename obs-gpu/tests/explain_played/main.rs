//! Whether the cause that a slow call is told is the one that there is, from one end to the other: a scripted device by the fake
//! library, read by the real loader and the real source into the real ring, a call on that clock, and the attribute that it ends with.
#![cfg(all(feature = "nvml", target_os = "linux"))]

mod dice;
mod machine;
mod scene;

use machine::Machine;
use obs_gpu::explain::Cause;
use scene::{KINDS, Kind, Scene};
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

type Told = BTreeMap<(Kind, String), u32>;

/// A call without a cause is played so many times as often as one with any other.
const QUIET: u64 = 5;

/// What calls were told, each by what was wrong.
fn judged(seeds: Range<u64>, dear: Duration) -> Told {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let parts: Vec<Told> = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads)
            .map(|part| {
                let mine: Vec<u64> = { seeds.clone() }
                    .filter(|seed| seed % threads == part)
                    .collect();
                scope.spawn(move || play(&mine, dear))
            })
            .collect();
        parts
            .into_iter()
            .map(|part| part.join().expect("no panic"))
            .collect()
    });
    let mut told = Told::new();
    for (what, many) in parts.into_iter().flatten() {
        *told.entry(what).or_default() += many;
    }
    told
}

fn play(seeds: &[u64], dear: Duration) -> Told {
    let mut told = Told::new();
    for seed in seeds {
        let mut machine = Machine::new(dear);
        let mut scene: Option<Scene> = None;
        let kinds = KINDS.into_iter().flat_map(|kind| {
            let times = if kind.cause == Cause::Unknown {
                QUIET
            } else {
                1
            };
            (0..times).map(move |_| kind)
        });
        for (place, kind) in kinds.enumerate() {
            let mut next = Scene::of(
                kind,
                seed * 1_000 + place as u64,
                machine.now(),
                scene.as_ref(),
            );
            let cause = machine.play(&mut next);
            if std::env::var("SHOW").is_ok() && cause != kind.cause.as_str() {
                println!("{kind:?} {cause} {:?} {}", next.call, machine.evidence);
            }
            *told.entry((kind, cause)).or_default() += 1;
            scene = Some(next);
        }
    }
    told
}

#[test]
fn try_it() {
    let seeds: u64 = std::env::var("SEEDS").map_or(4, |seeds| seeds.parse().unwrap());
    let dear: u64 = std::env::var("DEAR").map_or(1, |seeds| seeds.parse().unwrap());
    let began = std::time::Instant::now();
    let told = judged(0..seeds, Duration::from_secs(dear));
    for ((kind, cause), many) in &told {
        let mark = if kind.cause.as_str() == cause {
            ""
        } else {
            "   <---"
        };
        println!(
            "{:16} {:45} {cause:16} {many}{mark}",
            kind.cause.as_str(),
            kind.how
        );
    }
    for cause in KINDS.map(|kind| kind.cause) {
        let count = |is: &dyn Fn(Cause) -> bool, said: &dyn Fn(&str) -> bool| -> f64 {
            { told.iter() }
                .filter(|((kind, told), _)| is(kind.cause) && said(told))
                .map(|(_, many)| f64::from(*many))
                .sum()
        };
        let right = count(&|is| is == cause, &|said| said == cause.as_str());
        let said = count(&|_| true, &|said| said == cause.as_str());
        let is = count(&|is| is == cause, &|_| true);
        println!(
            "{:16} precision {:.3} recall {:.3}",
            cause.as_str(),
            right / said,
            right / is
        );
    }
    println!("{:?}", began.elapsed());
}
