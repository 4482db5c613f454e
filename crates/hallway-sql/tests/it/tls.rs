//! TLS to PostgreSQL: only the right name under the right authority, in time, is accepted.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use hallway_core::{ErrorKind, KvStore};
use hallway_testkit::servers::{PostgresOptions, PostgresServer};
use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

use crate::support::{bytes, forever, key, open};

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
        params.distinguished_name.push(DnType::CommonName, name);
        if expired {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        let pair = KeyPair::generate().unwrap();
        (params.signed_by(&pair, &self.issuer).unwrap().pem(), pair.serialize_pem())
    }
}

/// Gives the server another certificate.
fn install(server: &PostgresServer, (certificate, private): &(String, String)) {
    let data = server.dir().join("data");
    for (name, content) in [("server.crt", certificate), ("server.key", private)] {
        write_as_server(&data, name, content);
    }
    server.psql("ALTER SYSTEM SET ssl = on");
    server.restart().unwrap();
}

fn write_as_server(data: &Path, name: &str, content: &str) {
    let path = data.join(name);
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let owner = std::fs::metadata(data).unwrap();
    // Only root has a server under another account, and only root may give files away.
    if std::fs::metadata(&path).unwrap().uid() == owner.uid() {
        return;
    }
    std::os::unix::fs::chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_right_name_under_the_right_authority_in_time_is_accepted() {
    let server = PostgresServer::start(PostgresOptions::fast()).unwrap();
    let (authority, stranger) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.certificate.pem()).unwrap();
    let verified = format!("postgres://postgres@localhost:{}/postgres?sslmode=verify-full", server.port());
    let with_ca = format!("{verified}&ca={}", ca.display());

    install(&server, &authority.issue("localhost", false));
    let store = open(&with_ca).await;
    store.set(&key("a"), bytes("v"), forever()).await.unwrap();
    let encrypted = server.psql(
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'hallway'",
    );
    assert_eq!(encrypted, "t");
    drop(store);
    // The system's authorities do not know ours.
    refused(&verified).await;

    for certificate in [
        authority.issue("elsewhere.example", false),
        authority.issue("localhost", true),
        stranger.issue("localhost", false),
    ] {
        install(&server, &certificate);
        refused(&with_ca).await;
    }
}

async fn refused(url: &str) {
    let error = open(url).await.ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error:?}");
    assert!(error.to_string().contains("certificate"), "{error}");
}
