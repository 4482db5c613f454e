//! TLS: only the right name under the right authority, in time, is accepted.

use std::path::PathBuf;

use hallway_core::{Bytes, ErrorKind, KvStore, SetOptions, StoreUrl};
use hallway_redis::RedisConfig;
use hallway_testkit::servers::{RedisOptions, RedisServer, RedisTls};
use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tempfile::TempDir;

use crate::{MINUTE, key, namespace, open};

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority");
        let pair = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&pair).unwrap();
        Self { issuer: Issuer::new(params, pair), certificate }
    }

    /// Certificate and key, each PEM.
    fn issue(&self, name: &str, expired: bool) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        // Another name than the authority's, or OpenSSL takes it for self-signed.
        params.distinguished_name.push(DnType::CommonName, name);
        if expired {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        let pair = KeyPair::generate().unwrap();
        (params.signed_by(&pair, &self.issuer).unwrap().pem(), pair.serialize_pem())
    }

    fn server(&self, name: &str, expired: bool, client_ca: Option<&Self>) -> RedisServer {
        let (certificate_pem, key_pem) = self.issue(name, expired);
        let client_ca_pem = client_ca.map(|ca| ca.certificate.pem());
        let tls = RedisTls { certificate_pem, key_pem, client_ca_pem };
        RedisServer::start(RedisOptions::default().with_tls(tls)).unwrap()
    }
}

fn file(folder: &TempDir, name: &str, content: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

async fn refused(server: &RedisServer, options: &str) {
    let store = open(&format!("{}{options}", server.tls_url().unwrap())).await;
    let error = store.get(&key(&namespace(), "k")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let text = error.to_string();
    assert!(text.contains("certificate") && text.contains("ca=FILE"), "{text}");
    assert_eq!(store.stats().connections, 0);
}

#[tokio::test]
async fn the_right_name_under_the_named_authority_is_accepted() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let ca = file(&folder, "ca.pem", &authority.certificate.pem());
    let server = authority.server("localhost", false, None);
    let store = open(&format!("{}?ca={}", server.tls_url().unwrap(), ca.display())).await;
    let key = key(&namespace(), "k");
    for bytes in [1, 10_000, 1_000_000] {
        let _ = store.set(&key, Bytes::from(vec![9; bytes]), SetOptions::new(MINUTE)).await.unwrap();
        assert_eq!(store.get(&key).await.unwrap().unwrap(), vec![9; bytes]);
    }
}

#[tokio::test]
async fn unknown_authority_wrong_name_and_expiry_are_refused() {
    let (authority, other, folder) = (Authority::new(), Authority::new(), TempDir::new().unwrap());
    let ca = format!("?ca={}", file(&folder, "ca.pem", &authority.certificate.pem()).display());
    refused(&other.server("localhost", false, None), &ca).await;
    refused(&authority.server("elsewhere", false, None), &ca).await;
    refused(&authority.server("localhost", true, None), &ca).await;
    // Without a file only the public authorities are trusted, and they know nothing of this one.
    refused(&authority.server("localhost", false, None), "").await;
}

#[tokio::test]
async fn a_client_certificate_lets_in_where_one_is_asked_for() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let ca = file(&folder, "ca.pem", &authority.certificate.pem());
    let (certificate, private) = authority.issue("client", false);
    let (certificate, private) = (file(&folder, "c.pem", &certificate), file(&folder, "k.pem", &private));
    let server = authority.server("localhost", false, Some(&authority));
    let url = format!("{}?ca={}", server.tls_url().unwrap(), ca.display());
    let key = key(&namespace(), "k");
    assert_eq!(open(&url).await.get(&key).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let store = open(&format!("{url}&cert={}&key={}", certificate.display(), private.display())).await;
    assert_eq!(store.get(&key).await.unwrap(), None);
}

#[tokio::test]
async fn a_plain_server_does_not_pass_for_one_with_tls() {
    let server = RedisServer::shared();
    let store = open(&format!("rediss://localhost:{}", server.port())).await;
    let error = store.get(&key(&namespace(), "k")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[test]
fn files_that_are_no_pem_are_refused_at_open() {
    let folder = TempDir::new().unwrap();
    let (empty, text) = (file(&folder, "empty", ""), file(&folder, "text", "no pem"));
    for options in [
        format!("ca={}", empty.display()),
        format!("ca={}", text.display()),
        "ca=/no/such/file".to_owned(),
        format!("cert={}", text.display()),
        format!("cert={0}&key={0}", text.display()),
    ] {
        let url = StoreUrl::parse(&format!("rediss://localhost?{options}")).unwrap();
        let error = RedisConfig::from_url(url).and_then(RedisConfig::open).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{options}: {error}");
    }
}
