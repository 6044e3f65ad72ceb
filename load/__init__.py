"""Load from outside: simulation, closed loop, benchmark; knows only topics and schemas."""
