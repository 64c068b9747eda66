//! Ports as recorded trees show them, and transfers.

#[path = "../support/kernel.rs"]
mod kernel;

use kernel::{check, values, write};
use obs_gpu::fabric::{Fabric, FabricSettings, Transfers};
use obs_testing::Capture;
use std::collections::BTreeMap;
use std::time::Duration;

/// A port of a machine with eight GPUs: what `mlx5_0` has there.
const INFINIBAND: &[(&str, &str)] = &[
    ("state", "4: ACTIVE\n"),
    ("phys_state", "5: LinkUp\n"),
    ("rate", "400 Gb/sec (4X NDR)\n"),
    ("link_layer", "InfiniBand\n"),
    ("counters/port_rcv_data", "1000000\n"),
    ("counters/port_xmit_data", "2000000\n"),
    ("counters/port_rcv_packets", "3000\n"),
    ("counters/port_xmit_packets", "4000\n"),
    ("counters/symbol_error", "1\n"),
    ("counters/link_downed", "2\n"),
    ("counters/port_xmit_wait", "500\n"),
    ("counters/VL15_dropped", "N/A (no PMA)\n"),
    ("hw_counters/lifespan", "12\n"),
    ("hw_counters/local_ack_timeout_err", "5\n"),
    ("hw_counters/out_of_sequence", "6\n"),
    ("hw_counters/np_cnp_sent", "7\n"),
];

struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn port(&self, device: &str, files: &[(&str, &str)]) -> &Self {
        write(&self.0.path().join(device).join("ports/1"), files);
        self
    }

    fn fabric(&self) -> Fabric {
        Fabric::new(&self.settings())
    }

    fn settings(&self) -> FabricSettings {
        FabricSettings::new().with_root(self.0.path())
    }

    fn read(&self) -> BTreeMap<String, f64> {
        values(self.fabric().read(1_800_000_000_000_000_000))
    }
}

#[test]
fn words_are_four_bytes_and_gigabits_are_bytes_per_second() {
    let machine = Machine::new();
    let values = machine.port("mlx5_0", INFINIBAND).read();
    let of = "mlx5_0:1,mlx5_0,InfiniBand";
    check(
        &values,
        &[
            (&format!("hw.network.up{{{of}}}"), 1.0),
            (&format!("hw.network.bandwidth.limit{{{of}}}"), 50e9),
            (&format!("hw.network.io{{{of},receive}}"), 4e6),
            (&format!("hw.network.io{{{of},transmit}}"), 8e6),
            (&format!("hw.network.packets{{{of},transmit}}"), 4000.0),
            (&format!("hw.errors{{{of},network,symbol_error}}"), 1.0),
            (&format!("hw.errors{{{of},network,link_downed}}"), 2.0),
            (
                &format!("hw.errors{{{of},network,local_ack_timeout_err}}"),
                5.0,
            ),
            (&format!("obs.fabric.congestion{{{of},np_cnp_sent}}"), 7.0),
            (&format!("obs.fabric.transmit_wait{{{of}}}"), 500.0),
        ],
    );
    // What is not counted is absent, and what is no counter is none.
    let named = |part: &str| values.keys().any(|name| name.contains(part));
    assert!(!named("VL15_dropped") && !named("port_rcv_errors") && !named("lifespan"));
}

#[test]
fn a_link_that_is_not_active_is_down() {
    for (state, up) in [
        ("4: ACTIVE", Some(1.0)),
        ("2: INIT", Some(0.0)),
        ("1: DOWN", Some(0.0)),
        ("", None),
        ("nonsense", None),
    ] {
        let machine = Machine::new();
        let values = machine
            .port("a", &[("state", state), ("link_layer", "InfiniBand")])
            .read();
        let shown = values.get("hw.network.up{a:1,a,InfiniBand}").copied();
        assert_eq!(shown, up, "{state}");
    }
}

#[test]
fn over_ethernet_the_interface_counts_where_the_port_does_not() {
    let machine = Machine::new();
    let port = [
        ("state", "4: ACTIVE"),
        ("link_layer", "Ethernet"),
        ("rate", "200 Gb/sec (4X HDR)"),
        ("counters/port_rcv_data", "0"),
        ("counters/port_xmit_data", "0"),
    ];
    machine.port("rocep1", &port);
    check(
        &machine.read(),
        &[("hw.network.io{rocep1:1,rocep1,Ethernet,receive}", 0.0)],
    );
    let statistics = machine.0.path().join("rocep1/device/net/eth2/statistics");
    write(
        &statistics,
        &[("rx_bytes", "123456\n"), ("tx_bytes", "654321\n")],
    );
    check(
        &machine.read(),
        &[
            ("hw.network.io{rocep1:1,rocep1,Ethernet,receive}", 123_456.0),
            (
                "hw.network.io{rocep1:1,rocep1,Ethernet,transmit}",
                654_321.0,
            ),
        ],
    );
    // A port that counts is believed.
    machine.port("rocep1", &[("counters/port_rcv_data", "10")]);
    check(
        &machine.read(),
        &[("hw.network.io{rocep1:1,rocep1,Ethernet,receive}", 40.0)],
    );
}

