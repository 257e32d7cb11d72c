//! No command: the reasons that operators give for what they do.

use chinwag_core::prelude::*;

/// How long a reason may be, in bytes: a sentence or two, which are read on one screen line or three.
pub(crate) const REASON_MAX: usize = 400;

/// A reason, as it is kept and told: empty if none was given.
pub(crate) fn checked(given: Option<String>) -> Result<String, Refusal> {
    let reason = given.unwrap_or_default().trim().to_owned();
    if reason.len() > REASON_MAX {
        return Err(Refusal::new(code::TEXT_TOO_LONG, format!("the reason is longer than {REASON_MAX} bytes")).hint("say it in a sentence"));
    }
    Ok(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_sentence_or_nothing() {
        assert_eq!(checked(None), Ok(String::new()));
        assert_eq!(checked(Some("  why not ".to_owned())), Ok("why not".to_owned()));
        assert_eq!(checked(Some("x".repeat(REASON_MAX))).map(|reason| reason.len()), Ok(REASON_MAX));
        assert_eq!(checked(Some("x".repeat(REASON_MAX + 1))).map_err(|refusal| refusal.code), Err(code::TEXT_TOO_LONG));
    }
}
