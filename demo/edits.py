"""The bank of edits: what the people of the demo do to their service.

Each edit is a function of the tree as it is now, so that the bank never runs dry: a threshold moves on, a
voucher is added or ended, a setting comes and goes. Nothing here says how an edit will turn out. Some
break a test, some only break when the service starts; the pipelines find that out by running it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

Read = Callable[[str], str]

PRICES: Final = "checkout/prices.py"
VOUCHERS: Final = "checkout/vouchers.py"
SETTINGS: Final = "checkout/settings.py"
SERVER: Final = "checkout/server.py"
START: Final = "checkout/__main__.py"
STAGING: Final = "config/staging.ini"
PRODUCTION: Final = "config/production.ini"
TEST_PRICES: Final = "tests/test_prices.py"
TEST_VOUCHERS: Final = "tests/test_vouchers.py"
README: Final = "README.md"
CHANGES: Final = "CHANGES.md"


class Work(NamedTuple):
    """One commit: its title, and the new text of each file it touches."""

    title: str
    files: dict[str, str]


class Edit(NamedTuple):
    """What somebody set out to do.

    `works` are its commits. `repair` is what its author does when the tests say no; `mend` is how a
    defect that shows only in a running service is put right, where going back is not the better way.
    """

    topic: str
    title: str
    works: list[Work]
    repair: Work | None = None
    mend: Work | None = None


class Tree:
    """The files of a working tree with an edit's own changes on top."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._texts: dict[str, str] = {}

    def text(self, path: str) -> str:
        """The text of a file as it is after the changes so far."""
        if path not in self._texts:
            self._texts[path] = self._read(path)
        return self._texts[path]

    def swap(self, path: str, old: str, new: str) -> None:
        """Replaces one passage. ValueError if it is not there."""
        text = self.text(path)
        if old not in text:
            raise ValueError(f"{path} has no {old!r}")
        self._texts[path] = text.replace(old, new, 1)

    def write(self, path: str, text: str) -> None:
        """Writes a whole file."""
        self._texts[path] = text

    def work(self, title: str, *paths: str) -> Work:
        """A commit of these files as they are now."""
        return Work(title, {path: self._texts[path] for path in paths})

    def number(self, path: str, name: str) -> int:
        """The whole number that a file gives to a name."""
        found = re.search(rf"^{name} = (\d+)$", self.text(path), re.MULTILINE)
        if found is None:
            raise ValueError(f"{path} gives no number to {name}")
        return int(found.group(1))


def pounds(pence: int) -> str:
    """An amount as people write it."""
    return f"{pence // 100}.{pence % 100:02d}"


def _next(values: tuple[int, ...], now: int) -> int:
    """The value after this one, round and round."""
    return values[(values.index(now) + 1) % len(values)] if now in values else values[0]


_THRESHOLDS: Final = (5000, 4500, 4000, 3500, 6000, 5500)


def _threshold(tree: Tree) -> tuple[str, int]:
    old = tree.number(PRICES, "FREE_FROM")
    new = _next(_THRESHOLDS, old)
    tree.swap(PRICES, f"FREE_FROM = {old}", f"FREE_FROM = {new}")
    tree.swap(TEST_PRICES, f"delivery({old - 1},", f"delivery({new - 1},")
    tree.swap(TEST_PRICES, f"delivery({old},", f"delivery({new},")
    return f"Deliver free from {pounds(new)}", new


def free_delivery(tree: Tree, turn: int) -> Edit:
    """Moves the threshold of free delivery, and its tests with it."""
    title, new = _threshold(tree)
    return Edit(f"free-from-{new}", title, [tree.work(title, PRICES, TEST_PRICES)])


def free_delivery_untested(tree: Tree, turn: int) -> Edit:
    """Moves the threshold and forgets the tests, which then fail."""
    title, new = _threshold(tree)
    repair = tree.work("Test the new threshold", TEST_PRICES)
    return Edit(f"threshold-{new}", title, [tree.work(title, PRICES)], repair=repair)


