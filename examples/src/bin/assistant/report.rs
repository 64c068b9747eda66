//! What people read: trees, log lines and tables.

use crate::{
    business::{ANSWERS, FOUND, OUTCOME, TOKEN_TYPE, TOKENS},
    evidence::{Evidence, SERVICES},
    failure::Failure,
    front::conversations::CameTo,
    load::{Case, NORMAL},
    operations::HITS,
    source::Source,
    stages,
};
use obs_agent::session::Ledger;
use obs_core::{
    Key, Telemetry,
    semconv::{
        gen_ai,
        http::{ERROR_TYPE, REQUEST_RESEND_COUNT, RESPONSE_STATUS_CODE, URL_PATH},
        hw,
        obs::{
            GPU_ATTRIBUTED_ENERGY, GPU_ATTRIBUTED_TOKENS, GPU_FIRST_OUTPUT_CLOCK,
            GPU_FIRST_OUTPUT_HEALTH, GPU_FIRST_OUTPUT_MEMORY, GPU_FIRST_OUTPUT_POWER,
            GPU_FIRST_OUTPUT_SAMPLE_AGE, GPU_FIRST_OUTPUT_THROTTLE, GPU_FIRST_OUTPUT_UTILIZATION,
            GPU_OWNER, GPU_SLOW_FIRST_OUTPUT_CAUSE, LLM_CHUNK_GAP_MAX, LLM_CHUNKS, RPC_ATTEMPT,
            RPC_CALL_ATTEMPTS, RPC_CANCEL_ORIGIN,
        },
        resource::SERVICE_NAME,
        rpc,
    },
};
use obs_testing::{
    SpanTree,
    metrics::{HistogramPoint, NumberPoint},
};
use std::{collections::BTreeMap, time::Duration};

/// The trees of one request of each ending.
pub(crate) fn trees(evidence: &Evidence, cases: &[Case], source: &Source) {
    println!("\nTraces, {}", source.verb());
    for case in cases {
        tree(evidence, case);
    }
}

/// The tree of one request.
pub(crate) fn tree(evidence: &Evidence, case: &Case) {
    let keys = [
        URL_PATH,
        RESPONSE_STATUS_CODE,
        REQUEST_RESEND_COUNT,
        ERROR_TYPE,
        HITS,
        gen_ai::AGENT_NAME,
        gen_ai::TOOL_NAME,
        gen_ai::PROVIDER_NAME,
        gen_ai::RESPONSE_FINISH_REASONS,
        gen_ai::RESPONSE_TIME_TO_FIRST_CHUNK,
        gen_ai::USAGE_INPUT_TOKENS,
        gen_ai::USAGE_OUTPUT_TOKENS,
        LLM_CHUNKS,
        LLM_CHUNK_GAP_MAX,
        GPU_SLOW_FIRST_OUTPUT_CAUSE,
        rpc::RESPONSE_STATUS_CODE,
        RPC_ATTEMPT,
        RPC_CALL_ATTEMPTS,
        RPC_CANCEL_ORIGIN,
    ];
    // Of one call: how its device was when its first chunk came. It says the same of its start and its end.
    let device = [
        hw::ID,
        GPU_FIRST_OUTPUT_UTILIZATION,
        GPU_FIRST_OUTPUT_MEMORY,
        GPU_FIRST_OUTPUT_POWER,
        GPU_FIRST_OUTPUT_CLOCK,
        GPU_FIRST_OUTPUT_THROTTLE,
        GPU_FIRST_OUTPUT_HEALTH,
        GPU_FIRST_OUTPUT_SAMPLE_AGE,
    ];
    let device = device.iter().filter(|_| case.path == NORMAL.path);
    let others = [SERVICE_NAME, stages::TOOK];
    let shown = keys.iter().chain(device).map(|key| key.as_str());
    let shown = shown.chain(others);
    let tree = SpanTree::new(evidence.trace(case))
        .with_attributes(shown)
        .with_durations(true);
    println!("\n  {}", case.title);
    for line in tree.to_string().lines().skip(1) {
        println!("  {line}");
    }
}

