//! GPUs for a program that wants to show some: those of this machine, or else a library that plays them. Which of the two it is
//! stands in the name of the source, in the model of each device and in what is printed, so that nobody takes the one for the other.

use nvml_wrapper::{Nvml, error::NvmlError};
use obs_core::Telemetry;
use obs_gpu::{
    Calls, DeviceId, DeviceInfo, GpuDevice, GpuEvents, GpuSource, NvmlSource, SourceError,
};
use obs_gpu_fake::{Error, Fake};
use std::fmt;
use std::sync::mpsc;
use std::time::Duration;

/// How long the driver may take to say which devices there are. One that takes longer is there, and hangs.
const PATIENCE: Duration = Duration::from_secs(5);

/// What stands behind the model of a device that is played.
const SIMULATED: &str = " (simulated)";

/// Where devices come from.
#[derive(Debug)]
pub enum Gpus {
    /// This machine's driver.
    Driver,
    /// A library that plays a script.
    Played {
        /// What drives it. Dropping it ends what it plays.
        fake: Fake,
        /// What it plays.
        script: String,
    },
}

impl Gpus {
    /// This machine's, if it has a driver with a device; else what the script plays.
    ///
    /// # Errors
    /// Where there is neither a driver nor the library, or the script is wrong.
    pub fn of_this_machine_or(script: &str) -> Result<Self, Error> {
        match has_driver() {
            true => Ok(Self::Driver),
            false => Self::played(script),
        }
    }

    /// What the script plays, whatever the machine has. `scenario = NAME` is a script.
    ///
    /// # Errors
    /// Where the library is not there, or the script is wrong.
    pub fn played(script: &str) -> Result<Self, Error> {
        Ok(Self::Played {
            fake: Fake::start(script)?,
            script: script.to_owned(),
        })
    }

    /// What plays them, if they are played.
    pub fn fake(&self) -> Option<&Fake> {
        match self {
            Self::Driver => None,
            Self::Played { fake, .. } => Some(fake),
        }
    }

    /// Whether they are played.
    pub fn is_simulated(&self) -> bool {
        self.fake().is_some()
    }

    /// A hold of one's own on the library that they are read by, for calls that nobody watches.
    ///
    /// # Errors
    /// Where it cannot be loaded, or does not start.
    pub fn library(&self) -> Result<Nvml, NvmlError> {
        match self.fake() {
            Some(fake) => { Nvml::builder() }
                .lib_path(fake.library().as_os_str())
                .init(),
            None => Nvml::init(),
        }
    }

    /// What a monitor reads them by.
    pub fn source(&self, telemetry: &Telemetry) -> Source {
        Source {
            nvml: match self {
                Self::Driver => NvmlSource::new(telemetry),
                Self::Played { fake, .. } => NvmlSource::with_library(telemetry, fake.library()),
            },
            is_simulated: self.is_simulated(),
        }
    }
}

impl fmt::Display for Gpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driver => f.write_str("NVIDIA's driver"),
            Self::Played { script, .. } => {
                write!(f, "SIMULATED, by obs-gpu-fake with the script `{script}`")
            }
        }
    }
}

/// On a thread of its own: a driver that hangs holds up nobody else.
fn has_driver() -> bool {
    let (say, said) = mpsc::channel();
    std::thread::spawn(move || {
        let source = NvmlSource::new(&Telemetry::noop());
        // Nobody listens any more where it took too long.
        let _ = say.send(source.devices(&mut Calls::unwatched()));
    });
    match said.recv_timeout(PATIENCE) {
        Ok(Ok(devices)) => !devices.is_empty(),
        Ok(Err(SourceError::Absent)) => false,
        // It is there, and ill: that is worth showing.
        Ok(Err(_)) | Err(_) => true,
    }
}

/// NVIDIA's library, or the one that plays it: `nvml` or `simulated`.
#[derive(Debug)]
pub struct Source {
    nvml: NvmlSource,
    is_simulated: bool,
}

impl GpuSource for Source {
    fn name(&self) -> &'static str {
        match self.is_simulated {
            true => "simulated",
            false => self.nvml.name(),
        }
    }

    fn devices(&self, calls: &mut Calls) -> Result<Vec<DeviceInfo>, SourceError> {
        let mut devices = self.nvml.devices(calls)?;
        if self.is_simulated {
            let models = devices.iter_mut().filter_map(|info| info.model.as_mut());
            models.for_each(|model| model.push_str(SIMULATED));
        }
        Ok(devices)
    }

    fn nameless(&self) -> u32 {
        self.nvml.nameless()
    }

    fn open(
        &self,
        device: &DeviceId,
        calls: &mut Calls,
    ) -> Result<Box<dyn GpuDevice>, SourceError> {
        self.nvml.open(device, calls)
    }

    fn events(
        &self,
        device: &DeviceId,
        calls: &mut Calls,
    ) -> Result<Box<dyn GpuEvents>, SourceError> {
        self.nvml.events(device, calls)
    }
}
