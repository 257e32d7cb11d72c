//! Sockets: the listener, the shards, the connections. The only code that sees them.
//!
//! One thread a shard, each with an executor of its own; a connection lives on one shard for as long as it lasts.
//! What a turn reads becomes one commit, what a commit releases is written to each socket once, straight from the
//! shard, and only a socket that would block gets a task and a buffer. A connection that is to carry a private chat is
//! given away to the thread of the relay, which knows nothing of lines.

pub(crate) mod census;
pub(crate) mod connection;
pub(crate) mod flood;
pub(crate) mod listener;
pub(crate) mod relay;
pub(crate) mod shard;
pub(crate) mod tls;
mod wire;
