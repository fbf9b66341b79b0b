"""Searches: generators of steps over one archive, judged at one seam."""
