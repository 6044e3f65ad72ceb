"""What an operator does: deploy, rebuild, compile, ask for the status."""
