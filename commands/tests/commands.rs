//! Every command: its examples, its name, its words.

#[test]
fn every_example_goes_as_written() {
    if let Err(report) = chinwag_core::stage::check_examples(&chinwag_commands::stock()) {
        panic!("{report}");
    }
}

#[test]
fn no_two_commands_want_one_name() {
    assert_eq!(chinwag_commands::stock().check(), Ok(()));
}

#[test]
fn words_about_commands_are_sentences_and_words_about_arguments_are_not() {
    for card in chinwag_commands::stock().cards() {
        let name = &card.name;
        assert!(card.summary.starts_with(char::is_uppercase), "{name}: a summary begins with a capital");
        assert!(card.summary.ends_with('.'), "{name}: a summary ends with a full stop");
        assert!(!card.summary.trim_end_matches('.').contains(". "), "{name}: a summary is one sentence");
        for arg in &card.args {
            let what = format!("{name} {}: `{}`", arg.usage(), arg.help);
            assert!(!arg.help.ends_with('.'), "{what} ends with a full stop");
            assert!(!arg.help.starts_with(char::is_uppercase), "{what} begins with a capital");
        }
    }
}
