"""The operator's tasks: deploy, rebuild, compile kernels, show the status."""
