"""The gateway beside its peers: in one run, on the same work, with the same duties, one worker each on one core."""