_CODES: Final = (("SPRING15", 15), ("PARENTS5", 5), ("STUDENT12", 12), ("LOYAL7", 7), ("NIGHT8", 8))


def _voucher(tree: Tree) -> tuple[str, str]:
    text = tree.text(VOUCHERS)
    missing = [(code, percent) for code, percent in _CODES if f'"{code}"' not in text]
    first = '    "WELCOME10": 10,\n'
    if missing:
        code, percent = missing[0]
        for path in (VOUCHERS, TEST_VOUCHERS):
            tree.swap(path, first, f'{first}    "{code}": {percent},\n')
        return f"Add the voucher {code}", f"voucher-{code.lower()}"
    code, percent = _CODES[0]
    for path in (VOUCHERS, TEST_VOUCHERS):
        tree.swap(path, f'    "{code}": {percent},\n', "")
    return f"End the voucher {code}", f"end-{code.lower()}"


def voucher(tree: Tree, turn: int) -> Edit:
    """Adds a voucher, or ends the oldest one when all are there."""
    title, topic = _voucher(tree)
    return Edit(topic, title, [tree.work(title, VOUCHERS, TEST_VOUCHERS)])


def voucher_untested(tree: Tree, turn: int) -> Edit:
    """Changes the vouchers without those who agreed on them."""
    title, topic = _voucher(tree)
    repair = tree.work("Agree on the vouchers", TEST_VOUCHERS)
    return Edit(topic, title, [tree.work(title, VOUCHERS)], repair=repair)


_COUNTRIES: Final = (("FR", 895), ("DE", 895), ("NL", 845), ("ES", 995), ("SE", 1095), ("PT", 1045))


def country(tree: Tree, turn: int) -> Edit:
    """Delivers to one more country, or changes what delivery to one costs."""
    text = tree.text(PRICES)
    missing = [(code, fee) for code, fee in _COUNTRIES if f'"{code}"' not in text]
    if missing:
        code, fee = missing[0]
        tree.swap(PRICES, '    "IE": 695,\n', f'    "IE": 695,\n    "{code}": {fee},\n')
        title = f"Deliver to {code} for {pounds(fee)}"
    else:
        code, fee = _COUNTRIES[turn % len(_COUNTRIES)]
        now = int(re.findall(rf'"{code}": (\d+)', text)[0])
        fee = fee if now != fee else fee + 50
        tree.swap(PRICES, f'"{code}": {now},', f'"{code}": {fee},')
        title = f"Charge {pounds(fee)} for delivery to {code}"
    return Edit(f"deliver-{code.lower()}", title, [tree.work(title, PRICES)])


def quantity(tree: Tree, turn: int) -> Edit:
    """Changes how many of one thing a basket may hold: first the code, then its tests."""
    old = tree.number(PRICES, "MAX_QUANTITY")
    new = _next((20, 25, 30, 15), old)
    title = f"Allow {new} of one thing in a basket"
    tree.swap(PRICES, f"MAX_QUANTITY = {old}", f"MAX_QUANTITY = {new}")
    code = tree.work(title, PRICES)
    tree.swap(TEST_PRICES, f'lines("{old}x1"), [({old}, 1)]', f'lines("{new}x1"), [({new}, 1)]')
    tree.swap(TEST_PRICES, f'lines("{old + 1}x1")', f'lines("{new + 1}x1")')
    return Edit(f"quantity-{new}", title, [code, tree.work("Test the largest quantity", TEST_PRICES)])


_HALF_UP: Final = (
    "    return (amount * percent + 50) // 100\n",
    "    return (2 * amount * percent + 100) // 200\n",
)


