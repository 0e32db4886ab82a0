//! Fetching into a shallow clone: exactly one commit.

use std::fs;

use super::git_server::Server;
use super::repositories::{Bed, git_in};

#[test]
fn a_commit_behind_a_shallow_clone_is_brought_alone_to_be_built() {
    let bed = Bed::new();
    let Some(server) = Server::start(&bed.path("server")) else { return };
    server.repository("code.git");
    let open = server.open_url("code.git");
    let [recorded, base, _] = ["recorded", "base", "head"].map(|name| bed.commit(name));
    bed.git("work", &["push", "--quiet", &open, "main"]);
    let checkout = bed.path("checkout");
    fs::create_dir(&checkout).unwrap();
    git_in(&checkout, &["init", "--quiet"]);
    git_in(&checkout, &["remote", "add", "origin", &server.url("code.git")]);
    git_in(&checkout, &["fetch", "--quiet", "--no-tags", "--depth=1", &open, "main"]);
    git_in(&checkout, &["checkout", "--quiet", "--detach", "FETCH_HEAD"]);
    let repository = bed.repository("checkout");
    assert!(!repository.has_commit(&recorded));
    let remote = repository.open_remote(&open, None).unwrap();
    remote.fetch_commit(&recorded).unwrap();
    let worktree = repository.add_worktree(&bed.path("base"), &recorded).unwrap();
    assert_eq!(fs::read_to_string(worktree.path().join("code.txt")).unwrap(), "recorded");
    assert_eq!(git_in(&checkout, &["rev-list", "--count", "HEAD"]).trim(), "1");
    assert!(!repository.has_commit(&base), "nothing but that commit");
}
