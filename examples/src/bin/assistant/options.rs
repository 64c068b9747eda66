//! What the command line asks for.

use crate::{failure::Failure, load::Load};

/// Everything it can ask for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// Goes on serving.
    pub(crate) serve: bool,
    /// A small load.
    pub(crate) quick: bool,
}

impl Options {
    pub(crate) fn from_arguments(
        arguments: impl IntoIterator<Item = String>,
    ) -> Result<Self, Failure> {
        let mut options = Self::default();
        for argument in arguments {
            match argument.as_str() {
                "--serve" => options.serve = true,
                "--quick" => options.quick = true,
                other => {
                    return Err(Failure::new(format!(
                        "`{other}` is neither --serve nor --quick"
                    )));
                }
            }
        }
        Ok(options)
    }

    pub(crate) fn load(self) -> Load {
        Load {
            clients: 4,
            rounds: if self.quick { 3 } else { 40 },
        }
    }

    /// How many pairs of requests the comparison takes.
    pub(crate) fn pairs(self) -> usize {
        if self.quick { 200 } else { 4_000 }
    }
}
