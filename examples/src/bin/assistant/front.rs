//! The front: the process that people start. It starts the others, sends itself requests, and shows what came of them.

mod agent;
pub(crate) mod conversations;
mod device;
mod library;
mod model;
mod played;
mod process;
mod routes;
mod toolbox;

use crate::{
    cost, evidence::Evidence, evidence::SERVICES, evidence::Watched, failure::Failure, load,
    logs::Folder, observed::LAST, observed::Observed, options, page, report, serving::Serving,
    signals::Signals, source::Source,
};
use agent::Agent;
use conversations::Conversations;
use device::Device;
use library::Library;
use model::{Endpoint, Model};
use obs_agent::{AgentObserver, Handlers, session::Ledger};
use obs_core::{Telemetry, setup::environment::Environment};
use obs_http::HttpServerLayer;
use obs_llm::engines::EngineScraper;
use played::Played;
pub(crate) use process::Process;
use toolbox::Toolbox;
use tower::BoxError;

/// Its `service.name`.
pub(crate) const NAME: &str = "assistant-front";

/// All services, the load, the evidence, and the end of it all: however it ends, nothing is left behind.
pub(crate) async fn run(options: &options::Front) -> Result<(), Failure> {
    // Before anything is started that a signal would leave behind.
    let mut signals = Signals::listen()?;
    let folder = Folder::make(options.logs.as_deref())?;
    let front = Front::start(&folder).await?;
    let shown = tokio::select! {
        shown = front.show(options) => shown,
        signal = signals.next() => Err(Failure::new(format!("{signal} came before everything was shown"))),
    };
    if shown.is_ok() && options.serve {
        front.invite();
        signals.next().await;
    }
    let ended = front.end().await;
    shown.and(ended)
}

/// The front and what it holds.
struct Front {
    service: Serving,
    /// The same routes without telemetry, over the other services without telemetry.
    bare: Serving,
    /// The model server, if it is this program's own.
    played: Option<Played>,
    /// What that runs on, or why on nothing.
    device: Option<Result<Device, String>>,
    /// Who reads that server's page.
    scraper: Option<EngineScraper>,
    endpoint: Endpoint,
    watched: Watched,
    /// What each session came to.
    ledger: Ledger,
    /// And what it is by the agent's own count.
    conversations: Conversations,
    observed: Observed,
}

impl Front {
    async fn start(folder: &Folder) -> Result<Self, Failure> {
        // Where telemetry goes: a receiver of this program's own, or what `OTEL_EXPORTER_OTLP_*` says.
        let environment = Environment::from_process();
        let (builder, source) = Source::choose(&environment, Telemetry::builder())?;
        let logs = SERVICES.map(|service| folder.log(service));
        let observed = Observed::start(NAME, &environment, builder, Some(&logs[0]))?;
        let telemetry = observed.telemetry;
        // Of whatever ends in a session, from now on.
        let ledger = Ledger::new(&telemetry);
        let endpoint = source.endpoint();
        let endpoint = endpoint.as_deref();
        let knowledge = Process::start("knowledge", "the knowledge service", &logs[1], endpoint)?;
        let tools = Process::start("tools", "the tool service", &logs[2], endpoint)?;

        let model = Endpoint::from_environment()?;
        let (played, device, model) = match model {
            Some(model) => (None, None, model),
            None => {
                let device = Device::claim(&telemetry).await;
                let device = device.map_err(|error| error.to_string());
                let claim = device.as_ref().ok().map(Device::claimed);
                let played = Played::start(claim).await?;
                let model = Endpoint::played(&played);
                (Some(played), Some(device), model)
            }
        };
        let scraper = match (&played, &device) {
            (Some(played), Some(Ok(device))) => {
                let scraper = device.reads(&telemetry, played.address());
                Some(scraper.map_err(|error| Failure::new(error.to_string()))?)
            }
            _ => None,
        };
        // One layer around all routes.
        let library = Library::observed(knowledge.service, &telemetry);
        let toolbox = Toolbox::observed(tools.service, &telemetry).map_err(unusable)?;
        let asked = Model::observed(model.clone(), &telemetry);
        let handlers = Handlers::new().with(AgentObserver::new(&telemetry));
        let agent = Agent::new(&telemetry, handlers, library, toolbox, asked);
        let conversations = agent.conversations().clone();
        let app = routes::routes(agent);
        let service = Serving::http(app.layer(HttpServerLayer::new(&telemetry))).await?;
        let library = Library::bare(knowledge.bare);
        let toolbox = Toolbox::bare(tools.bare).map_err(unusable)?;
        let asked = Model::bare(model.clone());
        let agent = Agent::new(&Telemetry::noop(), Handlers::new(), library, toolbox, asked);
        let bare = Serving::http(routes::routes(agent)).await?;
        Ok(Self {
            service,
            bare,
            played,
            device,
            scraper,
            endpoint: model,
            watched: Watched {
                telemetry,
                source,
                knowledge,
                tools,
                logs,
            },
            ledger,
            conversations,
            observed,
        })
    }

