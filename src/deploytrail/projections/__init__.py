"""Rows made from facts by pure functions. Rebuildable, and never the proof.

Derived rows hold no sealed value: pages open disclosures when they show them. So erasure never has to
reach here, and a rebuilt table equals the live one also after erasures.
"""
