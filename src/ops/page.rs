//! The status page: what `/status` says, for people. It is rendered here, without a script, and fetches nothing.
//!
//! Tenants are counted by the reason of their trouble. Their ids are shown to whoever has the token of `POST /sync/{id}`:
//! at `/?ids` a browser asks for it as a password, with any name.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::{Duration, SystemTime},
};

use super::{
    known::{Known, LAST_RUNS, LastRun, Step, Time},
    troubles::{IDS, Tenants, Troubles},
};
use crate::{
    explo::CallStats,
    html::{Text, fill, policy},
    plan::Held,
    report::{Exit, grouped},
};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = concat!(include_str!("../html/style.css"), include_str!("page.css"));

/// At most this many reasons are shown.
const REASONS: usize = 20;

/// The widest part of the strip that one run takes, and its height.
const BAR: usize = 10;
const HEIGHT: usize = 40;

/// Who reads the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// Anybody.
    Anybody,
    /// Anybody, and the daemon has a token.
    Invited,
    /// Somebody with the token.
    Trusted,
}

/// The page's headers: what a browser may do with it, which is nothing but show it.
pub(super) fn headers() -> [(&'static str, String); 5] {
    [
        ("content-type", "text/html; charset=utf-8".to_owned()),
        ("content-security-policy", format!("{}; frame-ancestors 'none'", policy(&[], &[STYLE]))),
        ("cache-control", "no-store".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        ("referrer-policy", "no-referrer".to_owned()),
    ]
}

/// Writes the page.
pub(super) fn write(
    known: &Known,
    stats: &CallStats,
    (now, reader): (SystemTime, Reader),
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let page = View { known, stats, now, reader };
    fill(PAGE, out, |part, out| match part {
        "title" => write!(out, "{} · {}", page.state().1, Text(&known.instance)),
        "style" => write!(out, "{STYLE}"),
        "instance" => write!(out, "{}", Text(&known.instance)),
        "verdict" => page.write_verdict(out),
        "now" => page.write_now(out),
        "held" => page.write_held(out),
        "runs" => page.write_runs(out),
        "troubles" => page.write_troubles(out),
        "calls" => page.write_calls(out),
        "wakes" => page.write_wakes(out),
        "version" => write!(out, "explo-sync {}", known.version),
        _ => Ok(()),
    })
}

struct View<'k> {
    known: &'k Known,
    stats: &'k CallStats,
    now: SystemTime,
    reader: Reader,
}

impl View<'_> {
    /// The class and the word of what a reader wants to know first.
    fn state(&self) -> (&'static str, &'static str) {
        let last = self.known.last_runs.front();
        match last.map(|last| last.exit) {
            _ if self.known.standby.is_some() => ("good", "stands by"),
            None => ("partial", "no run yet"),
            Some(exit) => told(exit),
        }
    }

    fn write_verdict(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let (class, word) = self.state();
        let style = if class == "good" { "verdict" } else { "verdict held" };
        write!(out, "<p class=\"{style}\" role=\"status\"><strong>{}</strong>", upper(word))?;
        match (&self.known.standby, self.known.last_converged_at) {
            (Some(reason), _) => write!(out, ": {}", Text(reason))?,
            (None, Some(Time(at))) => write!(out, ". Both sides were last equal {}", self.time(at))?,
            (None, None) => write!(out, ". Both sides were not equal yet since this daemon started")?,
        }
        out.write_all(b".</p>")
    }

    fn write_now(&self, out: &mut Vec<u8>) -> io::Result<()> {
        match &self.known.running {
            Some(running) => {
                write!(out, "<p>A run goes on, begun {}.</p>", self.time(running.started_at.0))?;
                write_step("Pages of customers listed", &running.listed, out)?;
                write_step("Changes carried out", &running.applied, out)?;
            }
            None => out.write_all(b"<p>No run goes on.</p>")?,
        }
        match self.known.next_run {
            Some(Time(at)) => write!(out, "<p>Next run: {}.</p>", self.time(at))?,
            None if self.known.running.is_some() => {}
            None => out.write_all(b"<p>No next run is known.</p>")?,
        }
        write!(out, "<p class=\"dim\">Started {}.</p>", self.time(self.known.started_at.0))
    }

    fn write_held(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let Some(command) = self.known.command.as_ref().filter(|_| !self.known.held.is_empty()) else { return Ok(()) };
        write!(
            out,
            "<section aria-labelledby=\"held\"><h2 id=\"held\">Held by the guard</h2><p>The last plan changes more than \
             the limits permit, so nothing was written. If it is right, let it through once with this command:</p>\
             <pre><code>{}</code></pre><table class=\"small\"><thead><tr><th scope=\"col\">Class</th>\
             <th scope=\"col\" class=\"number\">In the plan</th><th scope=\"col\" class=\"number\">Limit</th></tr></thead>\
             <tbody>",
            Text(command)
        )?;
        for Held { class, count, limit } in &self.known.held {
            let (count, limit) = (grouped(*count), grouped(*limit));
            write!(
                out,
                "<tr><th scope=\"row\">{}</th><td class=\"number\">{count}</td><td class=\"number\">{limit}</td></tr>",
                class.name()
            )?;
        }
        out.write_all(b"</tbody></table></section>")
    }

    fn write_runs(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let runs = &self.known.last_runs;
        if runs.is_empty() {
            return out.write_all(b"<p>None has ended yet.</p>");
        }
        self.write_strip(out)?;
        out.write_all(
            b"<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"runs\"><table><thead><tr>\
              <th scope=\"col\">Ended (UTC)</th><th scope=\"col\">Outcome</th><th scope=\"col\" class=\"number\">Took</th>\
              <th scope=\"col\" class=\"number\">Applied</th><th scope=\"col\" class=\"number wide\">Failed</th>\
              <th scope=\"col\" class=\"wide\">Why</th></tr></thead><tbody>",
        )?;
        for run in runs {
            let (class, word) = told(run.exit);
            let number = |count: Option<usize>| count.map_or("–".to_owned(), grouped);
            let outcomes = run.outcomes.as_ref();
            write!(
                out,
                "<tr><td>{}</td><td class=\"outcome {class}\">{word}</td><td class=\"number\">{}</td>\
                 <td class=\"number\">{}</td><td class=\"number wide\">{}</td><td class=\"wide\">{}</td></tr>",
                moment(run.ended_at.0),
                duration(run.took()),
                number(outcomes.map(|outcomes| outcomes.applied)),
                number(outcomes.map(|outcomes| outcomes.failed)),
                // What lets a held plan through is told above.
                Text(run.error.as_deref().and_then(|error| error.split("; let it").next()).unwrap_or_default())
            )?;
        }
        out.write_all(b"</tbody></table></div>")
    }

    /// One bar for each run, the oldest first: its colour is the outcome, its height the duration.
    fn write_strip(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let runs = &self.known.last_runs;
        let longest = runs.iter().map(LastRun::took).max().unwrap_or_default().as_millis().max(1);
        let good = runs.iter().filter(|run| told(run.exit).0 == "good").count();
        write!(
            out,
            "<svg class=\"strip\" role=\"img\" viewBox=\"0 0 {} {HEIGHT}\" preserveAspectRatio=\"none\" \
             aria-label=\"The last {} runs, the oldest first: {good} of them ended with both sides equal. The table below \
             has each.\">",
            BAR * LAST_RUNS,
            runs.len()
        )?;
        for (place, run) in runs.iter().rev().enumerate() {
            let share = usize::try_from(run.took().as_millis() * (HEIGHT as u128 - 4) / longest).unwrap_or(HEIGHT - 4);
            let (height, class) = (4 + share, told(run.exit).0);
            write!(
                out,
                "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{height}\"/>",
                place * BAR,
                HEIGHT - height,
                BAR - 2
            )?;
        }
        out.write_all(b"</svg>")
    }

    fn write_troubles(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let Troubles { invalid, failing } = &self.known.troubles;
        if invalid.is_empty() && failing.is_empty() {
            return out.write_all(b"<p>None in the last run.</p>");
        }
        for (what, tenants) in [("could not be written", failing), ("can't be planned", invalid)] {
            if !tenants.is_empty() {
                let all: usize = tenants.values().map(|tenants| tenants.count).sum();
                self.write_reasons(&format!("{} {what}", grouped(all)), tenants, out)?;
            }
        }
        match self.reader {
            Reader::Invited => out.write_all(
                b"<p><a href=\"/?ids\">Show their ids</a>: asks for the token of the ops server, with any name.</p>",
            ),
            Reader::Anybody => {
                out.write_all(b"<p class=\"dim\">The log names them; so does this page if ops.token_file is set.</p>")
            }
            Reader::Trusted => Ok(()),
        }
    }

    fn write_reasons(&self, title: &str, reasons: &BTreeMap<String, Tenants>, out: &mut Vec<u8>) -> io::Result<()> {
        let mut lines: BTreeMap<&str, (usize, Vec<&str>)> = BTreeMap::new();
        for (reason, tenants) in reasons {
            let told = if self.reader == Reader::Trusted { reason } else { &tenants.in_public };
            let line = lines.entry(told).or_default();
            line.0 += tenants.count;
            line.1.extend(tenants.ids.iter().map(String::as_str));
        }
        let mut lines: Vec<_> = lines.into_iter().collect();
        lines.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
        write!(
            out,
            "<table><caption>{title}</caption><thead><tr><th scope=\"col\" class=\"number\">Tenants</th>\
             <th scope=\"col\">Reason</th></tr></thead><tbody>"
        )?;
        for (reason, (count, ids)) in lines.iter().take(REASONS) {
            write!(out, "<tr><td class=\"number\">{}</td><td>{}", grouped(*count), Text(reason))?;
            if self.reader == Reader::Trusted {
                let told: Vec<_> =
                    ids.iter().take(IDS).map(|id| format!("<bdi class=\"id\">{}</bdi>", Text(id))).collect();
                let more = if *count > told.len() { ", …" } else { "" };
                write!(out, "<br>{}{more}", told.join(", "))?;
            }
            out.write_all(b"</td></tr>")?;
        }
        out.write_all(b"</tbody></table>")?;
        match lines.len().saturating_sub(REASONS) {
            0 => Ok(()),
            more => write!(out, "<p>And {} reasons more.</p>", grouped(more)),
        }
    }

    fn write_calls(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let CallStats { calls, throttles, waited, rate, .. } = self.stats;
        let made: u64 = calls.values().sum();
        let rate = if *rate > 0.0 { format!("{rate:.0} a minute") } else { "–".to_owned() };
        let count = |number: u64| grouped(usize::try_from(number).unwrap_or(usize::MAX));
        let facts = [
            ("since the start", count(made)),
            ("allowed now", rate),
            ("pauses because of 429", count(*throttles)),
            ("waited for the rate, together", duration(*waited)),
        ];
        write_facts(&facts, out)
    }

    fn write_wakes(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let wakes = &self.known.wakes;
        if wakes.outcomes.is_empty() && wakes.waiting + wakes.in_progress == 0 {
            return out.write_all(b"<p>No tenant was carried out between runs.</p>");
        }
        let (median, longest) = wakes.latencies.told().unwrap_or_default();
        let facts = [
            ("wait", grouped(wakes.waiting)),
            ("are carried out", grouped(wakes.in_progress)),
            ("median of the last 100", duration(median)),
            ("longest of these", duration(longest)),
        ];
        write_facts(&facts, out)?;
        out.write_all(
            b"<table class=\"small\"><thead><tr><th scope=\"col\">Word from</th><th scope=\"col\">Outcome</th>\
              <th scope=\"col\" class=\"number\">Tenants</th></tr></thead><tbody>",
        )?;
        for (origin, outcomes) in &wakes.outcomes {
            for (outcome, count) in outcomes {
                let count = grouped(usize::try_from(*count).unwrap_or(usize::MAX));
                write!(
                    out,
                    "<tr><th scope=\"row\">{origin}</th><td>{outcome}</td><td class=\"number\">{count}</td></tr>"
                )?;
            }
        }
        out.write_all(b"</tbody></table>")
    }

    /// A time, and how far it is from now.
    fn time(&self, at: SystemTime) -> String {
        let far = match (self.now.duration_since(at), at.duration_since(self.now)) {
            (Ok(ago), _) => format!("{} ago", duration(ago)),
            (_, Ok(ahead)) => format!("in {}", duration(ahead)),
            _ => String::new(),
        };
        format!("{} UTC ({far})", moment(at))
    }
}

