"""What a basket costs. All amounts are whole pence."""

# Free delivery from this amount on.
FREE_FROM = 5000
# How many of one thing a basket may hold.
MAX_QUANTITY = 20
# What delivery costs below that, by country.
DELIVERY = {
    "GB": 395,
    "IE": 695,
}


def lines(text: str) -> list[tuple[int, int]]:
    """The lines of a basket written as 2x500,1x1250: quantity and price of one."""
    found = []
    for line in text.split(","):
        quantity, _, price = line.partition("x")
        if not 1 <= int(quantity) <= MAX_QUANTITY:
            raise ValueError(f"a line may hold 1 to {MAX_QUANTITY}")
        found.append((int(quantity), int(price)))
    return found


def subtotal(basket: list[tuple[int, int]]) -> int:
    """The sum of all lines."""
    return sum(quantity * price for quantity, price in basket)


def percentage(amount: int, percent: int) -> int:
    """So many percent of an amount, half a penny rounded up."""
    return (amount * percent + 50) // 100


def delivery(amount: int, country: str) -> int:
    """What delivery costs. KeyError for a country we do not deliver to."""
    fee = DELIVERY[country]
    return 0 if amount >= FREE_FROM else fee
