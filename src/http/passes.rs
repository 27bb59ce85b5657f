//! Reading all pages of a listing, with evidence that they are all.
//!
//! A pass is complete when no page promises fewer records than the first one did, and the distinct records reach what
//! the first page promised. Otherwise it is repeated and the union counts; after three passes the listing fails. Where the
//! total is not to be trusted, a page that is shorter than the first, or empty, is the end, or the page that names no next one.

use std::hash::{BuildHasher, RandomState};

use futures_util::{StreamExt, TryStreamExt, stream};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::PageProgress;
use crate::model::Slots;

/// Records for which room is made because a server promises them.
const BELIEVED: u64 = 4 << 20;

/// Passes before a listing that doesn't add up fails.
const PASSES: usize = 3;

/// A listing that comes page by page.
#[expect(async_fn_in_trait, reason = "one thread runs everything, so nobody needs the futures to be Send")]
pub trait Pages {
    /// Why a page can't be had, or all of them are too few.
    type Error: From<Incomplete>;

    /// Reads one page and takes its records in.
    async fn page(&self, position: &Position) -> Result<Seen, Self::Error>;

    /// How many distinct records were taken in so far.
    fn distinct(&self) -> usize;
}

/// Where a page is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub number: usize,
    /// Records on the pages before it.
    pub offset: usize,
    /// What the page before it named; nothing for the first.
    pub cursor: Option<String>,
}

/// What one page was: its length, what it promised, and which page it named as the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Records on it.
    pub records: usize,
    /// Records on all pages, where it says so.
    pub total: Option<u64>,
    /// The next page's cursor.
    pub next: Option<String>,
}

/// How pages are read.
#[derive(Debug, Clone, Copy)]
pub struct PassRules {
    /// The way from page to page.
    pub walk: Walk,
    /// Whether the total is evidence.
    pub trust_total: bool,
}

/// The way from page to page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// By the first page's promise.
    ByTotal {
        /// Pages under way at once.
        side_by_side: usize,
        /// Whether a total may be that of the page alone: a first page that promises no more than it has is not taken to be
        /// the last.
        is_doubted: bool,
    },
    /// One after the other, to one that is short.
    ToShortPage,
    /// From one to the next that it names.
    ByCursor,
}

/// How reading went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passes {
    /// How often all pages were read.
    pub passes: usize,
    /// Pages read, over all passes.
    pub pages: usize,
}

/// The pages can't be shown to be all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incomplete {
    /// Records seen.
    pub distinct: usize,
    /// Times listed.
    pub passes: usize,
    /// What the last pass's first page promised.
    pub total: String,
}

/// Tells what was there before, by hashes: what tells records apart may be long, or secret.
#[derive(Debug)]
pub struct Distinct {
    /// Nobody can choose keys that collide.
    seed: u64,
    seen: Slots,
}

impl Default for Distinct {
    fn default() -> Self {
        Self { seed: RandomState::new().hash_one(()), seen: Slots::default() }
    }
}

/// Reads every page until the evidence is there.
pub async fn read_all<P: Pages>(pages: &P, rules: PassRules, progress: PageProgress<'_>) -> Result<Passes, P::Error> {
    let (mut done, mut total) = (Passes::default(), None);
    while done.passes < PASSES {
        done.passes += 1;
        let seen = pass(pages, rules.walk, progress).await?;
        done.pages += seen.len();
        total = seen.first().and_then(|page| page.total);
        let distinct = pages.distinct();
        if !rules.trust_total || is_complete(&seen, distinct) {
            return Ok(done);
        }
        tracing::info!(pass = done.passes, distinct, total, "the pages do not add up to the total");
    }
    let total = total.map_or_else(|| "nothing".to_owned(), |total| total.to_string());
    Err(Incomplete { distinct: pages.distinct(), passes: done.passes, total }.into())
}

async fn pass<P: Pages>(pages: &P, walk: Walk, progress: PageProgress<'_>) -> Result<Vec<Seen>, P::Error> {
    let first = pages.page(&Position { number: 1, offset: 0, cursor: None }).await?;
    match walk {
        Walk::ByTotal { side_by_side, is_doubted } => {
            let promised = first.total.and_then(|total| usize::try_from(total).ok()).unwrap_or(0);
            if is_doubted && promised <= first.records {
                return to_short_page(pages, first, progress).await;
            }
            by_total(pages, first, promised, side_by_side, progress).await
        }
        Walk::ToShortPage => to_short_page(pages, first, progress).await,
        Walk::ByCursor => by_cursor(pages, first, progress).await,
    }
}

