//! The catalogue row by row, and what a service may change of it.

use obs_gpu::Verdict::{App, Degraded, Drain, Isolate, Note};
use obs_gpu::{Verdict, XidAction, XidCatalogue};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What NVIDIA says is to be done, by the edition that the catalogue names, and what we make of it, written down apart from it:
/// faults by what they are, the rest by the action alone.
const EXPECTED: &[(&[u64], XidAction, Verdict)] = &[
    (
        &[8, 11, 13, 25, 31, 32, 39, 40, 41, 69],
        XidAction::RestartApp,
        App,
    ),
    (&[37, 38, 43, 44], XidAction::Ignore, Note),
    (&[45], XidAction::Workflow, App),
    (&[46, 62, 109, 110], XidAction::ResetGpu, Drain),
    (&[48], XidAction::Workflow, Drain),
    (&[54], XidAction::CheckMechanicals, Isolate),
    (&[63], XidAction::Ignore, Degraded),
    (&[64], XidAction::ResetGpu, Isolate),
    (
        &[74, 144, 145, 146, 147, 148, 149, 150],
        XidAction::Workflow,
        Degraded,
    ),
    (&[79], XidAction::RestartMachine, Isolate),
    (&[92], XidAction::Ignore, Degraded),
    (&[94], XidAction::RestartApp, App),
    (&[95, 119, 120], XidAction::ResetGpu, Isolate),
    (&[136, 140, 143, 155, 156, 158], XidAction::ResetGpu, Drain),
    (&[121, 137, 157, 160, 161], XidAction::Ignore, Note),
    (&[151], XidAction::RestartVm, Drain),
    (&[154], XidAction::RecoveryAction, Degraded),
    // What takes 163 back is no fault.
    (&[162], XidAction::Unlisted, Note),
    (
        &[163, 164, 165, 166, 167, 168, 169, 170],
        XidAction::Unlisted,
        Degraded,
    ),
    (&[171, 172], XidAction::Unlisted, Drain),
    (
        &[
            60, 68, 70, 71, 72, 75, 76, 77, 80, 82, 83, 84, 85, 86, 88, 89, 96, 97, 98, 99, 100,
            101, 102, 103, 104, 105, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135, 139,
        ],
        XidAction::RestartApp,
        App,
    ),
    (
        &[14, 66, 67, 93, 106, 107, 108, 141, 152, 153],
        XidAction::Ignore,
        Note,
    ),
    (&[78], XidAction::Update, Degraded),
    (&[159], XidAction::CheckUvm, Degraded),
    (
        &[
            15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 26, 27, 28, 29, 30, 33, 34, 35, 36, 42, 47, 49,
            50, 51, 52, 53, 55, 56, 57, 58, 59, 61, 65, 73, 81, 87, 90, 91, 111, 112, 113, 114,
            115, 116, 117, 118, 122, 123, 124, 125, 138, 142,
        ],
        XidAction::ContactSupport,
        Degraded,
    ),
];

#[test]
fn each_row_is_what_nvidia_says_and_what_routing_does() {
    let catalogue = XidCatalogue::new();
    let mut expected = BTreeMap::new();
    for (codes, action, verdict) in EXPECTED {
        for code in *codes {
            assert!(
                expected.insert(*code, (*action, *verdict)).is_none(),
                "{code} twice"
            );
        }
    }
    for (code, (action, verdict)) in &expected {
        let xid = catalogue.look_up(*code);
        assert_eq!(
            (xid.code, xid.action, xid.verdict),
            (*code, *action, *verdict)
        );
        assert!(!xid.overridden && !xid.name.is_empty());
    }
    // None is in one and not in the other, and all from 13 to 172 are there.
    let known: Vec<u64> = catalogue.known().map(|xid| xid.code).collect();
    assert_eq!(known, expected.keys().copied().collect::<Vec<_>>());
    assert!((13..=172).all(|code| expected.contains_key(&code)));
}

#[test]
fn the_two_that_the_device_plugin_has_the_wrong_way_round() {
    // k8s-device-plugin #1974: 94 takes a GPU away, 109 does not.
    let catalogue = XidCatalogue::new();
    assert_eq!(catalogue.look_up(94).verdict, App);
    assert_eq!(catalogue.look_up(109).verdict, Drain);
}

