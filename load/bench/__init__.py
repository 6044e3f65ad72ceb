"""The benchmark: throughput, latency, CPU, bytes, memory and recovery, measured from outside."""
