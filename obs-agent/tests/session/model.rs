//! Sessions that come and go in any order, against a model that is too simple to be wrong.

use crate::support::*;
use obs_agent::session::Ledger;
use obs_testing::Capture;
use proptest::prelude::*;
use std::time::Duration;

const IDLE: u64 = 100;
const MOST: usize = 3;

#[derive(Clone, Debug)]
enum Act {
    Chat(u8, u64),
    Close(u8),
    Wait(u64),
    Sweep,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => (0_u8..6, 0_u64..1_000).prop_map(|(id, tokens)| Act::Chat(id, tokens)),
        1 => (0_u8..6).prop_map(Act::Close),
        2 => (1_u64..60).prop_map(Act::Wait),
        2 => Just(Act::Sweep),
    ];
    proptest::collection::vec(act, 1..80)
}

/// Sessions in the order in which they were seen, and what was told.
#[derive(Default)]
struct Model {
    now: u64,
    /// Id, calls, tokens, when it was seen.
    held: Vec<(u8, u64, u64, u64)>,
    told: Vec<(String, String, u64)>,
}

impl Model {
    fn tell(&mut self, place: usize, reason: &str) {
        let (id, _, tokens, _) = self.held.remove(place);
        self.told
            .push((format!("s-{id}"), reason.to_owned(), tokens));
    }

    fn act(&mut self, act: &Act) {
        let place =
            |held: &[(u8, u64, u64, u64)], id: u8| held.iter().position(|(known, ..)| *known == id);
        match *act {
            Act::Chat(id, tokens) => {
                let (calls, before) = match place(&self.held, id) {
                    Some(place) => {
                        let (_, calls, tokens, _) = self.held.remove(place);
                        (calls, tokens)
                    }
                    None => (0, 0),
                };
                self.held.push((id, calls + 1, before + tokens, self.now));
                if self.held.len() > MOST {
                    self.tell(0, "evicted");
                }
            }
            Act::Close(id) => {
                if let Some(place) = place(&self.held, id) {
                    self.tell(place, "closed");
                }
            }
            Act::Wait(ms) => self.now += ms,
            Act::Sweep => {
                while { self.held.first() }.is_some_and(|(.., seen)| self.now - seen >= IDLE) {
                    self.tell(0, "idle");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_ledger_does_as_its_model(acts in acts()) {
        let ledger = Ledger::builder()
            .with_max_sessions(MOST as u32)
            .with_idle(Duration::from_millis(IDLE));
        let rig = Rig::with(Capture::builder(), ledger);
        let mut model = Model::default();
        for act in &acts {
            model.act(act);
            match act {
                Act::Chat(id, tokens) => rig.chat(&format!("s-{id}"), &usage(*tokens, 0)),
                Act::Close(id) => drop(rig.ledger.close(&format!("s-{id}"))),
                Act::Wait(ms) => rig.advance(Duration::from_millis(*ms)),
                Act::Sweep => drop(rig.ledger.sweep()),
            }
            for (id, calls, tokens, _) in &model.held {
                let summary = rig.ledger.summary(&format!("s-{id}")).expect("the model has it");
                prop_assert_eq!((summary.inference_calls, summary.input_tokens), (*calls, *tokens));
            }
            prop_assert_eq!(rig.ledger.sessions().len(), model.held.len());
        }
        let summaries = rig.summaries();
        let told: Vec<_> = { summaries.iter() }
            .zip(rig.told())
            .map(|(event, (id, reason))| {
                let tokens = number(event, "gen_ai.usage.input_tokens").expect("it is told");
                (id, reason, tokens as u64)
            })
            .collect();
        prop_assert_eq!(told, model.told);
        rig.assert_balanced();
    }
}
