"""Commands that run something: stack, worker, demo, compile, rebuild, bench, chaos."""
