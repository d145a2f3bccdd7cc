"""Promises 1, 2 and 4: the entries by themselves, escrow against the orders, and what left it."""

from __future__ import annotations

from typing import Final

from domain.ledger import AccountKind
from storage.proofs.reading import Check, check

SHAPES: Final = {
    "capture": ("+clearing", "-escrow"),
    "share_held": ("+clearing", "-shares"),
    "shares_gathered": ("+shares", "-escrow"),
    "capture_direct": ("+direct_clearing", "-direct_sales"),
    "unexpected": ("+clearing", "+direct_clearing", "-suspense"),
    "stray": ("+clearing", "+direct_clearing", "-suspense"),
    "stray_matched": ("+suspense", "-clearing", "-direct_clearing"),
    "stray_returned": ("+suspense", "-clearing", "-direct_clearing"),
    "late_accepted": ("+suspense", "-clearing", "-direct_clearing"),
    "disproved": ("+escrow", "-suspense"),
    "written_off": ("+suspense", "-clearing", "-direct_clearing"),
    "release": ("+escrow", "-wallet", "-fees"),
    "refund_asked": ("+escrow", "+shares", "+suspense", "+direct_sales", "+wallet", "+receivable", "-refunds_in_transit"),
    "refund_confirmed": ("+refunds_in_transit", "-clearing", "-direct_clearing"),
    "refund_failed": ("+refunds_in_transit", "-suspense"),
    "refund_returned": ("+clearing", "+direct_clearing", "-suspense"),
    "owed_taken": ("+wallet", "-receivable"),
    "owed_returned": ("+receivable", "-wallet"),
    "chargeback": ("+escrow", "+wallet", "+receivable", "+direct_sales", "-clearing", "-direct_clearing"),
    "chargeback_won": ("+clearing", "+direct_clearing", "-escrow", "-wallet", "-receivable", "-direct_sales"),
}
"""Which accounts an entry of each kind debits (+) and credits (-): the table of docs/ledger.md."""

_ALLOWED = ", ".join(f"'{kind}{side}'" for kind, sides in SHAPES.items() for side in sides)
_KINDS = ", ".join(f"'{kind}'" for kind in AccountKind)
_HOLDS = "('HELD', 'DISPUTED', 'FROZEN')"
_HELD = f"""SELECT 'escrow:' || id AS account, currency, amount_minor AS expected, 0 AS booked FROM orders WHERE escrow IN {_HOLDS}
            UNION ALL SELECT c.source, c.currency, -c.amount_minor, 0 FROM chargebacks c JOIN orders o ON o.id = c.order_id
                WHERE c.source = 'escrow:' || o.id AND c.state <> 'WON' AND o.escrow IN {_HOLDS}
            UNION ALL SELECT r.source, r.currency, -r.amount_minor, 0 FROM refunds r JOIN orders o ON o.id = r.order_id
                WHERE r.source = 'escrow:' || o.id AND o.escrow IN {_HOLDS}
            UNION ALL SELECT account, currency, 0, -amount_minor FROM postings WHERE account LIKE 'escrow:%'"""  # noqa: S608 - our states
"""What escrow should hold, beside what is booked there."""

