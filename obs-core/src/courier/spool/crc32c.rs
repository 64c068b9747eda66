//! CRC-32C (Castagnoli), eight bytes at a time: what each header and body on disk is checked with.
//!
//! Of our own because it is forty lines of safe code; the crates that use the processor's instruction bring `unsafe` and
//! save microseconds per batch on a thread that waits for a disk.

/// Of these bytes.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<8>();
    let crc = words.iter().fold(!0, |crc: u32, word| {
        let mixed = u64::from_le_bytes(*word) ^ u64::from(crc);
        (0..8).fold(0, |sum, byte| {
            let index = (mixed >> (8 * byte)) as u8;
            sum ^ TABLES[7 - byte][usize::from(index)]
        })
    });
    !rest.iter().fold(crc, |crc, &byte| {
        (crc >> 8) ^ TABLES[0][usize::from(crc as u8 ^ byte)]
    })
}

/// Castagnoli's polynomial, bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// What a byte does to the checksum, with so many zero bytes after it.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[zeros - 1][byte];
            tables[zeros][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The vectors of RFC 3720, appendix B.4, and the check value of the CRC catalogue.
    #[test]
    fn published_vectors() {
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        for (bytes, crc) in [
            (&b"123456789"[..], 0xe306_9283),
            (&[0; 32], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&ascending, 0x46dd_794e),
            (&descending, 0x113f_db5c),
            (&[], 0),
        ] {
            assert_eq!(crc32c(bytes), crc, "{bytes:?}");
        }
    }

    proptest! {
        /// Bit by bit, as the definition has it.
        #[test]
        fn the_tables_say_what_the_definition_says(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let slow = !bytes.iter().fold(!0_u32, |crc, &byte| {
                (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (POLYNOMIAL * (crc & 1)))
            });
            prop_assert_eq!(crc32c(&bytes), slow);
        }
    }
}
