//! From a fresh link to a session: name, password, sign-up, and the refusals on the way.

use std::io::{self, IsTerminal};

use chinwag_wire::{Code, Event, Refusal, SafeText, code};

use crate::address::check_name;
use crate::args::Args;
use crate::connection::{self, Heard, Link, Lost, Server, sentence};
use crate::dialogue::{Answer, ask, ask_secretly, confirm, say};
use crate::echo;
use crate::failure::Failure;
use crate::knowledge::SharedKnowledge;
use crate::machinery;
use crate::password::{self, Source};

/// What marks the answers to the lines of the login.
pub(crate) const TAG: &str = "login";
/// Reasons to ask for another name.
const OTHER_NAME: &[Code] = &[code::BAD_NAME, code::RESERVED_NAME, code::NAME_TAKEN, code::LOOK_ALIKE, code::SESSION_EXISTS, code::GUESTS];

/// Who wants in, as far as the command line says.
pub(crate) struct Applicant {
    /// As whom.
    pub(crate) name: Option<String>,
    /// Where the password comes from.
    pub(crate) source: Source,
    /// Whether a new name is signed up without asking.
    pub(crate) sign_up: bool,
    /// The invite code to sign up with.
    pub(crate) invite: Option<String>,
}

/// What one can log in with again after a lost link. Kept in memory only.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// Until the server has given a token.
    Password {
        /// The account.
        name: String,
        /// Its password.
        password: String,
    },
    /// From then on.
    Token(String),
    /// A name without a password, where names have none.
    Name(String),
}

impl Applicant {
    /// The applicant that the command line speaks of, called `name` if that is known.
    ///
    /// # Errors
    /// It leaves something open, and nobody can be asked.
    pub(crate) fn of(args: &Args, name: Option<String>) -> Result<Applicant, Failure> {
        let source = Source::of(args)?;
        if name.is_none() && !io::stdin().is_terminal() {
            return Err(Failure::usage("input is not a terminal, so nobody can be asked for a name: say USER@HOST"));
        }
        Ok(Applicant { name, source, sign_up: args.sign_up, invite: args.invite.clone() })
    }
}

impl Applicant {
    /// Somebody who was inside already as `name`, and is asked for the password again.
    ///
    /// # Errors
    /// Nobody can be asked.
    pub(crate) fn again(args: &Args, name: String) -> Result<Applicant, Failure> {
        let source = match Source::of(args)? {
            // What could be read from there was read.
            Source::Descriptor(_) => Source::Keyboard,
            source => source,
        };
        Ok(Applicant { name: Some(name), source, sign_up: false, invite: None })
    }
}

impl Credential {
    /// The line that logs in with it; with the last number seen, if any.
    pub(crate) fn line(&self, seen: Option<u64>) -> String {
        match self {
            Credential::Password { name, password } => machinery::login(name, password),
            Credential::Token(token) => machinery::resume(token, seen),
            Credential::Name(name) => machinery::guest(name),
        }
    }
}

/// Inside.
pub(crate) struct LoggedIn {
    /// The link, which speaks for this user from here on.
    pub(crate) link: Link,
    /// What the server said of it.
    pub(crate) welcome: Event,
    /// The name in the spelling it was registered with.
    pub(crate) name: String,
    /// How to come back.
    pub(crate) credential: Credential,
    /// More of the login's answer is to come: the rooms one is in.
    pub(crate) entering: bool,
    /// Where the password came from, if it can come from there again without anybody being asked.
    pub(crate) again: Option<Source>,
}

/// How the server answered an attempt to log in.
pub(crate) enum Outcome {
    /// With `welcome`.
    Welcome {
        /// What the server said.
        welcome: Box<Event>,
        /// The name in the spelling it was registered with.
        name: String,
        /// More of the answer is to come.
        entering: bool,
    },
    /// Not so; another attempt may follow.
    Refused(Refusal),
    /// Not so, and the connection ends.
    Closed(Refusal),
}

/// Sends `line` and waits for what the server makes of it.
///
/// # Errors
/// The link is gone.
pub(crate) async fn attempt(link: &mut Link, line: &str, knowledge: &SharedKnowledge) -> Result<Outcome, Lost> {
    link.say(&machinery::line(line, TAG, None)).await?;
    loop {
        let Heard::Said(said) = link.next().await? else {
            continue;
        };
        let answers = said.tag.as_deref() == Some(TAG);
        knowledge.lock().learn(&said.event);
        match said.event {
            Event::Welcome { ref name, .. } => {
                let name = SafeText::new(name).to_string();
                return Ok(Outcome::Welcome { welcome: Box::new(said.event), name, entering: answers && !said.done });
            }
            Event::Refusal(refusal) if answers => return Ok(Outcome::Refused(refusal)),
            Event::Closing(refusal) => return Ok(Outcome::Closed(refusal)),
            _ => {}
        }
    }
}

