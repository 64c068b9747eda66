//! Messages of Amazon's event stream, made here.

/// CRC-32 as its definition has it.
fn crc(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 0 {
                sum >> 1
            } else {
                sum >> 1 ^ 0xedb8_8320
            };
        }
    }
    !sum
}

fn header(name: &str, value: &str) -> Vec<u8> {
    let mut header = vec![name.len() as u8];
    header.extend(name.as_bytes());
    header.push(7);
    header.extend((value.len() as u16).to_be_bytes());
    header.extend(value.as_bytes());
    header
}

/// A message of this type (`event`, `exception`, `error`), with this name.
pub(crate) fn message(kind: &str, name: &str, payload: &[u8]) -> Vec<u8> {
    let named = match kind {
        "event" => ":event-type",
        "exception" => ":exception-type",
        _ => ":error-code",
    };
    let headers = [
        header(named, name),
        header(":content-type", "application/json"),
        header(":message-type", kind),
    ]
    .concat();
    let total = (16 + headers.len() + payload.len()) as u32;
    let mut bytes = total.to_be_bytes().to_vec();
    bytes.extend((headers.len() as u32).to_be_bytes());
    bytes.extend(crc(&bytes).to_be_bytes());
    bytes.extend(headers);
    bytes.extend(payload);
    bytes.extend(crc(&bytes).to_be_bytes());
    bytes
}

/// The stream that a file of the corpus stands for, of which each line is a message: its type, its name, its payload.
pub(crate) fn stream(lines: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let mut words = line.splitn(3, |byte| *byte == b' ');
        let mut word = || words.next().unwrap_or_default();
        let (kind, name, payload) = (word(), word(), word());
        if !line.is_empty() {
            let kind = String::from_utf8_lossy(kind);
            stream.extend(message(&kind, &String::from_utf8_lossy(name), payload));
        }
    }
    stream
}
