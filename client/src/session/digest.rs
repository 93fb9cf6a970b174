//! A running digest of output, to compare what was applied with what was sent.

/// FNV-1a, 64 bits. The same for the same bytes, no matter how they are split into pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// Adds bytes to the digest.
    pub fn update(&mut self, bytes: &[u8]) {
        const PRIME: u64 = 0x0100_0000_01b3;
        self.0 =
            bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
    }

    /// Returns the digest as 16 hexadecimal digits.
    #[must_use]
    pub fn hex(self) -> String {
        format!("{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn known_values_hold_and_cuts_do_not_matter() {
        let mut whole = Digest::default();
        whole.update(b"foobar");
        assert_eq!(whole.hex(), "85944171f73967e8");
        let mut cut = Digest::default();
        cut.update(b"foo");
        cut.update(b"");
        cut.update(b"bar");
        assert_eq!(cut, whole);
    }
}
