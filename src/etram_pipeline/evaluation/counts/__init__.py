"""Error of counts: the crossings of lines that were counted, compared with the true ones."""
