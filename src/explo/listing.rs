//! Listing all customers, page by page, side by side, with evidence that they are all.
//!
//! A pass is complete when no page promises fewer customers than the first one did, and the distinct customers reach what
//! the first page promised. Otherwise it is repeated and the union counts; after three passes the listing fails. Where
//! `total_count` is not to be trusted, a page that is shorter than the first, or empty, is the end. v1 gives everything in one
//! answer, which is complete if it can be read.
//!
//! The children of one customer end with what their first page promised, or with a short page: `total_count` may be that of
//! all customers.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Mutex,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use hashbrown::{HashTable, hash_table::Entry};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{
    Error, PageProgress, Unusable,
    client::{Client, ListingRules},
    page::Page,
    transport::Transport,
    wire::ListingVersion,
};
use crate::model::Customer;

/// Passes before a listing that doesn't add up fails.
const PASSES: usize = 3;

/// How a listing went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Listing {
    /// How often all pages were read.
    pub passes: usize,
    /// Pages read, over all passes.
    pub pages: usize,
    /// Pages read of the children of single customers.
    pub pages_of_children: usize,
}

/// The customers below one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Children {
    /// Of those that have one.
    pub provided_ids: Vec<String>,
    /// Pages read.
    pub pages: usize,
}

/// What one page was: its length and what it promised.
#[derive(Debug, Clone, Copy)]
struct Seen {
    customers: usize,
    total: Option<u64>,
}

/// Shows every distinct customer once, as its page arrives.
struct Union<'o> {
    /// Nobody can choose tokens that collide.
    seed: u64,
    /// A hash of each token: tokens are long, secret, and not needed.
    tokens: HashTable<u64>,
    observe: &'o mut dyn FnMut(&Customer<'_>),
}

