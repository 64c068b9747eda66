//! What the instrumentation costs: the same request through the same two services over HTTP, with and without it, in turn.
//! Without it there is no layer around a server or a client of either, no operation inside, and no counting. The tool service
//! is not asked.

use crate::{client::Client, failure::Failure, load::expect};
use std::{net::SocketAddr, time::Duration};
use tokio::time::{Instant, timeout};

/// A request that the front passes on to the knowledge service, with one operation inside, and nothing that waits or logs.
const PATH: &str = "/documents/1";
const LONGEST: Duration = Duration::from_secs(30);

/// Measures and prints it.
pub(crate) async fn compare(
    bare: SocketAddr,
    observed: SocketAddr,
    pairs: usize,
) -> Result<(), Failure> {
    let measured = timeout(LONGEST, measure(bare, observed, pairs)).await;
    let (without, with) = measured
        .map_err(|_| Failure::new(format!("{pairs} pairs were not done within {LONGEST:?}")))??;
    println!(
        "\nCost of the instrumentation of two services: GET {PATH} through the front and the knowledge service over loopback, {pairs} pairs in turn, measured just now on this machine"
    );
    println!("  median without   {without:?}");
    println!("  median with      {with:?}");
    println!(
        "  ratio            {:.3}",
        with.as_secs_f64() / without.as_secs_f64()
    );
    if cfg!(debug_assertions) {
        println!("  (a debug build: with --release the numbers mean something)");
    }
    Ok(())
}

async fn measure(
    bare: SocketAddr,
    observed: SocketAddr,
    pairs: usize,
) -> Result<(Duration, Duration), Failure> {
    let (mut bare, mut observed) = (
        Client::connect(bare).await?,
        Client::connect(observed).await?,
    );
    let (mut without, mut with) = (Vec::with_capacity(pairs), Vec::with_capacity(pairs));
    for pair in 0..pairs {
        // Neither side always follows the other.
        if pair % 2 == 0 {
            without.push(time(&mut bare).await?);
            with.push(time(&mut observed).await?);
        } else {
            with.push(time(&mut observed).await?);
            without.push(time(&mut bare).await?);
        }
    }
    Ok((median(without), median(with)))
}

async fn time(client: &mut Client) -> Result<Duration, Failure> {
    let start = Instant::now();
    expect(client, PATH, 200).await?;
    Ok(start.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    let middle = times.len() / 2;
    *times.select_nth_unstable(middle).1
}
