//! The GPU that the model server claims: this machine's first one, or one that is played, which is said. No model runs on either, as the
//! server only plays one; what is shown is how a server of models tells of its device.

use super::played::Played;
use obs_core::Telemetry;
use obs_examples::gpus::Gpus;
use obs_gpu::{
    Attribution, Claim, Claims, EngineState, EngineStates, Gpu, GpuContext, GpuHealth, GpuMonitor,
    GpuSettings, HealthSettings,
};
use obs_llm::engines::{EngineScraper, LLAMACPP, Mapping, ScrapeSettings, ScrapeTarget, Target};
use std::{error::Error, fmt, net::SocketAddr, sync::Arc, time::Duration};
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
    engines: EngineStates,
}

/// The server's page has llama.cpp's names, and says that it is none.
const ENGINE: Mapping = Mapping {
    engine: "simulated",
    title: "Simulated",
    ..LLAMACPP
};

impl Device {
    /// Claims it for the model that the server plays: from now on calls of that model say how it was meanwhile.
    pub(crate) async fn claim(telemetry: &Telemetry) -> Result<Self, Box<dyn Error>> {
        // A driver that hangs would hang the front.
        let gpus = tokio::task::spawn_blocking(|| Gpus::of_this_machine_or(SCRIPT)).await??;
        let claims = Claims::new();
        let health = GpuHealth::new(telemetry, HealthSettings::new());
        let known = health.clone();
        let books = Attribution::new(telemetry, &claims);
        let engines = EngineStates::new(telemetry);
        let context = GpuContext::by_claims(telemetry, &claims)
            .with_health(move |device| Some(known.report(device).state.as_str()))
            .with_engines(&engines)
            .with_energy(&books);
        let settings = GpuSettings::new()
            .with_listener(Arc::new(health))
            .with_listener(books)
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
            engines,
        })
    }

    /// From now on the server's page is read once a second, and what it says is known to calls that are slow. Dropping what this gives
    /// ends that.
    pub(crate) fn reads(
        &self,
        telemetry: &Telemetry,
        server: SocketAddr,
    ) -> Result<EngineScraper, obs_core::Error> {
        let settings = ScrapeSettings::new().with_interval(Duration::from_secs(1));
        let scraper = EngineScraper::new(telemetry, settings);
        let engines = self.engines.clone();
        scraper.listen(move |said| {
            let waiting = said.value(Target::Waiting).map(|waiting| waiting as u64);
            if let Some(model) = said.model {
                let engine = format!("{}:{}", said.address, said.port);
                engines.tell(model, &engine, EngineState::new().with_waiting(waiting));
            }
        });
        let target = ScrapeTarget::new(&format!("http://{server}"), &ENGINE)?;
        scraper.add(target.with_model(Played::MODEL))?;
        Ok(scraper)
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