    async fn show(&self, options: &options::Front) -> Result<(), Failure> {
        let (service, watched) = (self.service.address, &self.watched);
        let (knowledge, tools, source) = (&watched.knowledge, &watched.tools, &watched.source);
        println!(
            "{NAME} at http://{service}, process {}, metrics at http://{}/metrics",
            std::process::id(),
            self.observed.metrics()
        );
        for (name, behind) in [
            (crate::knowledge::NAME, knowledge),
            (crate::tools::NAME, tools),
        ] {
            println!(
                "{name} at http://{}, process {}, metrics at http://{}/metrics",
                behind.service, behind.id, behind.metrics
            );
        }
        println!("model {}", self.endpoint);
        match &self.device {
            Some(Ok(device)) => println!("its device {device}"),
            Some(Err(why)) => println!("its device none: {why}"),
            None => {}
        }
        println!("telemetry of all to {source}");
        for warning in watched.telemetry.warnings() {
            println!("  passed over: {warning}");
        }
        let cases = load::cases(self.endpoint.is_played());
        let load = options.load(self.endpoint.is_played());
        let sent = load::drive(service, &cases, load).await?;
        let evidence = Evidence::gather(watched, &cases, &sent).await?;
        report::trees(&evidence, &cases, source);
        report::lines(&evidence);
        let came_to = self.conversations.came_to(load::CONVERSATION);
        report::session(&evidence, &self.ledger, came_to, load::CONVERSATION)?;
        report::business(&evidence);
        if let Some(Ok(_)) = &self.device {
            report::energy(&evidence)?;
        }
        report::rates(&evidence);
        report::calls(&evidence);
        cost::compare(self.bare.address, service, options.pairs()).await?;
        page::scrape(NAME, self.observed.metrics(), page::FRONT).await?;
        page::scrape(crate::knowledge::NAME, knowledge.metrics, page::KNOWLEDGE).await?;
        page::scrape(crate::tools::NAME, tools.metrics, page::TOOLS).await?;
        watched.flush().await?;
        if options.serve {
            return Ok(());
        }

        println!(
            "\nThe knowledge service is stopped: {}",
            knowledge.stop().await?
        );
        let down = load::ask_while_down(service).await?;
        let evidence = Evidence::of_case(watched, down).await?;
        report::tree(&evidence, down);
        println!("\nThe tool service is stopped: {}", tools.stop().await?);
        println!("\nThe front: {}", report::delivered(&watched.telemetry));
        Ok(())
    }

    /// For whoever wants to ask by hand.
    fn invite(&self) {
        println!("\nServing until ctrl-c:");
        for path in load::PATHS {
            println!("  http://{}{path}", self.service.address);
        }
        println!("  http://{}/metrics", self.observed.metrics());
        println!("  http://{}/metrics", self.watched.knowledge.metrics);
        println!("  http://{}/metrics", self.watched.tools.metrics);
    }

    /// Requests first, then whom they need; all tell what is left to tell at the same time.
    async fn end(self) -> Result<(), Failure> {
        self.service.stop().await;
        self.bare.stop().await;
        drop(self.scraper);
        if let Some(played) = self.played {
            played.stop().await;
        }
        let telemetry = self.watched.telemetry;
        // Waits for the network, so not on a thread that serves.
        let shutdown = tokio::task::spawn_blocking(move || telemetry.shutdown(LAST));
        let (knowledge, tools, delivered) = tokio::join!(
            self.watched.knowledge.stop(),
            self.watched.tools.stop(),
            shutdown
        );
        knowledge.and(tools)?;
        Ok(delivered.map_err(|error| Failure::new(error.to_string()))??)
    }
}

fn unusable(address: BoxError) -> Failure {
    Failure::new(address.to_string())
}
