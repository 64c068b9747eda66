//! Other ways from an event of `tracing` to a line of JSON.

use tracing_subscriber::{layer::SubscriberExt, registry};

use super::logs::{Nowhere, log};
use crate::harness::pair::Pair;

pub(crate) fn json_subscriber() -> Pair {
    let lines = Nowhere::default();
    let into = lines.clone();
    let layer = json_subscriber::fmt::layer().with_writer(move || into.clone());
    install(registry().with(layer));
    lines.hold(Pair::new(|| {}, log))
}

pub(crate) fn tracing_subscriber() -> Pair {
    let lines = Nowhere::default();
    let into = lines.clone();
    let layer = tracing_subscriber::fmt::layer()
        .json()
        .with_writer(move || into.clone());
    install(registry().with(layer));
    lines.hold(Pair::new(|| {}, log))
}

fn install(subscriber: impl tracing::Subscriber + Send + Sync) {
    tracing::subscriber::set_global_default(subscriber).expect("the first in this process");
}
