.PHONY: setup setup-smollm2 check test

setup:
	@python3 scripts/setup.py

setup-smollm2: setup
	@python3 scripts/setup.py --smollm2

check: setup
	cargo build --release --bins --benches
	target/release/perfgate check --save-baseline

test: setup
	@if cargo nextest --version >/dev/null 2>&1; then cargo nextest run --all-features && cargo test --doc --all-features; else cargo test --all-features; fi
