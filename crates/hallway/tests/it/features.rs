//! A feature adds types and never changes what others do: every store that is compiled in, all in one process, does
//! the same by the same calls.

use std::sync::Arc;
use std::time::Duration;

use hallway::{Bytes, Config, DeleteIf, KvStore, KvStoreExt, Namespace, Prefix, Result, SetOptions, Ttl};

/// What a few calls of every kind answer, as text. The expected answers are the contract's.
async fn transcript(store: &Arc<dyn KvStore>) -> Result<Vec<String>> {
    let namespace = Namespace::new("features:test")?;
    let (a, b) = (namespace.key("a")?, namespace.key("b")?);
    let minute = Duration::from_secs(60);
    let mut said = Vec::new();
    said.push(format!("{:?}", store.get(&a).await?));
    said.push(format!("{:?}", store.set(&a, Bytes::from("1"), SetOptions::new(minute)).await?));
    said.push(format!("{}", store.increment(&a, 41, Ttl::Forever).await?));
    said.push(format!("{}", store.insert_if_absent(&a, Bytes::from("x"), minute.into()).await?));
    said.push(format!("{}", store.touch(&b, minute.into()).await?));
    store
        .set_many(&[(b.clone(), Bytes::from("old"), minute.into()), (b.clone(), Bytes::from("new"), minute.into())])
        .await?;
    said.push(format!("{:?}", store.get_many(&[b.clone(), a.clone(), b.clone()]).await?));
    said.push(format!("{}", store.delete_if(&b, DeleteIf::Equals(Bytes::from("old"))).await?));
    said.push(format!("{:?}", store.take(&b).await?));
    said.push(format!(
        "{:?}",
        store.set(&b, Bytes::new(), SetOptions::new(Duration::ZERO)).await.map_err(|e| e.kind())
    ));
    said.push(format!("{}", store.clear(&Prefix::new("features")?).await?));
    said.push(format!("{:?}", store.get(&a).await?));
    Ok(said)
}

/// Every store that is compiled in, on an empty keyspace.
async fn stores() -> Vec<Arc<dyn KvStore>> {
    let urls: Vec<String> = Vec::from([
        #[cfg(feature = "moka")]
        "moka:?max=1MiB".to_owned(),
        #[cfg(feature = "redis")]
        hallway_testkit::servers::RedisServer::shared().url(),
        #[cfg(feature = "sqlite")]
        "sqlite::memory:".to_owned(),
        #[cfg(feature = "postgres")]
        hallway_testkit::servers::PostgresServer::shared().url(),
    ]);
    let mut stores = Vec::new();
    for url in urls {
        stores.push(hallway::open(&url).await.expect("the URL is good"));
    }
    stores
}

#[tokio::test]
async fn all_stores_answer_the_same() {
    for store in stores().await {
        let expected = [
            "None",
            "Written",
            "42",
            "false",
            "false",
            r#"[Some(b"new"), Some(b"42"), Some(b"new")]"#,
            "false",
            r#"Some(b"new")"#,
            "Err(InvalidInput)",
            "1",
            "None",
        ];
        assert_eq!(transcript(&store).await.unwrap(), expected, "{store:?}");
    }
}

#[cfg(all(feature = "moka", feature = "json"))]
#[tokio::test]
async fn codecs_stand_side_by_side() {
    let store = hallway::open("moka:?max=1MiB").await.unwrap();
    let namespace = Namespace::new("codecs").unwrap();
    let value = ("Ada".to_owned(), 1815_u16);
    let opts = || SetOptions::new(Ttl::Forever);
    let json = namespace.key("json").unwrap();
    store.set_as::<hallway::Json, _>(&json, &value, opts()).await.unwrap();
    assert_eq!(store.get(&json).await.unwrap().as_deref(), Some(&br#"["Ada",1815]"#[..]));
    #[cfg(feature = "postcard")]
    {
        let key = namespace.key("postcard").unwrap();
        store.set_as::<hallway::Postcard, _>(&key, &value, opts()).await.unwrap();
        assert_eq!(store.get_as::<hallway::Postcard, _>(&key).await.unwrap(), Some(value.clone()));
    }
    #[cfg(feature = "bincode")]
    {
        let key = namespace.key("bincode").unwrap();
        store.set_as::<hallway::Bincode, _>(&key, &value, opts()).await.unwrap();
        assert_eq!(store.get_as::<hallway::Bincode, _>(&key).await.unwrap(), Some(value.clone()));
    }
    assert_eq!(store.get_as::<hallway::Json, (String, u16)>(&json).await.unwrap(), Some(value));
}

#[cfg(feature = "moka")]
#[tokio::test]
async fn a_configuration_opens_the_stores_it_names() {
    let stores = Config::from_toml_str("[stores]\nlocal = 'moka:?max=1MiB'").unwrap().open_stores().await.unwrap();
    assert!(stores.shared.is_none() && stores.consistent.is_none());
    stores.local.unwrap().ping().await.unwrap();
}

#[cfg(not(feature = "moka"))]
#[tokio::test]
async fn a_configuration_of_a_missing_feature_names_it() {
    let error = Config::default().with_local("moka:").open_stores().await.unwrap_err();
    assert_eq!(error.kind(), hallway::ErrorKind::MissingFeature);
    assert!(error.to_string().contains("enable feature `moka`"), "{error}");
}
