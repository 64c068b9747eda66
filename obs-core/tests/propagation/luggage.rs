//! Baggage, case by case.

use obs_core::propagation::baggage::{Allow, Baggage};

#[track_caller]
fn check(headers: &[&str], expect: &[(&str, &str, &str)], dropped: usize) {
    let (baggage, counted) = Baggage::from_headers(headers.iter().map(|value| value.as_bytes()));
    let read: Vec<_> = baggage.iter().collect();
    let read: Vec<_> = read
        .iter()
        .map(|e| (e.key, e.value.as_ref(), e.properties))
        .collect();
    assert_eq!((read.as_slice(), counted), (expect, dropped), "{headers:?}");
}

#[test]
fn members_are_read_in_order_from_all_headers() {
    check(
        &["userId=alice", "serverNode=DF%2028,isProduction=false"],
        &[
            ("userId", "alice", ""),
            ("serverNode", "DF 28", ""),
            ("isProduction", "false", ""),
        ],
        0,
    );
    check(&[""], &[], 0);
    check(&[",a=1,, ,"], &[("a", "1", "")], 0);
}

#[test]
fn white_space_is_trimmed_and_properties_are_kept() {
    check(
        &["key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue"],
        &[
            ("key1", "value1", "property1;property2"),
            ("key2", "value2", ""),
            ("key3", "value3", "propertyKey=propertyValue"),
        ],
        0,
    );
}

#[test]
fn values_are_decoded() {
    check(&["a=%E2%82%AC%20b%2cc"], &[("a", "€ b,c", "")], 0);
    check(&["a=b=c==,d="], &[("a", "b=c==", ""), ("d", "", "")], 0);
    check(&["a=100%,b=%zz"], &[("a", "100%", ""), ("b", "%zz", "")], 0);
    check(&["a=%ff"], &[("a", "\u{fffd}", "")], 0);
}

#[test]
fn broken_members_are_dropped_and_counted() {
    check(&["flag,a=1"], &[("a", "1", "")], 1);
    check(&["a b=1,(x)=2,=3,ok=4"], &[("ok", "4", "")], 3);
    check(&["a=\"q\",b=x\\y,c=€,d=p q,ok=4"], &[("ok", "4", "")], 4);
    check(&["a=1;p q,b=2;x=\",c=3"], &[("c", "3", "")], 2);
}

#[test]
fn limits_hold_and_what_is_beyond_is_counted() {
    let many = (0..70)
        .map(|n| format!("k{n}=v"))
        .collect::<Vec<_>>()
        .join(",");
    let (baggage, dropped) = Baggage::from_headers([many.as_bytes()]);
    assert_eq!((baggage.iter().count(), dropped), (64, 6));
    let (half, rest) = ("x".repeat(5000), "y".repeat(4000));
    let (baggage, dropped) = Baggage::from_headers([format!("a={half},b={rest},c=1").as_bytes()]);
    assert_eq!(
        baggage.iter().map(|e| e.key).collect::<Vec<_>>(),
        ["a", "c"]
    );
    assert_eq!(dropped, 1);
}

#[test]
fn entries_cannot_smuggle_members() {
    let entries = [
        ("a", "1,evil=2;x", ""),
        ("b,evil", "1", ""),
        ("c=evil", "1", ""),
        (" d", "1", ""),
        ("e", "1", "p,evil=1"),
        ("f", "€", "p=q;r"),
    ];
    let (baggage, dropped) = Baggage::from_entries(entries);
    assert_eq!(baggage.as_str(), "a=1%2Cevil%3D2%3Bx,f=%E2%82%AC;p=q;r");
    assert_eq!(dropped, 4);
    assert_eq!(baggage.get("a").as_deref(), Some("1,evil=2;x"));
}

#[test]
fn the_last_of_two_counts() {
    let (baggage, _) = Baggage::from_headers([b"a=1,b=2,a=3".as_slice()]);
    assert_eq!(baggage.get("a").as_deref(), Some("3"));
    assert_eq!(
        baggage.to_otel().get("a").map(|value| value.as_str()),
        Some("3")
    );
    assert_eq!(baggage.get("c"), None);
}

#[test]
fn only_what_is_allowed_is_kept() {
    let (baggage, _) = Baggage::from_headers([b"tenant=1,app.a=2;p,app.b=3,secret=4".as_slice()]);
    let kept = |allow: Allow| baggage.keep(&allow).to_string();
    assert_eq!(kept(Allow::none()), "");
    assert_eq!(kept(Allow::default()), "");
    assert_eq!(kept(Allow::names(["tenant"])), "tenant=1");
    assert_eq!(kept(Allow::names(["app.*", "ten"])), "app.a=2;p,app.b=3");
    assert_eq!(kept(Allow::all()), baggage.as_str());
}
