//! The real reconciler, client, pacer and applier between random tenants and a sandbox in process, on a paused clock. A seed
//! is a whole world: the same one gives the same calls at the same times.

mod convergence;
mod faults;
mod oracle;
mod scenario;
mod world;
