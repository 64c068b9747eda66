//! Where nothing comes from an OpenTelemetry SDK: without feature `sdk`.

/// None.
#[derive(Debug, Default)]
pub(crate) struct Intakes {}

impl Intakes {
    pub(crate) fn hand_over(&self) {}

    pub(crate) fn close(&self) {}

    pub(crate) fn settle(&self) {}
}
