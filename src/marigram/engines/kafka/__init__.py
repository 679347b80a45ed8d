"""Kafka for whoever reads or writes events: one consumer and one producer, whose places others keep."""
