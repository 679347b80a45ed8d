"""Detectors of anomalous nodes: models of tables and networks behind one object, each beside its no-graph control."""
