//! What the command line asks for.

use crate::Result;
use std::time::Duration;

/// Everything that can be asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    seconds: Option<Duration>,
    load_seconds: Option<Duration>,
    /// Plays that scenario.
    pub(crate) fake: Option<String>,
}

impl Options {
    pub(crate) fn from_arguments(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let value = match argument.as_str() {
                "--seconds" | "--load-seconds" | "--fake" => arguments.next(),
                other => {
                    return Err(format!(
                        "`{other}` is none of --seconds N, --load-seconds N, --fake SCENARIO"
                    )
                    .into());
                }
            };
            let value = value.ok_or_else(|| format!("`{argument}` wants something after it"))?;
            match argument.as_str() {
                "--seconds" => options.seconds = Some(seconds(&value)?),
                "--load-seconds" => options.load_seconds = Some(seconds(&value)?),
                _ => options.fake = Some(value),
            }
        }
        Ok(options)
    }

    /// How long is measured.
    pub(crate) fn time(&self, is_simulated: bool) -> Duration {
        let usual = if is_simulated { 2 } else { 20 };
        self.seconds.unwrap_or(Duration::from_secs(usual))
    }

    /// How long under load: nobody has to start one where it is played.
    pub(crate) fn time_under_load(&self, is_simulated: bool) -> Option<Duration> {
        let played = is_simulated.then(|| self.time(is_simulated));
        self.load_seconds.or(played)
    }
}

fn seconds(text: &str) -> Result<Duration> {
    let seconds = text.parse().ok().filter(|&seconds| seconds > 0);
    let seconds = seconds.ok_or_else(|| format!("`{text}` is no number of seconds"))?;
    Ok(Duration::from_secs(seconds))
}
