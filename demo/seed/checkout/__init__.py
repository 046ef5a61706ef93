"""Quotes the price of a basket."""