/// Logs in, asking whatever has to be asked. `None` when the one at the keyboard leaves.
///
/// # Errors
/// Not let in, or the link is gone.
pub(crate) async fn login(server: &Server, link: Link, applicant: Applicant, knowledge: &SharedKnowledge) -> Answer<LoggedIn> {
    let given = echo::as_it_was(|| applicant.source.read())?;
    let mut door = Door { server, link, knowledge, repeated: false };
    let mut name = applicant.name;
    if applicant.source == Source::Nobody {
        return visit(door, name).await;
    }
    loop {
        let who = match name.take() {
            Some(name) => name,
            None => match ask_name()? {
                Some(name) => name,
                None => return Ok(None),
            },
        };
        let password = match &given {
            Some(password) => password.clone(),
            None => match ask_password(&format!("Password for {who}: "))? {
                Some(password) => password,
                None => return Ok(None),
            },
        };
        let refusal = match door.knock(&machinery::login(&who, &password)).await? {
            Ok(inside) => return Ok(Some(door.enter(inside, password, &applicant.source))),
            Err(refusal) => refusal,
        };
        if refusal.code == code::NO_SUCH_USER {
            if given.is_some() && !applicant.sign_up {
                let safe = SafeText::new(&who);
                return Err(Failure::login(format!(
                    "error[{}]: nobody called `{safe}` has an account at {}; --sign-up makes one",
                    refusal.code, server.place
                )));
            }
            let papers = Papers { can_ask: given.is_none(), unasked: applicant.sign_up, invite: applicant.invite.clone() };
            match sign_up(&mut door, &who, password, papers).await? {
                SignUp::Done { inside, password } => return Ok(Some(door.enter(inside, password, &applicant.source))),
                SignUp::OtherName => continue,
                SignUp::Left => return Ok(None),
            }
        }
        if given.is_some() || !(refusal.code == code::WRONG_PASSWORD || OTHER_NAME.contains(&refusal.code)) {
            return Err(Failure::login_refused(&refusal));
        }
        say(&sentence(&refusal));
        if refusal.code == code::WRONG_PASSWORD {
            name = Some(who);
        }
    }
}

/// Comes in under a name that needs no password.
async fn visit(mut door: Door<'_>, mut name: Option<String>) -> Answer<LoggedIn> {
    loop {
        let who = match name.take() {
            Some(name) => name,
            None => match ask_name()? {
                Some(name) => name,
                None => return Ok(None),
            },
        };
        match door.knock(&machinery::guest(&who)).await? {
            Ok(Inside(welcome, name, entering)) => {
                let credential = Credential::Name(name.clone());
                return Ok(Some(LoggedIn { link: door.link, welcome: *welcome, name, credential, entering, again: None }));
            }
            Err(refusal) if !io::stdin().is_terminal() => return Err(Failure::login_refused(&refusal)),
            Err(refusal) => say(&sentence(&refusal)),
        }
    }
}

enum SignUp {
    Done { inside: Inside, password: String },
    OtherName,
    Left,
}

/// What there is to sign up with, besides name and password.
struct Papers {
    /// Whether somebody can be asked for more.
    can_ask: bool,
    /// Whether it is done without asking first.
    unasked: bool,
    invite: Option<String>,
}

