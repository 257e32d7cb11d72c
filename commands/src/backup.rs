//! `backup /var/backups/chinwag.db`: a copy of the store while the server runs.

use std::path::PathBuf;
use std::time::Duration;

use chinwag_core::prelude::*;

/// Copies the store into a file.
pub struct Backup;

args! {
    pub struct Args {
        /// the file to make, from the root on; there must be none
        file: Text,
    }
}

impl Command for Backup {
    const SPEC: Spec = Spec {
        name: "backup",
        summary: "Copy the store into a new file while the server runs.",
        // A file of any name anywhere, written by the server's user: for whoever is that user.
        needs: &[Need::Console],
        // A disk writes a hundred gigabytes in that time.
        deadline: Duration::from_secs(3600),
        examples: "
            console> backup /var/backups/chinwag.db
            console | the store is copied into /var/backups/chinwag.db (0 bytes)

            console> backup chinwag.db
            console | error[backup-failed]: `chinwag.db` does not begin with `/`: say the whole path; the store itself is as it was
            console> backup
            console | error[usage]: `file` is missing: some text; usage: backup <file...>
            carol> backup /tmp/chinwag.db
            carol | error[not-permitted]: only the server's console may do this; on the server's machine: chinwagd ctl COMMAND
            someone> backup /tmp/chinwag.db
            someone | error[not-permitted]: only the server's console may do this; on the server's machine: chinwagd ctl COMMAND
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { file }: Args) -> Outcome {
        let file = file.0.trim();
        let bytes = ctx.back_up(PathBuf::from(file)).await?;
        ctx.note(format!("{bytes} bytes"));
        let told = format!("the store is copied into {file} ({bytes} bytes)");
        ctx.reply(Event::Fact(Fact::new("backup", told).with("file", file).with("bytes", bytes)));
        Ok(())
    }
}
