//! The repository: head, base tip, objects and refs by `git2`; worktrees, fetch and push by the user's own `git`.