fn moment(at: SystemTime) -> String {
    let shown = chrono::DateTime::<chrono::Utc>::from(at);
    let told = shown.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    format!("<time datetime=\"{told}\">{}</time>", shown.format("%Y-%m-%d %H:%M:%S"))
}

fn write_step(name: &str, Step { done, of }: &Step, out: &mut Vec<u8>) -> io::Result<()> {
    if *of == 0 {
        return Ok(());
    }
    let (told, all) = (grouped(*done), grouped(*of));
    write!(out, "<p><label>{name}: {told} of {all}<progress value=\"{done}\" max=\"{of}\"></progress></label></p>")
}

fn write_facts(facts: &[(&str, String)], out: &mut Vec<u8>) -> io::Result<()> {
    out.write_all(b"<dl class=\"counts\">")?;
    facts.iter().try_for_each(|(name, fact)| write!(out, "<div><dt>{name}</dt><dd>{fact}</dd></div>"))?;
    out.write_all(b"</dl>")
}

/// What an exit code says, and whether all is well.
fn told(exit: Exit) -> (&'static str, &'static str) {
    match exit {
        Exit::Success => ("good", "converged"),
        Exit::Partial => ("partial", "some tenants are in trouble"),
        Exit::Stopped => ("partial", "stopped early"),
        Exit::Locked => ("partial", "left to another run"),
        Exit::Held => ("bad", "held by the guard"),
        Exit::Config => ("bad", "refused its configuration"),
        Exit::Credentials => ("bad", "credentials refused"),
        Exit::Usage | Exit::Failed | Exit::Pending => ("bad", "failed"),
    }
}

fn upper(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// The two largest units: enough to see how long it is.
fn duration(took: Duration) -> String {
    let rounded = match took.as_secs() {
        0 => Duration::from_millis(u64::try_from(took.as_millis()).unwrap_or_default()),
        seconds => Duration::from_secs(seconds),
    };
    let told = humantime::format_duration(rounded).to_string();
    told.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_two_units() {
        let told = |millis| duration(Duration::from_millis(millis));
        assert_eq!([0, 12, 999, 1500, 61_000, 90_061_000].map(told), ["0s", "12ms", "999ms", "1s", "1m 1s", "1day 1h"]);
    }
}
