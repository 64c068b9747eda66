//! The attributes of one record: what is set is read back, and the bounds hold.

use super::*;

const A: Key = Key::new(&"a");
const B: Key = Key::new(&"b");
const WIDE: Bounds = Bounds {
    count: 128,
    value_bytes: 100,
    total_bytes: 1000,
};

fn set(attributes: &mut Attributes, key: Key, value: Set<'_>, bounds: &Bounds) {
    if attributes.is_full(bounds) {
        attributes.make_room(key, bounds, |_| ());
    }
    if !attributes.is_full(bounds) {
        attributes.push(key, value, bounds);
    }
}

fn read(attributes: &Attributes) -> Vec<(&'static str, Value<'_>)> {
    let last = |(index, (key, _)): &(usize, (Key, Scalar<'_>))| {
        !attributes.set_after(*index, key.as_str())
    };
    attributes
        .entries()
        .enumerate()
        .filter(last)
        .map(|(_, (key, value))| (key.as_str(), value.into()))
        .collect()
}

#[test]
fn the_last_value_of_a_key_wins() {
    let mut attributes = Attributes::with_room(0, 0, &WIDE);
    set(&mut attributes, A, 1_i64.into(), &WIDE);
    set(&mut attributes, B, "x".into(), &WIDE);
    set(&mut attributes, A, 2_i64.into(), &WIDE);
    assert_eq!(
        read(&attributes),
        [("b", Value::Str("x")), ("a", Value::I64(2))]
    );
}

#[test]
fn at_the_limit_an_overwrite_still_lands_and_a_new_key_is_counted() {
    let two = Bounds { count: 2, ..WIDE };
    let mut attributes = Attributes::with_room(0, 0, &WIDE);
    for round in 0..1_000_i64 {
        set(&mut attributes, A, round.into(), &two);
        set(&mut attributes, B, round.into(), &two);
    }
    set(&mut attributes, Key::new(&"c"), 1_i64.into(), &two);
    assert_eq!(
        read(&attributes),
        [("a", Value::I64(999)), ("b", Value::I64(999))]
    );
    assert_eq!(attributes.dropped(), 1);
}

#[test]
fn the_last_text_of_a_key_wins_however_often_it_was_set() {
    let mut attributes = Attributes::with_room(0, 0, &WIDE);
    let (start, len) = attributes.keep_text("vendor=1");
    let v6 = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]);
    set(&mut attributes, B, v6.into(), &WIDE);
    for round in 0..100 {
        set(
            &mut attributes,
            A,
            format!("{round:050}").as_str().into(),
            &WIDE,
        );
    }
    let last = format!("{:050}", 99);
    assert_eq!(
        read(&attributes),
        [("b", Value::Ip(v6)), ("a", Value::Str(&last))]
    );
    assert_eq!(attributes.dropped(), 0);
    assert_eq!(attributes.text_at(start, len), "vendor=1");
}

#[test]
fn static_texts_that_were_overwritten_take_no_room() {
    let two = Bounds { count: 2, ..WIDE };
    let mut attributes = Attributes::with_room(0, 0, &WIDE);
    for _ in 0..1_000 {
        set(&mut attributes, A, Set::Static("a"), &two);
        set(&mut attributes, B, Set::Static("b"), &two);
    }
    assert_eq!(
        read(&attributes),
        [("a", Value::Str("a")), ("b", Value::Str("b"))]
    );
    assert!(
        attributes.statics.len() <= 2,
        "{}",
        attributes.statics.len()
    );
}

#[test]
fn every_kind_of_value_reads_back_as_it_was_set() {
    let mut attributes = Attributes::with_room(0, 0, &WIDE);
    let v6 = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]);
    let cases: [(Set<'_>, Value<'_>); 8] = [
        (true.into(), Value::Bool(true)),
        ((-7_i64).into(), Value::I64(-7)),
        (u64::MAX.into(), Value::I64(i64::MAX)),
        ((-0.5).into(), Value::F64(-0.5)),
        (Set::Static("s"), Value::Str("s")),
        (
            IpAddr::from([203, 0, 113, 7]).into(),
            Value::Ip(IpAddr::from([203, 0, 113, 7])),
        ),
        (v6.into(), Value::Ip(v6)),
        ("hütte".as_bytes().into(), Value::Str("hütte")),
    ];
    for (value, expected) in cases {
        set(&mut attributes, A, value, &WIDE);
        assert_eq!(read(&attributes), [("a", expected)]);
    }
}

#[test]
fn bytes_that_are_no_text_are_counted() {
    for bytes in [&b"\xff"[..], b"a long one \xc3", b"\xe9 at its head"] {
        let mut attributes = Attributes::with_room(0, 0, &WIDE);
        set(&mut attributes, A, bytes.into(), &WIDE);
        assert_eq!((read(&attributes), attributes.dropped()), (vec![], 1));
    }
}

#[test]
fn long_text_is_cut_at_a_character_and_says_by_how_much() {
    let mut attributes = Attributes::with_room(0, 0, &WIDE);
    let text = "é".repeat(80);
    set(
        &mut attributes,
        A,
        text.as_str().into(),
        &Bounds {
            value_bytes: 51,
            ..WIDE
        },
    );
    let expected = format!("{}…[+110 bytes]", "é".repeat(25));
    assert_eq!(read(&attributes), [("a", Value::Str(&expected))]);
}

#[test]
fn text_beyond_the_records_total_is_dropped_and_counted() {
    let mut attributes = Attributes::with_room(0, 0, &WIDE);
    for round in 0..30 {
        let key = Key::leak(round.to_string());
        set(
            &mut attributes,
            key,
            "0123456789".repeat(5).as_str().into(),
            &WIDE,
        );
    }
    assert_eq!((read(&attributes).len(), attributes.dropped()), (20, 10));
}
