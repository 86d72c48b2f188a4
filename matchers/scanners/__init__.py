"""What may stand on a page: one file for each shape of value, all of them passes over arrays of code units."""
