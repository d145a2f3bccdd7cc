"""The outside world, imitated over real HTTP on loopback. Knows nothing of the product: it imports none of its rooms."""
