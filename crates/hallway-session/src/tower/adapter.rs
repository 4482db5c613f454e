//! The two traits, each in its version: nothing but a translation of types.

use hallway_core::{Error, ErrorKind};

use super::store::TowerStore;

const GONE: &str = "the session is over: it was deleted or has expired since it was loaded; nothing was saved";

/// An error with all its causes in one line, for there is nothing but text to put it in.
fn text(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

macro_rules! adapter {
    ($core:ident) => {
        use async_trait::async_trait;
        use $core::session::{Id, Record};
        use $core::session_store::{Error, Result};
        use $core::{ExpiredDeletion, SessionStore};

        use super::{ErrorKind, GONE, TowerStore};

        fn failed(error: super::Error) -> Error {
            let text = super::text(&error);
            match error.kind() {
                ErrorKind::InvalidInput | ErrorKind::TooLarge => Error::Encode(text),
                _ => Error::Backend(text),
            }
        }

        #[async_trait]
        impl SessionStore for TowerStore {
            async fn create(&self, record: &mut Record) -> Result<()> {
                let mut id = record.id.0.to_le_bytes();
                let created = TowerStore::create(self, &mut id, &record.data, record.expiry_date.into()).await;
                record.id = Id(i128::from_le_bytes(id));
                created.map_err(failed)
            }

            async fn save(&self, record: &Record) -> Result<()> {
                let id = record.id.0.to_le_bytes();
                match TowerStore::save(self, &id, &record.data, record.expiry_date.into()).await {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(Error::Backend(GONE.to_owned())),
                    Err(error) => Err(failed(error)),
                }
            }

            async fn load(&self, id: &Id) -> Result<Option<Record>> {
                let found = TowerStore::load(self, &id.0.to_le_bytes()).await.map_err(failed)?;
                Ok(found.map(|found| Record { id: *id, data: found.data, expiry_date: found.expires.into() }))
            }

            async fn delete(&self, id: &Id) -> Result<()> {
                TowerStore::delete(self, &id.0.to_le_bytes()).await.map_err(failed)
            }
        }

        #[async_trait]
        impl ExpiredDeletion for TowerStore {
            /// Does nothing: stores of hallway expire by themselves. Here so that applications that call it change one line.
            async fn delete_expired(&self) -> Result<()> {
                Ok(())
            }
        }
    };
}

#[cfg(feature = "tower-sessions")]
mod core_0_15 {
    adapter!(tower_sessions_core);
}

#[cfg(feature = "tower-sessions-014")]
mod core_0_14 {
    adapter!(tower_sessions_core_014);
}
