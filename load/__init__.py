"""Load on Tidecast from outside: simulations, benchmark, chaos. It knows only topics, schemas and the command line."""
