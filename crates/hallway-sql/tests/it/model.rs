//! Random operations against a model of the contract.

use std::sync::Arc;

use hallway_testkit::model::{self, ModelConfig};
use hallway_testkit::servers::PostgresServer;

use crate::support::{File, enlisting, fresh_table, open};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_file_behaves_like_the_model() {
    let file = File::new();
    model::run(ModelConfig::default(), Arc::new(file.open().await), None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_memory_behaves_like_the_model() {
    model::run(ModelConfig::default(), Arc::new(open("sqlite::memory:").await), None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_behaves_like_the_model() {
    let server = tokio::task::spawn_blocking(PostgresServer::shared).await.unwrap();
    let url = format!("{}?table={}", server.url(), fresh_table());
    model::run(ModelConfig::default(), Arc::new(open(&url).await), None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_that_enlist_behave_like_the_model() {
    let server = tokio::task::spawn_blocking(PostgresServer::shared).await.unwrap();
    let file = File::new();
    for url in [format!("{}?table={}", server.url(), fresh_table()), file.url(), "sqlite::memory:".to_owned()] {
        let config = ModelConfig::default().with_operations(1_500);
        model::run(config, enlisting(&url).await, None).await.unwrap();
    }
}
