//! What a probe found, as a table or as JSON, with the settings that follow. It shows no token, and of other customers
//! only the ids of earlier probes.

use std::io::{self, Write};

use anstyle::Style as Paint;
use reqwest::Url;
use serde::Serialize;

use super::{
    Exit,
    text::{BOLD, DIM, GREEN, RED, YELLOW, counted},
};
use crate::{
    model::printable,
    probe::{Finding, Here, Probed, Remains, settings},
};

/// A probe with all that its report needs.
#[derive(Debug)]
pub struct Findings<'p> {
    /// What it found and left.
    pub probed: &'p Probed,
    /// Address of Explo.
    pub base_url: &'p Url,
    /// Calls made, each attempt counted.
    pub calls: usize,
}

/// The columns, with two spaces between them: 100 characters.
const WIDTHS: [usize; 4] = [18, 21, 25, 30];
const HEADS: [&str; 4] = ["", "documented", "here", "what explo-sync does about it"];

/// Writes the table, the settings, and what is left behind.
pub fn write_findings(findings: &Findings<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Findings { probed, base_url, calls } = findings;
    let Probed { provided_id, findings: found, remains, leftovers, .. } = probed;
    row(HEADS, [BOLD; 4], out)?;
    for finding in found {
        let paint = match finding.here {
            Here::Untried(_) => DIM,
            Here::Found(..) if finding.is_expected() => GREEN,
            Here::Found(..) => YELLOW,
        };
        let question = finding.question;
        row(
            [question.name, question.documented, &here(finding), finding.effect()],
            [BOLD, DIM, paint, Paint::new()],
            out,
        )?;
    }
    write_settings(found, out)?;
    let calls = counted(*calls, "call");
    match remains {
        Remains::Nothing => writeln!(out, "\nNo customer was made; {calls}.")?,
        Remains::Deleted => writeln!(out, "\nThe demo customer {provided_id} is deleted again; {calls}.")?,
        Remains::Left(reason) => {
            let reason = printable(reason);
            writeln!(out, "\n{RED}The demo customer {provided_id} may be left behind:{RED:#} {reason}; {calls}.")?;
            write_way_out(base_url, provided_id, out)?;
        }
    }
    for leftover in leftovers {
        writeln!(out, "\n{YELLOW}An earlier probe left {} behind.{YELLOW:#}", printable(leftover))?;
        write_way_out(base_url, leftover, out)?;
    }
    match probed.why() {
        Some(why) => writeln!(out, "\n{RED}It ended early:{RED:#} {}", printable(&why)),
        None => Ok(()),
    }
}

/// One row of cells, each wrapped to its column's width.
fn row(cells: [&str; 4], paints: [Paint; 4], out: &mut dyn Write) -> io::Result<()> {
    let cells: Vec<_> = cells.iter().zip(WIDTHS).map(|(cell, width)| wrapped(cell, width)).collect();
    for line in 0..cells.iter().map(Vec::len).max().unwrap_or_default() {
        let mut gap = 0;
        for ((cell, width), paint) in cells.iter().zip(WIDTHS).zip(paints) {
            if let Some(part) = cell.get(line) {
                write!(out, "{:gap$}{paint}{part}{paint:#}", "")?;
                gap = 0;
            }
            let used = cell.get(line).map_or(0, |part| part.chars().count());
            gap += 2 + width.saturating_sub(used);
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Lines of at most this width; a longer word is broken.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let (mut lines, mut used) = (vec![String::new()], 0);
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(String::new());
            used = 0;
        }
        for (n, c) in (used > 0).then_some(' ').into_iter().chain(word.chars()).enumerate() {
            if n > 0 && used == width {
                lines.push(String::new());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
            used += 1;
        }
    }
    lines
}

fn here(Finding { here, .. }: &Finding) -> String {
    match here {
        Here::Found(answer, detail) if detail.is_empty() => (*answer).to_owned(),
        Here::Found(answer, detail) => format!("{answer} ({})", printable(detail)),
        Here::Untried(reason) => printable(reason),
    }
}

fn write_settings(found: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    let settings = settings(found);
    if settings.is_empty() {
        return writeln!(out, "\nNo setting follows: the defaults fit.");
    }
    writeln!(out, "\nThe settings that follow:")?;
    let mut last = "";
    for (section, key, value) in settings {
        if section != last {
            writeln!(out, "  [{section}]")?;
        }
        writeln!(out, "  {key} = {value}")?;
        last = section;
    }
    Ok(())
}

/// How to delete a customer by hand.
fn write_way_out(base_url: &Url, id: &str, out: &mut dyn Write) -> io::Result<()> {
    let id = printable(id).replace(['\'', '"', '\\'], "");
    let header = "-H \"Explo-Authorization: Token $EXPLO_TOKEN\" -H 'Content-Type: application/json'";
    writeln!(out, "Delete it on the page of customers in Explo, or with the team token in EXPLO_TOKEN:")?;
    writeln!(out, "  curl -s {header} -d '{{\"provided_id\":\"{id}\"}}' {base_url}api/get_customer/ |")?;
    writeln!(out, "    jq '{{current_token: .customer.token}}' |")?;
    writeln!(out, "    curl -s -X DELETE {header} -d @- {base_url}api/delete_customer/")
}

#[derive(Serialize)]
struct Document<'a> {
    version: u8,
    program: &'static str,
    provided_id: &'a str,
    findings: Vec<Row<'a>>,
    settings: Vec<Setting>,
    /// `false`: it is, or may be, left behind.
    removed: bool,
    leftovers: &'a [String],
    calls: usize,
    error: Option<String>,
    exit: u8,
}

#[derive(Serialize)]
struct Row<'a> {
    question: &'static str,
    documented: &'static str,
    /// `null`: not known, and `detail` says why.
    here: Option<&'static str>,
    detail: &'a str,
    effect: &'static str,
}

#[derive(Serialize)]
struct Setting {
    key: String,
    value: &'static str,
}

/// Writes the same for a program or a bug report, and a line feed.
pub fn write_findings_json(findings: &Findings<'_>, exit: Exit, out: &mut dyn Write) -> io::Result<()> {
    let Findings { probed, calls, .. } = findings;
    let rows = probed.findings.iter().map(|finding| {
        let (here, detail) = match &finding.here {
            Here::Found(answer, detail) => (Some(*answer), detail),
            Here::Untried(reason) => (None, reason),
        };
        let question = finding.question;
        Row { question: question.name, documented: question.documented, here, detail, effect: finding.effect() }
    });
    let follow = settings(&probed.findings).into_iter();
    let left = match &probed.remains {
        Remains::Left(reason) => Some(format!("the demo customer may be left behind: {reason}")),
        Remains::Nothing | Remains::Deleted => None,
    };
    let document = Document {
        version: 1,
        program: env!("CARGO_PKG_VERSION"),
        provided_id: &probed.provided_id,
        findings: rows.collect(),
        settings: follow.map(|(section, key, value)| Setting { key: format!("{section}.{key}"), value }).collect(),
        removed: left.is_none(),
        leftovers: &probed.leftovers,
        calls: *calls,
        error: left.or_else(|| probed.why()),
        exit: exit as u8,
    };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}
