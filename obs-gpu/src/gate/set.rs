//! Passes, through one gate or several.

use super::{GpuGate, GpuRefused};
use std::sync::Arc;

/// What becomes of new work while a device drains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Draining {
    /// It is refused: what is in flight goes on, nothing new is begun.
    #[default]
    Refuse,
    /// It is let through: for work that has nowhere else to go, or ends soon.
    Pass,
}

/// The gates of devices that one piece of work takes together, as a model that is spread over several does. Cloning counts a
/// reference.
///
/// All of them have to let it through. Of several, one whose [links are at fault](GpuGate::is_fabric_impaired) counts as draining.
#[derive(Clone, Debug)]
pub struct GpuGateSet(Arc<[GpuGate]>);

impl GpuGateSet {
    /// Of these; of none there is nothing to refuse. One that is given twice is one: work is in flight at a device once.
    pub fn new(gates: impl IntoIterator<Item = GpuGate>) -> Self {
        let mut distinct: Vec<GpuGate> = Vec::new();
        for gate in gates {
            if !distinct.iter().any(|known| Arc::ptr_eq(&known.0, &gate.0)) {
                distinct.push(gate);
            }
        }
        Self(distinct.into())
    }

    /// The gates.
    pub fn gates(&self) -> &[GpuGate] {
        &self.0
    }

    /// A pass through all of them.
    ///
    /// # Errors
    /// Where one of them refuses, the first that does. It is counted there, and nowhere is anything in flight.
    #[inline]
    pub fn enter(&self, draining: Draining) -> Result<GpuPass, GpuRefused> {
        enter_all(&self.0, draining)?;
        Ok(GpuPass(Through::Set(self.clone())))
    }
}

impl From<GpuGate> for GpuGateSet {
    fn from(gate: GpuGate) -> Self {
        Self(Arc::new([gate]))
    }
}

impl FromIterator<GpuGate> for GpuGateSet {
    fn from_iter<T: IntoIterator<Item = GpuGate>>(gates: T) -> Self {
        Self::new(gates)
    }
}

#[inline]
fn enter_all(gates: &[GpuGate], draining: Draining) -> Result<(), GpuRefused> {
    let several = gates.len() > 1;
    for (entered, gate) in gates.iter().enumerate() {
        if let Err(refused) = gate.enter_word(draining, several) {
            gates[..entered].iter().for_each(GpuGate::leave);
            return Err(refused);
        }
    }
    Ok(())
}

/// One piece of work, in flight at its devices until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it says that the work is over"]
pub struct GpuPass(Through);

#[derive(Debug)]
enum Through {
    Nothing,
    One(GpuGate),
    Set(GpuGateSet),
    #[cfg(feature = "tower")]
    OneFixed(&'static GpuGate),
    #[cfg(feature = "tower")]
    Fixed(&'static [GpuGate]),
}

impl GpuPass {
    /// For work that takes no device.
    #[inline]
    pub const fn none() -> Self {
        Self(Through::Nothing)
    }

    #[inline]
    pub(super) fn one(gate: GpuGate) -> Self {
        Self(Through::One(gate))
    }

    #[cfg(feature = "tower")]
    #[inline]
    pub(super) fn fixed(gates: &'static [GpuGate], draining: Draining) -> Result<Self, GpuRefused> {
        if let [gate] = gates {
            gate.enter_word(draining, false)?;
            return Ok(Self(Through::OneFixed(gate)));
        }
        enter_all(gates, draining)?;
        Ok(Self(Through::Fixed(gates)))
    }

    /// The gates that it went through.
    pub fn gates(&self) -> &[GpuGate] {
        match &self.0 {
            Through::Nothing => &[],
            Through::One(gate) => std::slice::from_ref(gate),
            Through::Set(set) => set.gates(),
            #[cfg(feature = "tower")]
            Through::OneFixed(gate) => std::slice::from_ref(*gate),
            #[cfg(feature = "tower")]
            Through::Fixed(gates) => gates,
        }
    }
}

impl Drop for GpuPass {
    #[inline]
    fn drop(&mut self) {
        match &self.0 {
            Through::Nothing => {}
            // The usual ones, without a loop.
            Through::One(gate) => gate.leave(),
            #[cfg(feature = "tower")]
            Through::OneFixed(gate) => gate.leave(),
            _ => self.gates().iter().for_each(GpuGate::leave),
        }
    }
}
