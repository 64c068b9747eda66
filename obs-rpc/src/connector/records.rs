//! How far a TLS handshake is, by the types of the records that a client writes: they are in the clear whatever is in them
//! (RFC 8446 §5.1, RFC 5246 §6.2.1).

/// Where in its records a client is.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// What is still to come of the record.
    left: usize,
    prefix: [u8; PREFIX],
    have: usize,
}

/// What a record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// The first record of a handshake.
    Begins,
    /// Application data: the handshake is over for the client. In TLS 1.3 its own last message of it comes so packed, in TLS
    /// 1.2 it is the first that it has to say. An alert in TLS 1.3 comes so packed too, and is told by its length.
    Over,
    /// These are no records.
    NotTls,
}

/// Type, version and length.
const PREFIX: usize = 5;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
/// The last message of a handshake in TLS 1.3 has 36 bytes or more, its type and a tag of at least 8; an alert has 2 bytes.
const SHORTEST_LAST: usize = 45;

impl Records {
    /// Tells of each record whose type is in `data`, until one says all there is to know.
    pub(crate) fn feed(&mut self, mut data: &[u8], mut tell: impl FnMut(Told)) {
        while let Some(first) = data.first() {
            if self.left > 0 {
                let taken = self.left.min(data.len());
                self.left -= taken;
                data = &data[taken..];
                continue;
            }
            if self.have == 0 {
                match *first {
                    HANDSHAKE => tell(Told::Begins),
                    CHANGE_CIPHER_SPEC | ALERT | APPLICATION_DATA => {}
                    _ => return tell(Told::NotTls),
                }
            }
            self.prefix[self.have] = *first;
            self.have += 1;
            data = &data[1..];
            if self.have == PREFIX {
                self.have = 0;
                let [kind, _, _, length @ ..] = self.prefix;
                self.left = usize::from(u16::from_be_bytes(length));
                if kind == APPLICATION_DATA && self.left >= SHORTEST_LAST {
                    return tell(Told::Over);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, length: usize) -> Vec<u8> {
        let mut record = vec![kind, 3, 3];
        record.extend((length as u16).to_be_bytes());
        // Whatever is inside is not looked at.
        record.extend(std::iter::repeat_n(APPLICATION_DATA, length));
        record
    }

    fn told(data: &[u8], part: usize) -> Vec<Told> {
        let (mut records, mut told) = (Records::default(), Vec::new());
        for part in data.chunks(part) {
            records.feed(part, |what| told.push(what));
            if told.last().is_some_and(|last| *last != Told::Begins) {
                break;
            }
        }
        told
    }

    #[test]
    fn a_handshake_is_over_with_the_first_application_data_however_it_is_cut() {
        // TLS 1.3 after a hello that was to be repeated; TLS 1.2, whose last message is a handshake record.
        let retried = [
            record(22, 200),
            record(20, 1),
            record(22, 230),
            record(23, 53),
        ];
        let older = [
            record(22, 99),
            record(22, 70),
            record(20, 1),
            record(22, 40),
            record(23, 90),
        ];
        for (data, begins) in [(retried.concat(), 2), (older.concat(), 3)] {
            for part in 1..=data.len() {
                let told = told(&data, part);
                let (last, before) = told.split_last().expect("something");
                assert_eq!(*last, Told::Over, "in parts of {part}");
                assert_eq!(before, vec![Told::Begins; begins], "in parts of {part}");
            }
        }
    }

    #[test]
    fn an_alert_ends_nothing_and_http_in_the_clear_is_no_record() {
        // TLS 1.2, and TLS 1.3 with either length of tag.
        for alert in [record(21, 2), record(23, 19), record(23, 11)] {
            let given_up = [record(22, 200), alert].concat();
            assert_eq!(told(&given_up, 7), [Told::Begins]);
        }
        assert_eq!(told(b"PRI * HTTP/2.0", 14), [Told::NotTls]);
    }
}
