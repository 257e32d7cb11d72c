//! `chinwag trust`: which servers' certificates are taken for the right ones.

use std::io::{self, Write};

use clap::{Args, Subcommand};

use crate::address::Address;
use crate::config::Destination;
use crate::failure::Failure;
use crate::trust::{Fingerprint, KnownHosts};

/// List, accept and forget the fingerprints of servers' certificates.
///
/// A server's fingerprint is remembered at the first visit; a server that shows another one later is refused until the new one is
/// accepted here. Ask whoever runs the server for it: chinwagd prints it when it starts.
#[derive(Args, Clone, Debug)]
pub(crate) struct TrustArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Print what is remembered: a line HOST:PORT SHA256:… for each server.
    List,
    /// Remember this fingerprint, in the place of an older one.
    Accept {
        /// The server.
        #[arg(value_name = "HOST[:PORT]")]
        server: Address,
        /// Its fingerprint: SHA256: and 64 hexadecimal digits.
        #[arg(value_parser = read_fingerprint)]
        fingerprint: Fingerprint,
    },
    /// Forget a server: the next visit counts as the first.
    Forget {
        /// The server.
        #[arg(value_name = "HOST[:PORT]")]
        server: Address,
    },
}

fn read_fingerprint(word: &str) -> Result<Fingerprint, String> {
    word.parse().map_err(|()| "expected `SHA256:` and 64 hexadecimal digits".to_owned())
}

/// Does what `args` say with `known`; `find` knows where an address leads.
///
/// # Errors
/// The file cannot be read or written, or there is nothing to forget.
pub(crate) fn run(args: &TrustArgs, known: &KnownHosts, find: impl Fn(&Address) -> Result<Destination, Failure>) -> Result<(), Failure> {
    let place = |server: &Address| find(server).map(|destination| destination.place);
    let text = match &args.what {
        What::List => known.all()?.into_iter().map(|(place, fingerprint)| format!("{place} {fingerprint}\n")).collect(),
        What::Accept { server, fingerprint } => {
            let place = place(server)?;
            known.remember(&place, *fingerprint)?;
            format!("{place} has to show the certificate {fingerprint} from now on\n")
        }
        What::Forget { server } => {
            let place = place(server)?;
            if !known.forget(&place)? {
                return Err(Failure::usage(format!("nothing is remembered of {place}; `chinwag trust list` shows what is")));
            }
            format!("{place} is forgotten: the next visit counts as the first\n")
        }
    };
    io::stdout().lock().write_all(text.as_bytes()).map_err(|_| Failure::output_gone())
}
