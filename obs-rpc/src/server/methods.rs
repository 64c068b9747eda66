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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_that_is_cut_off_has_the_methods_of_the_files_that_are_whole() {
        let health = tonic_health::pb::FILE_DESCRIPTOR_SET;
        let reflection = tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET;
        // Of two sets in a row protobuf makes one.
        let both = [health, reflection].concat();
        let all = [
            "grpc.health.v1.Health/Check",
            "grpc.health.v1.Health/Watch",
            "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        ];
        assert_eq!(of_descriptor_set(&both), all);
        for cut in 0..both.len() {
            let expect = if cut < health.len() { 0 } else { 2 };
            assert_eq!(of_descriptor_set(&both[..cut]), all[..expect], "{cut}");
        }
    }

    #[test]
    fn what_is_no_set_is_read_as_far_as_it_can_be() {
        let mut seed = 7_u32;
        let mut noise = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        });
        for length in 0..2_000 {
            let noise: Vec<u8> = noise.by_ref().take(length % 97).collect();
            // As a set, as a file, as a service: none hangs or panics.
            let wraps =
                |field: u8, inner: &[u8]| [&[field << 3 | 2, inner.len() as u8], inner].concat();
            of_descriptor_set(&noise);
            of_descriptor_set(&wraps(1, &noise));
            of_descriptor_set(&wraps(1, &wraps(6, &noise)));
            let found = of_descriptor_set(&wraps(1, &wraps(6, &wraps(2, &wraps(1, &noise)))));
            assert_eq!(found.len(), 1, "a method with whatever name");
        }
        // A length that is longer than memory, and one that never ends.
        for length in [
            &[0xff; 9][..],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        ] {
            assert!(of_descriptor_set(&[&[10], length].concat()).is_empty());
        }
    }
}