/// Makes the account. `first` is the password typed for the login, to be typed again by whoever can be asked.
async fn sign_up(door: &mut Door<'_>, name: &str, first: String, papers: Papers) -> Result<SignUp, Failure> {
    let Papers { can_ask, unasked, mut invite } = papers;
    // Once agreed upon, it is not asked for again because the invite code was wrong.
    let mut agreed: Option<String> = None;
    if !unasked {
        match confirm(&format!("{name} is new here. Sign up?"))? {
            Some(true) => {}
            Some(false) => return Ok(SignUp::OtherName),
            None => return Ok(SignUp::Left),
        }
    }
    let mut first = Some(first);
    loop {
        let password = match agreed.take() {
            Some(password) => password,
            None if can_ask => match agreed_password(first.take())? {
                Some(password) => password,
                None => return Ok(SignUp::Left),
            },
            None => first.take().unwrap_or_default(),
        };
        let mut knocked = door.knock(&machinery::register(name, &password, invite.as_deref())).await?;
        if let Err(refusal) = &knocked
            && refusal.code == code::NAME_TAKEN
            && door.repeated
            && let Ok(inside) = door.knock(&machinery::login(name, &password)).await?
        {
            // It was taken by this sign-up, whose answer was lost with the link.
            knocked = Ok(inside);
        }
        let refusal = match knocked {
            Ok(inside) => return Ok(SignUp::Done { inside, password }),
            Err(refusal) => refusal,
        };
        if refusal.code == code::INVITE && !can_ask {
            let flag = if invite.is_none() { "; --invite CODE says one" } else { "" };
            return Err(Failure::login(format!("error[{}]: {}{flag}", refusal.code, refusal.text)));
        }
        let mendable = [code::WEAK_PASSWORD, code::INVITE].contains(&refusal.code) || OTHER_NAME.contains(&refusal.code);
        if !can_ask || !mendable {
            return Err(Failure::login_refused(&refusal));
        }
        if refusal.code == code::INVITE {
            // What the server says of the missing code is about its own command line, which nobody sees here.
            say(&SafeText::new(&refusal.text).to_string());
            invite = ask_invite()?;
            if invite.is_none() {
                return Ok(SignUp::Left);
            }
            agreed = Some(password);
            continue;
        }
        say(&sentence(&refusal));
        if refusal.code != code::WEAK_PASSWORD {
            return Ok(SignUp::OtherName);
        }
    }
}

fn ask_name() -> Answer<String> {
    loop {
        let Some(typed) = ask("Name: ")? else {
            return Ok(None);
        };
        if typed.is_empty() {
            continue;
        }
        match check_name(&typed) {
            Ok(()) => return Ok(Some(typed)),
            Err(why) => say(&why),
        }
    }
}

fn ask_invite() -> Answer<String> {
    loop {
        let Some(typed) = ask("Invite code: ")? else {
            return Ok(None);
        };
        if !typed.is_empty() && !typed.contains(char::is_whitespace) {
            return Ok(Some(typed));
        }
        say("an invite code is one word; Ctrl-D gives up");
    }
}

fn ask_password(question: &str) -> Answer<String> {
    loop {
        let Some(typed) = ask_secretly(question)? else {
            return Ok(None);
        };
        match password::check(&typed) {
            Ok(()) => return Ok(Some(typed)),
            Err(why) => say(&format!("that password cannot be used: {why}")),
        }
    }
}

/// A password that was typed twice the same; `first` is what was typed once already.
fn agreed_password(mut first: Option<String>) -> Answer<String> {
    loop {
        let one = match first.take() {
            Some(typed) => typed,
            None => match ask_password("Choose a password: ")? {
                Some(typed) => typed,
                None => return Ok(None),
            },
        };
        let Some(other) = ask_secretly("The password again: ")? else {
            return Ok(None);
        };
        if one == other {
            return Ok(Some(one));
        }
        say("the two differ");
    }
}

/// What the server said to a login that it accepts: its welcome, the name, and whether more is to come.
struct Inside(Box<Event>, String, bool);

/// The link, while nobody is logged in on it.
struct Door<'a> {
    server: &'a Server,
    link: Link,
    knowledge: &'a SharedKnowledge,
    /// The last attempt was made twice: the link was lost before the answer to the first.
    repeated: bool,
}

impl Door<'_> {
    /// One attempt; with a fresh link if the server did not want to wait until everything was typed.
    async fn knock(&mut self, line: &str) -> Result<Result<Inside, Refusal>, Failure> {
        let mut outcome = attempt(&mut self.link, line, self.knowledge).await;
        self.repeated = match &outcome {
            Err(_) => true,
            Ok(Outcome::Closed(refusal)) => refusal.code == code::REGISTRATION_TIMEOUT,
            Ok(_) => false,
        };
        if self.repeated {
            let opened = connection::open(self.server).await?;
            opened.greeting.iter().for_each(|event| self.knowledge.lock().learn(event));
            self.link = opened.link;
            outcome = attempt(&mut self.link, line, self.knowledge).await;
        }
        match outcome {
            Ok(Outcome::Welcome { welcome, name, entering }) => Ok(Ok(Inside(welcome, name, entering))),
            Ok(Outcome::Refused(refusal)) => Ok(Err(refusal)),
            Ok(Outcome::Closed(refusal)) => Err(Failure::login_refused(&refusal)),
            Err(Lost(why)) => Err(Failure::no_link(format!("{} {why}", self.server.place))),
        }
    }

    /// Inside, for good.
    fn enter(self, Inside(welcome, name, entering): Inside, password: String, source: &Source) -> LoggedIn {
        let credential = Credential::Password { name: name.clone(), password };
        let again = source.gives_again().then(|| source.clone());
        LoggedIn { link: self.link, welcome: *welcome, name, credential, entering, again }
    }
}
