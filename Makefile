.PHONY: setup setup-smollm2 check test

setup:
	@python3 benches/setup.py

setup-smollm2: setup
	@python3 benches/setup.py --smollm2

check: setup
	cargo build --release
	target/release/perfgate check --package perfgate-suites --save-baseline

test: setup
	@if cargo nextest --version >/dev/null 2>&1; then cargo nextest run --workspace --all-features && cargo test --doc --workspace --all-features; else cargo test --workspace --all-features; fi
