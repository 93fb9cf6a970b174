//! The admin token chosen by an operator: `MOORLINE_TOKEN`.

/// The fewest characters of a token that is hard to guess.
const FEWEST: usize = 16;
/// The most characters that the page and proxies take.
const MOST: usize = 512;

/// The error for a text that no request could present as a token, or that is easy to guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// The text is too short to be secret.
    #[error("it is too short to be secret: use {FEWEST} characters or more")]
    Short,
    /// The text does not fit into headers.
    #[error("it is longer than {MOST} characters")]
    Long,
    /// The text has characters that headers or addresses cannot carry.
    #[error("use only letters, digits and `-._~+/=`, as `openssl rand -hex 32` does")]
    Characters,
}

/// Returns a chosen token without surrounding white space, which files and pipes add and no request
/// can carry.
///
/// # Errors
/// [`InvalidToken`].
pub fn fixed_token(text: &str) -> Result<&str, InvalidToken> {
    let token = text.trim();
    // RFC 6750 § 2.1.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if !token.bytes().all(plain) {
        return Err(InvalidToken::Characters);
    }
    match token.len() {
        ..FEWEST => Err(InvalidToken::Short),
        FEWEST..=MOST => Ok(token),
        _ => Err(InvalidToken::Long),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_token_is_one_that_can_be_presented() {
        let good = "abc-DEF_0123.~+/=";
        for text in [good, " abc-DEF_0123.~+/=\n", "\tabc-DEF_0123.~+/=\r\n"] {
            assert_eq!(fixed_token(text), Ok(good), "{text:?}");
        }
        for text in [
            "sixteen words or more",
            "pässword-pässword",
            "sixteen\0sixteen\0",
            "a,b;c\"d\\e a,b;c\"d",
        ] {
            assert_eq!(fixed_token(text), Err(InvalidToken::Characters), "{text:?}");
        }
        for text in ["", "   ", "too-short", "  fifteen-chars-x  "] {
            assert_eq!(fixed_token(text), Err(InvalidToken::Short), "{text:?}");
        }
        assert_eq!(fixed_token(&"x".repeat(MOST + 1)), Err(InvalidToken::Long));
        assert!(fixed_token(&"x".repeat(MOST)).is_ok());
    }
}
