# mypy: disable-error-code="import-not-found"
import unittest

from checkout import vouchers

AGREED = {
    "WELCOME10": 10,
}


class Vouchers(unittest.TestCase):
    def test_the_vouchers_are_those_agreed(self) -> None:
        self.assertEqual(vouchers.VOUCHERS, AGREED)

    def test_small_letters_count(self) -> None:
        self.assertEqual(vouchers.percent("welcome10"), vouchers.VOUCHERS["WELCOME10"])

    def test_an_unknown_voucher_takes_off_nothing(self) -> None:
        self.assertEqual(vouchers.percent("NEVER"), 0)
