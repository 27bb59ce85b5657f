//! The lines of a report: their marks, their colours, and an id with its name.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style as Paint};

use super::words::grouped;
use crate::{model::shown, plan::Plan};

/// Lines of one kind that are shown without `-v`.
pub(super) const SHOWN: usize = 20;

/// How much is shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// Show names, addresses and other values, not only ids and field names.
    pub values: bool,
    /// Show every line of a long list.
    pub all: bool,
}

pub(in crate::report) const GREEN: Paint = AnsiColor::Green.on_default();
pub(in crate::report) const YELLOW: Paint = AnsiColor::Yellow.on_default();
pub(in crate::report) const RED: Paint = AnsiColor::Red.on_default();
pub(in crate::report) const DIM: Paint = Paint::new().dimmed();
pub(in crate::report) const BOLD: Paint = Paint::new().bold();

/// An id, and beside it the name of its tenant if values are shown.
pub(super) fn named(plan: &Plan, provided_id: &str, style: Style) -> String {
    let tenant = if style.values { plan.index.tenant_of(provided_id) } else { None };
    match tenant.and_then(|tenant| tenant.name) {
        Some(name) => format!("{}  {DIM}{}{DIM:#}", shown(provided_id), shown(&name)),
        None => shown(provided_id),
    }
}

/// Writes a line per element, and the number of those that are left out.
pub(super) fn write_list<T>(
    mark: char,
    paint: Paint,
    list: &[T],
    style: Style,
    out: &mut dyn Write,
    line: impl Fn(&T) -> String,
) -> io::Result<()> {
    let shown = if style.all { list.len() } else { SHOWN };
    for element in list.iter().take(shown) {
        writeln!(out, "  {paint}{mark}{paint:#} {}", line(element))?;
    }
    match list.len().saturating_sub(shown) {
        0 => Ok(()),
        more => writeln!(out, "  {paint}{mark}{paint:#} {DIM}… and {} more (-v shows all){DIM:#}", grouped(more)),
    }
}
