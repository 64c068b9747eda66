//! What came of asking: a value, or why there is none. Zero is a value.

use crate::quantity::{Quantity, Tier};

/// What a device said of one quantity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// It has not been asked.
    #[default]
    Unread,
    /// So much, in the quantity's [unit](crate::Unit): whole numbers, so that sums are exact.
    Value(i64),
    /// This device does not have it; it is not asked again until the driver or the device changes.
    Unsupported,
    /// It should have it, and the driver's code says why it did not say.
    Failed(i32),
}

impl Reading {
    /// The value, if there is one.
    pub const fn value(self) -> Option<i64> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }
}

/// One reading of each quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readings([Reading; Quantity::COUNT]);

impl Readings {
    /// Nothing was read yet.
    pub const fn new() -> Self {
        Self([Reading::Unread; Quantity::COUNT])
    }

    /// What was said of a quantity.
    pub const fn get(&self, quantity: Quantity) -> Reading {
        self.0[quantity as usize]
    }

    /// The value of a quantity, if there is one.
    pub const fn value(&self, quantity: Quantity) -> Option<i64> {
        self.get(quantity).value()
    }

    /// Notes what was said.
    pub fn set(&mut self, quantity: Quantity, reading: Reading) {
        self.0[quantity as usize] = reading;
    }

    /// Of what belongs to a tier nothing was said.
    pub(crate) fn forget(&mut self, tier: Tier) {
        for quantity in Quantity::ALL.iter().filter(|of| of.tier() == tier) {
            self.set(*quantity, Reading::Unread);
        }
    }

    /// Each quantity with what was said of it.
    pub fn iter(&self) -> impl Iterator<Item = (Quantity, Reading)> + '_ {
        Quantity::ALL
            .iter()
            .map(|&quantity| (quantity, self.get(quantity)))
    }
}

impl Default for Readings {
    fn default() -> Self {
        Self::new()
    }
}
