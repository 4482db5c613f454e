//! Runs every library it was generated with.

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // @CALLS@
}
