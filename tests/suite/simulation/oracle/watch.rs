//! Laws for rows that change while they are written: no two writers of one id at once, and no older state of a row over
//! a newer one. Each state of a row has a name of its own, which writes reveal.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use explo_sync::model::Tenant;

use crate::simulation::{
    tell,
    wire::{By, Call},
};

/// Watches the writes of a world.
#[derive(Default)]
pub struct Watch {
    is_on: Cell<bool>,
    rows: RefCell<BTreeMap<String, Row>>,
    /// The ids of the writes in flight.
    in_flight: RefCell<Vec<Vec<String>>>,
}

/// What happened to a row, and to its customer.
#[derive(Default)]
struct Row {
    /// The names of its states; `None`: there was no row, or it had no name.
    states: Vec<Option<String>>,
    /// The newest state that was written.
    written: usize,
    /// By whom, unless the ledger knows of it.
    unrecorded: Option<By>,
    /// Whether the last write was acknowledged: if not, nobody tells the ledger of it.
    is_acknowledged: bool,
    /// The process with this number knows this state by a wake: its later writes are not older.
    known: BTreeMap<usize, usize>,
    /// Runs of other processes that began before this time can't know a newer state: its writer died before it could
    /// tell.
    untold: Option<u128>,
}

/// A write in flight, until this is dropped.
pub struct Flight<'w>(&'w Watch, Vec<String>);

impl Watch {
    pub fn is_on(&self) -> bool {
        self.is_on.get()
    }

    /// Begins to watch, with these rows.
    pub fn start(&self, tenants: &[Tenant<'_>]) {
        self.is_on.set(true);
        for tenant in tenants {
            self.changed(&tenant.provided_id, tenant.name.as_deref());
        }
    }

    /// A row has another name now; `None`: it is gone, or nameless.
    pub fn changed(&self, id: &str, name: Option<&str>) {
        tell::event(format_args!("the row {id:?} has the name {name:?}"));
        self.rows.borrow_mut().entry(id.to_owned()).or_default().states.push(name.map(str::to_owned));
    }

    /// The number of a row's present state.
    pub fn state(&self, id: &str) -> usize {
        self.rows.borrow().get(id).map_or(0, |row| row.states.len())
    }

    /// Whether this process can't know the last write: its writer died before it told the ledger, or another process has
    /// not told it yet.
    pub fn is_untold(&self, process: usize, id: &str) -> bool {
        let is_others = |row: &Row| row.unrecorded.is_some_and(|by| by.process != process);
        self.rows.borrow().get(id).is_some_and(|row| row.untold.is_some() || is_others(row))
    }

    /// Whether this id had a row, with a name, all the time.
    pub fn is_steady(&self, id: &str) -> bool {
        self.rows.borrow().get(id).is_some_and(|row| row.states.iter().all(Option::is_some))
    }

    /// A wake is over that read this state of a row, or a newer one.
    pub fn woken(&self, process: usize, id: &str, state: usize) {
        if let Some(row) = self.rows.borrow_mut().get_mut(id) {
            let known = row.known.entry(process).or_default();
            *known = state.saturating_sub(1).max(*known);
        }
    }

    /// A call begins: no other write of the same customer is in flight.
    pub fn begins(&self, call: &Call) -> Option<Flight<'_>> {
        if !self.is_on() || !call.is_write() {
            return None;
        }
        let mut ids = vec![call.provided_id().to_owned()];
        ids.extend(call.new_id().map(str::to_owned));
        let mut in_flight = self.in_flight.borrow_mut();
        let is_alone = !in_flight.iter().flatten().any(|id| ids.contains(id));
        assert!(is_alone, "two writes at once: {call:?}");
        in_flight.push(ids.clone());
        if let Some(row) = self.rows.borrow().get(call.tenant_id()) {
            let known = row.known.get(&call.by.process).copied().unwrap_or(0);
            let is_new = call.name().is_none_or(|name| row.place(name, known).is_some());
            assert!(is_new, "a wake has read state {known} of {:?}, and then an older one is sent: {call}", row.states);
        }
        Some(Flight(self, ids))
    }

    /// Explo has given a customer the name that a write sends.
    pub fn applied(&self, call: &Call) {
        let (true, Some(name)) = (self.is_on(), call.name()) else { return };
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.get_mut(call.tenant_id()) else { return };
        let is_others = |by: By| by.process != call.by.process && !row.is_acknowledged;
        let is_untold = row.untold.is_some_and(|until| call.by.since < until) || row.unrecorded.is_some_and(is_others);
        match row.place(name, row.written) {
            Some(place) => row.written = place,
            None => assert!(
                is_untold,
                "an older state is written over number {} of {:?} by {:?}: {call}",
                row.written, row.states, call.by
            ),
        }
        (row.unrecorded, row.is_acknowledged) = (Some(call.by), false);
    }

    /// Explo has given a customer another id.
    pub fn renamed(&self, call: &Call) {
        let mut rows = self.rows.borrow_mut();
        for id in [call.provided_id(), call.tenant_id()] {
            if let Some(row) = rows.get_mut(id) {
                (row.unrecorded, row.is_acknowledged) = (Some(call.by), false);
            }
        }
    }

    /// The answer to a call arrived.
    pub fn answered(&self, call: &Call) {
        if call.is_acknowledged()
            && let Some(row) = self.rows.borrow_mut().get_mut(call.tenant_id())
            && row.unrecorded.is_some_and(|by| by.process == call.by.process)
        {
            row.is_acknowledged = true;
        }
    }

    /// The ledger knows that a customer is in sync.
    pub fn recorded(&self, id: &str) {
        if let Some(row) = self.rows.borrow_mut().get_mut(id) {
            row.unrecorded = None;
        }
    }

    /// A process died: nobody knows of its last writes.
    pub fn died(&self, process: usize, now: u128) {
        tell::event(format_args!("{process} dies"));
        for row in self.rows.borrow_mut().values_mut() {
            if row.unrecorded.take_if(|by| by.process == process).is_some() {
                row.untold = Some(now);
            }
        }
    }
}

impl Row {
    /// The first state with this name that is not older than `least`.
    fn place(&self, name: &str, least: usize) -> Option<usize> {
        let mut later = (least..).zip(self.states.iter().skip(least));
        later.find(|(_, state)| state.as_deref() == Some(name)).map(|(place, _)| place)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut in_flight = self.0.in_flight.borrow_mut();
        if let Some(place) = in_flight.iter().position(|ids| *ids == self.1) {
            in_flight.swap_remove(place);
        }
    }
}
