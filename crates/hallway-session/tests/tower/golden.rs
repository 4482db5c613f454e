//! The released form of a record is read for ever.

use std::time::Duration;

use hallway_core::{Bytes, Namespace};
use tower_sessions_core::SessionStore;
use tower_sessions_core::session::Id;

use crate::scene::{Scene, made};

const GOLDEN: &[u8] = include_bytes!("../../testdata/tower-v1.txt");

#[tokio::test]
async fn the_first_released_form_is_read_for_ever() {
    let scene = Scene::new();
    // The hash of the id 1, under the namespace `session`.
    let key = Namespace::new("session").unwrap().key("VRm-9ESUeyjLXcynOHx9kH0QCLOk42M6P_UmEpywoGQ").unwrap();
    scene.plant(&key, Bytes::from_static(GOLDEN)).await;
    let record = scene.sessions().load(&Id(1)).await.unwrap().unwrap();
    assert_eq!(record.data["name"], "Ada");
    assert_eq!(record.data["cart"], serde_json::json!(["apple", 3]));
    assert_eq!(record.expiry_date.unix_timestamp_nanos(), 4_070_908_800_123_456_789);
}

#[tokio::test]
async fn people_can_read_what_is_stored_apart_from_the_key() {
    let scene = Scene::new();
    let made = made(&scene.sessions(), Duration::from_secs(3600)).await;
    let key = scene.keys().await.remove(0);
    let text = String::from_utf8(scene.value(&key).await.to_vec()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("S1 tower-json rev=0 made="), "{}", lines[0]);
    assert!(lines[2].ends_with(r#""data":{"cart":3}}"#), "{}", lines[2]);
    assert!(!text.contains(&made.id.to_string()));
}
