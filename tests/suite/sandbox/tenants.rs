//! Faults that concern single customers.

use explo_sync::sandbox::{Api, Fault, FaultKind, Store};
use rstest::rstest;
use serde_json::{Value, json};

use super::{api, call, list, post, seen};
use crate::support::customer;

#[rstest]
#[case::by_its_id("update_customer", json!({"provided_id": "a", "name": "Anna"}), 500)]
#[case::created("create_customer", json!({"provided_id": "z", "name": "Zed"}), 500)]
#[case::looked_up("get_customer", json!({"provided_id": "a"}), 500)]
#[case::that_it_is_to_get("update_customer", json!({"provided_id": "b", "new_provided_id": "z"}), 500)]
#[case::another("update_customer", json!({"provided_id": "b", "name": "Bob"}), 200)]
#[case::as_a_parent("update_customer", json!({"provided_id": "c", "parent_provided_id": "a"}), 200)]
#[case::no_id("create_group_tag", json!({"name": "a"}), 200)]
fn a_fault_of_a_customer_concerns_the_calls_that_name_it(
    #[case] endpoint: &str,
    #[case] body: Value,
    #[case] status: u16,
) {
    let mut api = api("");
    api.faults = vec!["status=500,id=a,id=z".parse().unwrap()];
    assert_eq!(post(&mut api, endpoint, &body).status, status);
    assert_eq!(list(&mut api)["status"], 200, "a listing names nobody");
}

#[test]
fn a_deletion_names_its_customer_by_the_token() {
    let mut api = api("");
    api.faults = vec!["status=500,id=c".parse().unwrap()];
    let token = api.store().get("c").unwrap().token.clone();
    let mut delete = || call(&mut api, "DELETE", "/api/delete_customer/", &json!({"current_token": token})).status;
    assert_eq!([delete(), delete()], [500, 500]);
}

#[rstest]
#[case("hang-before,id=a", &[0, 0, 200])]
#[case("drop-after,id=a,times=1", &[0, 200, 200])]
#[case("throttle=7,id=a,after=1", &[200, 429, 200])]
#[case("status=400,endpoint=get_customer,id=a", &[200, 200, 200])]
fn any_fault_can_be_that_of_a_customer(#[case] fault: &str, #[case] statuses: &[u16]) {
    let mut api = api("");
    api.faults = vec![fault.parse().unwrap()];
    for id in ["a", "a", "b"] {
        post(&mut api, "update_customer", &json!({"provided_id": id, "name": "New"}));
    }
    assert_eq!(api.take_calls().iter().map(|call| call.status).collect::<Vec<_>>(), statuses);
}

#[test]
fn a_customer_that_exists_can_be_refused_by_get_customer_alone() {
    let mut api = api("");
    api.faults = vec!["status=400,endpoint=get_customer,id=a".parse().unwrap()];
    let body = json!({"provided_id": "a"});
    let refused = seen(&post(&mut api, "get_customer", &body));
    assert_eq!((&refused["status"], refused["body"]["detail"].is_string()), (&json!(400), true));
    assert_eq!(post(&mut api, "update_customer", &body).status, 200);
    assert_eq!(post(&mut api, "get_customer", &json!({"provided_id": "b"})).status, 200);
}

/// In one fault or in many.
#[rstest]
#[case(true)]
#[case(false)]
fn thousands_of_customers_fail_for_good(#[case] together: bool) {
    const COUNT: usize = 5000;
    let ids: Vec<_> = (0..COUNT).map(|n| format!("c{n}")).collect();
    let mut api = Api::new(Store::new(ids.iter().map(|id| customer(json!({"provided_id": id, "name": "N"})))), 7);
    let failing = || Fault::new(FaultKind::Status(500));
    api.faults =
        if together { vec![failing().of(&ids[1..])] } else { ids[1..].iter().map(|id| failing().of([id])).collect() };
    let mut status = |id: &str| post(&mut api, "update_customer", &json!({"provided_id": id, "name": "New"})).status;
    let statuses: Vec<_> = ids.iter().map(|id| status(id)).collect();
    assert_eq!((statuses[0], statuses.iter().filter(|status| **status == 500).count()), (200, COUNT - 1));
}
