"""How faithful synthetic nodes are to real ones: figures, a section of the report, and what to reject."""
