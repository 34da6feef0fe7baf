"""Files that run inside the peers, in their own interpreters."""
