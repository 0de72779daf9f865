//! The overview of jobs comes in pages, newest first or oldest first.

use crate::support::{register, service, start};
use caravan_http::{Api, ApiRequest, Body, Op};
use caravan_server::{Server, ServerConfig};
use serde_json::Value;

/// The ids of all pages of two.
async fn pages(server: &Server, reverse: bool) -> Vec<Vec<String>> {
    let mut request = ApiRequest::internal(Op::JobStatuses);
    request.options.per_page = 2;
    request.options.reverse = reverse;
    let mut pages = Vec::new();
    loop {
        let answer = server.api().call(request.clone()).await.expect("a page");
        let Body::Bytes(body) = answer.body else {
            panic!("the page is streamed")
        };
        let jobs: Vec<Value> = serde_json::from_slice(&body).unwrap();
        let ids = jobs
            .iter()
            .map(|job| job["ID"].as_str().unwrap().to_owned());
        pages.push(ids.collect());
        match answer.head.meta.next_token {
            Some(token) => request.options.next_token = token,
            None => return pages,
        }
        assert!(pages.len() < 9, "the pages have no end: {pages:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_follow_each_other_in_both_directions() {
    let server = start(ServerConfig::default()).await;
    for id in ["a", "b", "c", "d", "e"] {
        register(&server, service(id, 1), None).await;
    }
    let newest_first = pages(&server, false).await;
    assert_eq!(newest_first, [vec!["e", "d"], vec!["c", "b"], vec!["a"]]);
    let oldest_first = pages(&server, true).await;
    assert_eq!(oldest_first, [vec!["a", "b"], vec!["c", "d"], vec!["e"]]);
}
