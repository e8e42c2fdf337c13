"""TCP as the data path wants it: transports that send at once, and one epoll for all of them. Knows nothing of HTTP."""