/// Goes by the first page's promise: the other pages side by side.
async fn by_total<P: Pages>(
    pages: &P,
    first: Seen,
    promised: usize,
    side_by_side: usize,
    progress: PageProgress<'_>,
) -> Result<Vec<Seen>, P::Error> {
    let length = first.records;
    let count = if length == 0 { 1 } else { promised.div_ceil(length).max(1) };
    progress(1, count);
    let mut seen = vec![first];
    let others = (2..=count).map(|number| Position { number, offset: (number - 1) * length, cursor: None });
    let asked = others.map(|position| async move { pages.page(&position).await });
    let mut others = stream::iter(asked).buffer_unordered(side_by_side);
    while let Some(other) = others.try_next().await? {
        seen.push(other);
        progress(seen.len(), count);
    }
    Ok(seen)
}

async fn to_short_page<P: Pages>(pages: &P, first: Seen, progress: PageProgress<'_>) -> Result<Vec<Seen>, P::Error> {
    let (length, mut last, mut seen, mut before) = (first.records, first.records, vec![first], 0);
    loop {
        progress(seen.len(), seen.len());
        if last == 0 || last < length {
            return Ok(seen);
        }
        let distinct = pages.distinct();
        if distinct == before {
            return Err(repeated(distinct, "full").into());
        }
        before = distinct;
        let page = pages.page(&Position { number: seen.len() + 1, offset: seen.len() * length, cursor: None }).await?;
        last = page.records;
        seen.push(page);
    }
}

async fn by_cursor<P: Pages>(pages: &P, first: Seen, progress: PageProgress<'_>) -> Result<Vec<Seen>, P::Error> {
    let (mut next, mut offset, mut seen) = (first.next.clone(), first.records, vec![first]);
    let mut cursors = Distinct::default();
    loop {
        progress(seen.len(), seen.len());
        let Some(cursor) = next else { return Ok(seen) };
        if !cursors.insert(&cursor) {
            return Err(repeated(pages.distinct(), "named").into());
        }
        let page = pages.page(&Position { number: seen.len() + 1, offset, cursor: Some(cursor) }).await?;
        (next, offset) = (page.next.clone(), offset + page.records);
        seen.push(page);
    }
}

fn repeated(distinct: usize, which: &str) -> Incomplete {
    let total = format!("nothing to go by, for the last {which} page comes again and again");
    Incomplete { distinct, passes: 1, total }
}

fn is_complete(seen: &[Seen], distinct: usize) -> bool {
    let Some(promised) = seen.first().and_then(|first| first.total) else { return false };
    let kept = seen.iter().all(|page| page.total.is_none_or(|total| total >= promised));
    kept && distinct as u64 >= promised
}

impl Distinct {
    /// Whether this was not there before; from now on it was.
    pub fn insert(&mut self, key: &str) -> bool {
        let hash = self.hash(key);
        self.insert_hash(hash)
    }

