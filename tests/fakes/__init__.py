"""Servers that tests script: a model provider, a recording upstream, a hostile Prometheus, a Perses."""
