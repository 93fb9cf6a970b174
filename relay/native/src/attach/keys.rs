//! The detach key: Ctrl-] and then d. All other input goes to the session.

/// Ctrl-], as terminals send it.
const PREFIX: u8 = 0x1d;

/// The effect of some input.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pressed {
    /// The input for the session.
    pub(super) data: Vec<u8>,
    /// True if the user detaches.
    pub(super) detach: bool,
}

/// Detects the detach key, also if its two bytes arrive apart.
#[derive(Debug, Default)]
pub(super) struct DetachKeys {
    prefixed: bool,
}

impl DetachKeys {
    /// Handles input. Ctrl-] twice sends one to the session; with any other key, both are sent.
    pub(super) fn press(&mut self, bytes: &[u8]) -> Pressed {
        let mut pressed = Pressed::default();
        for &byte in bytes {
            match (std::mem::take(&mut self.prefixed), byte) {
                (true, b'd' | b'D') => {
                    pressed.detach = true;
                    return pressed;
                }
                (true, PREFIX) => pressed.data.push(PREFIX),
                (true, _) => pressed.data.extend([PREFIX, byte]),
                (false, PREFIX) => self.prefixed = true,
                (false, _) => pressed.data.push(byte),
            }
        }
        pressed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(pieces: &[&[u8]]) -> (Vec<u8>, bool) {
        let mut keys = DetachKeys::default();
        let mut data = Vec::new();
        for piece in pieces {
            let pressed = keys.press(piece);
            data.extend(pressed.data);
            if pressed.detach {
                return (data, true);
            }
        }
        (data, false)
    }

    #[test]
    fn only_the_prefix_and_d_detach() {
        assert_eq!(press(&[b"ls\x1dd never"]), (b"ls".to_vec(), true));
        assert_eq!(press(&[b"ls\x1d", b"d"]), (b"ls".to_vec(), true));
        assert_eq!(press(&[b"\x1d\x1dd"]), (b"\x1dd".to_vec(), false));
        assert_eq!(press(&[b"a\x1dxd"]), (b"a\x1dxd".to_vec(), false));
    }
}
