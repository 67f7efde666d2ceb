"""The modules of `verify-aws` and `make-token`."""
