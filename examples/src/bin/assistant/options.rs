//! What the command line asks for.

use crate::{failure::Failure, load::Load};
use std::path::PathBuf;

/// Which of the services this process is.
#[derive(Clone, Debug)]
pub(crate) enum Options {
    /// The one that people start.
    Front(Front),
    /// One that it starts: `assistant knowledge`.
    Knowledge(Behind),
    /// The other one: `assistant tools`.
    Tools(Behind),
}

/// Everything that can be asked of the front.
#[derive(Clone, Debug, Default)]
pub(crate) struct Front {
    /// Goes on serving.
    pub(crate) serve: bool,
    /// A small load.
    pub(crate) quick: bool,
    /// Where log lines stay.
    pub(crate) logs: Option<PathBuf>,
}

/// Everything that can be asked of a service behind the front.
#[derive(Clone, Debug, Default)]
pub(crate) struct Behind {
    /// `--telemetry-to URL`: a receiver; without it, where the environment says.
    pub(crate) telemetry_to: Option<String>,
    /// `--log FILE`: where log lines go; without it, to the standard error.
    pub(crate) log: Option<PathBuf>,
    /// `--attached`: takes commands from its standard input and stops at its end, so that it never outlives whoever started
    /// it, however that one ends.
    pub(crate) attached: bool,
}

impl Options {
    pub(crate) fn from_arguments(
        arguments: impl IntoIterator<Item = String>,
    ) -> Result<Self, Failure> {
        let mut arguments = arguments.into_iter().peekable();
        if arguments.next_if(|first| first == "knowledge").is_some() {
            return Behind::from_arguments(arguments).map(Self::Knowledge);
        }
        if arguments.next_if(|first| first == "tools").is_some() {
            return Behind::from_arguments(arguments).map(Self::Tools);
        }
        let mut options = Front::default();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--serve" => options.serve = true,
                "--quick" => options.quick = true,
                "--logs" => options.logs = Some(value(&argument, &mut arguments)?.into()),
                other => {
                    return Err(Failure::new(format!(
                        "`{other}` is none of --serve, --quick, --logs FOLDER"
                    )));
                }
            }
        }
        Ok(Self::Front(options))
    }
}

impl Front {
    /// A model of somebody else's takes its time and may cost money: it is asked a few times.
    pub(crate) fn load(&self, is_played: bool) -> Load {
        Load {
            clients: if is_played { 4 } else { 1 },
            rounds: if self.quick || !is_played { 3 } else { 40 },
        }
    }

    /// How many pairs of requests the comparison takes.
    pub(crate) fn pairs(&self) -> usize {
        if self.quick { 200 } else { 4_000 }
    }
}

impl Behind {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--attached" => options.attached = true,
                "--telemetry-to" => {
                    options.telemetry_to = Some(value(&argument, &mut arguments)?);
                }
                "--log" => options.log = Some(value(&argument, &mut arguments)?.into()),
                other => {
                    return Err(Failure::new(format!(
                        "`{other}` is none of --attached, --telemetry-to URL, --log FILE"
                    )));
                }
            }
        }
        Ok(options)
    }
}

fn value(of: &str, arguments: &mut impl Iterator<Item = String>) -> Result<String, Failure> {
    let value = arguments.next();
    value.ok_or_else(|| Failure::new(format!("`{of}` wants something after it")))
}
