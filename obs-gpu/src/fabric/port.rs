//! One port.

use crate::files::Root;
use crate::metrics::Shape;
use crate::points::{Points, Shown};
use obs_core::Key;
use obs_core::semconv::{http, hw, obs};

const UP: Shown = Shown {
    name: hw::NETWORK_UP,
    unit: "1",
    description: "Link status: 1 (up) or 0 (down).",
    shape: Shape::UpDownCounter,
};
const LIMIT: Shown = Shown {
    name: hw::NETWORK_BANDWIDTH_LIMIT,
    unit: "By/s",
    description: "Link speed.",
    shape: Shape::UpDownCounter,
};
const IO: Shown = Shown {
    name: hw::NETWORK_IO,
    unit: "By",
    description: "Received and transmitted network traffic in bytes.",
    shape: Shape::Counter,
};
const PACKETS: Shown = Shown {
    name: hw::NETWORK_PACKETS,
    unit: "{packet}",
    description: "Received and transmitted network traffic in packets (or frames).",
    shape: Shape::Counter,
};
const ERRORS: Shown = Shown {
    name: hw::ERRORS,
    unit: "{error}",
    description: "Number of errors encountered by the component.",
    shape: Shape::Counter,
};
const CONGESTION: Shown = Shown {
    name: obs::FABRIC_CONGESTION,
    unit: "{packet}",
    description: "Marks and notifications of congestion.",
    shape: Shape::Counter,
};
const WAIT: Shown = Shown {
    name: obs::FABRIC_TRANSMIT_WAIT,
    unit: "{tick}",
    description: "Ticks in which a port had something to send and could not.",
    shape: Shape::Counter,
};

/// Errors of `counters`.
const OF_PORTS: [&str; 10] = [
    "symbol_error",
    "link_error_recovery",
    "link_downed",
    "port_rcv_errors",
    "port_rcv_remote_physical_errors",
    "port_rcv_switch_relay_errors",
    "port_xmit_discards",
    "local_link_integrity_errors",
    "excessive_buffer_overrun_errors",
    "VL15_dropped",
];

/// Errors of `hw_counters` that say that something was sent again or had to be.
pub(super) const RETRIES: [&str; 6] = [
    "local_ack_timeout_err",
    "out_of_sequence",
    "packet_seq_err",
    "implied_nak_seq_err",
    "rnr_nak_retry_err",
    "roce_adp_retrans",
];

/// Others of `hw_counters`.
const OF_HARDWARE: [&str; 4] = [
    "out_of_buffer",
    "req_cqe_error",
    "resp_cqe_error",
    "rx_icrc_encapsulated",
];

const OF_CONGESTION: [&str; 4] = [
    "np_cnp_sent",
    "np_ecn_marked_roce_packets",
    "rp_cnp_handled",
    "roce_slow_restart",
];

/// Four bytes each, as InfiniBand counts.
const WORD: u64 = 4;

pub(super) struct Port {
    pub(super) id: String,
    device: Root,
    root: Root,
    name: String,
}

impl Port {
    pub(super) fn new(device: Root, root: Root, name: &str, number: &str) -> Self {
        Self {
            id: format!("{name}:{number}"),
            device,
            root,
            name: name.to_owned(),
        }
    }

    pub(super) fn read(&self, points: &mut Points<'_>) {
        let layer = self.root.read("link_layer").unwrap_or_default();
        let layer = layer.trim();
        let known = ["InfiniBand", "Ethernet"]
            .into_iter()
            .find(|known| *known == layer);
        let mut labels = vec![(hw::ID, self.id.as_str()), (hw::NAME, self.name.as_str())];
        labels.extend(known.map(|layer| (obs::FABRIC_LINK_LAYER, layer)));
        let with = |further: &[(Key, &'static str)]| [labels.as_slice(), further].concat();

        points.whole(&UP, &labels, self.is_up().map(u64::from));
        points.whole(&LIMIT, &labels, self.rate());
        for (direction, bytes) in ["receive", "transmit"].into_iter().zip(self.bytes(layer)) {
            points.whole(&IO, &with(&[(hw::IO_DIRECTION, direction)]), bytes);
        }
        for (direction, file) in [
            ("receive", "port_rcv_packets"),
            ("transmit", "port_xmit_packets"),
        ] {
            let packets = self.counter(file);
            points.whole(&PACKETS, &with(&[(hw::IO_DIRECTION, direction)]), packets);
        }
        let errors = { OF_PORTS.into_iter() }.map(|name| (name, self.counter(name)));
        let hardware = RETRIES.into_iter().chain(OF_HARDWARE);
        let hardware = hardware.map(|name| (name, self.hardware(name)));
        for (name, count) in errors.chain(hardware) {
            points.whole(
                &ERRORS,
                &with(&[(hw::TYPE, "network"), (http::ERROR_TYPE, name)]),
                count,
            );
        }
        for name in OF_CONGESTION {
            let labels = with(&[(obs::FABRIC_COUNTER, name)]);
            points.whole(&CONGESTION, &labels, self.hardware(name));
        }
        points.whole(&WAIT, &labels, self.counter("port_xmit_wait"));
    }

    /// Whether traffic can pass: `4: ACTIVE`. A link that is physically up and in no subnet is not.
    pub(super) fn is_up(&self) -> Option<bool> {
        let state = self.root.read("state")?;
        let number = state.trim().split(':').next()?.parse::<u32>().ok()?;
        Some(number == 4)
    }

    /// What was sent again, or had to be, counter by counter.
    pub(super) fn retries(&self) -> [Option<u64>; RETRIES.len()] {
        RETRIES.map(|name| self.hardware(name))
    }

    /// Ticks in which it could not send.
    pub(super) fn waited(&self) -> Option<u64> {
        self.counter("port_xmit_wait")
    }

    /// `400 Gb/sec (4X NDR)`, in bytes per second.
    fn rate(&self) -> Option<u64> {
        let rate = self.root.read("rate")?;
        let gigabits: f64 = rate.split_ascii_whitespace().next()?.parse().ok()?;
        (gigabits > 0.0 && gigabits < 1e6).then_some((gigabits * 125e6) as u64)
    }

    /// Received and sent.
    fn bytes(&self, layer: &str) -> [Option<u64>; 2] {
        let own =
            ["port_rcv_data", "port_xmit_data"].map(|name| self.counter(name)?.checked_mul(WORD));
        if layer != "Ethernet" || own.into_iter().flatten().any(|bytes| bytes > 0) {
            return own;
        }
        let of_interface = ["rx_bytes", "tx_bytes"].map(|name| self.of_interface(name));
        match of_interface.into_iter().flatten().any(|bytes| bytes > 0) {
            true => of_interface,
            false => own,
        }
    }

    /// What the network interface of the same device counts, if it has one alone.
    fn of_interface(&self, name: &str) -> Option<u64> {
        let interfaces = self.device.within("device/net");
        let names = interfaces.names();
        let [only] = names.as_slice() else {
            return None;
        };
        interfaces.within(only).within("statistics").number(name)
    }

    fn counter(&self, name: &str) -> Option<u64> {
        self.root.within("counters").number(name)
    }

    fn hardware(&self, name: &str) -> Option<u64> {
        self.root.within("hw_counters").number(name)
    }
}