def rounding(tree: Tree, turn: int) -> Edit:
    """Simplifies the rounding, which rounds half a penny to the even one; a test knows better."""
    text = tree.text(PRICES)
    now = next(form for form in _HALF_UP if form in text)
    other = _HALF_UP[1 - _HALF_UP.index(now)]
    title = "Simplify the rounding of percentages"
    tree.swap(PRICES, now, "    return round(amount * percent / 100)\n")
    simple = tree.work(title, PRICES)
    tree.swap(PRICES, "    return round(amount * percent / 100)\n", other)
    return Edit("rounding", title, [simple], repair=tree.work("Round half a penny up again", PRICES))


_QUESTIONS: Final = (
    "- Delivery is free from a threshold on, after the voucher is taken off.",
    "- Vouchers may be written in small letters.",
    "- A quote is not kept; ask again when the basket changes.",
    "- We deliver to the countries listed in `checkout/prices.py`.",
)


def question(tree: Tree, turn: int) -> Edit:
    """Answers one more question in the README, or drops an answer."""
    missing = [answer for answer in _QUESTIONS if answer not in tree.text(README)]
    if missing:
        tree.write(README, tree.text(README).rstrip("\n") + f"\n{missing[0]}\n")
        title = "Answer one more question"
    else:
        tree.swap(README, _QUESTIONS[turn % len(_QUESTIONS)] + "\n", "")
        title = "Drop an answer that nobody needs"
    return Edit("questions", title, [tree.work(title, README)])


def threads(tree: Tree, turn: int) -> Edit:
    """Changes a setting in both environments."""
    old = tree.number(STAGING, "threads")
    new = _next((4, 8, 6, 12), old)
    title = f"Serve with {new} threads"
    for path in (STAGING, PRODUCTION):
        tree.swap(path, f"threads = {old}", f"threads = {new}")
    return Edit(f"threads-{new}", title, [tree.work(title, STAGING, PRODUCTION)])


_EXAMPLE: Final = re.compile(r"\n    def test_example_\d+\(self\) -> None:\n.*\n")


def example(tree: Tree, turn: int) -> Edit:
    """Adds an example of a basket to the tests; of more than six the oldest goes."""
    text = tree.text(TEST_PRICES)
    if len(_EXAMPLE.findall(text)) >= 6:
        text = _EXAMPLE.sub("", text, count=1)
    many, price = turn % 17 + 2, 100 + turn * 7 % 900
    text = text.rstrip("\n") + (
        f"\n\n    def test_example_{turn}(self) -> None:\n"
        f"        self.assertEqual(prices.subtotal([({many}, {price})]), {many * price})\n"
    )
    tree.write(TEST_PRICES, text)
    title = f"Test a basket of {many}"
    return Edit(f"example-{turn}", title, [tree.work(title, TEST_PRICES)])


_PLAIN_LINE: Final = 'log(f"{settings.environment} {format % args}")'
_FULL_LINE: Final = 'log(f"{settings.environment} {version} {format % args}")'


def log_line(tree: Tree, turn: int) -> Edit:
    """Puts the version into each line of the access log, or takes it out."""
    if _PLAIN_LINE in tree.text(SERVER):
        title = "Name the version in the access log"
        tree.swap(SERVER, _PLAIN_LINE, _FULL_LINE)
    else:
        title = "Keep the access log short"
        tree.swap(SERVER, _FULL_LINE, _PLAIN_LINE)
    return Edit("access-log", title, [tree.work(title, SERVER)])


_SKIP: Final = '    @unittest.skip("until the new rates are agreed")\n'
_SKIPPED: Final = "    def test_every_country_has_a_fee"


def skipped(tree: Tree, turn: int) -> Edit:
    """Leaves a test out for a while, or takes it in again."""
    if _SKIP in tree.text(TEST_PRICES):
        title = "Test the delivery fees again"
        tree.swap(TEST_PRICES, _SKIP, "")
    else:
        title = "Leave out the test of fees until the rates are agreed"
        tree.swap(TEST_PRICES, _SKIPPED, _SKIP + _SKIPPED)
    return Edit("fee-tests", title, [tree.work(title, TEST_PRICES)])


