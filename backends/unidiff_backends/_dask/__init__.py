"""What Dask lacks, or computes at once, as functions that build graphs."""
