//! What both pages for a browser have in common: escaping, filling in a template, a policy that admits nothing from
//! elsewhere, and (`html/style.css`) the look.

use std::{
    fmt::{self, Write as _},
    io::{self, Write},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::digest::{SHA256, digest};

use crate::model::printable;

/// Foreign text as the content of an element or attribute: it can't end it, reverse the line or hide.
#[derive(Debug)]
pub struct Text<'t>(pub &'t str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        printable(self.0).chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c => f.write_char(c),
        })
    }
}

/// Writes a template; `part` writes what its `{{name}}` stands for.
pub fn fill<W: Write + ?Sized>(
    template: &str,
    out: &mut W,
    mut part: impl FnMut(&str, &mut W) -> io::Result<()>,
) -> io::Result<()> {
    for piece in template.split("{{") {
        let (name, text) = piece.split_once("}}").unwrap_or(("", piece));
        part(name, out)?;
        out.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// A Content-Security-Policy: nothing from anywhere, but for these scripts and styles of the page itself.
#[must_use]
pub fn policy(scripts: &[&str], styles: &[&str]) -> String {
    let sources = |name: &str, texts: &[&str]| {
        let hash = |text: &&str| format!(" 'sha256-{}'", BASE64_STANDARD.encode(digest(&SHA256, text.as_bytes())));
        if texts.is_empty() { String::new() } else { format!(" {name}{};", texts.iter().map(hash).collect::<String>()) }
    };
    format!(
        "default-src 'none';{}{} base-uri 'none'; form-action 'none'",
        sources("script-src", scripts),
        sources("style-src", styles)
    )
}
