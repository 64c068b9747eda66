//! Everything that is watched, and shown: devices with their health and their users, the host, the fabric.

use crate::Result;
use crate::options::Options;
use crate::played::Users;
use crate::table::{self, Device};
use obs_core::{Moment, Telemetry, setup::environment::Environment, setup::resource::Resource};
use obs_examples::gpus::Gpus;
use obs_gpu::fabric::{Fabric, FabricSettings};
use obs_gpu::host::{Host, HostSettings};
use obs_gpu::{
    Attribution, Claims, DeviceId, Gpu, GpuHealth, GpuMonitor, GpuSettings, HealthSettings,
    Readings, Tier,
};
use obs_http::{MetricsListener, MetricsPage};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is played where there is no driver.
const SCENARIO: &str = "serving";
/// How long delivering what is left may take, where it goes anywhere.
const LAST: Duration = Duration::from_secs(5);

/// What is watched, until it is ended. Fields are dropped in their order: who reads devices before what plays them.
#[derive(Debug)]
pub(crate) struct Watched {
    telemetry: Telemetry,
    monitor: GpuMonitor,
    health: GpuHealth,
    attribution: Arc<Attribution>,
    claims: Claims,
    users: Option<Users>,
    host: Host,
    fabric: Fabric,
    began: Instant,
    page: MetricsListener,
    gpus: Gpus,
}

impl Watched {
    pub(crate) fn start(options: &Options) -> Result<Self> {
        let gpus = match &options.fake {
            Some(scenario) => Gpus::played(&format!("scenario = {scenario}"))?,
            None => Gpus::of_this_machine_or(&format!("scenario = {SCENARIO}"))?,
        };
        let environment = Environment::from_process();
        let resource = Resource::builder()
            .with_service_name(match gpus.is_simulated() {
                true => "gpu_top (simulated)",
                false => "gpu_top",
            })
            .with_environment(&environment)
            .build();
        let builder = Telemetry::builder().with_resource(resource);
        let telemetry = match environment.names_an_endpoint() {
            true => builder.with_otlp().build()?,
            false => builder.build()?,
        };

        let claims = Claims::new();
        let attribution = Attribution::new(&telemetry, &claims);
        let health = GpuHealth::new(&telemetry, HealthSettings::new());
        // One that comes later is soon seen by whoever looks at the table.
        let settings =
            GpuSettings::new().with_discovery(Duration::from_secs(10), Duration::from_secs(2));
        let settings = match options.budget {
            None => settings,
            Some(0.0) => settings.without_budget(),
            Some(percent) => settings.with_budget(percent / 100.0),
        };
        let settings = settings
            .with_listener(Arc::new(health.clone()))
            .with_listener(attribution.clone());
        let monitor = GpuMonitor::new(&telemetry, gpus.source(&telemetry), settings)?;
        Host::observe(&telemetry, &HostSettings::new());
        Fabric::observe(&telemetry, &FabricSettings::new());
        let page = MetricsListener::start(MetricsPage::new(&telemetry), &*options.address)?;
        Ok(Self {
            telemetry,
            monitor,
            health,
            attribution,
            claims,
            users: None,
            host: Host::new(&HostSettings::new()),
            fabric: Fabric::new(&FabricSettings::new()),
            began: Instant::now(),
            page,
            gpus,
        })
    }

    /// Whether there are devices, each of them read once.
    pub(crate) fn has_read_all(&self) -> bool {
        let gpus = self.monitor.gpus();
        let read = |gpu: &Gpu| {
            let slow = obs_gpu::Quantity::ALL.iter();
            let mut slow = slow.filter(|quantity| quantity.tier() == Tier::Slow);
            slow.all(|quantity| gpu.read_at(*quantity).is_some())
        };
        !gpus.is_empty() && gpus.iter().all(read)
    }

    /// What there is now, line by line.
    pub(crate) fn look(&mut self) -> Vec<String> {
        let gpus = self.monitor.gpus();
        if self.gpus.is_simulated() && self.users.is_none() && !gpus.is_empty() {
            let devices: Vec<DeviceId> = gpus.iter().map(|gpu| gpu.id().clone()).collect();
            self.users = Some(Users::of(&devices, &self.claims));
        }
        if let Some(users) = &self.users {
            users.work();
        }
        let devices: Vec<Device> = gpus.iter().map(|gpu| self.device(gpu)).collect();
        let mut lines = vec![
            format!("GPUs of {}", self.gpus),
            format!("http://{}/metrics", self.page.address()),
            String::new(),
        ];
        lines.extend(table::lines(&devices));
        lines.push(String::new());
        // Of a clock that does not go back.
        let now = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        lines.push(table::host(self.host.waited(now)));
        lines.push(table::fabric(self.fabric.window(now)));
        lines
    }

    fn device(&self, gpu: &Gpu) -> Device {
        let now = self.telemetry.now();
        let health = self.health.report(gpu.id());
        let since = self.telemetry.between(health.since, now);
        let gate = self.health.gate(gpu.id());
        let settled = self.attribution.settled(gpu.id()).unwrap_or_default();
        Device {
            info: gpu.info(),
            state: gpu.state(),
            readings: self.fresh(gpu, now),
            health,
            since,
            gate: gate.state(),
            memory: settled.memory,
        }
    }

    /// What was read, without what is too old to be shown.
    fn fresh(&self, gpu: &Gpu, now: Moment) -> Readings {
        let (read, mut fresh) = (gpu.readings(), Readings::new());
        for (quantity, reading) in read.iter() {
            if gpu.is_fresh(quantity, |at| self.telemetry.between(at, now)) {
                fresh.set(quantity, reading);
            }
        }
        fresh
    }

    /// Watches no more, and delivers what is left.
    pub(crate) fn end(self) -> Result<()> {
        // A shutdown takes back what is shown of devices: their last numbers go before.
        self.telemetry.flush(LAST)?;
        Ok(self.telemetry.shutdown(LAST)?)
    }
}
