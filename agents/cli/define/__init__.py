"""Commands for definitions and events: init, check, size, deploy, publish."""