pub(super) async fn list(
    client: &Client<impl Transport>,
    rules: &ListingRules,
    observe: &mut dyn FnMut(&Customer<'_>),
    progress: PageProgress<'_>,
) -> Result<Listing, Error> {
    let union = Mutex::new(Union::new(observe));
    let mut listing = Listing::default();
    if rules.version == ListingVersion::V1 {
        page(client, &union, None, 1).await?;
        progress(1, 1);
        return Ok(Listing { passes: 1, pages: 1, ..listing });
    }
    let mut total = None;
    while listing.passes < PASSES {
        listing.passes += 1;
        let seen = if rules.trust_total {
            pass(client, rules, &union, progress).await?
        } else {
            pass_to_short_page(client, &union, progress).await?
        };
        listing.pages += seen.len();
        total = seen.first().and_then(|page| page.total);
        let distinct = distinct(&union);
        if !rules.trust_total || is_complete(&seen, distinct) {
            return Ok(listing);
        }
        tracing::info!(pass = listing.passes, distinct, total, "the pages do not add up to total_count");
    }
    Err(Error::Incomplete {
        distinct: distinct(&union),
        passes: listing.passes,
        total: total.map_or_else(|| "nothing".to_owned(), |total| total.to_string()),
    })
}

/// One pass that goes by the first page's promise: the other pages side by side.
async fn pass(
    client: &Client<impl Transport>,
    rules: &ListingRules,
    union: &Mutex<Union<'_>>,
    progress: PageProgress<'_>,
) -> Result<Vec<Seen>, Error> {
    let first = page(client, union, None, 1).await?;
    let promised = first.total.and_then(|total| usize::try_from(total).ok()).unwrap_or(0);
    let pages = if first.customers == 0 { 1 } else { promised.div_ceil(first.customers).max(1) };
    progress(1, pages);
    let mut seen = vec![first];
    let mut others =
        stream::iter(2..=pages).map(|number| page(client, union, None, number)).buffer_unordered(rules.side_by_side);
    while let Some(other) = others.try_next().await? {
        seen.push(other);
        progress(seen.len(), pages);
    }
    Ok(seen)
}

async fn pass_to_short_page(
    client: &Client<impl Transport>,
    union: &Mutex<Union<'_>>,
    progress: PageProgress<'_>,
) -> Result<Vec<Seen>, Error> {
    let (mut seen, mut before) = (Vec::<Seen>::new(), 0);
    loop {
        seen.push(page(client, union, None, seen.len() + 1).await?);
        progress(seen.len(), seen.len());
        let (first, last) = (seen[0].customers, seen[seen.len() - 1].customers);
        if last == 0 || last < first {
            return Ok(seen);
        }
        let distinct = distinct(union);
        if distinct == before {
            let total = "nothing to go by, for the last full page comes again and again".to_owned();
            return Err(Error::Incomplete { distinct, passes: 1, total });
        }
        before = distinct;
    }
}

/// The children of one customer, page after page.
pub(super) async fn children(
    client: &Client<impl Transport>,
    rules: &ListingRules,
    parent: &str,
) -> Result<Children, Error> {
    let (mut provided_ids, mut seen) = (Vec::new(), Vec::<Seen>::new());
    let mut observe = |child: &Customer<'_>| provided_ids.extend(child.provided_id.as_deref().map(str::to_owned));
    let union = Mutex::new(Union::new(&mut observe));
    loop {
        let before = distinct(&union);
        seen.push(page(client, &union, Some(parent), seen.len() + 1).await?);
        let (first, last, distinct) = (seen[0], seen[seen.len() - 1].customers, distinct(&union));
        let is_all = first.total.is_some_and(|total| distinct as u64 >= total);
        if is_all && rules.trust_total || last < first.customers || distinct == before {
            break;
        }
    }
    drop(union);
    Ok(Children { provided_ids, pages: seen.len() })
}

impl<T: Transport> Client<T> {
    /// The first page alone: how many customers it has, and how many it promises.
    pub async fn first_page(&self) -> Result<(usize, Option<u64>), Error> {
        let mut nobody = |_: &Customer<'_>| {};
        let union = Mutex::new(Union::new(&mut nobody));
        let seen = page(self, &union, None, 1).await?;
        Ok((seen.customers, seen.total))
    }
}

async fn page(
    client: &Client<impl Transport>,
    union: &Mutex<Union<'_>>,
    parent: Option<&str>,
    number: usize,
) -> Result<Seen, Error> {
    let version = client.settings.listing.version;
    let read = |body: &[u8]| {
        let mut union = union.lock().map_err(|_| Unusable::Shape)?;
        let Page { total, customers } = Page::read(body, version, &mut |customer| union.add(customer))?;
        let all = (version == ListingVersion::V1).then_some(customers as u64);
        Ok(Seen { customers, total: all.or(total) })
    };
    Ok(client.page(parent, number, read).await?.unwrap_or(Seen { customers: 0, total: None }))
}

fn is_complete(seen: &[Seen], distinct: usize) -> bool {
    let Some(promised) = seen.first().and_then(|first| first.total) else { return false };
    let kept = seen.iter().all(|page| page.total.is_none_or(|total| total >= promised));
    kept && distinct as u64 >= promised
}

fn distinct(union: &Mutex<Union<'_>>) -> usize {
    union.lock().map_or(0, |union| union.tokens.len())
}

impl<'o> Union<'o> {
    fn new(observe: &'o mut dyn FnMut(&Customer<'_>)) -> Self {
        Self { seed: RandomState::new().hash_one(()), tokens: HashTable::new(), observe }
    }

    fn add(&mut self, customer: &Customer<'_>) {
        let key = if customer.token.is_empty() { customer.provided_id.as_deref() } else { Some(&*customer.token) };
        let token = xxh3_64_with_seed(key.unwrap_or_default().as_bytes(), self.seed);
        if let Entry::Vacant(place) = self.tokens.entry(token, |known| *known == token, |known| *known) {
            place.insert(token);
            (self.observe)(customer);
        }
    }
}
