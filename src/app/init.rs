//! `init`: a commented configuration to begin with; a trigger, completions, a manual page and a JSON schema.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use clap::CommandFactory;

use super::terminal::{print, stdout, tell_if_lost};
use crate::{
    cli::{Cli, InitArgs},
    config,
};

/// Writes the configuration to a new file, or prints what a flag asks for instead.
pub(super) fn init(args: &InitArgs) -> io::Result<u8> {
    let mut text = Vec::new();
    if let Some(shell) = args.completions {
        clap_complete::generate(shell, &mut Cli::command(), "explo-sync", &mut text);
    } else if let Some(directory) = &args.man {
        match directory {
            None => clap_mangen::Man::new(Cli::command()).render(&mut text)?,
            Some(directory) => fs::create_dir_all(directory)
                .and_then(|()| clap_mangen::generate_to(Cli::command(), directory))
                .map_err(|error| io::Error::other(format!("--man {}: {error}", directory.display())))?,
        }
    } else if let Some(trigger) = &args.trigger {
        text = trigger.sql().into_bytes();
    } else if args.schema {
        serde_json::to_writer_pretty(&mut text, &config::schema())?;
        writeln!(text)?;
    } else {
        let name = args.file.display();
        let config = if args.all { config::DEFAULT } else { config::FIRST };
        write(&args.file, config).map_err(|error| {
            io::Error::other(match error.kind() {
                io::ErrorKind::AlreadyExists => format!("{name} exists already: move it away, or name another file"),
                _ => format!("{name}: {error}"),
            })
        })?;
        let next = "Set source.url, source.query and explo.token_file in it, then: explo-sync check";
        tell_if_lost(writeln!(stdout(), "Wrote {name}. {next}"));
    }
    print(&text)?;
    Ok(0)
}

/// Removes a file that is only partly written, so that the next try can make it.
fn write(path: &Path, config: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(config.as_bytes()).inspect_err(|_| drop(fs::remove_file(path)))
}
