//! Who uses devices that are played: somebody must, or there were nothing to attribute. On a machine with a driver nobody here claims
//! anything; who uses its devices is what other processes say of themselves.

use obs_gpu::{Claim, Claims, DeviceId};
use std::ops::Range;

/// A model and what for, its devices and what it has of the memory of each, and the tokens of a round. The rest of what is in use is
/// nobody's, and so is all of the last device.
const MODELS: [(&str, &str, Range<usize>, u64, u64); 3] = [
    ("simulated-70b", "chat", 0..4, 98 << 30, 900),
    ("simulated-8b", "chat", 4..6, 60 << 30, 2_400),
    ("simulated-embed", "embed", 5..7, 36 << 30, 9_000),
];

/// Claims on devices, held until this is dropped.
#[derive(Debug)]
pub(crate) struct Users(Vec<(Claim, u64)>);

impl Users {
    /// As many as there are devices for.
    pub(crate) fn of(devices: &[DeviceId], claims: &Claims) -> Self {
        let users = MODELS
            .iter()
            .filter_map(|(model, task, of, memory, tokens)| {
                let mut theirs = devices.iter().take(of.end).skip(of.start);
                let first = theirs.next()?;
                let claim = claims.claim(first).model(model).task(task);
                let claim = theirs.fold(claim, |claim, device| claim.and(device)).hold();
                let held: Vec<_> = claim.devices().cloned().collect();
                held.iter()
                    .for_each(|device| claim.set_memory(device, *memory));
                Some((claim, *tokens))
            });
        Self(users.collect())
    }

    /// They do what they do in a round.
    pub(crate) fn work(&self) {
        for (claim, tokens) in &self.0 {
            claim.tokens(*tokens);
        }
    }
}
