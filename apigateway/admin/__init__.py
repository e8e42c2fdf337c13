"""The gateway's own pages: stock Resources that look at the runtime and change nothing."""
