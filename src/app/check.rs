//! `check`: everything that a run needs, tried one by one.

use std::io::{self, Write};

use super::{Context, instance::Instance};
use crate::{explo::Stop, report::Exit, source::Source};

/// Tries both sides, whatever the other says; the worst finding is the exit code.
pub(super) async fn check(context: &Context) -> io::Result<u8> {
    let mut out = anstream::stdout().lock();
    let instance = context.config().and_then(|config| Instance::open(config, &Stop::default()));
    let instance = match instance {
        Ok(instance) => instance,
        Err(error) => {
            writeln!(out, "fail  {error}")?;
            return Ok(Exit::Config as u8);
        }
    };
    writeln!(out, "ok    config    instance {}", instance.config.name)?;
    let found = [source(&instance, &mut out).await?, explo(&instance, &mut out).await?];
    let worst = [Exit::Config, Exit::Credentials, Exit::Failed].into_iter().find(|exit| found.contains(exit));
    Ok(worst.unwrap_or(Exit::Success) as u8)
}

async fn source(instance: &Instance, out: &mut impl Write) -> io::Result<Exit> {
    let source = &instance.config.source;
    match source.columns().await {
        Ok(columns) => {
            let names: Vec<_> = columns.iter().map(|(name, _)| name.as_str()).collect();
            writeln!(out, "ok    database  {}", source.place())?;
            writeln!(out, "ok    query     {}", names.join(", "))?;
            Ok(Exit::Success)
        }
        Err(error) => {
            writeln!(out, "fail  database  {error}")?;
            Ok(if error.is_about_config() { Exit::Config } else { Exit::Failed })
        }
    }
}

async fn explo(instance: &Instance, out: &mut impl Write) -> io::Result<Exit> {
    let base_url = &instance.config.explo.base_url;
    match instance.client.first_page().await {
        Ok((customers, total)) => {
            let of = total.map_or_else(|| "an unknown number of".to_owned(), |total| total.to_string());
            writeln!(out, "ok    token     {base_url}: a page of {customers} of {of} customers")?;
            Ok(Exit::Success)
        }
        Err(error) => {
            writeln!(out, "fail  token     {base_url}: {error}")?;
            Ok(if error.is_about_credentials() { Exit::Credentials } else { Exit::Failed })
        }
    }
}