/// What the services logged about the normal request.
pub(crate) fn lines(evidence: &Evidence) {
    println!("\nLog lines of {}, found by its trace id", NORMAL.title);
    for (service, lines) in &evidence.lines {
        for line in lines {
            println!("  {service}: {line}");
        }
    }
}

/// What the business asks for.
pub(crate) fn business(evidence: &Evidence) {
    println!("\nBusiness metrics");
    for (name, label) in [(ANSWERS, OUTCOME), (TOKENS, TOKEN_TYPE)] {
        for point in evidence.sums(name) {
            let value = point.series.attr(label).map(ToString::to_string);
            let value = value.unwrap_or_default();
            println!("  {name:<28}{value:<20}{:>8}", point.as_f64());
        }
    }
    if let Some(found) = evidence.histogram(FOUND) {
        let (sum, searches) = (found.sum.unwrap_or_default(), found.count);
        println!("  {FOUND:<28}{:<20}{sum:>8} in {searches} searches", "");
    }
}

/// What a conversation came to by its ledger, which must be what its spans say, and what the agent counted itself.
pub(crate) fn session(
    evidence: &Evidence,
    ledger: &Ledger,
    came_to: Option<CameTo>,
    id: &str,
) -> Result<(), Failure> {
    let Some(summary) = ledger.summary(id) else {
        return Err(Failure::new(format!("the ledger knows nothing of {id}")));
    };
    println!(
        "\nA conversation of {} turns, by the front's ledger",
        summary.turns
    );
    for line in summary.to_string().lines() {
        println!("  {line}");
    }
    let calls: Vec<_> = evidence.of_session(id, "chat").collect();
    let tokens = |key: Key| -> u64 {
        let told = calls.iter().flat_map(|span| &span.attributes);
        told.filter(|(of, _)| of == key.as_str())
            .filter_map(|(_, count)| u64::try_from(count.as_i64()?).ok())
            .sum()
    };
    let by_spans = [
        evidence.of_session(id, "invoke_agent").count() as u64,
        calls.len() as u64,
        tokens(gen_ai::USAGE_INPUT_TOKENS),
        tokens(gen_ai::USAGE_OUTPUT_TOKENS),
        evidence.of_session(id, "execute_tool").count() as u64,
    ];
    let by_ledger = [
        summary.turns,
        summary.inference_calls,
        summary.input_tokens,
        summary.output_tokens,
        summary.tool_calls,
    ];
    let CameTo {
        turns,
        calls,
        read,
        written,
        tools,
    } = came_to.unwrap_or_default();
    let by_agent = [turns, calls, read, written, tools];
    if by_spans == by_ledger && by_agent == by_ledger {
        return Ok(());
    }
    Err(Failure::new(format!(
        "turns, calls, tokens read and written, and tools of {id} are {by_ledger:?} by the ledger, {by_spans:?} by the spans and \
         {by_agent:?} by the agent's own count"
    )))
}

/// Whose the energy of the model's device was, and what a token took.
pub(crate) fn energy(evidence: &Evidence) -> Result<(), Failure> {
    let tokens = sum(&evidence.sums(GPU_ATTRIBUTED_TOKENS));
    let points = evidence.sums(GPU_ATTRIBUTED_ENERGY);
    println!("\nEnergy of the model's device, by whose it was");
    let mut of_model = 0.0;
    for point in &points {
        let value = |key: Key| point.series.attr(key.as_str()).map(ToString::to_string);
        let (owner, model) = (value(GPU_OWNER), value(gen_ai::REQUEST_MODEL));
        let joules = point.as_f64();
        let whose = model.as_ref().or(owner.as_ref());
        let whose = whose.map_or("", String::as_str);
        print!("  {GPU_ATTRIBUTED_ENERGY:<28}{whose:<20}{joules:>8.1} J");
        if model.is_some() {
            of_model += joules;
            print!(" for {tokens} tokens: {:.3} J for each", joules / tokens);
        }
        println!();
    }
    match of_model > 0.0 && tokens > 0.0 {
        true => Ok(()),
        false => Err(Failure::new(format!(
            "telemetry is missing: no {GPU_ATTRIBUTED_ENERGY} of the model, or no {GPU_ATTRIBUTED_TOKENS}"
        ))),
    }
}

