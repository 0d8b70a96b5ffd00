"""What ``polybot doctor`` looks at, one module a part. Every check only reads, and ends in findings, never in an exception."""
