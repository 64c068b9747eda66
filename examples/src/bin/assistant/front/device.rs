//! The GPU that the model server claims: this machine's first one, or one that is played, which is said. No model runs on either, as the
//! server only plays one; what is shown is how a server of models tells of its device.

use super::played::Played;
use obs_core::Telemetry;
use obs_examples::gpus::Gpus;
use obs_gpu::{
    Attribution, Claim, Claims, Gpu, GpuContext, GpuHealth, GpuMonitor, GpuSettings, HealthSettings,
};
use std::{error::Error, fmt, sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// One device that is busy.
const SCRIPT: &str = "gpus = H200; scenario = serving";
/// How long it may take until it was read once.
const PATIENCE: Duration = Duration::from_secs(5);

/// What watches the device, and the claim on it. Fields are dropped in their order: who reads it before what plays it.
#[derive(Debug)]
pub(crate) struct Device {
    _monitor: GpuMonitor,
    claim: Arc<Claim>,
    gpu: Gpu,
    gpus: Gpus,
}

impl Device {
    /// Claims it for the model that the server plays: from now on calls of that model say how it was meanwhile.
    pub(crate) async fn claim(telemetry: &Telemetry) -> Result<Self, Box<dyn Error>> {
        // A driver that hangs would hang the front.
        let gpus = tokio::task::spawn_blocking(|| Gpus::of_this_machine_or(SCRIPT)).await??;
        let claims = Claims::new();
        let health = GpuHealth::new(telemetry, HealthSettings::new());
        let known = health.clone();
        let context = GpuContext::by_claims(telemetry, &claims)
            .with_health(move |device| Some(known.report(device).state.as_str()));
        let settings = GpuSettings::new()
            .with_listener(Arc::new(health))
            .with_listener(Attribution::new(telemetry, &claims))
            .with_listener(context.listener());
        let monitor = GpuMonitor::new(telemetry, gpus.source(telemetry), settings)?;
        let first = async {
            loop {
                let mut gpus = monitor.gpus().into_iter();
                if let Some(gpu) = gpus.find(|gpu| gpu.sample().is_some()) {
                    return gpu;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        let gpu = timeout(PATIENCE, first).await?;
        let claim = claims.claim(gpu.id()).model(Played::MODEL).task("chat");
        telemetry.annotate(context);
        Ok(Self {
            _monitor: monitor,
            claim: Arc::new(claim.hold()),
            gpu,
            gpus,
        })
    }

    /// For whoever works there.
    pub(crate) fn claimed(&self) -> Arc<Claim> {
        self.claim.clone()
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = self.gpu.info();
        let model = info.model.as_deref().unwrap_or("GPU");
        write!(
            f,
            "{model} {}, of {}; claimed, though nothing runs on it",
            info.id, self.gpus
        )
    }
}
