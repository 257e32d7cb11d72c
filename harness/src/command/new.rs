//! `new`: the first scenarios of a command.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use chinwag_harness::scaffold::{self, Trouble};
use chinwag_harness::source::shown;
use chinwag_wire::suggest;

use super::Target;
use crate::Exit;

/// Writes the first scenarios of a command, from what the server says of it.
///
/// The good case, each argument missing, a user who is unknown, away or hidden, nobody logged in; with what everybody sees
/// now. Read them, give them better names, then `bless` them.
#[derive(clap::Args)]
pub(crate) struct New {
    /// The command.
    name: String,
    /// Where the files go [default: scenarios/NAME].
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

impl New {
    pub(crate) fn run(&self) -> io::Result<ExitCode> {
        let launch = self.target.launch()?;
        let made = scaffold::card(&launch, &self.name).and_then(|card| Ok((scaffold::scaffold(&card, &launch)?, card)));
        let (made, card) = match made {
            Ok(made) => made,
            Err(Trouble::NotStarted(why)) => {
                eprintln!("error: the server did not start: {why}");
                return Ok(Exit::NotStarted.into());
            }
            Err(Trouble::NoSuchCommand(known)) => {
                let near = suggest::nearest(&self.name, known.iter().map(String::as_str));
                let hint = near.map_or_else(|| format!("there are {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
                return Err(io::Error::other(format!("the server has no command `{}`; {hint}", self.name)));
            }
            Err(Trouble::Wire(why)) => return Err(io::Error::other(why)),
        };
        let folder = self.folder.clone().unwrap_or_else(|| PathBuf::from("scenarios").join(card.name.as_ref()));
        let name = |path: &std::path::Path, error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        std::fs::create_dir_all(&folder).map_err(|error| name(&folder, error))?;
        // All or none: nobody wants half of them over what was there.
        if let Some(there) = made.iter().map(|made| folder.join(&made.file)).find(|path| path.exists()) {
            return Err(io::Error::other(format!("{} is there already", there.display())));
        }
        for made in made {
            let path = folder.join(&made.file);
            std::fs::write(&path, made.text).map_err(|error| name(&path, error))?;
            println!("{}", shown(&path));
        }
        println!("read them, then keep what they show: chinwag-harness bless {}", folder.display());
        Ok(ExitCode::SUCCESS)
    }
}
