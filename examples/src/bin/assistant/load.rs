//! The load: a request of each ending to look at one by one, then several clients at once. Bounded in count and in time.

use crate::{client::Client, failure::Failure};
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};
use tokio::{task::JoinSet, time::timeout};

/// The whole load may not take longer.
const LONGEST: Duration = Duration::from_secs(30);

/// A request that is shown as a tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// What goes on.
    pub(crate) title: &'static str,
    /// No other request has it.
    pub(crate) path: &'static str,
    /// After which the client hangs up.
    patience: Option<Duration>,
    status: u16,
    /// Only a model that is played has such a mood.
    is_played: bool,
    /// How many spans its trace has of the front.
    pub(crate) front: usize,
    /// And of the services behind it.
    pub(crate) behind: usize,
}

/// One of each ending.
const CASES: [Case; 9] = [
    NORMAL,
    Case {
        title: "a retried request: the knowledge service had to be asked twice",
        path: "/ask/storms",
        patience: None,
        status: 200,
        is_played: false,
        front: 12,
        behind: 3,
    },
    Case {
        title: "a failed request: the model was overloaded",
        path: "/ask/paradox",
        patience: None,
        status: 503,
        is_played: true,
        front: 10,
        behind: 2,
    },
    Case {
        title: "a slow request: the model took its time",
        path: "/ask/history",
        patience: None,
        status: 200,
        is_played: true,
        front: 11,
        behind: 2,
    },
    Case {
        title: "a request that timed out: the knowledge service was too slow",
        path: "/ask/archives",
        patience: None,
        status: 504,
        is_played: false,
        front: 8,
        behind: 2,
    },
    Case {
        title: "a cancelled request: the client hung up",
        path: "/ask/everything",
        patience: Some(Duration::from_millis(300)),
        status: 0,
        is_played: true,
        front: 10,
        behind: 2,
    },
    Case {
        title: "a tool that was late: the answer went without it",
        path: "/ask/sun",
        patience: None,
        status: 200,
        is_played: false,
        front: 14,
        behind: 3,
    },
    Case {
        title: "a tool that failed, and failed again: the answer went without it",
        path: "/ask/sea",
        patience: None,
        status: 200,
        is_played: false,
        front: 15,
        behind: 4,
    },
    Case {
        title: "a request that was given up while a tool streamed: all that it waited for goes with it",
        path: "/ask/lighthouse",
        patience: Some(Duration::from_millis(500)),
        status: 0,
        is_played: false,
        front: 11,
        behind: 3,
    },
];

/// The one whose log lines are shown, too.
pub(crate) const NORMAL: Case = Case {
    title: "a normal request",
    path: "/ask/tides",
    patience: None,
    status: 200,
    is_played: false,
    front: 14,
    behind: 3,
};

/// The one that is sent when there is nobody to ask.
const DOWN: Case = Case {
    title: "a request while the knowledge service is down",
    path: "/ask/ruins",
    patience: None,
    status: 502,
    is_played: false,
    front: 9,
    behind: 0,
};

/// What there is to ask for.
pub(crate) const PATHS: [&str; 7] = [
    "/ask/tides",
    "/ask/winds",
    "/ask/sea",
    "/ask/paradox",
    "/ask/history",
    "/documents/1",
    "/documents/99",
];

/// What each client asks for in turn, with its route and the status of the answer.
const ROUND: [(&str, &str, u16); 5] = [
    ("/ask/winds", ASK, 200),
    ("/documents/1", DOCUMENT, 200),
    ("/ask/clouds", ASK, 200),
    ("/documents/0", DOCUMENT, 200),
    ("/documents/99", DOCUMENT, 404),
];

/// What a conversation is called that is shown, and what it is about, turn by turn.
pub(crate) const CONVERSATION: &str = "a-conversation";
const TURNS: [&str; 3] = ["tides", "winds", "clouds"];

/// The route of questions.
pub(crate) const ASK: &str = "/ask/{topic}";
const DOCUMENT: &str = "/documents/{id}";

/// Those that there are with a model that is played, or with another.
pub(crate) fn cases(is_played: bool) -> Vec<Case> {
    let cases = CASES.into_iter();
    cases.filter(|case| is_played || !case.is_played).collect()
}

/// How much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) clients: usize,
    pub(crate) rounds: usize,
}

/// How many requests were sent, by route: what the metrics must agree with.
pub(crate) type Sent = BTreeMap<&'static str, u64>;

/// Sends it all.
pub(crate) async fn drive(
    service: SocketAddr,
    cases: &[Case],
    load: Load,
) -> Result<Sent, Failure> {
    timeout(LONGEST, async {
        for case in cases {
            send_case(service, case).await?;
        }
        for topic in TURNS {
            let path = format!("/ask/{topic}?conversation={CONVERSATION}");
            expect(&mut Client::connect(service).await?, &path, 200).await?;
        }
        let mut clients = JoinSet::new();
        for _ in 0..load.clients {
            clients.spawn(rounds(service, load.rounds));
        }
        while let Some(done) = clients.join_next().await {
            done.map_err(|error| Failure::new(error.to_string()))??;
        }
        let all_rounds = (load.clients * load.rounds) as u64;
        let mut sent = Sent::from([(ASK, (cases.len() + TURNS.len()) as u64)]);
        for (_, route, _) in ROUND {
            *sent.entry(route).or_default() += all_rounds;
        }
        Ok(sent)
    })
    .await
    .map_err(|_| Failure::new(format!("the load was not done within {LONGEST:?}")))?
}

/// One more, when the knowledge service is gone.
pub(crate) async fn ask_while_down(service: SocketAddr) -> Result<&'static Case, Failure> {
    send_case(service, &DOWN).await?;
    Ok(&DOWN)
}

async fn send_case(service: SocketAddr, case: &Case) -> Result<(), Failure> {
    let mut client = Client::connect(service).await?;
    let Some(patience) = case.patience else {
        return expect(&mut client, case.path, case.status).await;
    };
    match timeout(patience, client.get(case.path)).await {
        // The client is dropped, and its connection with it.
        Err(_) => Ok(()),
        Ok(_) => Err(Failure::new(format!(
            "{} was answered, and should take for ever",
            case.path
        ))),
    }
}

async fn rounds(service: SocketAddr, rounds: usize) -> Result<(), Failure> {
    let mut client = Client::connect(service).await?;
    for _ in 0..rounds {
        for (path, _, status) in ROUND {
            expect(&mut client, path, status).await?;
        }
    }
    Ok(())
}

/// One request, and the status it must be answered with.
pub(crate) async fn expect(client: &mut Client, path: &str, status: u16) -> Result<(), Failure> {
    let answer = client.get(path).await?;
    if answer.status == status {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{path} was answered with {}, and should be with {status}",
        answer.status
    )))
}
