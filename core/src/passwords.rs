//! Passwords: hashed with argon2id on threads of their own.
//!
//! A hash takes tens of milliseconds and megabytes on purpose. The threads are few and each keeps its block of
//! memory, so that a rush of logins neither slows the talk nor eats the machine; when their queue is full the
//! answer is "busy".

use std::sync::Arc;
use std::thread;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use chinwag_wire::{Refusal, code};

use crate::chance::Chance;
use crate::fault::Fault;

/// The longest password, in bytes: longer than any passphrase, short enough not to be a burden.
pub const PASSWORD_MAX: usize = 256;

/// How many hashes may wait: a second's worth for two threads. Who comes later had better try again.
pub const QUEUE_MAX: usize = 64;

/// What a new hash costs. Old hashes keep the cost they were made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Cost {
    /// The recommendation of OWASP's Password Storage Cheat Sheet for argon2id: 19 MiB, two passes.
    pub const RECOMMENDED: Cost = Cost { memory_kib: 19 * 1024, passes: 2 };
    /// For tests, where nothing is worth guessing.
    pub const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };

    fn params(self) -> Params {
        Params::new(self.memory_kib, self.passes, 1, None).unwrap_or_default()
    }
}

enum Job {
    Hash { password: String, answer: async_channel::Sender<Result<String, Refusal>> },
    Verify { password: String, phc: String, answer: async_channel::Sender<Result<bool, Refusal>> },
}

/// The way to the threads. Clones lead to the same ones; they end when the last clone is dropped.
#[derive(Clone)]
pub struct Passwords {
    jobs: async_channel::Sender<Job>,
}

impl Passwords {
    /// Starts `threads` threads that hash at `cost`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(threads: usize, cost: Cost, chance: &Arc<Chance>) -> std::io::Result<Passwords> {
        let (jobs, queue) = async_channel::bounded(QUEUE_MAX);
        for number in 0..threads.max(1) {
            let (queue, chance) = (queue.clone(), Arc::clone(chance));
            thread::Builder::new().name(format!("passwords-{number}")).spawn(move || {
                let mut hasher = Hasher { cost, chance, memory: Vec::new() };
                while let Ok(job) = queue.recv_blocking() {
                    hasher.work(job);
                }
            })?;
        }
        Ok(Passwords { jobs })
    }

    /// How many hashes wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.jobs.len()
    }

    /// Hashes a new password into a PHC string.
    ///
    /// # Errors
    /// `busy` when too many wait.
    pub async fn hash(&self, password: String) -> Result<String, Refusal> {
        let (answer, answered) = async_channel::bounded(1);
        self.jobs.try_send(Job::Hash { password, answer }).map_err(|_| busy())?;
        answered.recv().await.map_err(|_| busy())?
    }

    /// Whether `password` is the one that `phc` was made from.
    ///
    /// # Errors
    /// `busy` when too many wait.
    pub async fn verify(&self, password: String, phc: String) -> Result<bool, Refusal> {
        if Fault::BusyHashing.is_on() {
            return Err(busy());
        }
        let (answer, answered) = async_channel::bounded(1);
        self.jobs.try_send(Job::Verify { password, phc, answer }).map_err(|_| busy())?;
        answered.recv().await.map_err(|_| busy())?
    }
}

struct Hasher {
    cost: Cost,
    chance: Arc<Chance>,
    /// Kept from hash to hash: giving it back and asking again leaves holes that the allocator never closes.
    memory: Vec<Block>,
}

impl Hasher {
    fn work(&mut self, job: Job) {
        // Whoever asked may be gone by now.
        match job {
            Job::Hash { password, answer } => drop(answer.try_send(self.hash(&password).ok_or_else(unhashable))),
            Job::Verify { password, phc, answer } => drop(answer.try_send(self.verify(&password, &phc).ok_or_else(unhashable))),
        }
    }

    fn hash(&mut self, password: &str) -> Option<String> {
        let params = self.cost.params();
        let mut salt = [0; Salt::RECOMMENDED_LENGTH];
        self.chance.fill(&mut salt);
        let hash = self.run(password, &salt, &params, Params::DEFAULT_OUTPUT_LEN)?;
        let phc = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).ok()?,
            salt: Some(Salt::new(&salt).ok()?),
            hash: Some(hash),
        };
        Some(phc.to_string())
    }

    fn verify(&mut self, password: &str, phc: &str) -> Option<bool> {
        let phc = PasswordHash::new(phc).ok()?;
        let params = Params::try_from(&phc).ok()?;
        let (salt, hash) = (phc.salt?, phc.hash?);
        // `Output` compares in constant time.
        Some(self.run(password, &salt, &params, hash.as_bytes().len())? == hash)
    }

    fn run(&mut self, password: &str, salt: &[u8], params: &Params, length: usize) -> Option<Output> {
        if self.memory.len() < params.block_count() {
            self.memory.resize(params.block_count(), Block::default());
        }
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let mut out = vec![0; length];
        argon2.hash_password_into_with_memory(password.as_bytes(), salt, &mut out, &mut self.memory).ok()?;
        Output::new(&out).ok()
    }
}

fn busy() -> Refusal {
    Refusal::new(code::BUSY, "too many people are logging in at this moment").hint("try again in a few seconds")
}

fn unhashable() -> Refusal {
    Refusal::new(code::INTERNAL, "this password could not be checked").hint("tell the operator")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_opens_its_own_hash_only() {
        let passwords = Passwords::start(1, Cost::CHEAP, &Arc::new(Chance::seeded(1))).unwrap();
        smol::block_on(async {
            let phc = passwords.hash("secret".into()).await.unwrap();
            assert!(phc.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{phc}");
            assert_eq!(passwords.verify("secret".into(), phc.clone()).await, Ok(true));
            assert_eq!(passwords.verify("Secret".into(), phc).await, Ok(false));
            assert_eq!(passwords.verify("x".into(), "nonsense".into()).await.map_err(|r| r.code), Err(code::INTERNAL));
        });
    }

    #[test]
    fn a_hash_is_what_the_library_itself_accepts() {
        use argon2::password_hash::PasswordVerifier;
        let mut hasher = Hasher { cost: Cost::RECOMMENDED, chance: Arc::new(Chance::seeded(1)), memory: Vec::new() };
        let phc = hasher.hash("secret").unwrap();
        let parsed = PasswordHash::new(&phc).unwrap();
        assert!(Argon2::default().verify_password(b"secret", &parsed).is_ok());
    }
}
