//! The values of both sides: a tenant as the source wants it, a customer as Explo has it, and the fields they share.
//!
//! Promises: plain values, no I/O, no clock. All other layers may import it; it imports nothing of ours.

mod customer;
mod exported;
mod field;
pub mod json;
mod keys;
mod layout;
mod scan;
mod shown;
mod slots;
mod tenant;

pub use customer::{Customer, Gap, LARGEST_RECORD, Partial, Record};
pub use exported::Exported;
pub use field::Field;
pub use keys::Keys;
pub use layout::Layout;
pub use scan::Scan;
pub use shown::{cut, printable, shown, told_id};
pub use slots::Slots;
pub use tenant::{Invalid, Managed, Object, Row, Scope, TakeRow, Tenant, id_of};