#[test]
fn an_unknown_number_is_never_silent() {
    for code in [0, 1, 12, 173, 185, 999, u64::MAX] {
        let xid = XidCatalogue::new().look_up(code);
        assert_eq!((xid.action, xid.verdict), (XidAction::Unknown, Degraded));
        assert_eq!(xid.code, code);
    }
}

#[test]
fn a_service_says_otherwise_in_code_and_in_text() {
    let catalogue = XidCatalogue::new()
        .with(31, Note)
        .with(31, Degraded)
        .with_text("  # ours\n\n162-165 note\r\n185\tdrain# sparing\n 94   degraded ")
        .expect("it is well formed");
    let verdicts = [31, 162, 163, 165, 185, 94, 166].map(|code| catalogue.look_up(code).verdict);
    assert_eq!(
        verdicts,
        [Degraded, Note, Note, Note, Drain, Degraded, Degraded]
    );
    // What NVIDIA says stays what NVIDIA says; what is said again as it is, is not said otherwise.
    assert_eq!(catalogue.look_up(94).action, XidAction::RestartApp);
    assert!(catalogue.look_up(94).overridden && !catalogue.look_up(162).overridden);
    assert!(catalogue.look_up(185).overridden && !catalogue.look_up(166).overridden);
}

#[track_caller]
fn refused(text: &str, with: &[&str]) {
    let error = XidCatalogue::new().with_text(text).expect_err(text);
    assert!(error.is_configuration());
    let said = error.to_string();
    for part in with {
        assert!(said.contains(part), "{said:?} does not say {part:?}");
    }
}

#[test]
fn what_cannot_be_read_is_said_with_its_line() {
    refused("79 isolate\n79", &["line 2", "`79`"]);
    refused("79 isolate now", &["line 1", "isolate now"]);
    refused(
        "79 Isolate",
        &["line 1", "`Isolate`", "note, app, degraded, drain, isolate"],
    );
    refused("x79 note", &["line 1", "`x79`"]);
    refused("+79 note", &["`+79`"]);
    refused("-79 note", &["``"]);
    refused("79- note", &["``"]);
    refused("1-2-3 note", &["`2-3`"]);
    refused("99999999999999999999 note", &["`99999999999999999999`"]);
    refused("\n\n9-8 note", &["line 3", "`9-8`"]);
    refused("0-18446744073709551615 note", &["more than 1000"]);
    refused(
        "79 note\n70-80 app",
        &["line 2", "79 was note before, and is app"],
    );
}

#[test]
fn a_range_ends_where_it_says() {
    let all = XidCatalogue::new()
        .with_text("0-999 isolate")
        .expect("1,000 numbers");
    assert!((0..1_000).all(|code| all.look_up(code).verdict == Isolate));
    assert_eq!(all.look_up(1_000).verdict, Degraded);
    refused("0-1000 isolate", &["0-1000"]);
}

#[test]
fn verdicts_are_named_and_ordered() {
    for verdict in Verdict::ALL {
        assert_eq!(Verdict::from_name(verdict.as_str()), Some(verdict));
    }
    assert_eq!(Verdict::from_name("none"), None);
    assert!(Verdict::ALL.windows(2).all(|pair| pair[0] < pair[1]));
}

proptest! {
    #[test]
    fn any_text_is_taken_or_refused_and_never_panics(text in "\\PC{0,200}", lines in prop::collection::vec("[0-9]{1,3}(-[0-9]{1,3})? (note|app|degraded|drain|isolate|x)", 0..6)) {
        let _ = XidCatalogue::new().with_text(&text);
        let _ = XidCatalogue::new().with_text(&lines.join("\n"));
    }

    #[test]
    fn what_was_said_last_counts(said in prop::collection::vec((0_u64..300, 0_usize..5), 0..40)) {
        let mut expected = BTreeMap::new();
        let mut catalogue = XidCatalogue::new();
        for (code, verdict) in said {
            expected.insert(code, Verdict::ALL[verdict]);
            catalogue = catalogue.with(code, Verdict::ALL[verdict]);
        }
        for code in 0..300 {
            let table = XidCatalogue::new().look_up(code).verdict;
            let xid = catalogue.look_up(code);
            prop_assert_eq!(xid.verdict, expected.get(&code).copied().unwrap_or(table));
            prop_assert_eq!(xid.overridden, xid.verdict != table);
        }
    }
}
