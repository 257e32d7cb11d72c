//! Texts as they are written in a scenario.

/// A text as a RON string.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // What is not seen, or changes the direction of what is, is named.
            c if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}') =>
            {
                out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_read_back() {
        let mut chance = fastrand::Rng::with_seed(7);
        for _ in 0..2000 {
            let text: String =
                (0..chance.usize(..12)).map(|_| if chance.bool() { chance.char('\0'..='\u{7f}') } else { chance.char(..) }).collect();
            assert_eq!(ron::from_str::<String>(&quoted(&text)).unwrap(), text);
        }
        assert_eq!(quoted("a\u{202e}\"\n"), "\"a\\u{202e}\\\"\\n\"");
    }
}