BOOKS: Final[tuple[Check, ...]] = (
    check(
        1, "entries_balance", "each entry adds up to zero in each currency", "entries",
        """SELECT 'entry:' || p.entry_id, p.currency, sum(p.amount_minor) AS off_by FROM postings p
        GROUP BY p.entry_id, p.currency HAVING sum(p.amount_minor) <> 0""",
    ),
    check(
        1, "entries_have_postings", "each entry has two postings or more, numbered from 0", "entries",
        """SELECT 'entry:' || e.id, e.kind, e.cause, coalesce(p.n, 0) AS postings FROM entries e
        LEFT JOIN (SELECT entry_id, count(*) AS n, max(n) AS last FROM postings GROUP BY entry_id) p ON p.entry_id = e.id
        WHERE coalesce(p.n, 0) < 2 OR p.last <> p.n - 1""",
    ),
    check(
        1, "postings_have_entries", "no posting without its entry", "postings",
        """SELECT 'posting:' || p.entry_id || '.' || p.n, p.account FROM postings p LEFT JOIN entries e ON e.id = p.entry_id WHERE e.id IS NULL""",
    ),
    check(
        1, "wallets_equal_postings", "each kept wallet balance is the sum of its postings, and none is below zero", "wallets",
        """SELECT account, currency, sum(kept) AS kept, sum(booked) AS booked FROM (
            SELECT account, currency, owed_minor AS kept, 0 AS booked FROM wallets
            UNION ALL SELECT account, currency, 0, -amount_minor FROM postings WHERE account LIKE 'wallet:%') both_sides
        GROUP BY account, currency HAVING sum(kept) <> sum(booked) OR sum(kept) < 0""",
    ),
    check(
        1, "debts_are_taken", "nobody owes beside a wallet with money in it, and no more was taken than was owed",
        "postings WHERE account LIKE 'receivable:%'",
        """SELECT d.account, d.currency, d.owed, coalesce(w.owed_minor, 0) AS wallet FROM (
            SELECT account, ID_OF(account) AS owner, currency, sum(amount_minor) AS owed FROM postings WHERE account LIKE 'receivable:%'
            GROUP BY account, currency) d
        LEFT JOIN wallets w ON w.account = 'wallet:' || d.owner AND w.currency = d.currency
        WHERE d.owed < 0 OR (d.owed > 0 AND coalesce(w.owed_minor, 0) > 0)""",
    ),
    check(
        1, "accounts_are_known", "each posting is on an account of a known kind", "postings",
        f"""SELECT 'posting:' || entry_id || '.' || n, account FROM postings p WHERE KIND_OF(p.account) NOT IN ({_KINDS})""",  # noqa: S608 - our enum
    ),
    check(
        1, "entries_are_shaped", "each entry debits and credits the accounts of its kind", "entries",
        f"""SELECT 'entry:' || e.id, e.kind, e.cause, p.account FROM entries e JOIN postings p ON p.entry_id = e.id
        WHERE e.kind || CASE WHEN p.amount_minor > 0 THEN '+' ELSE '-' END || KIND_OF(p.account) NOT IN ({_ALLOWED})""",  # noqa: S608 - our table
    ),
    check(
        2, "escrow_equals_orders", "the ledger holds each order's total, less what a bank or a gateway took out of it, until its escrow ends",
        "orders",
        f"""SELECT account, currency, sum(expected) AS expected, sum(booked) AS booked FROM ({_HELD}) both_sides
        GROUP BY account, currency HAVING sum(expected) <> sum(booked)""",  # noqa: S608 - as above
    ),
    check(
        2, "escrow_in_sum", "what the ledger holds in escrow is what the orders say, in each currency",
        f"orders WHERE escrow IN {_HOLDS}",
        f"""SELECT 'escrow in ' || currency, sum(expected) AS expected, sum(booked) AS booked FROM ({_HELD}) both_sides
        GROUP BY currency HAVING sum(expected) <> sum(booked)""",  # noqa: S608 - as above
    ),
    check(
        2, "escrow_fits_state", "an order's escrow is what its state says; there is none where the money went straight to the seller", "orders",
        """SELECT 'order:' || o.id, o.state, o.escrow, a.direct FROM orders o JOIN attempts a ON a.id = o.attempt_id
        WHERE (o.escrow IS NULL) <> a.direct OR (o.escrow IS NOT NULL AND o.state || '/' || o.escrow NOT IN ('PAID/HELD', 'ACCEPTED/HELD',
            'SHIPPED/HELD', 'DELIVERED/HELD', 'DISPUTED/DISPUTED', 'COMPLETED/RELEASED', 'COMPLETED/SPLIT', 'REFUNDED/REFUNDED', 'VOID/VOID', 'FROZEN/FROZEN', 'VOID/CHARGED_BACK'))""",
    ),
    check(
        2, "shares_equal_groups", "the ledger holds what was paid of each group that is not full yet, and nothing once it is full or over",
        "checkouts WHERE shares > 0",
        """SELECT account, currency, sum(expected) AS expected, sum(booked) AS booked FROM (
            SELECT 'shares:' || g.id AS account, s.currency, CASE WHEN g.state = 'OPEN' THEN s.amount_minor ELSE 0 END AS expected, 0 AS booked
                FROM checkouts s JOIN checkouts g ON g.id = s.group_id WHERE s.state = 'PAID'
            UNION ALL SELECT account, currency, 0, -amount_minor FROM postings WHERE account LIKE 'shares:%') both_sides
        GROUP BY account, currency HAVING sum(expected) <> sum(booked)""",
    ),
    check(
        4, "escrow_never_overdrawn", "no escrow gives more than it got", "orders WHERE escrow IS NOT NULL",
        """SELECT account, currency, sum(amount_minor) AS beyond FROM postings WHERE account LIKE 'escrow:%'
        GROUP BY account, currency HAVING sum(amount_minor) > 0""",
    ),
    check(
        4, "escrow_left_once", "a RELEASED escrow left by one release, a REFUNDED one by refunds, a SPLIT one by both, all others by none; "
        "every chargeback that was not won and every refund out of it is booked there", "orders WHERE escrow IS NOT NULL",
        """SELECT 'order:' || o.id, o.escrow, coalesce(t.releases, 0) AS releases, coalesce(t.refunds, 0) AS refunds,
            coalesce(t.disproved, 0) AS disproved, coalesce(t.banks, 0) AS banks
        FROM orders o LEFT JOIN (
            SELECT p.account, sum(CASE WHEN e.kind IN ('capture', 'shares_gathered') THEN 1 ELSE 0 END) AS captures,
                sum(CASE WHEN e.kind = 'release' THEN 1 ELSE 0 END) AS releases,
                sum(CASE WHEN e.kind = 'refund_asked' THEN 1 ELSE 0 END) AS refunds,
                sum(CASE WHEN e.kind = 'disproved' THEN 1 ELSE 0 END) AS disproved,
                sum(CASE e.kind WHEN 'chargeback' THEN 1 WHEN 'chargeback_won' THEN -1 ELSE 0 END) AS banks
            FROM postings p JOIN entries e ON e.id = p.entry_id WHERE p.account LIKE 'escrow:%' GROUP BY p.account
        ) t ON t.account = 'escrow:' || o.id LEFT JOIN (
            SELECT r.source, max(CASE WHEN r.reason = 'elsewhere' THEN 0 WHEN k.group_id IS NULL THEN n.ours ELSE 1 END) AS ours, max(n.n) AS n
            FROM refunds r JOIN attempts a ON a.id = r.attempt_id JOIN checkouts k ON k.id = a.checkout_id
            JOIN (SELECT source, sum(CASE WHEN reason = 'elsewhere' THEN 0 ELSE 1 END) AS ours, count(*) AS n
                FROM refunds WHERE source LIKE 'escrow:%' GROUP BY source) n ON n.source = r.source
            GROUP BY r.source
        ) r ON r.source = 'escrow:' || o.id LEFT JOIN (
            SELECT source, count(*) AS n FROM chargebacks WHERE source LIKE 'escrow:%' AND state <> 'WON' GROUP BY source
        ) c ON c.source = 'escrow:' || o.id
        WHERE coalesce(t.captures || '.' || t.releases || '.' || t.disproved, '0.0.0') <> CASE
            WHEN o.escrow IS NULL THEN '0.0.0' WHEN o.escrow IN ('RELEASED', 'SPLIT') THEN '1.1.0' WHEN o.escrow = 'VOID' THEN '1.0.1' ELSE '1.0.0' END
            OR coalesce(t.refunds, 0) <> coalesce(r.n, 0) OR coalesce(t.banks, 0) <> coalesce(c.n, 0)
            OR (o.escrow = 'REFUNDED' AND coalesce(r.n, 0) = 0) OR coalesce(r.ours, 0) > 1
            OR (o.escrow = 'SPLIT' AND coalesce(r.ours, 0) <> 1) OR (coalesce(r.ours, 0) <> 0 AND o.escrow NOT IN ('REFUNDED', 'SPLIT')
                AND NOT (o.escrow = 'VOID' AND EXISTS (SELECT 1 FROM checkouts g WHERE g.id = o.checkout_id AND g.shares > 0)))""",
    ),
    check(
        4, "fees_are_right", "each release is its escrow less a fee of 0 to 10000 basis points, and goes to the seller of its order",
        "entries WHERE kind = 'release'",
        """SELECT 'entry:' || r.id, r.cause, r.amount, r.wallet, r.fee FROM (
            SELECT e.id, e.cause, e.organization_id,
                CAST(sum(CASE WHEN p.account = 'escrow:' || ID_OF(e.cause) THEN p.amount_minor ELSE 0 END) AS BIGINT) AS amount,
                CAST(sum(CASE WHEN p.account = 'wallet:' || e.organization_id THEN -p.amount_minor ELSE 0 END) AS BIGINT) AS wallet,
                CAST(sum(CASE WHEN p.account = 'fees:platform' THEN -p.amount_minor ELSE 0 END) AS BIGINT) AS fee
            FROM entries e JOIN postings p ON p.entry_id = e.id WHERE e.kind = 'release' GROUP BY e.id, e.cause, e.organization_id) r
        LEFT JOIN orders o ON o.id = ID_OF(r.cause)
        WHERE o.id IS NULL OR o.organization_id <> r.organization_id OR r.amount <= 0 OR r.wallet + r.fee <> r.amount OR r.fee < 0
            OR r.wallet < 0 OR r.fee <> r.amount * ((r.fee * 10000 + r.amount - 1) / NULLIF(r.amount, 0)) / 10000""",
    ),
    check(
        4, "releases_as_told", "each release is booked with the amount and the fee that its order's trail tells", "entries WHERE kind = 'release'",
        """SELECT 'entry:' || e.id, e.cause, p.amount_minor AS released, -coalesce(f.amount_minor, 0) AS fee,
            coalesce(FIELD(a.data, kept_minor), FIELD(a.data, amount_minor)) AS told, FIELD(a.data, fee_minor) AS told_fee FROM entries e
        JOIN orders o ON o.id = ID_OF(e.cause)
        JOIN postings p ON p.entry_id = e.id AND p.account = 'escrow:' || o.id
        LEFT JOIN postings f ON f.entry_id = e.id AND f.account = 'fees:platform'
        LEFT JOIN audit a ON a.subject = 'sale:' || o.checkout_id AND a.action IN ('order_completed', 'order_split')
        WHERE e.kind = 'release' AND (a.id IS NULL OR p.amount_minor <> coalesce(FIELD(a.data, kept_minor), FIELD(a.data, amount_minor))
            OR -coalesce(f.amount_minor, 0) <> FIELD(a.data, fee_minor))""",
    ),
)  # fmt: skip
