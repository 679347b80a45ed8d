"""FITNESS in its own setting, and on tables turned into drifting streams."""
