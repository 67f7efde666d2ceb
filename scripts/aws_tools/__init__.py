"""The modules of `admin`, which `bulk` uses, too."""
