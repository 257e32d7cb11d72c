//! Reloading: the configuration and the certificate are read again while the server runs, all of them or nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chinwag_wire::Millis;
use rusqlite::{Connection, OpenFlags, backup};

use crate::chance::Chance;
use crate::config::{Config, Setting, Settings as _};
use crate::hall::{Act, Intent, Policy, SessionId};
use crate::net::census::{Census, Limits};
use crate::net::relay::Relays;
use crate::net::shard::{self, ShardSenders, Told};
use crate::net::tls::{self, Identity};
use crate::server::{Change, Host, Server, Settings};
use crate::store::sqlite;

/// The settings that hold at once when the configuration is read again. All others wait for a restart.
pub const LIVE: &[&str] = &[
    "certificate",
    "key",
    "plain",
    "block_duration",
    "attempts",
    "timeout",
    "sessions",
    "registration",
    "operators",
    "guests",
    "broadcast_offline",
    "password_chars",
    "token_life",
    "line_bytes",
    "text_bytes",
    "rooms_at_once",
    "notices_max",
    "idle_after",
    "private",
    "private_at_once",
    "relay",
    "relay_rate",
    "relays",
    "connections",
    "connections_per_address",
    "login_deadline",
    "outbox_bytes",
    "limit_loopback",
    "keep_for",
    "keep_bytes",
    "keep_unread",
];

/// Settings whose values are not shown: what is in them lets somebody in, or is a wire's own affair.
const NOT_SHOWN: &[&str] = &["registration", "listen"];

/// The program around a server.
pub(crate) struct Program {
    /// Reads the configuration as it was read at the start: the file, then the command line.
    pub(crate) read: Box<dyn Fn() -> Result<Config, String> + Send + Sync>,
    pub(crate) in_force: Mutex<InForce>,
    pub(crate) data: PathBuf,
    pub(crate) server: std::sync::Weak<Server>,
    pub(crate) shards: ShardSenders,
    pub(crate) census: Arc<Census>,
    pub(crate) relays: Relays,
    pub(crate) policy: fn(&Config) -> Policy,
    pub(crate) settings: fn(&Config) -> Settings,
}

/// What the server goes by now.
pub(crate) struct InForce {
    pub(crate) config: Config,
    pub(crate) identity: Identity,
}

impl Program {
    fn in_force(&self) -> MutexGuard<'_, InForce> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host for Program {
    fn reload(&self, origin: SessionId) -> Result<Vec<Change>, Vec<String>> {
        let lines = |told: String| told.lines().map(str::to_owned).collect::<Vec<_>>();
        // One at a time: of two that were typed at once the later finds nothing changed.
        let mut in_force = self.in_force();
        let config = (self.read)().map_err(lines)?;
        let given = config.certificate.as_deref().zip(config.key.as_deref());
        if given.is_none() && !self.data.join(tls::CERTIFICATE).exists() {
            // A new one would be made, as at the first start, and every client would be warned of it.
            return Err(vec![format!("error: {} is gone", self.data.join(tls::CERTIFICATE).display())]);
        }
        let identity = tls::load(&self.data, given, &config.host).map_err(|why| lines(format!("error: {why}")))?;
        let Some(server) = self.server.upgrade() else { return Err(vec!["error: the server is ending".to_owned()]) };
        let mut changes = changes(&in_force.config, &config);
        if identity.fingerprint != in_force.identity.fingerprint {
            let (from, to) = (in_force.identity.fingerprint.clone(), identity.fingerprint.clone());
            changes.push(Change { key: "certificate itself".to_owned(), from, to, now: true });
        }
        // From here on nothing can fail. The hall first: it is the one that may refuse.
        let act = Act::Configure { policy: Box::new((self.policy)(&config)) };
        server.submit(Intent { origin, act }).map_err(|refusal| vec![format!("error: {refusal}")])?;
        server.configure((self.settings)(&config));
        server.sequencer.limit(config.limits());
        self.census.limit(limits(&config));
        self.relays.limit(config.relay_rate);
        for shard in 0..self.shards.0.len() {
            self.shards.tell(shard, Told::Configure(shard::Limits::of(&config), identity.config.clone()));
        }
        for change in &changes {
            tracing::info!(key = change.key, from = change.from, to = change.to, now = change.now, "reloaded");
        }
        // What waits for a restart is told again at the next reload: it does not hold.
        let mut config = config;
        for Setting { key, .. } in Config::reference() {
            if !LIVE.contains(&key) {
                config.copy(key, &in_force.config);
            }
        }
        *in_force = InForce { config, identity };
        Ok(changes)
    }