#[test]
fn drivers_without_counters_and_machines_without_ports() {
    let machine = Machine::new();
    let none = FabricSettings::new().with_root(machine.0.path().join("nowhere"));
    assert!(Fabric::new(&none).read(1).is_empty());
    assert_eq!(Fabric::new(&none).window(1), None);
    let values = machine
        .port(
            "irdma0",
            &[
                ("state", "4: ACTIVE"),
                ("rate", "x"),
                ("link_layer", "other"),
            ],
        )
        .read();
    assert_eq!(
        values.keys().collect::<Vec<_>>(),
        ["hw.network.up{irdma0:1,irdma0}"]
    );
}

#[test]
fn a_window_has_what_was_sent_again_and_who_went_down() {
    let machine = Machine::new();
    machine
        .port("mlx5_0", INFINIBAND)
        .port("mlx5_1", INFINIBAND);
    let settings = machine.settings().with_tick(Duration::from_micros(1));
    let mut fabric = Fabric::new(&settings);
    assert_eq!(fabric.window(1_000_000_000), None);
    machine.port(
        "mlx5_0",
        &[
            ("hw_counters/out_of_sequence", "26"),
            ("counters/port_xmit_wait", "1000500"),
        ],
    );
    let window = fabric.window(3_000_000_000).unwrap();
    assert_eq!(window.links_down, 0);
    assert_eq!(window.retries, Some(10.0));
    assert_eq!(window.retries_before, None);
    // A million ticks of a microsecond in two seconds, over two ports.
    assert_eq!(window.wait_share, Some(0.25));
    machine.port("mlx5_1", &[("state", "1: DOWN")]);
    for second in [4, 5] {
        let window = fabric.window(second * 1_000_000_000).unwrap();
        // It is missed for as long as it is down.
        assert_eq!(window.links_down, 1);
        assert_eq!(window.retries, Some(0.0));
    }
    machine.port("mlx5_1", &[("state", "4: ACTIVE")]);
    assert_eq!(fabric.window(9_000_000_000).unwrap().links_down, 0);
}

#[test]
fn without_a_tick_waiting_has_no_share() {
    let machine = Machine::new();
    machine.port("mlx5_0", INFINIBAND);
    let mut fabric = machine.fabric();
    fabric.window(1);
    assert_eq!(fabric.window(1_000_000_001).unwrap().wait_share, None);
}

#[test]
fn a_counter_that_began_anew_is_no_retry() {
    let machine = Machine::new();
    machine.port("mlx5_0", INFINIBAND);
    let mut fabric = machine.fabric();
    fabric.window(1);
    machine.port("mlx5_0", &[("hw_counters/out_of_sequence", "0")]);
    assert_eq!(fabric.window(1_000_000_001).unwrap().retries, None);
}

#[test]
fn ports_stand_beside_everything_else() {
    let machine = Machine::new();
    machine.port("mlx5_0", INFINIBAND);
    let capture = Capture::new();
    Fabric::observe(capture.telemetry(), &machine.settings());
    let transfer = Transfers::new(capture.telemetry()).of("kv", "decode-3");
    transfer.record(1000, Duration::from_millis(7));
    // One that is timed where it is made, and one that failed.
    let copying = transfer.begin();
    capture.clock().advance(Duration::from_millis(1));
    copying.end(24);
    drop(transfer.begin());
    let points = capture.points();
    let up = points.sums("hw.network.up", &[("hw.id", "mlx5_0:1".into())]);
    assert_eq!(up.len(), 1);
    let labels = [
        ("obs.fabric.transfer", "kv".into()),
        ("obs.fabric.peer", "decode-3".into()),
    ];
    let times = points
        .histogram("obs.fabric.transfer.duration", &labels)
        .unwrap();
    assert_eq!(times.count, 2);
    assert!((times.sum.unwrap() - 0.008).abs() < 1e-9);
    let bytes = points.sum("obs.fabric.transfer.io", &labels).unwrap();
    assert_eq!(bytes.as_f64(), 1024.0);
}

#[test]
fn what_a_port_counted_before_it_was_seen_is_no_retry() {
    let machine = Machine::new();
    machine.port("mlx5_0", INFINIBAND);
    let settings = machine.settings().with_tick(Duration::from_micros(1));
    let mut fabric = Fabric::new(&settings);
    let second = 1_000_000_000;
    fabric.window(second);
    // Another one, with what it counted in a year; it is plugged in, or its driver was loaded.
    machine.port("mlx5_1", INFINIBAND);
    let year = [
        ("hw_counters/out_of_sequence", "9000000"),
        ("counters/port_xmit_wait", "9000000"),
    ];
    machine.port("mlx5_1", &year);
    let window = fabric.window(2 * second).unwrap();
    assert_eq!((window.retries, window.wait_share), (Some(0.0), Some(0.0)));
    // A counter that does not say itself once.
    machine.port("mlx5_1", &[("hw_counters/out_of_sequence", "N/A (no PMA)")]);
    assert_eq!(fabric.window(3 * second).unwrap().retries, Some(0.0));
    machine.port("mlx5_1", &[("hw_counters/out_of_sequence", "9000000")]);
    assert_eq!(fabric.window(4 * second).unwrap().retries, Some(0.0));
    machine.port("mlx5_1", &[("hw_counters/out_of_sequence", "9000010")]);
    assert_eq!(fabric.window(5 * second).unwrap().retries, Some(10.0));
    // One that goes takes nothing with it of what others count.
    std::fs::remove_dir_all(machine.0.path().join("mlx5_1")).unwrap();
    machine.port("mlx5_0", &[("hw_counters/out_of_sequence", "16")]);
    assert_eq!(fabric.window(6 * second).unwrap().retries, Some(10.0));
}
