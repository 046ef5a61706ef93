"""Vouchers and what they take off, in percent."""

VOUCHERS = {
    "WELCOME10": 10,
}


def percent(code: str) -> int:
    """What a voucher takes off; an unknown one takes off nothing."""
    return VOUCHERS.get(code.upper(), 0)
