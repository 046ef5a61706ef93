# mypy: disable-error-code="import-not-found"
import unittest

from checkout import prices


class Lines(unittest.TestCase):
    def test_a_basket_is_read(self) -> None:
        self.assertEqual(prices.lines("2x500,1x1250"), [(2, 500), (1, 1250)])

    def test_the_largest_quantity(self) -> None:
        self.assertEqual(prices.lines("20x1"), [(20, 1)])

    def test_too_many_of_one_thing(self) -> None:
        with self.assertRaises(ValueError):
            prices.lines("21x1")


class Percentages(unittest.TestCase):
    def test_whole_pence(self) -> None:
        self.assertEqual(prices.percentage(1000, 10), 100)

    def test_half_a_penny_is_rounded_up(self) -> None:
        self.assertEqual([prices.percentage(amount, 10) for amount in (5, 15, 25)], [1, 2, 3])


class Delivery(unittest.TestCase):
    def test_below_the_threshold(self) -> None:
        self.assertEqual(prices.delivery(4999, "GB"), prices.DELIVERY["GB"])

    def test_from_the_threshold_on(self) -> None:
        self.assertEqual(prices.delivery(5000, "GB"), 0)

    def test_every_country_has_a_fee(self) -> None:
        for country, fee in prices.DELIVERY.items():
            self.assertGreater(fee, 0, country)

    def test_a_country_we_do_not_deliver_to(self) -> None:
        with self.assertRaises(KeyError):
            prices.delivery(100, "AQ")


class Subtotals(unittest.TestCase):
    def test_an_empty_basket(self) -> None:
        self.assertEqual(prices.subtotal([]), 0)
