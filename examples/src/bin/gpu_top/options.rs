//! What the command line asks for.

use crate::Result;

/// Everything that can be asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    /// Ends after so many.
    pub(crate) rounds: Option<u64>,
    /// Plays that scenario.
    pub(crate) fake: Option<String>,
    /// Where the page is.
    pub(crate) address: String,
    /// What reading may take of a core, in percent; 0 is as much as it takes.
    pub(crate) budget: Option<f64>,
}

impl Options {
    pub(crate) fn from_arguments(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            rounds: None,
            fake: None,
            address: "127.0.0.1:0".to_owned(),
            budget: None,
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next();
                value.ok_or_else(|| format!("`{argument}` wants something after it"))
            };
            match argument.as_str() {
                "--rounds" => {
                    let rounds = value()?;
                    let number = rounds.parse().ok().filter(|&rounds| rounds > 0);
                    options.rounds =
                        Some(number.ok_or_else(|| format!("`{rounds}` is no number of rounds"))?);
                }
                "--fake" => options.fake = Some(value()?),
                "--address" => options.address = value()?,
                "--budget" => {
                    let percent = value()?;
                    let number = percent.parse().ok();
                    let number = number.filter(|percent| (0.0..=100.0).contains(percent));
                    options.budget =
                        Some(number.ok_or_else(|| format!("`{percent}` is no percentage"))?);
                }
                other => {
                    return Err(format!(
                        "`{other}` is none of --rounds N, --fake SCENARIO, --address HOST:PORT, --budget PERCENT"
                    )
                    .into());
                }
            }
        }
        Ok(options)
    }
}
