"""Door: the clock ticks. Every job is safe to run in every process at once; due work is found by query, never remembered."""