_KEYS: Final = (
    ("gift_limit", 3, "Limit gift wrapping"),
    ("quote_minutes", 20, "Keep a quote valid for a while"),
    ("points_percent", 2, "Collect points"),
)
_LAST_FIELD: Final = "    currency: str\n"
_LAST_VALUE: Final = '        currency=checkout["currency"],\n'


def setting(tree: Tree, turn: int) -> Edit:
    """A new setting, given for staging alone: production cannot start with it."""
    text = tree.text(SETTINGS)
    missing = [key for key in _KEYS if key[0] not in text]
    if not missing:
        return _drop_setting(tree, *_KEYS[0])
    name, value, title = missing[0]
    tree.swap(SETTINGS, _LAST_FIELD, f"{_LAST_FIELD}    {name}: int\n")
    tree.swap(SETTINGS, _LAST_VALUE, f'{_LAST_VALUE}        {name}=int(checkout["{name}"]),\n')
    tree.swap(STAGING, "currency = GBP\n", f"currency = GBP\n{name} = {value}\n")
    work = tree.work(title, SETTINGS, STAGING)
    tree.swap(PRODUCTION, "currency = GBP\n", f"currency = GBP\n{name} = {value}\n")
    mend = tree.work(f"Give {name} to production too", PRODUCTION)
    return Edit(name.replace("_", "-"), title, [work], mend=mend)


def _drop_setting(tree: Tree, name: str, value: int, _: str) -> Edit:
    tree.swap(SETTINGS, f"    {name}: int\n", "")
    tree.swap(SETTINGS, f'        {name}=int(checkout["{name}"]),\n', "")
    for path in (STAGING, PRODUCTION):
        tree.swap(path, f"{name} = {value}\n", "")
    title = f"Drop the setting {name}"
    return Edit(f"drop-{name.replace('_', '-')}", title, [tree.work(title, SETTINGS, STAGING, PRODUCTION)])


_SERVES: Final = "    server.listen("


def notice(tree: Tree, turn: int) -> Edit:
    """Reads a file at the start that the build does not pack."""
    title = "Print the opening notice at the start"
    tree.swap(START, _SERVES, f'    print(Path("notices/opening.txt").read_text())\n{_SERVES}')
    tree.write("notices/opening.txt", "Open day and night.\n")
    return Edit("opening-notice", title, [tree.work(title, START, "notices/opening.txt")])


_WAIT: Final = """    for _ in range(300):
        with socket.socket() as stock:
            if stock.connect_ex(("127.0.0.1", 9)) == 0:
                break
        time.sleep(0.1)
"""


def stock(tree: Tree, turn: int) -> Edit:
    """Waits at the start for a service that is not there, longer than a health check does."""
    title = "Wait for the stock service before serving"
    tree.swap(START, "import argparse\n", "import argparse\nimport socket\nimport time\n")
    tree.swap(START, _SERVES, _WAIT + _SERVES)
    return Edit("wait-for-stock", title, [tree.work(title, START)])


_PRICED: Final = "return 200, quote("


def last_quote(tree: Tree, turn: int) -> Edit:
    """Writes each quote into a folder that exists in the repository but not where the service runs."""
    title = "Keep the last quote for support"
    tree.swap(
        SERVER,
        '                return 200, quote(asked["items"], country, voucher, settings)\n',
        '                found = quote(asked["items"], country, voucher, settings)\n'
        '                Path("quotes/last.json").write_text(json.dumps(found))\n'
        "                return 200, found\n",
    )
    tree.write("quotes/README", "The last quote lies here, for support.\n")
    return Edit("last-quote", title, [tree.work(title, SERVER, "quotes/README")])


# In the order of the first round, so that a visitor soon sees each kind of outcome.
EDITS: Final[tuple[Callable[[Tree, int], Edit], ...]] = (
    free_delivery,
    setting,
    voucher_untested,
    country,
    notice,
    quantity,
    rounding,
    last_quote,
    threads,
    free_delivery_untested,
    skipped,
    voucher,
    stock,
    example,
    question,
    log_line,
)
