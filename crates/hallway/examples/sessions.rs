//! A login, two requests that race, a logout that a slow request does not undo, and a logout everywhere.
//!
//! `cargo run --example sessions --features session` needs no server: the sessions live in this process. With another URL in
//! HALLWAY_STORE, and its feature, they live there, and the rest stays as it is.

use hallway::session::{NewSession, Saved, Sessions, SessionsExt};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct User {
    name: String,
    theme: String,
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> hallway::Result<()> {
    let url = std::env::var("HALLWAY_STORE").unwrap_or("moka:?max=16MiB".into());
    let store = hallway::open(&url).await?;
    let sessions: Sessions<User> = store.sessions("session").build()?;
    // Somebody looks around, then logs in: a new id, and the old one is dead.
    let visitor = sessions.create(User { name: "nobody".into(), theme: "light".into() }).await?;
    let user = User { name: "Ada".into(), theme: "light".into() };
    let id = sessions.login(Some(&visitor), NewSession::new(user).subject("42").label("Laptop")).await?;
    assert!(sessions.load(&visitor).await?.live().is_none());
    assert_eq!(sessions.load(&id).await?.live().map(|session| session.into_data().name).as_deref(), Some("Ada"));
    println!("a login: a new id, and the one from before it is dead");

    // Two requests change it at once. The second is told.
    let mut one = sessions.load(&id).await?.live().expect("it lives");
    let mut two = sessions.load(&id).await?.live().expect("it lives");
    one.data_mut().theme = "dark".into();
    two.data_mut().theme = "blue".into();
    assert_eq!(sessions.save(&mut one).await?, Saved::Written);
    assert_eq!(sessions.save(&mut two).await?, Saved::Conflict);
    println!("two saves at once: the second is told of the first");

    // A slow request has loaded the session; meanwhile its user logs out.
    let mut slow = sessions.load(&id).await?.live().expect("it lives");
    sessions.delete(&id).await?;
    slow.data_mut().theme = "green".into();
    assert_eq!(sessions.save(&mut slow).await?, Saved::Gone);
    assert!(sessions.load(&id).await?.live().is_none());
    println!("a save after the logout: nothing comes back");

    // On all devices.
    for label in ["Phone", "Tablet"] {
        let user = User { name: "Ada".into(), theme: "dark".into() };
        sessions.create(NewSession::new(user).subject("42").label(label)).await?;
    }
    let labels: Vec<_> = sessions.list("42").await?.into_iter().filter_map(|listed| listed.label).collect();
    assert_eq!(labels, ["Phone", "Tablet"]);
    assert_eq!(sessions.delete_all("42").await?, 2);
    println!("a logout everywhere: {} are logged out", labels.join(" and "));
    Ok(())
}
