//! How tenants leave.

use std::time::Duration;

use super::{
    draft::Draft,
    values::{DAY, between},
};
use crate::{memory::Action, plan::Offboarding};

/// The longest that a row must be gone.
const LONGEST: Duration = Duration::from_secs(3650 * DAY.as_secs());

pub(super) fn offboarding(draft: &mut Draft, lacks_ledger: bool) -> Option<Offboarding> {
    let actions = [("none", None), ("lock_out", Some(Action::LockOut)), ("delete", Some(Action::Delete))];
    let action = draft.choice("offboard.action", &actions);
    let form = "a time such as \"0s\", \"12h\" or \"7d\", at most 3650 days";
    let after = between(draft, "offboard.after", form, Duration::ZERO, LONGEST);
    if action == Some(Some(Action::Delete)) && lacks_ledger {
        draft.mistake(
            "offboard.action",
            "= \"delete\" needs a ledger, which keeps what is deleted: set ledger.url = \"source\", or the URL of a database",
        );
    }
    Some(Offboarding { action: action?, after: after?.as_secs() })
}
