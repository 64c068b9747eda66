//! What a request of the loaded service costs while nothing can be delivered, over the same request while everything is.

use std::time::Duration;

use obs_core::Telemetry;
use tracing_subscriber::layer::SubscriberExt;

use super::sdk::same;
use crate::chaos::{
    receiver::{Fault, Receiver},
    service::{App, SPANS, Setup, block_on, log_layer},
};
use crate::harness::pair::Pair;

/// The port is closed.
pub(crate) fn refused() -> Pair {
    against(Fault::Refuses)
}

/// The receiver takes connections and requests, and never answers.
pub(crate) fn hangs() -> Pair {
    against(Fault::Hangs)
}

/// Requests in a call, after which the collector is waited for: what they leave is half of what a thread's ring takes. The wait
/// is in both sides.
const TOGETHER: u64 = 32;
/// So that many hundreds of requests are counted: what one of them allocates is not what the next does.
const BURST: u64 = 25;
/// Little, so that the oldest is dropped for each that is new from early on.
const CAP: usize = 1 << 20;

fn against(fault: Fault) -> Pair {
    let (_, bare) = service(Fault::None);
    let (dark, with) = service(fault);
    let account = move |calls: u64| {
        collect(dark);
        let (accounts, counts) = (dark.accounts(), dark.counts());
        let spans = accounts.traces;
        same(
            "spans",
            spans.accepted + counts.ring_full,
            calls * TOGETHER * SPANS,
        )?;
        same("delivered spans", spans.delivered, 0)?;
        same("log records", accounts.logs.accepted, calls * TOGETHER)?;
        Ok(format!(
            "{} spans, none delivered, {} dropped",
            spans.accepted,
            spans.dropped.total()
        ))
    };
    Pair::new(bare, with)
        .with_per_call(TOGETHER)
        .with_burst(BURST)
        .with_account(account)
}

fn collect(telemetry: Telemetry) {
    telemetry
        .collect(Duration::from_secs(60))
        .expect("the collector answers");
}

/// A service of its own with a receiver of its own, and one request of it.
fn service(fault: Fault) -> (Telemetry, impl FnMut() + 'static) {
    let receiver = Receiver::start().expect("a port");
    receiver.set(fault).expect("its own port");
    let mut setup = Setup::new(receiver.endpoint(), 1.0);
    setup.cap = CAP;
    let (telemetry, _) = setup.telemetry().expect("the settings are valid");
    let app = App::new(&telemetry);
    // Not the process's subscriber: there are two services in it.
    let events = tracing_subscriber::registry().with(log_layer(&telemetry));
    let events = tracing::Dispatch::new(events);
    let request = move || {
        let _until_the_process_ends = &receiver;
        tracing::dispatcher::with_default(&events, || {
            for _ in 0..TOGETHER {
                assert!(block_on(app.request()), "the application answers");
            }
        });
        collect(telemetry);
    };
    (telemetry, request)
}
