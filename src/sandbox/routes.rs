//! The paths of the sandbox. Without the trailing slash the answer is "Method not allowed", as it is at Explo.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Query, Request, State as Shared},
    http::{HeaderMap, StatusCode},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Call, State, StoredCustomer,
    store::{Fields, Store, StoreError},
};

/// A request body beyond this is refused.
const LARGEST_REQUEST: usize = 16 << 20;

type App = Shared<Arc<State>>;

pub(super) fn routes(state: Arc<State>) -> Router {
    Router::new()
        .route("/v2/api/customers/", get(list_v2))
        .route("/api/customers/", get(list_v1))
        .route("/api/create_customer/", post(create))
        .route("/api/update_customer/", post(update))
        .route("/api/get_customer/", post(get_one))
        .route("/api/delete_customer/", delete(remove))
        .route("/api/group_tags/", get(tags))
        .route("/api/create_group_tag/", post(create_tag))
        .fallback(|| async { answer(StatusCode::METHOD_NOT_ALLOWED, &json!({"detail": "Method not allowed"})) })
        .layer(from_fn_with_state(Arc::clone(&state), log_and_authorize))
        .with_state(state)
}

async fn log_and_authorize(Shared(state): App, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let method = parts.method.to_string();
    let path = parts.uri.to_string();
    let Ok(body) = to_bytes(body, LARGEST_REQUEST).await else {
        return answer(StatusCode::PAYLOAD_TOO_LARGE, &json!({"detail": "too large"}));
    };
    let response = if is_authorized(&parts.headers, state.token.as_deref()) {
        next.run(Request::from_parts(parts, Body::from(body.clone()))).await
    } else {
        answer(StatusCode::UNAUTHORIZED, &json!({"detail": "Invalid token."}))
    };
    let body = String::from_utf8_lossy(&body).into_owned();
    tracing::info!(http.status = response.status().as_u16(), "{method} {}", path.split('?').next().unwrap_or_default());
    state.calls().push(Call { method, path, body, status: response.status().as_u16() });
    response
}

fn is_authorized(headers: &HeaderMap, expected: Option<&str>) -> bool {
    let header = headers.get("explo-authorization").and_then(|header| header.to_str().ok());
    let given = header.and_then(|header| header.strip_prefix("Token ")).unwrap_or_default();
    expected.map_or(!given.is_empty(), |expected| expected == given)
}

#[derive(Debug, Deserialize)]
struct Paging {
    page: Option<usize>,
    page_size: Option<usize>,
    #[serde(rename = "pageSize")]
    page_size_in_camel_case: Option<usize>,
    hierarchy_level_name: Option<String>,
}

async fn list_v2(Shared(state): App, Query(paging): Query<Paging>) -> Response {
    let size = paging.page_size.or(paging.page_size_in_camel_case).unwrap_or(20).clamp(1, 1000);
    let number = paging.page.unwrap_or(1).max(1);
    let store = state.store();
    let listed = filtered(&store, &paging);
    let page: Vec<_> = listed.iter().skip((number - 1) * size).take(size).collect();
    if page.is_empty() && number > 1 {
        return answer(StatusCode::NOT_FOUND, &json!({"detail": "Invalid page."}));
    }
    answer(StatusCode::OK, &PageAnswer { total_count: listed.len(), results: Customers { customers: &page } })
}

async fn list_v1(Shared(state): App, Query(paging): Query<Paging>) -> Response {
    let store = state.store();
    answer(StatusCode::OK, &ListAnswer { success: 1, customers: &filtered(&store, &paging) })
}

fn filtered<'s>(store: &'s Store, paging: &Paging) -> Vec<&'s StoredCustomer> {
    let level = paging.hierarchy_level_name.as_deref();
    let fits = |customer: &&StoredCustomer| level.is_none() || customer.hierarchy_level.as_deref() == level;
    store.visible().filter(fits).collect()
}

async fn create(Shared(state): App, body: Bytes) -> Response {
    let mut store = state.store();
    let created = parse(&body).and_then(|fields: Fields| store.create(fields));
    respond(created.map(|(new_customer, customer)| CustomerAnswer {
        success: 1,
        new_customer: Some(new_customer),
        customer,
    }))
}

async fn update(Shared(state): App, body: Bytes) -> Response {
    let mut store = state.store();
    let updated = parse(&body).and_then(|fields: Fields| store.update(fields));
    respond(updated.map(|customer| CustomerAnswer { success: 1, new_customer: None, customer }))
}

async fn get_one(Shared(state): App, body: Bytes) -> Response {
    let mut store = state.store();
    let asked = parse(&body).map(|fields: Fields| fields.provided_id.unwrap_or_default());
    let found = asked.and_then(|id| store.customer(&id));
    respond(found.map(|customer| CustomerAnswer { success: 1, new_customer: None, customer }))
}

#[derive(Debug, Deserialize)]
struct Removal {
    current_token: String,
}

async fn remove(Shared(state): App, body: Bytes) -> Response {
    let removed = parse(&body).and_then(|removal: Removal| state.store().delete(&removal.current_token));
    respond(removed.map(|()| json!({"success": 1})))
}

async fn tags(Shared(state): App) -> Response {
    let tags: Vec<_> = state.store().tags().iter().map(|name| json!({"name": name})).collect();
    answer(StatusCode::OK, &json!({"success": 1, "group_tags": tags}))
}

#[derive(Debug, Deserialize)]
struct Tag {
    name: String,
}

async fn create_tag(Shared(state): App, body: Bytes) -> Response {
    let created = parse(&body).and_then(|tag: Tag| state.store().add_tag(&tag.name).map(|()| tag));
    respond(created.map(|tag| json!({"success": 1, "group_tag": {"name": tag.name}})))
}

#[derive(Serialize)]
struct PageAnswer<'a> {
    total_count: usize,
    results: Customers<'a>,
}

#[derive(Serialize)]
struct Customers<'a> {
    customers: &'a [&'a &'a StoredCustomer],
}

#[derive(Serialize)]
struct ListAnswer<'a> {
    success: u8,
    customers: &'a [&'a StoredCustomer],
}

#[derive(Serialize)]
struct CustomerAnswer<'a> {
    success: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_customer: Option<bool>,
    customer: &'a StoredCustomer,
}

fn parse<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, StoreError> {
    serde_json::from_slice(body).map_err(|error| StoreError::Refused(format!("the body can't be read: {error}")))
}

fn respond(result: Result<impl Serialize, StoreError>) -> Response {
    match result {
        Ok(value) => answer(StatusCode::OK, &value),
        Err(error) => {
            let unknown = matches!(error, StoreError::Unknown(_));
            let status = if unknown { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
            answer(status, &json!({"success": 0, "error": error.to_string()}))
        }
    }
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    (status, [("content-type", "application/json")], bytes).into_response()
}
