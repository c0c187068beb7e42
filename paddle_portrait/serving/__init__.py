"""The HTTP server: limits, batching, endpoints. Needs the extra ``server``; see docs/serving.md."""
