//! The example backend keeps the whole contract.

#[path = "../../examples/custom_backend.rs"]
mod example;

use example::FolderStore;
use hallway_testkit::Fixture;

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (path, gone) = (folder.path().to_owned(), folder.path().join("gone"));
    Fixture::new(FolderStore::new(&path))
        .with_reopen(move || {
            let path = path.clone();
            async move { FolderStore::new(path) }
        })
        .with_failed(move || {
            let gone = gone.clone();
            async move { FolderStore::new(gone) }
        })
        .keep(folder)
}

hallway_testkit::conformance! { fixture = fixture, lacks = [LocalRead] }

#[test]
fn the_example_runs() {
    example::main().unwrap();
}
