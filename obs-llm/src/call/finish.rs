//! Why an answer ended: one reason for each choice.

/// Reasons that are known: kept by number, so that an answer that ends as most do allocates nothing before its end.
const KNOWN: &[&str] = &[
    "stop",
    "length",
    "tool_calls",
    "content_filter",
    "function_call",
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "completed",
    "max_output_tokens",
    "abort",
    "load",
    "unload",
    ERROR,
];

/// What the conventions have for a choice that was cut or cancelled.
pub(crate) const ERROR: &str = "error";

/// More answers in one call are not told apart.
const MOST: usize = 8;

/// With their choices. Boxed, since few calls have any, and each has the room.
type Others = Vec<(u8, Box<str>)>;

#[derive(Debug, Default)]
pub(crate) struct FinishReasons {
    /// Of each choice: 0 is not told, [`u8::MAX`] is in `others`, else the place among the known plus one.
    choices: [u8; MOST],
    others: Option<Box<Others>>,
}

const OTHER: u8 = u8::MAX;

impl FinishReasons {
    /// The last one counts. Of choices beyond the eighth nothing is kept: whether it was.
    pub(crate) fn set(&mut self, choice: u32, reason: &str) -> bool {
        let Some(place) = self.choices.get_mut(choice as usize) else {
            return false;
        };
        match KNOWN.iter().position(|known| *known == reason) {
            Some(known) => *place = known as u8 + 1,
            None => {
                *place = OTHER;
                let others = self.others.get_or_insert_default();
                others.retain(|(other, _)| u32::from(*other) != choice);
                others.push((choice as u8, reason.into()));
            }
        }
        true
    }

    /// Of so many choices, those that were cut: choices that came to their end keep their reasons.
    pub(crate) fn cut(&mut self, choices: u32) {
        for choice in 0..choices.min(MOST as u32) {
            if self.choices[choice as usize] == 0 {
                self.set(choice, ERROR);
            }
        }
    }

    /// How many choices have one.
    pub(crate) fn len(&self) -> usize {
        self.choices.iter().filter(|known| **known != 0).count()
    }

    /// Those that are there, in the order of the choices.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        let choices = self.choices.iter().enumerate();
        choices.filter_map(|(choice, known)| match *known {
            0 => None,
            OTHER => {
                let others = self.others.iter().flat_map(|others| others.iter());
                let mut of = others.filter(move |(other, _)| usize::from(*other) == choice);
                of.next().map(|(_, reason)| &**reason)
            }
            known => KNOWN.get(usize::from(known) - 1).copied(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_in_the_order_of_their_choices() {
        let mut reasons = FinishReasons::default();
        reasons.set(1, "eos_token");
        reasons.set(0, "stop");
        reasons.set(7, "length");
        assert_eq!(reasons.len(), 3);
        assert!(reasons.iter().eq(["stop", "eos_token", "length"]));
    }

    #[test]
    fn a_cut_choice_takes_no_others_reason() {
        let mut reasons = FinishReasons::default();
        reasons.set(1, "stop");
        reasons.cut(3);
        assert!(reasons.iter().eq(["error", "stop", "error"]));
        reasons.cut(u32::MAX);
        assert_eq!(reasons.len(), MOST);
    }

    #[test]
    fn the_last_of_a_choice_counts() {
        let mut reasons = FinishReasons::default();
        reasons.set(0, "eos_token");
        reasons.set(0, "another");
        assert!(reasons.iter().eq(["another"]));
        reasons.set(0, "stop");
        assert!(reasons.iter().eq(["stop"]));
        assert!(!reasons.set(8, "stop"));
        assert_eq!(reasons.len(), 1);
    }
}
