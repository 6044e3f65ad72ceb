"""Who runs it: settings, Faust apps, the command line, the local stack."""
