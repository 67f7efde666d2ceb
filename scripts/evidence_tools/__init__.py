"""What was measured and tried: recorded as runs in benches/runs, shown on pages and in charts."""
