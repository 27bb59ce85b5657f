//! What listings and look-ups of the demo customer tell.

use super::{
    demo::{Answer, Demo},
    pages::{Ends, LARGEST, Listed},
    question::{
        COUNTED, Finding, IDS, LISTING, PAGE_SIZE, PAST_END, PROPERTY_KEYS, Question, TOTAL, UNKNOWN_PARAMETERS,
    },
};
use crate::{
    explo::{Endpoint, Error, ListingVersion},
    model::json,
};

/// The questions that only a listing with pages answers.
const OF_PAGES: [&Question; 5] = [PAGE_SIZE, UNKNOWN_PARAMETERS, TOTAL, COUNTED, PAST_END];

/// The names of the page size.
pub(super) const SIZES: [&str; 2] = ["page_size", "pageSize"];

/// How the listing takes a page of one customer under each name of the page size.
struct Alone {
    /// The names that work.
    understood: Vec<&'static str>,
    /// The names that are not refused.
    taken: Vec<&'static str>,
}

pub(super) async fn measure(demo: &mut Demo<'_>) -> Result<(), Error> {
    if let Some(alone) = alone(demo).await? {
        with_pages(demo, alone).await?;
    } else {
        demo.find(LISTING.found("v1", ""));
        for question in OF_PAGES {
            demo.find(question.untried("there are no pages in v1"));
        }
        demo.page(demo.client, ListingVersion::V1, &[]).await?.needed(Endpoint::Customers)?;
    }
    demo.find(property_keys(demo));
    let id = demo.id.clone();
    let (folded, trimmed) = (id.to_uppercase(), format!(" {id} "));
    let ids = match (demo.is_found_as(&folded).await?, demo.is_found_as(&trimmed).await?) {
        (false, false) => "exact",
        (true, false) => "folded",
        (false, true) => "trimmed",
        (true, true) => "both",
    };
    demo.find(IDS.found(ids, ""));
    Ok(())
}

/// `None` if there is no such listing.
async fn alone(demo: &mut Demo<'_>) -> Result<Option<Alone>, Error> {
    let mut alone = Alone { understood: Vec::new(), taken: Vec::new() };
    for name in SIZES {
        let query = [("page", "1".to_owned()), (name, "1".to_owned())];
        match demo.page(demo.client, ListingVersion::V2, &query).await? {
            Answer::Shows(page) => {
                alone.taken.push(name);
                alone.understood.extend((page.tokens.len() == 1).then_some(name));
            }
            Answer::Refuses(refused) if [404, 405].contains(&refused.status) => return Ok(None),
            Answer::Refuses(_) => {}
        }
    }
    Ok(Some(alone))
}

async fn with_pages(demo: &mut Demo<'_>, Alone { understood, taken }: Alone) -> Result<(), Error> {
    demo.find(LISTING.found("v2", ""));
    let ends = demo.ends(demo.client, &taken).await?.needed(Endpoint::Customers)?;
    let shown = ends.first.tokens.len();
    demo.find(page_size(&ends, &understood));
    demo.find(total(&ends.first));
    demo.find(match (ends.first.total.map(usize::try_from), ends.shown) {
        (None, _) => COUNTED.untried("there is no total"),
        (Some(Ok(total)), Some(shown)) if total == shown => COUNTED.found("listed", ""),
        (Some(Ok(total)), Some(_)) if total < shown => COUNTED.found("fewer", ""),
        (Some(_), _) => COUNTED.found("more", ""),
    });
    let beyond = ends.first.total.unwrap_or(1_000_000).max(shown as u64) + 1;
    let size = understood.first().map(|name| (*name, "1".to_owned()));
    let query: Vec<_> = [("page", beyond.to_string())].into_iter().chain(size).collect();
    let unknown = ("explo_sync_probe", "1".to_owned());
    let with_unknown = query.iter().cloned().chain([unknown]).collect::<Vec<_>>();
    let mut refuses_unknown = taken.len() < SIZES.len();
    let mut page =
        demo.page(demo.client, ListingVersion::V2, if refuses_unknown { &query } else { &with_unknown }).await?;
    if !refuses_unknown && matches!(&page, Answer::Refuses(refused) if refused.status == 400) {
        page = demo.page(demo.client, ListingVersion::V2, &query).await?;
        refuses_unknown = !matches!(&page, Answer::Refuses(refused) if refused.status == 400);
    }
    demo.find(UNKNOWN_PARAMETERS.found(if refuses_unknown { "refused" } else { "ignored" }, ""));
    demo.find(past_end(page, &ends));
    Ok(())
}

fn page_size(ends: &Ends, understood: &[&'static str]) -> Finding {
    let Listed { tokens, total, .. } = &ends.first;
    if tokens.len() < 2 && total.is_none_or(|total| total < 2) {
        return PAGE_SIZE.untried("no other customer listed");
    }
    let name = match understood {
        [] => "neither",
        [one] => one,
        [..] => "both",
    };
    let is_less = tokens.len() < LARGEST && ends.last != tokens.last().cloned();
    PAGE_SIZE.found(name, if is_less { format!("at most {} on a page", tokens.len()) } else { String::new() })
}

fn total(Listed { totals, .. }: &Listed) -> Finding {
    let name = match totals {
        [true, true] => "both",
        [true, false] => "total_count",
        [false, true] => "count",
        [false, false] => "missing",
    };
    TOTAL.found(name, "")
}

fn past_end(page: Answer<Listed>, ends: &Ends) -> Finding {
    let page = match page {
        Answer::Refuses(refused) if refused.status == 404 => return PAST_END.found("404", ""),
        Answer::Refuses(refused) => return PAST_END.found("refused", refused.to_string()),
        Answer::Shows(page) => page,
    };
    let is_first = page.tokens.first() == ends.first.tokens.first();
    let is_last = page.tokens.last() == ends.last.as_ref();
    PAST_END.found(
        match (page.tokens.is_empty(), is_first, is_last) {
            (true, _, _) => "empty",
            (false, true, false) => "first",
            (false, false, true) => "last",
            (false, ..) => "repeated",
        },
        "",
    )
}

/// Compares the keys that the listing shows with those of the answer to the creation.
fn property_keys(demo: &Demo<'_>) -> Finding {
    let Some((_, listed)) = &demo.seen.listed else {
        return PROPERTY_KEYS.untried("not on the pages read");
    };
    let answer = match (style(listed), style(&demo.properties)) {
        ("stored", "stored") => "stored",
        ("snake", "stored") => "snake-listed",
        ("camel", "stored") => "camel-listed",
        ("snake", "snake") => "snake",
        ("camel", "camel") => "camel",
        _ => "changed",
    };
    PROPERTY_KEYS.found(answer, "")
}

/// The style of `probeValue` and `other_probe`.
fn style(properties: &str) -> &'static str {
    let has = |key: &str| json::members(properties).any(|(known, _)| known == key);
    match (has("probeValue"), has("probe_value"), has("other_probe"), has("otherProbe")) {
        (true, _, true, _) => "stored",
        (_, true, true, _) => "snake",
        (true, _, _, true) => "camel",
        _ => "changed",
    }
}
