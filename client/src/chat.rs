//! What a prompt and a script have in common: a link that is logged in, and what it needs to become a session.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use chinwag_wire::Event;

use crate::audience::Audience;
use crate::config::Config;
use crate::connection::Server;
use crate::failure::Failure;
use crate::here::Here;
use crate::interface::{Interface, Live};
use crate::knowledge::SharedKnowledge;
use crate::leave::Leave;
use crate::local::{self, Local};
use crate::login::LoggedIn;
use crate::private::{Folders, Private, Who};
use crate::report::Report;
use crate::session::{Carried, LinkState, Session, Surroundings, Typed};

/// How many typed lines may wait to be sent: as many as somebody pastes while the link is down.
pub(crate) const TYPED_MAX: usize = 256;

/// Logged in, and about to chat.
pub(crate) struct Chat {
    /// The server, to come back to.
    pub(crate) server: Server,
    /// The link.
    pub(crate) inside: LoggedIn,
    /// What the server said before the login.
    pub(crate) greeting: Vec<Event>,
    /// How long to try to get a lost link back.
    pub(crate) reconnect_for: Duration,
    /// What was learnt so far.
    pub(crate) knowledge: SharedKnowledge,
    /// How somebody says that they want to leave.
    pub(crate) leave: Leave,
    /// The commands of the client itself, for people.
    pub(crate) local: Option<Local>,
    /// How all of it looks and feels, now.
    pub(crate) live: Live,
    /// When the one at the keyboard last did something there.
    pub(crate) here: Here,
    /// Their private chats.
    pub(crate) private: Option<Private>,
    /// What is carried over from a session before, and to one after.
    pub(crate) carried: Option<Carried>,
    /// Who wants to know every last answer to a line.
    pub(crate) watcher: Option<Sender<Event>>,
    /// Whether the link is there.
    pub(crate) link: LinkState,
    /// After how long a silence the server is asked whether it is still there; zero: never.
    pub(crate) ping_after: Duration,
}

/// A session that has not begun.
pub(crate) struct Ready {
    session: Session,
    welcome: Event,
    leave: Leave,
}

impl Chat {
    /// Who chats.
    pub(crate) fn name(&self) -> &str {
        &self.inside.name
    }

    /// The chat of somebody at a terminal, where the client has commands of its own, and private chats. Settings are written to
    /// `file`, and what private chats keep to `folders`.
    ///
    /// # Errors
    /// The system has no thread for them.
    pub(crate) fn of_people(mut self, config: Config, file: Option<PathBuf>, folders: Option<Folders>) -> Result<Chat, Failure> {
        self.knowledge.lock().obey(local::cards());
        self.live = Live::of(Interface::of(&config));
        let guest = matches!(self.inside.welcome, Event::Welcome { guest: true, .. });
        let who = Who { name: self.inside.name.clone(), guest, server: self.server.clone() };
        let private = Private::start(who, folders, &config, self.knowledge.clone());
        self.private = Some(private.map_err(|error| Failure::usage(format!("cannot start: {error}")))?);
        self.local = Some(Local::new(&self.inside.name, config, file, self.here.clone()));
        Ok(self)
    }

    /// The session of a program: it writes what arrives to `report`, and sends what comes from `typed`, one after the other.
    ///
    /// # Errors
    /// This machine has no randomness.
    pub(crate) fn report_session(self, report: Report, typed: Receiver<Typed>) -> Result<Ready, Failure> {
        self.session(Audience::Report(report), typed, true)
    }

    /// The session: it shows `audience` what arrives, and sends what comes from `typed`.
    ///
    /// # Errors
    /// This machine has no randomness.
    pub(crate) fn session(self, audience: Audience, typed: Receiver<Typed>, one_by_one: bool) -> Result<Ready, Failure> {
        let welcome = self.inside.welcome.clone();
        let around = Surroundings {
            server: self.server,
            reconnect_for: self.reconnect_for,
            knowledge: self.knowledge,
            audience,
            typed,
            leave: self.leave.heard(),
            one_by_one,
            acknowledges: true,
            watcher: self.watcher,
            local: self.local,
            live: self.live,
            private: self.private,
            carried: self.carried,
            refused: Arc::default(),
            state: self.link,
            ping_after: self.ping_after,
        };
        Ok(Ready { session: Session::new(self.inside, &self.greeting, around)?, welcome, leave: self.leave })
    }
}

impl Ready {
    /// Nothing that is shown counts as read.
    pub(crate) fn without_acknowledging(mut self) -> Ready {
        self.session.acknowledge_nothing();
        self
    }

    /// How many lines the server has refused so far.
    pub(crate) fn refusals(&self) -> Arc<AtomicUsize> {
        self.session.refusals()
    }

    /// Lives until logout, or until the link is lost for good.
    ///
    /// # Errors
    /// Why it did not end by a logout.
    pub(crate) fn run_to_end(mut self) -> Result<(), Failure> {
        let end = smol::block_on(self.session.run(&self.welcome));
        // Before the session is dropped, which wakes whoever waits for an answer: there is no next prompt for them.
        self.leave.over();
        end
    }
}
