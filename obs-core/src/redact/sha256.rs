//! SHA-256 (FIPS 180-4) and HMAC by it (RFC 2104), for a few short texts: a crate for it would bring six more.

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, §4.2.2).
#[rustfmt::skip]
const ROUNDS: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

/// The same of the square roots of the first eight (§5.3.3).
const START: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

const BLOCK: usize = 64;

/// One block more (§6.2.2).
fn compress(state: &mut [u32; 8], block: &[u8; BLOCK]) {
    let mut words = [0_u32; 64];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    for at in 16..64 {
        let (two, fifteen) = (words[at - 2], words[at - 15]);
        let small_1 = two.rotate_right(17) ^ two.rotate_right(19) ^ (two >> 10);
        let small_0 = fifteen.rotate_right(7) ^ fifteen.rotate_right(18) ^ (fifteen >> 3);
        words[at] = { words[at - 16].wrapping_add(small_0) }
            .wrapping_add(words[at - 7])
            .wrapping_add(small_1);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (word, round) in words.into_iter().zip(ROUNDS) {
        let big_1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = (e & f) ^ (!e & g);
        let first = { h.wrapping_add(big_1).wrapping_add(choice) }
            .wrapping_add(round)
            .wrapping_add(word);
        let big_0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let majority = (a & b) ^ (a & c) ^ (b & c);
        (h, g, f, e) = (g, f, e, d.wrapping_add(first));
        (d, c, b, a) = (c, b, a, first.wrapping_add(big_0.wrapping_add(majority)));
    }
    for (word, more) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(more);
    }
}

/// The sum of what `state` has seen, which were `before` bytes in whole blocks, and of `rest`.
fn finish(mut state: [u32; 8], before: usize, rest: &[u8]) -> [u8; 32] {
    let mut blocks = rest.chunks_exact(BLOCK);
    for block in &mut blocks {
        let mut whole = [0; BLOCK];
        whole.copy_from_slice(block);
        compress(&mut state, &whole);
    }
    let left = blocks.remainder();
    let mut last = [0; BLOCK];
    last[..left.len()].copy_from_slice(left);
    last[left.len()] = 0x80;
    // The length has eight bytes at the end of a block.
    if left.len() >= BLOCK - 8 {
        compress(&mut state, &last);
        last = [0; BLOCK];
    }
    let bits = (before + rest.len()) as u64 * 8;
    last[BLOCK - 8..].copy_from_slice(&bits.to_be_bytes());
    compress(&mut state, &last);
    let mut sum = [0; 32];
    for (four, word) in sum.chunks_exact_mut(4).zip(state) {
        four.copy_from_slice(&word.to_be_bytes());
    }
    sum
}

/// A key, ready to be used.
pub(super) struct Hmac {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl Hmac {
    pub(super) fn new(key: &[u8]) -> Self {
        let mut block = [0; BLOCK];
        match key.len() <= BLOCK {
            true => block[..key.len()].copy_from_slice(key),
            false => block[..32].copy_from_slice(&finish(START, 0, key)),
        }
        let padded = |pad: u8| {
            let mut state = START;
            compress(&mut state, &block.map(|byte| byte ^ pad));
            state
        };
        Self {
            inner: padded(0x36),
            outer: padded(0x5c),
        }
    }

    pub(super) fn sum(&self, text: &[u8]) -> [u8; 32] {
        finish(self.outer, BLOCK, &finish(self.inner, BLOCK, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(sum: [u8; 32]) -> String {
        sum.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The examples of FIPS 180-4 as NIST publishes them ("SHA256.pdf"), and NIST's of an empty message.
    #[test]
    fn sums_are_those_of_the_standard() {
        let check = |text: &[u8], expect: &str| assert_eq!(hex(finish(START, 0, text)), expect);
        check(
            b"",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        );
        check(
            b"abc",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        );
        check(
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        );
        check(
            &[b'a'; 1_000_000],
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
        );
    }

    /// RFC 4231: a key of 20 bytes, a short one, and one that is longer than a block.
    #[test]
    fn keyed_sums_are_those_of_the_rfc() {
        let check = |key: &[u8], text: &[u8], expect: &str| {
            assert_eq!(hex(Hmac::new(key).sum(text)), expect);
        };
        check(
            &[0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        );
        check(
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        );
        check(
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        );
    }
}
