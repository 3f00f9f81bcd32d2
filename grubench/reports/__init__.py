"""How results are shown: the terminal, tables, pictures, the HTML report."""
