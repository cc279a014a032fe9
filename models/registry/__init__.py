"""The model registry: bundles under any fsspec address, and an append-only history of what became of them."""
