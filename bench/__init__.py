"""The benchmark: Headgate beside a plain reverse proxy and other gateways, on loopback, in one run.

`python -m bench` measures and writes one JSON file, and `docs/benchmarks.md` is rendered from such a file. Absolute
figures belong to the machine they were taken on; what is compared is a ratio or a difference within one run.
"""
