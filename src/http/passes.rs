//! Reads all pages of a listing, with evidence that none is missing.
//!
//! A pass is complete if no page states a lower total than the first one, and the distinct records reach the first
//! page's total. Otherwise it is repeated, and the union counts; after three passes the listing fails. If the total is
//! not trusted, the end is an empty page; depending on the [`Walk`], it is a page shorter than the first, or a page
//! that names no next one.
//!
//! A total that is too high does not cause endless requests: after a page that is empty, or that equals another page of
//! the pass, no further page is requested. Requests in flight are awaited, and the next pass continues beyond that page
//! only if it then shows something new.

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    iter,
};

use futures_util::{StreamExt, stream};

use super::{Distinct, LARGEST_ANSWER, PageProgress, share};

/// Passes before an incomplete listing fails.
const PASSES: usize = 3;

/// The error of a page, or of an incomplete listing.
pub trait PageError: From<Incomplete> {
    /// Whether the page is larger than allowed.
    fn is_too_large(&self) -> bool;
}

/// A listing that comes page by page.
#[expect(async_fn_in_trait, reason = "one thread runs everything, so nobody needs the futures to be Send")]
pub trait Pages {
    /// The error of a page.
    type Error: PageError;

    /// Reads one page and adds its records.
    async fn page(&self, position: &Position) -> Result<PageSummary, Self::Error>;

    /// The number of distinct records so far.
    fn distinct(&self) -> usize;
}

/// The position of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The page's number, from 1.
    pub number: usize,
    /// Records on the pages before it.
    pub offset: usize,
    /// The cursor that the previous page named; `None` for the first page.
    pub cursor: Option<String>,
    /// The largest page that is read, in bytes: less if pages are read in parallel.
    pub most: usize,
}

/// What was read of one page: its records, the total that it states, and the next page that it names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageSummary {
    /// Records on it.
    pub records: usize,
    /// The number of records on all pages, if the page states it.
    pub total: Option<u64>,
    /// The next page's cursor.
    pub next: Option<String>,
    /// A checksum of the keys of its records: pages with the same sum are the same page.
    pub sum: u64,
    /// The size of its body.
    pub bytes: usize,
}

/// How pages are read.
#[derive(Debug, Clone, Copy)]
pub struct PassRules {
    /// The way from page to page.
    pub walk: Walk,
    /// Whether the total counts as evidence.
    pub trust_total: bool,
}

/// The way from page to page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// By the first page's total.
    ByTotal {
        /// Pages requested in parallel.
        side_by_side: usize,
        /// Whether the total may be that of the page alone: then a first page whose total is no more than its records
        /// is not assumed to be the last.
        is_doubted: bool,
    },
    /// One after the other, until a page is shorter than the first.
    ToShortPage,
    /// One after the other, until a page is empty.
    ToEmptyPage,
    /// From each page to the next that it names.
    ByCursor,
}

/// How a listing was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passes {
    /// How often all pages were read.
    pub passes: usize,
    /// Pages read in all passes.
    pub pages: usize,
}

/// Why there is no evidence that all records were listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incomplete {
    /// There are fewer records than the total says.
    Short {
        /// Records seen.
        distinct: usize,
        /// Passes made.
        passes: usize,
        /// The total of the last pass's first page.
        total: u64,
    },
    /// The first page states no total.
    Untold {
        /// Records seen.
        distinct: usize,
    },
    /// There are as many records as the first page's total, and a later page stated a lower one.
    Falling {
        /// Passes made.
        passes: usize,
        /// The total of the last pass's first page.
        total: u64,
        /// The lowest total of a later page.
        later: u64,
    },
    /// The total does not count, and the last page is repeated.
    Endless {
        /// Records seen.
        distinct: usize,
    },
}

/// Reads all pages, up to three times, until the listing is complete.
pub async fn read_all<P: Pages>(pages: &P, rules: PassRules, progress: PageProgress<'_>) -> Result<Passes, P::Error> {
    let (mut done, end) = (Passes::default(), Cell::new(usize::MAX));
    loop {
        done.passes += 1;
        let seen = pass(pages, rules.walk, &end, progress).await?;
        done.pages += seen.len();
        let (distinct, total) = (pages.distinct(), seen.first().and_then(|page| page.total));
        match lack(&seen, distinct, done.passes).filter(|_| rules.trust_total) {
            None => return Ok(done),
            Some(lack) if done.passes == PASSES => return Err(lack.into()),
            Some(_) => tracing::info!(pass = done.passes, distinct, total, "the pages do not add up to the total"),
        }
    }
}

/// Makes one pass. `end` is the number of the first page that was empty or repeated in the previous pass.
async fn pass<P: Pages>(
    pages: &P,
    walk: Walk,
    end: &Cell<usize>,
    progress: PageProgress<'_>,
) -> Result<Vec<PageSummary>, P::Error> {
    let first = pages.page(&Position { number: 1, offset: 0, cursor: None, most: LARGEST_ANSWER }).await?;
    match walk {
        Walk::ByTotal { side_by_side, is_doubted } => {
            let promised = first.total.and_then(|total| usize::try_from(total).ok()).unwrap_or(0);
            if is_doubted && promised <= first.records {
                return to_short_page(pages, first, progress).await;
            }
            by_total(pages, first, promised, side_by_side, end, progress).await
        }
        Walk::ToShortPage => to_short_page(pages, first, progress).await,
        Walk::ToEmptyPage => to_end(pages, first, 1, progress).await,
        Walk::ByCursor => by_cursor(pages, first, progress).await,
    }
}