fn sum(points: &[NumberPoint]) -> f64 {
    points.iter().map(NumberPoint::as_f64).sum()
}

/// Rates, errors and quantiles by service and route.
pub(crate) fn rates(evidence: &Evidence) {
    println!("\nRequests by route, from the histogram of their durations");
    heading("route", "requests");
    for service in SERVICES {
        for (route, series) in evidence.durations(service) {
            row(service, &route, series);
        }
    }
}

/// The same of calls over gRPC, as the side sees it that asks, attempt by attempt, and the one that answers.
pub(crate) fn calls(evidence: &Evidence) {
    println!("\nCalls by method, likewise");
    heading("method", "calls");
    for (service, metric) in SERVICES
        .into_iter()
        .flat_map(|of| [rpc::CLIENT_CALL_DURATION, rpc::SERVER_CALL_DURATION].map(|it| (of, it)))
    {
        for (method, series) in evidence.durations_by(service, metric, rpc::METHOD) {
            row(service, &method, series);
        }
    }
}

fn heading(what: &str, how_many: &str) {
    println!(
        "  {:<20}{what:<22}{how_many:>10}{:>9}{:>9}{:>10}{:>10}{:>10}   errors by type",
        "service", "per s", "errors", "p50 ms", "p90 ms", "p99 ms"
    );
}

fn row(service: &str, what: &str, series: Vec<HistogramPoint>) {
    let Some(row) = Row::of(series) else {
        return;
    };
    let quantile = |q| row.quantile_ms(q);
    let types: Vec<_> = row
        .errors
        .iter()
        .map(|(kind, count)| format!("{kind}: {count}"))
        .collect();
    let failed: u64 = row.errors.values().sum();
    println!(
        "  {service:<20}{what:<22}{:>10}{:>9.1}{:>8.1}%{:>10}{:>10}{:>10}   {}",
        row.all.count,
        row.all.count as f64 / row.over.as_secs_f64(),
        100.0 * failed as f64 / row.all.count as f64,
        quantile(0.5),
        quantile(0.9),
        quantile(0.99),
        types.join(", ")
    );
}

/// What became of everything that a service recorded.
pub(crate) fn delivered(telemetry: &Telemetry) -> String {
    let (accounts, counts) = (telemetry.accounts(), telemetry.counts());
    format!(
        "delivered {} spans, {} metric points and {} log records; let go of: {} on the way, {} for want of room before it",
        accounts.traces.delivered,
        accounts.metrics.delivered,
        accounts.logs.delivered,
        accounts.total().dropped.total(),
        counts.ring_full
    )
}

/// All series of a route or a method together.
struct Row {
    all: HistogramPoint,
    errors: BTreeMap<String, u64>,
    over: Duration,
}

impl Row {
    fn of(series: Vec<HistogramPoint>) -> Option<Self> {
        let mut errors = BTreeMap::new();
        for point in &series {
            if let Some(kind) = point.series.attr(ERROR_TYPE.as_str()) {
                *errors.entry(kind.to_string()).or_default() += point.count;
            }
        }
        let mut series = series.into_iter();
        let mut all = series.next()?;
        // They share their bounds: all come from one descriptor.
        series.all(|point| all.merge(&point)).then(|| Self {
            over: Duration::from_nanos(all.time_ns.saturating_sub(all.start_ns).max(1)),
            all,
            errors,
        })
    }

    /// Inside the first bucket a quantile would be made up: it only says that it lies there.
    fn quantile_ms(&self, q: f64) -> String {
        match (self.all.quantile(q), self.all.bounds.first()) {
            (Some(seconds), Some(first)) if seconds <= *first => format!("<{}", first * 1e3),
            (Some(seconds), _) => format!("{:.1}", seconds * 1e3),
            (None, _) => String::from("-"),
        }
    }
}
