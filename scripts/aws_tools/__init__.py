"""What `verify-aws` and `make-token` are made of."""
