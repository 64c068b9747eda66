//! Which methods there are. Anybody can ask for any: only what is configured, or was answered, has a name of its own.

/// The methods of a serialised `google.protobuf.FileDescriptorSet`, as `package.Service/Method`. What cannot be read is left
/// out.
pub(crate) fn of_descriptor_set(set: &[u8]) -> Vec<String> {
    let mut methods = Vec::new();
    each(set, 1, &mut |file| {
        let mut package = String::new();
        each(file, 2, &mut |name| package = text(name));
        each(file, 6, &mut |service| {
            let mut name = String::new();
            each(service, 1, &mut |it| name = text(it));
            let dot = if package.is_empty() { "" } else { "." };
            each(service, 2, &mut |method| {
                each(method, 1, &mut |it| {
                    methods.push(format!("{package}{dot}{name}/{}", text(it)));
                });
            });
        });
    });
    methods
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Each field of this number that is length-delimited, as far as the message can be read.
fn each(mut message: &[u8], wanted: u64, found: &mut dyn FnMut(&[u8])) {
    while let Some(key) = varint(&mut message) {
        let skipped = match key & 7 {
            0 => {
                if varint(&mut message).is_none() {
                    return;
                }
                continue;
            }
            1 => 8,
            2 => match varint(&mut message) {
                Some(length) => length as usize,
                None => return,
            },
            5 => 4,
            _ => return,
        };
        let Some((field, rest)) = message.split_at_checked(skipped) else {
            return;
        };
        if key & 7 == 2 && key >> 3 == wanted {
            found(field);
        }
        message = rest;
    }
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
