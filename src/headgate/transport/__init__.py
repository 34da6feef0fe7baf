"""HTTP/1.1 both ways: the client that calls upstreams and the protocol that serves clients.

These modules are the hot path. They are our own because no library comes near what they must do; what they cost is
measured by `make bench`.
"""
