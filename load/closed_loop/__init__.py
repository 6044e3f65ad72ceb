"""Closed loop: does Tidecast, with Kafka and everything in between, give exactly the results of River's own loop?"""
