//! Removes the demo customer. Deleting can't be undone and names a token alone, so the listing and two answers must
//! agree on it.

use super::{
    demo::{Answer, Demo, Seen},
    listing::SIZES,
};
use crate::explo::{Attempts, Client, Error, ListingVersion, Look, Reader, Writer};

/// What became of the demo customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remains {
    /// It was never made.
    Nothing,
    /// It is deleted.
    Deleted,
    /// It is, or may be, still there, for this reason.
    Left(String),
}

/// An answer that shows another token, or that refuses what was there, is asked for again.
const LOOKS: usize = 3;

/// Removes it, if it may exist; also returns the token that is gone.
pub(super) async fn remove(demo: &mut Demo<'_>, client: &Client) -> (Remains, Option<String>) {
    if !demo.is_begun {
        return (Remains::Nothing, None);
    }
    match found(demo, client).await {
        Ok(None) => (Remains::Nothing, None),
        Ok(Some(token)) => match client.delete(&demo.id, &token, Attempts::ALL, None).await {
            Ok(()) => (Remains::Deleted, Some(token)),
            Err(error) => (Remains::Left(error.to_string()), None),
        },
        Err(reason) => (Remains::Left(reason), None),
    }
}

/// Its token; `None` if it does not exist.
async fn found(demo: &mut Demo<'_>, client: &Client) -> Result<Option<String>, String> {
    let told = |error: Error| error.to_string();
    if !demo.seen.has_listing {
        list(demo, client).await.map_err(told)?;
    }
    let mut doubt = String::new();
    for _ in 0..LOOKS {
        let token = match client.customer(&demo.id).await.map_err(told)? {
            Look::Found(customer) => customer.token.into_owned(),
            Look::Unreadable(partial) => partial.token.into_owned(),
            Look::Refused(refusal) => {
                let was_seen = demo.seen.listed.is_some() || !demo.seen.tokens.is_empty();
                if !was_seen && client.is_absence(&refusal).await.map_err(told)? {
                    return Ok(None);
                }
                doubt = refusal.to_string();
                continue;
            }
        };
        if demo.seen.confirms(&token) {
            return Ok(Some(token));
        }
        "the answers and the listing do not agree on its token".clone_into(&mut doubt);
        demo.seen.tokens.insert(token);
    }
    Err(doubt)
}

/// Reads the ends of the listing, in the first way that this server takes.
async fn list(demo: &mut Demo<'_>, client: &Client) -> Result<(), Error> {
    for sizes in [&SIZES[..], &SIZES[..1], &SIZES[1..], &[]] {
        match demo.ends(client, sizes).await? {
            Answer::Shows(_) => return Ok(()),
            Answer::Refuses(refused) if refused.status == 400 => {}
            Answer::Refuses(_) => break,
        }
    }
    demo.page(client, ListingVersion::V1, &[]).await.map(drop)
}

impl Seen {
    /// Whether a look's token is certainly this customer's: as listed, or where no page showed the customer, as an
    /// earlier answer showed it and no page for another.
    fn confirms(&self, token: &str) -> bool {
        let is_listed = match &self.listed {
            Some((listed, _)) => listed == token,
            None => self.has_listing && self.tokens.contains(token),
        };
        is_listed && !token.is_empty() && !self.others.contains(token)
    }
}