    fn certificate(&self) -> (String, Option<Millis>) {
        let in_force = self.in_force();
        (in_force.identity.fingerprint.clone(), in_force.identity.expires)
    }

    fn back_up(&self, into: &Path) -> Result<u64, String> {
        if !into.is_absolute() {
            return Err(format!(
                "`{}` does not begin with `/`: say the whole path, for the server has a folder of its own",
                into.display()
            ));
        }
        // Private from its first byte; and what is there already is never written over.
        let told = |error: &dyn std::fmt::Display| format!("cannot make {}: {error}", into.display());
        drop(crate::program::new_private_file(into).map_err(|error| told(&error))?);
        copy(&self.data.join(sqlite::FILE), into).map_err(|error| {
            // Half a backup is none.
            let _ = fs::remove_file(into);
            told(&error)
        })
    }
}

/// Copies a store that is in use. In one step: the copy is of one moment, and writers go on beside it.
fn copy(from: &Path, into: &Path) -> Result<u64, Box<dyn std::error::Error>> {
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let mut copy = Connection::open(into)?;
    let outcome = backup::Backup::new(&source, &mut copy)?.step(-1)?;
    if outcome != backup::StepResult::Done {
        return Err("the store is busy".into());
    }
    // One file, whole: nothing of it in a write-ahead log beside it.
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    // What is said after it was put back gets numbers again that were given before, for other things: to a client that went on from
    // there they would be old. By another name of the log it knows that they are not.
    copy.execute("UPDATE progress SET log = ?1", [Chance::System.hex(8)])?;
    let sound: String = copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if sound != "ok" {
        return Err(format!("the copy is not sound: {sound}").into());
    }
    drop(copy);
    let file = fs::File::open(into)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

/// How many file handles are not for connections: the store and its readers, what the shards wait with, a backup, and `chinwagd ctl`, by
/// which an operator can still do something about those who took all the others. Half of them where there are few.
const HANDLES_KEPT: u64 = 128;

/// The census's limits. No more connections than there are file handles for: who comes then is told so, and the operator gets in.
pub(crate) fn limits(config: &Config) -> Limits {
    let handles = rlimit::Resource::NOFILE.get_soft().unwrap_or(u64::MAX);
    let room = usize::try_from(handles - HANDLES_KEPT.min(handles / 2)).unwrap_or(usize::MAX);
    Limits { most: config.connections.min(room), most_per_address: config.connections_per_address, limit_loopback: config.limit_loopback }
}

fn changes(before: &Config, after: &Config) -> Vec<Change> {
    let value = |config: &Config, key| config.value(key).unwrap_or_default();
    let reference = Config::reference();
    let changed = reference.iter().filter(|setting| value(before, setting.key) != value(after, setting.key));
    changed
        .map(|Setting { key, .. }| {
            let shown = |config| if NOT_SHOWN.contains(key) { "(not shown)".to_owned() } else { value(config, key) };
            Change { key: (*key).to_owned(), from: shown(before), to: shown(after), now: LIVE.contains(key) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_store_has_a_log_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        drop(sqlite::open(folder.path(), "the-first", &[]).unwrap());
        let copied = tempfile::tempdir().unwrap();
        copy(&folder.path().join(sqlite::FILE), &copied.path().join(sqlite::FILE)).unwrap();
        // What is said after it was put back gets numbers that clients have seen already.
        assert_ne!(sqlite::open(copied.path(), "another", &[]).unwrap().log, "the-first");
        assert_eq!(sqlite::open(folder.path(), "another", &[]).unwrap().log, "the-first");
    }

    #[test]
    fn what_holds_at_once_is_a_setting() {
        let all: Vec<&str> = Config::reference().iter().map(|setting| setting.key).collect();
        for key in LIVE.iter().chain(NOT_SHOWN) {
            assert!(all.contains(key), "{key} is no setting");
        }
    }

    #[test]
    fn changes_tell_what_waits_for_a_restart_and_no_secret() {
        let (mut after, before) = (Config::default(), Config::default());
        for (key, text) in [("port", "7000"), ("guests", "true"), ("registration", "Invited([\"sesame\"])")] {
            after.set(key, text).unwrap();
        }
        let told: Vec<_> = changes(&before, &after).into_iter().map(|change| (change.key, change.from, change.to, change.now)).collect();
        let line = |key: &str, from: &str, to: &str, now| (key.to_owned(), from.to_owned(), to.to_owned(), now);
        let hidden = "(not shown)";
        assert_eq!(
            told,
            [line("port", "2461", "7000", false), line("registration", hidden, hidden, true), line("guests", "false", "true", true)]
        );
    }
}