/// Reads as many pages as the first page's total requires, in parallel, until a page is empty or repeated. If a page is
/// too large to be read in parallel, reads the remaining pages one after the other.
async fn by_total<P: Pages>(
    pages: &P,
    first: PageSummary,
    promised: usize,
    side_by_side: usize,
    end: &Cell<usize>,
    progress: PageProgress<'_>,
) -> Result<Vec<PageSummary>, P::Error> {
    let length = first.records;
    let count = if length == 0 { 1 } else { promised.div_ceil(length).clamp(1, usize::MAX - 1) };
    let before = end.replace(usize::MAX).min(count);
    progress(1, count);
    let mut shown = HashMap::from([(first.sum, 1)]);
    let alone = (LARGEST_ANSWER, 1);
    let beside = if first.bytes > share(side_by_side).0 { alone } else { share(side_by_side) };
    let is_crowded = Cell::new(beside == alone);
    let mut seen = vec![first];
    for mut numbers in [2..=before, before + 1..=count] {
        let mut too_large = Vec::new();
        for (most, at_once) in [beside, alone] {
            let mut again = std::mem::take(&mut too_large).into_iter();
            let mut next = || again.next().or_else(|| numbers.next()).filter(|number| *number < end.get());
            let asked = iter::from_fn(|| if most < LARGEST_ANSWER && is_crowded.get() { None } else { next() });
            let asked = asked.map(|number| async move {
                let offset = (number - 1).saturating_mul(length);
                (number, pages.page(&Position { number, offset, cursor: None, most }).await)
            });
            let mut others = stream::iter(asked).buffer_unordered(at_once);
            while let Some((number, other)) = others.next().await {
                let other = match other {
                    Err(error) if most < LARGEST_ANSWER && error.is_too_large() => {
                        is_crowded.set(true);
                        too_large.push(number);
                        continue;
                    }
                    other => other?,
                };
                let twin = shown.insert(other.sum, number);
                if other.records == 0 {
                    end.set(end.get().min(number));
                } else if let Some(twin) = twin {
                    end.set(end.get().min(number.max(twin)));
                }
                seen.push(other);
                progress(seen.len(), count.min(end.get()).max(seen.len()));
            }
            drop(others);
            too_large.sort_unstable();
        }
    }
    Ok(seen)
}

async fn to_short_page<P: Pages>(
    pages: &P,
    first: PageSummary,
    progress: PageProgress<'_>,
) -> Result<Vec<PageSummary>, P::Error> {
    let length = first.records;
    to_end(pages, first, length, progress).await
}

/// Reads to the first page with fewer records than `least`.
async fn to_end<P: Pages>(
    pages: &P,
    first: PageSummary,
    least: usize,
    progress: PageProgress<'_>,
) -> Result<Vec<PageSummary>, P::Error> {
    let mut shown = HashSet::from([first.sum]);
    let (mut offset, mut length, mut seen) = (first.records, first.records, vec![first]);
    loop {
        progress(seen.len(), seen.len());
        if length < least.max(1) {
            return Ok(seen);
        }
        let page = pages.page(&Position { number: seen.len() + 1, offset, cursor: None, most: LARGEST_ANSWER }).await?;
        (length, offset) = (page.records, offset + page.records);
        if length > 0 && !shown.insert(page.sum) {
            return Err(Incomplete::Endless { distinct: pages.distinct() }.into());
        }
        seen.push(page);
    }
}

async fn by_cursor<P: Pages>(
    pages: &P,
    first: PageSummary,
    progress: PageProgress<'_>,
) -> Result<Vec<PageSummary>, P::Error> {
    let (mut next, mut offset, mut seen) = (first.next.clone(), first.records, vec![first]);
    let mut cursors = Distinct::default();
    loop {
        progress(seen.len(), seen.len());
        let Some(cursor) = next else { return Ok(seen) };
        if !cursors.insert(&cursor) {
            return Err(Incomplete::Endless { distinct: pages.distinct() }.into());
        }
        let page = pages
            .page(&Position { number: seen.len() + 1, offset, cursor: Some(cursor), most: LARGEST_ANSWER })
            .await?;
        (next, offset) = (page.next.clone(), offset + page.records);
        seen.push(page);
    }
}

/// What a pass lacks to be complete.
fn lack(seen: &[PageSummary], distinct: usize, passes: usize) -> Option<Incomplete> {
    let Some(total) = seen.first().and_then(|first| first.total) else { return Some(Incomplete::Untold { distinct }) };
    let later = seen.iter().filter_map(|page| page.total).min().unwrap_or(total);
    if (distinct as u64) < total {
        Some(Incomplete::Short { distinct, passes, total })
    } else {
        (later < total).then_some(Incomplete::Falling { passes, total, later })
    }
}

#[cfg(test)]
mod tests;
