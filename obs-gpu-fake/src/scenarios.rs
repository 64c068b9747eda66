//! Scripts with a name: what goes wrong with GPUs, as it is seen through the driver.

/// The text of a scenario.
pub(crate) fn text(name: &str) -> Result<&'static str, String> {
    Err(format!("no scenario {name:?}"))
}