    /// The same of each of these.
    pub fn insert_all<'k>(&mut self, keys: impl Iterator<Item = &'k str>) -> Vec<bool> {
        let hashes: Vec<_> = keys.map(|key| self.hash(key)).collect();
        self.seen.touch(hashes.iter().copied());
        hashes.into_iter().map(|hash| self.insert_hash(hash)).collect()
    }

    /// Makes room for so many, as far as that is believable.
    pub fn expect(&mut self, total: u64) {
        self.seen.reserve(usize::try_from(total.min(BELIEVED)).unwrap_or(0));
    }

    fn insert_hash(&mut self, hash: u64) -> bool {
        let is_new = self.seen.find(hash, |known| known == hash).is_none();
        if is_new {
            self.seen.insert(hash);
        }
        is_new
    }

    fn hash(&self, key: &str) -> u64 {
        xxh3_64_with_seed(key.as_bytes(), self.seed).max(1)
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> usize {
        self.seen.count()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::{Cell, RefCell},
        collections::HashSet,
    };

    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Pages of numbers, each with the cursor of the next.
    struct Numbers {
        pages: Vec<(Vec<u32>, Option<&'static str>)>,
        total: Option<u64>,
        asked: RefCell<Vec<Position>>,
        distinct: RefCell<Distinct>,
        passes_until_whole: Cell<usize>,
    }

    impl Pages for Numbers {
        type Error = Incomplete;

        async fn page(&self, position: &Position) -> Result<Seen, Incomplete> {
            self.asked.borrow_mut().push(position.clone());
            let (numbers, next) = self.pages.get(position.number - 1).cloned().unwrap_or_default();
            if position.number == 1 {
                self.passes_until_whole.set(self.passes_until_whole.get().saturating_sub(1));
            }
            let lacks = usize::from(self.passes_until_whole.get() > 0);
            for number in numbers.iter().skip(lacks) {
                self.distinct.borrow_mut().insert(&number.to_string());
            }
            Ok(Seen { records: numbers.len(), total: self.total, next: next.map(str::to_owned) })
        }

        fn distinct(&self) -> usize {
            self.distinct.borrow().count()
        }
    }

    fn numbers(pages: &[(&[u32], Option<&'static str>)], total: Option<u64>, passes: usize) -> Numbers {
        Numbers {
            pages: pages.iter().map(|(numbers, next)| (numbers.to_vec(), *next)).collect(),
            total,
            asked: RefCell::default(),
            distinct: RefCell::default(),
            passes_until_whole: Cell::new(passes),
        }
    }

    async fn read(numbers: &Numbers, walk: Walk) -> Result<Passes, Incomplete> {
        read_all(numbers, PassRules { walk, trust_total: numbers.total.is_some() }, &|_, _| {}).await
    }

    proptest! {
        #[test]
        fn keys_are_new_once_be_they_told_together_or_one_by_one(keys in vec(vec("[a-c]{0,3}", 0..20), 0..5)) {
            let (mut together, mut before) = (Distinct::default(), HashSet::new());
            for keys in keys {
                let are_new = together.insert_all(keys.iter().map(String::as_str));
                let expected: Vec<_> = keys.into_iter().map(|key| before.insert(key)).collect();
                prop_assert_eq!(are_new, expected);
                prop_assert_eq!(together.count(), before.len());
            }
            for key in ["a", "d"] {
                prop_assert_eq!(together.insert(key), before.insert(key.to_owned()));
            }
        }
    }

    #[tokio::test]
    async fn cursors_are_followed_to_the_page_that_names_none_and_the_total_counts_where_there_is_one() {
        let pages: [(&[u32], _); 3] = [(&[1, 2], Some("a")), (&[], Some("b")), (&[3], None)];
        for total in [None, Some(3)] {
            let numbers = numbers(&pages, total, 1);
            assert_eq!(read(&numbers, Walk::ByCursor).await, Ok(Passes { passes: 1, pages: 3 }));
            let asked: Vec<_> = numbers.asked.take().into_iter().map(|position| position.cursor).collect();
            assert_eq!(asked, [None, Some("a".to_owned()), Some("b".to_owned())]);
        }
        let short = read(&numbers(&pages, Some(4), 1), Walk::ByCursor).await;
        assert_eq!(short, Err(Incomplete { distinct: 3, passes: 3, total: "4".to_owned() }));
        let mended = read(&numbers(&pages, Some(3), 2), Walk::ByCursor).await;
        assert_eq!(mended, Ok(Passes { passes: 2, pages: 6 }));
    }

    #[tokio::test]
    async fn cursors_that_go_in_a_circle_end() {
        let pages: [(&[u32], _); 4] = [(&[1], Some("a")), (&[2], Some("b")), (&[3], Some("a")), (&[1], Some("b"))];
        let turned = read(&numbers(&pages, None, 1), Walk::ByCursor).await.unwrap_err();
        assert!(turned.total.contains("again and again"), "{turned:?}");
    }

    #[tokio::test]
    async fn a_total_that_is_that_of_the_page_is_found_out_where_it_is_doubted() {
        let pages: [(&[u32], _); 2] = [(&[1, 2], None), (&[3, 4], None)];
        let by_total = |is_doubted| Walk::ByTotal { side_by_side: 2, is_doubted };
        assert_eq!(read(&numbers(&pages, Some(2), 1), by_total(false)).await, Ok(Passes { passes: 1, pages: 1 }));
        let doubted = numbers(&pages, Some(2), 1);
        assert_eq!(read(&doubted, by_total(true)).await, Ok(Passes { passes: 1, pages: 3 }), "all are read");
        let offsets: Vec<_> = doubted.asked.take().into_iter().map(|position| position.offset).collect();
        assert_eq!(offsets, [0, 2, 4]);
    }
}
