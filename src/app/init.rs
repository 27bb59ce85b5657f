//! `init`: a commented configuration to begin with, and what shells, readers and editors want to know.

use std::{
    fs::OpenOptions,
    io::{self, Write},
};

use clap::CommandFactory;

use crate::{
    cli::{Cli, InitArgs},
    config,
};

/// Writes the configuration to a new file, or prints what was asked for instead.
pub(super) fn init(args: &InitArgs) -> io::Result<u8> {
    let mut out = io::stdout().lock();
    if let Some(shell) = args.completions {
        clap_complete::generate(shell, &mut Cli::command(), "explo-sync", &mut out);
    } else if args.man {
        clap_mangen::Man::new(Cli::command()).render(&mut out)?;
    } else if args.schema {
        serde_json::to_writer_pretty(&mut out, &config::schema())?;
        writeln!(out)?;
    } else {
        let named = |error: io::Error| io::Error::other(format!("{}: {error}", args.file.display()));
        let mut file = OpenOptions::new().write(true).create_new(true).open(&args.file).map_err(named)?;
        file.write_all(config::DEFAULT.as_bytes()).map_err(named)?;
        writeln!(
            out,
            "Wrote {}. Set source.url, source.query and explo.token_file in it, then: explo-sync check",
            args.file.display()
        )?;
    }
    Ok(0)
}
