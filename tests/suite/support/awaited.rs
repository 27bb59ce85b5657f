//! What tests wait for in the sandbox.

use std::time::Duration;

use explo_sync::sandbox::{Call, Sandbox};
use tokio::time::{Instant, sleep};

/// Waits until the sandbox has got so many calls, and a little longer.
pub async fn are_called(sandbox: &Sandbox, calls: &mut Vec<Call>, most: usize, longer: Duration) {
    while calls.len() < most {
        sleep(Duration::from_millis(1)).await;
        calls.extend(sandbox.take_calls());
    }
    // A timer is not so fine.
    let moment = Instant::now() + longer;
    while Instant::now() < moment {
        tokio::task::yield_now().await;
    }
}

/// Waits until the customer with this id has this name.
pub async fn is_named(sandbox: &Sandbox, id: &str, name: &str) {
    for _ in 0..400 {
        let customers = sandbox.customers();
        if customers.iter().any(|one| one.provided_id.as_deref() == Some(id) && one.name == name) {
            return;
        }
        sleep(Duration::from_millis(25)).await;
    }
    panic!("{id} is not {name}: {:?}", sandbox.customers());
}
