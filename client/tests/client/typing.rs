//! Keys at the prompt, and what becomes of them.

use std::fs;

use serde_json::json;

use crate::scripted::{Connection, Server, message};
use crate::terminal::{Setup, Terminal, last_row};

fn begin(setup: Setup) -> (Terminal, Connection) {
    let server = Server::listen();
    let terminal = setup.run(&server);
    let mut link = server.accept();
    link.let_in();
    terminal.ends_with("alice>");
    (terminal, link)
}

#[test]
fn a_key_answers_whoever_wrote_last() {
    let (terminal, mut link) = begin(Setup::new(80));
    for (seq, from) in [(11, "carol"), (12, "bob")] {
        link.say(message(seq, from, "hi"));
        terminal.shows(&format!("{from}: hi"));
    }
    terminal.types("\u{1b}r");
    terminal.ends_with("alice> @bob");
    terminal.types("\u{1b}r");
    terminal.ends_with("alice> @carol");
    terminal.types("hello\r");
    link.expect("@carol hello");
}

#[test]
fn lines_are_edited_as_the_configuration_says() {
    let (terminal, mut link) = begin(Setup::new(80).config(r#"(editing: Vi, keys: {"F5": Insert("whoelse"), "Ctrl-O": Undo})"#));
    terminal.types("xfoo bar\u{1b}0x");
    terminal.ends_with("alice> foo bar");
    terminal.types("A\u{15}");
    terminal.ends_with("alice>");
    terminal.types("\u{1b}[15~");
    terminal.ends_with("alice> whoelse");
    terminal.types("\r");
    link.expect("whoelse");
}

#[test]
fn several_lines_pasted_at_once_are_sent_when_that_is_meant() {
    let (terminal, mut link) = begin(Setup::new(80));
    terminal.types("\u{1b}[200~message bob one\ntwo\u{1b}[201~");
    terminal.ends_with("two");
    terminal.types("\r");
    terminal.ends_with("send these 2 lines as one message? [y/N]");
    link.say(message(11, "bob", "still here"));
    terminal.shows("still here");
    terminal.ends_with("send these 2 lines as one message? [y/N]");
    terminal.types("\r");
    // It can be changed, sent after all, or thrown away.
    terminal.ends_with("two");
    terminal.types(" and three\r");
    terminal.ends_with("send these 2 lines as one message? [y/N]");
    terminal.types("y\r");
    let line = link.expect("message bob one\ntwo and three");
    link.answer(&line, json!({"type": "sent", "seq": 12, "at": 0, "to": {"user": "bob"}}));
    terminal.shows("sent");
    terminal.types("whoelse\r");
    link.expect("whoelse");
}

#[test]
fn what_was_typed_comes_back_but_no_secrets() {
    let (terminal, mut link) = begin(Setup::new(80));
    let secret = json!({"name": "new", "help": "x", "kind": {"label": "x", "secret": true}});
    let card = |name: &str| json!({"name": name, "summary": "X."});
    let passwd = json!({"name": "passwd", "summary": "X.", "args": [secret]});
    link.say(json!({"type": "cards", "cards": [passwd, card("whoelse"), card("quietly")]}));
    link.say(message(11, "bob", "hi"));
    terminal.shows("hi");
    for line in ["whoelse", "passwd hunter2", " quietly", "whoelse"] {
        terminal.types(line);
        terminal.ends_with(&format!("alice> {}", line.replace("hunter2", "*******")));
        terminal.types("\r");
        let sent = link.expect(line.trim());
        link.answer(&sent, json!({"type": "done"}));
        if line.contains("hunter2") {
            link.expect("/token");
        }
        terminal.ends_with("alice>");
    }
    terminal.types("\u{1b}[A");
    terminal.ends_with("alice> whoelse");
    terminal.types("\u{1b}[A\u{1b}[A");
    terminal.types("\u{7f}");
    terminal.wait("it can be changed", |screen| crate::terminal::last_row(screen).starts_with("alice> whoels"));
    assert!(!terminal.all().contains("hunter2"));
}

#[test]
fn what_comes_during_a_search_is_shown_after_it() {
    let (terminal, mut link) = begin(Setup::new(80));
    terminal.types("whoelse\r");
    let line = link.expect("whoelse");
    link.answer(&line, json!({"type": "people", "of": "online", "names": []}));
    terminal.shows("nobody else");
    terminal.types("\u{12}who");
    terminal.shows("(reverse-i-search)`who': whoelse");
    for seq in 11..=5010 {
        link.say(json!({"type": "message", "seq": seq, "at": 0, "from": "carol", "to": "everyone", "text": "chatter"}));
    }
    link.say(message(5011, "bob", "are you there?"));
    // All of it is taken at once: nobody waits for somebody who searches.
    terminal.types("\u{1b}");
    terminal.shows("bob: are you there?");
    terminal.ends_with("alice>");
    // How many came before the search was over is up to the machine; but each was shown or counted.
    let all = terminal.all();
    let counted =
        all.lines().filter_map(|line| line.strip_prefix("… ")?.split_once(" more message")?.0.parse::<usize>().ok()).sum::<usize>();
    assert_eq!(all.matches("chatter").count() + counted, 5000, "{all}");
}

#[test]
fn help_stands_behind_the_cursor() {
    let (terminal, mut link) = begin(Setup::new(100));
    let arg = |name: &str, more: &str| json!({"name": name, "help": more, "kind": {"label": "x", "complete": "known-users"}});
    let card = json!({"name": "block", "summary": "X.", "args": [arg("user", "whom not to hear")]});
    link.say(json!({"type": "cards", "cards": [card]}));
    link.say(message(11, "bob", "hi"));
    terminal.shows("bob: hi");
    terminal.types("blok ");
    terminal.ends_with("alice> blok   no such command; did you mean block?");
    terminal.types("\u{15}block ");
    terminal.ends_with("alice> block <user>  whom not to hear");
    terminal.types("B\t");
    terminal.ends_with("alice> block bob");
    terminal.types("\u{15}");
    link.say(json!({"type": "entered", "room": "den", "nick": "alice", "others": ["Zed"]}));
    terminal.ends_with("alice [den]>");
    terminal.types("block");
    terminal.ends_with("alice [den]> block  said to all in den; the command is /block");
    terminal.types(", says @z\t");
    terminal.ends_with("alice [den]> block, says @Zed");
    terminal.types("\r");
    link.expect("@#den block, says @Zed");
    link.say(json!({"type": "left", "room": "den"}));
    terminal.ends_with("alice>");
}

fn entered(room: &str) -> serde_json::Value {
    json!({"type": "entered", "room": room, "nick": "alice", "others": []})
}

#[test]
fn the_prompt_names_another_room_at_once_and_what_is_typed_stays() {
    let (terminal, mut link) = begin(Setup::new(60));
    // Longer than a row, with the cursor in the middle of it.
    let typed = "the quick brown fox jumps over the lazy dog, again and again and";
    terminal.types(typed);
    terminal.types("\u{1b}b\u{1b}b");
    for (room, prompt) in [(Some("den"), "alice [den]> "), (Some("quite-another-room"), "alice [quite-another-room]> "), (None, "alice> ")]
    {
        match room {
            Some(room) => link.say(entered(room)),
            None => {
                link.say(json!({"type": "left", "room": "quite-another-room"}));
                link.say(json!({"type": "left", "room": "den"}));
            }
        }
        terminal.wait(prompt, |screen| {
            let rows: Vec<String> = screen.rows(0, 60).collect();
            rows.join("").contains(&format!("{prompt}{typed}"))
        });
        let before = prompt.len() + "the quick brown fox jumps over the lazy dog, again and ".len();
        terminal.wait("the cursor is where it was", |screen| usize::from(screen.cursor_position().1) == before % 60);
        terminal.wait("the old prompt is gone", |screen| screen.contents().matches("the quick").count() == 1);
    }
    terminal.types("oh ");
    terminal.wait("typed on", |screen| screen.rows(0, 60).collect::<String>().contains("dog, again and oh again and"));
    terminal.types("\r");
    link.expect("the quick brown fox jumps over the lazy dog, again and oh again and");
    for told in ["you have left quite-another-room", "you have left den"] {
        terminal.shows(told);
    }
    let all = terminal.all();
    for told in ["you are in den", "you are in quite-another-room", "you have left quite-another-room", "you have left den"] {
        assert_eq!(all.matches(told).count(), 1, "{told}:\n{all}");
    }
}

#[test]
fn rooms_come_and_go_while_a_room_talks_and_nothing_is_lost() {
    let (terminal, mut link) = begin(Setup::new(80));
    terminal.types("half a li");
    terminal.ends_with("alice> half a li");
    for number in 0..200 {
        link.say(
            json!({"type": "message", "seq": 100 + number, "at": 0, "from": "bob", "to": "everyone", "text": format!("line {number}.")}),
        );
        if number % 10 == 0 {
            link.say(entered(&format!("room{number}")));
        }
    }
    terminal.shows("line 199.");
    terminal.ends_with("alice [room190]> half a li");
    let all = terminal.all();
    for number in 0..200 {
        assert_eq!(all.matches(&format!("line {number}.")).count(), 1, "line {number} is there once:\n{all}");
    }
    terminal.types("ne\r");
    link.expect("@#room190 half a line");
    terminal.ends_with("alice [room190]>");
    let all = terminal.all();
    assert_eq!(all.matches("half a li").count(), 1, "the old prompts are gone:\n{all}");
}

#[test]
fn where_keys_are_commands_the_prompt_changes_when_nothing_is_typed() {
    let (terminal, mut link) = begin(Setup::new(60).config("(editing: Vi)"));
    terminal.types("foo bar\u{1b}");
    link.say(entered("den"));
    terminal.shows("you are in den");
    terminal.ends_with("alice> foo bar");
    // A command of vi, not text.
    terminal.types("0x");
    terminal.ends_with("alice> oo bar");
    terminal.types("dd");
    terminal.ends_with("alice [den]>");
}

/// Cards of which one takes secrets, and a room.
fn let_into_den(link: &mut Connection, terminal: &Terminal) {
    let secret = |name: &str| json!({"name": name, "help": "x", "kind": {"label": "x", "secret": true}});
    link.say(json!({"type": "cards", "cards": [{"name": "passwd", "summary": "X.", "args": [secret("old"), secret("new")]}]}));
    link.say(entered("den"));
    terminal.shows("you are in den");
}

#[test]
fn what_may_show_a_secret_to_a_room_is_asked_about_before_it_is_said() {
    let (terminal, mut link) = begin(Setup::new(100));
    let_into_den(&mut link, &terminal);
    terminal.ends_with("alice [den]>");
    terminal.types("passwd hunter2 better3");
    terminal.ends_with("alice [den]> passwd ******* *******  said to all in den; the command is /passwd");
    terminal.types("\r");
    let question = "this may show a secret to all in den; the command is /passwd. Say it to them? [y/N]";
    terminal.ends_with(question);
    link.say(message(11, "bob", "still here"));
    terminal.shows("still here");
    terminal.ends_with(question);
    terminal.types("\r");
    // What it was meant to be, which nobody has done yet.
    terminal.ends_with("alice [den]> /passwd ******* *******");
    terminal.types("\r");
    let line = link.expect("/passwd hunter2 better3");
    link.answer(&line, json!({"type": "done"}));
    link.expect("/token");

    // Words are words when somebody says so, and then they are asked about no more; what no command would take is not asked about.
    terminal.ends_with("alice [den]>");
    terminal.types("passwd is easy\r");
    terminal.ends_with(question);
    terminal.types("y\r");
    for (words, next) in [("passwd is easy", "passwd is easy\r"), ("passwd is easy", "passwd is too easy\r"), ("passwd is too easy", "")] {
        let line = link.expect(&format!("@#den {words}"));
        link.answer(&line, json!({"type": "sent", "seq": 12, "at": 0, "to": {"room": "den"}}));
        terminal.ends_with("alice [den]>");
        terminal.types(next);
    }
    assert!(!terminal.all().contains("hunter2") && !terminal.all().contains("better3"), "{}", terminal.all());
    let kept = terminal.home().join(".local/state/chinwag/history");
    let kept = fs::read_dir(kept).expect("a folder").flatten().map(|file| fs::read_to_string(file.path()).unwrap_or_default());
    assert!(!kept.collect::<String>().contains("hunter2"));
}

#[test]
fn where_nothing_can_be_asked_it_is_said_when_it_is_typed_again() {
    let server = Server::listen();
    let terminal = Setup::new(100).env("TERM", "dumb").run(&server);
    let mut link = server.accept();
    link.let_in();
    terminal.shows("welcome back, alice");
    let_into_den(&mut link, &terminal);
    terminal.types("passwd is easy\r");
    terminal.shows("* this may show a secret to all in den; the command is /passwd. Not said: type it again to say it to them");
    terminal.types("hi\r");
    link.expect("@#den hi");
    terminal.types("passwd is easy\r");
    link.expect("@#den passwd is easy");
}

#[test]
fn what_is_new_to_somebody_who_was_idle_stands_behind_a_mark() {
    let (terminal, mut link) = begin(Setup::new(80).config(r#"(mark_after: "1h")"#));
    link.say(message(11, "bob", "one"));
    terminal.shows("bob: one");
    // From here on it is a short while: shorter than it takes until something is said.
    terminal.types("/set mark-after 1ms\r");
    terminal.shows("* mark_after is \"1ms\"");
    terminal.ends_with("alice>");
    let mark = "* new since you last typed something, ";
    let marks = |terminal: &Terminal| terminal.all().matches(mark).count();
    let mut seq = 11;
    let mut say = || {
        seq += 1;
        link.say(message(seq, "bob", &format!("message {seq}.")));
        terminal.shows(&format!("bob: message {seq}."));
        seq
    };
    // The first may have come before the short while was over.
    while marks(&terminal) == 0 {
        say();
    }
    let marked = say() - 1;
    for _ in 0..20 {
        say();
    }
    assert_eq!(marks(&terminal), 1, "{}", terminal.all());
    let all = terminal.all();
    let (before, after) = all.split_once(mark).expect("a mark");
    let (before, after) = (before.contains(&format!("message {marked}.")), after.contains(&format!("message {marked}.")));
    assert!(!before && after, "it stands in front of {marked}:\n{all}");
    // Something is done, though nothing is said.
    terminal.types("x");
    terminal.ends_with("alice> x");
    while marks(&terminal) == 1 {
        say();
    }
}

#[test]
fn ctrl_c_throws_away_what_is_typed_and_leaves_only_when_it_is_meant() {
    for mode in ["Emacs", "Vi"] {
        let server = Server::listen();
        let mut terminal = Setup::new(80).config(&format!("(editing: {mode})")).run(&server);
        let mut link = server.accept();
        link.let_in();
        terminal.ends_with("alice>");
        terminal.types("half a li");
        terminal.ends_with("alice> half a li");
        terminal.types("\u{3}");
        // Where it is a new reading, as a shell's, the old line stays above it.
        let rows = if mode == "Vi" { 2 } else { 1 };
        terminal.wait("another prompt", |screen| {
            screen.contents().matches("alice>").count() == rows && last_row(screen).trim_end() == "alice>"
        });
        terminal.types("\u{3}");
        terminal.shows("* Ctrl-C once more leaves, and so do Ctrl-D and /quit");
        terminal.ends_with("alice>");
        // Who types on stays; with nothing to throw away it leaves.
        terminal.types("whoelse\r");
        let line = link.expect("whoelse");
        link.answer(&line, json!({"type": "people", "of": "online", "names": []}));
        terminal.shows("nobody else");
        terminal.ends_with("alice>");
        terminal.types("\u{3}");
        link.see_off();
        assert_eq!(terminal.ends(), Some(0), "{mode}");
    }
}

#[test]
fn what_ctrl_c_threw_away_comes_back() {
    let (terminal, mut link) = begin(Setup::new(80));
    terminal.types("@bob one two\u{3}");
    terminal.ends_with("alice>");
    terminal.types("\u{19}");
    terminal.ends_with("alice> @bob one two");
    // A question is answered with it, and what was asked about is there still.
    terminal.types("\u{3}\u{1b}[200~@bob one\ntwo\u{1b}[201~\r");
    terminal.ends_with("send these 2 lines as one message? [y/N]");
    terminal.types("\u{3}");
    terminal.ends_with("two");
    terminal.types("\ry\r");
    link.expect("@bob one\ntwo");
}

#[test]
fn a_signal_to_end_is_obeyed_at_once() {
    let server = Server::listen();
    let mut terminal = Setup::new(80).run(&server);
    let mut link = server.accept();
    link.let_in();
    terminal.ends_with("alice>");
    terminal.types("half a li");
    terminal.ends_with("alice> half a li");
    terminal.signal("INT");
    link.see_off();
    terminal.ends();
}

#[test]
fn one_talks_with_somebody_until_one_says_otherwise() {
    let (terminal, mut link) = begin(Setup::new(100));
    let card = json!({"name": "whoelse", "summary": "X."});
    link.say(json!({"type": "cards", "cards": [card]}));
    link.say(message(11, "bob", "hi"));
    terminal.shows("bob: hi");
    terminal.types("/talk b\t\r");
    terminal.shows("* what you type is said to bob from here on; commands begin with /, and /talk ends it");
    terminal.ends_with("alice [@bob]>");
    terminal.types("whoelse");
    terminal.ends_with("alice [@bob]> whoelse  said to bob; the command is /whoelse");
    terminal.types(" is there\r");
    link.expect("@bob whoelse is there");
    terminal.ends_with("alice [@bob]>");
    terminal.types("/whoelse\r");
    link.expect("/whoelse");
    terminal.ends_with("alice [@bob]>");
    terminal.types("@carol psst\r");
    link.expect("@carol psst");
    // The server cannot know to whom.
    link.say(entered("den"));
    terminal.shows("* what you type is said to bob still; /talk ends that");
    terminal.ends_with("alice [@bob]>");
    terminal.types("hello\r");
    link.expect("@bob hello");
    terminal.ends_with("alice [@bob]>");
    terminal.types("/query #den\r");
    terminal.ends_with("alice [den]>");
    terminal.types("/talk @ALL\r");
    terminal.shows("everybody is called `@all` each time");
    terminal.types("/talk\r");
    terminal.shows("* you talk with nobody in particular now");
    terminal.types("hello\r");
    link.expect("@#den hello");
    link.say(json!({"type": "left", "room": "den"}));
    terminal.ends_with("alice>");
    terminal.types("hello\r");
    link.expect("/hello");
}

#[test]
fn what_is_said_to_somebody_while_the_link_is_lost_goes_to_them() {
    let server = Server::listen();
    let terminal = Setup::new(80).run(&server);
    let mut link = server.accept();
    link.let_in();
    terminal.ends_with("alice>");
    drop(link);
    terminal.shows("the link is lost");
    terminal.types("/talk bob\r");
    terminal.ends_with("alice [@bob]!");
    terminal.types("are you there?\r");
    terminal.ends_with("alice [@bob]!");
    terminal.types("/talk\r");
    terminal.ends_with("alice!");
    let mut link = server.accept();
    let resume = link.expect("resume tok-1");
    link.answer(&resume, crate::scripted::welcome());
    link.expect("@bob are you there?");
}
