"""Promises 3, 5 and 7: one success and one order per checkout, one live prompt, each success and each refund booked once."""

from __future__ import annotations

from typing import Final

from storage.proofs.reading import Check, check

ONCE: Final[tuple[Check, ...]] = (
    check(
        3, "one_order_per_checkout", "a checkout has one order at most", "checkouts",
        "SELECT 'checkout:' || checkout_id, count(*) AS orders FROM orders GROUP BY checkout_id HAVING count(*) > 1",
    ),
    check(
        3, "one_success_per_checkout", "a checkout has one success at most that is not kept apart to be returned", "checkouts",
        """SELECT 'checkout:' || a.checkout_id, count(*) AS captures FROM entries e JOIN attempts a ON a.id = ID_OF(e.cause)
        WHERE e.kind IN ('capture', 'capture_direct') GROUP BY a.checkout_id HAVING count(*) > 1
        UNION ALL SELECT 'checkout:' || checkout_id, count(*) FROM payments WHERE settled_at IS NOT NULL GROUP BY checkout_id HAVING count(*) > 1""",
    ),
    check(
        3, "paid_checkouts_have_orders", "a checkout is PAID when it has its order, and only then", "checkouts",
        """SELECT 'checkout:' || c.id, c.state, c.order_id, o.id AS has FROM checkouts c LEFT JOIN orders o ON o.checkout_id = c.id
        WHERE (c.state = 'PAID') <> (o.id IS NOT NULL) OR coalesce(c.order_id, 0) <> coalesce(o.id, 0)""",
    ),
    check(
        3, "payments_follow_orders", "a payment is SUCCEEDED or refunded when an order rests on it, and only then", "payments",
        """SELECT 'payment:' || p.id, p.state, o.id AS order_id FROM payments p
        LEFT JOIN (SELECT o.id, a.payment_id FROM orders o JOIN attempts a ON a.id = o.attempt_id) o ON o.payment_id = p.id
        WHERE (p.state IN ('SUCCEEDED', 'PARTLY_REFUNDED', 'REFUNDED', 'DISPUTED_BY_BANK', 'CHARGED_BACK')) <> (o.id IS NOT NULL) OR (p.settled_at IS NOT NULL) <> (o.id IS NOT NULL)""",
    ),
    check(
        3, "amounts_agree", "order, checkout, payment, attempt and capture have the same amount", "orders",
        """SELECT 'order:' || o.id, o.amount_minor AS total, c.amount_minor AS checkout, a.amount_minor AS attempt, q.amount_minor AS payment,
            p.amount_minor AS captured FROM orders o
        LEFT JOIN checkouts c ON c.id = o.checkout_id LEFT JOIN attempts a ON a.id = o.attempt_id LEFT JOIN payments q ON q.id = a.payment_id
        LEFT JOIN entries e ON e.kind = CASE WHEN a.direct THEN 'capture_direct' ELSE 'capture' END AND e.cause = 'attempt:' || a.id
        LEFT JOIN postings p ON p.entry_id = e.id AND p.amount_minor < 0
            AND p.account = CASE WHEN a.direct THEN 'direct_sales:' || o.organization_id ELSE 'escrow:' || o.id END
        WHERE p.amount_minor IS NULL OR p.amount_minor <> -o.amount_minor OR c.amount_minor <> o.amount_minor OR a.amount_minor <> o.amount_minor
            OR q.amount_minor <> o.amount_minor OR p.currency <> o.currency OR c.currency <> o.currency OR a.currency <> o.currency
            OR q.currency <> o.currency OR c.quantity <> o.quantity""",
    ),
    check(
        7, "one_live_attempt", "a checkout has one live attempt at most, and only an attempt under way is live", "attempts",
        """SELECT 'checkout:' || checkout_id AS id, 'live' AS what, count(*) AS attempts FROM attempts WHERE live
            GROUP BY checkout_id HAVING count(*) > 1
        UNION ALL SELECT 'attempt:' || id, state, CASE WHEN live THEN 1 ELSE 0 END FROM attempts
            WHERE live <> (state IN ('CREATED', 'SENDING', 'PENDING'))""",
    ),
)  # fmt: skip

BOOKED: Final[tuple[Check, ...]] = (
    check(
        5, "successes_booked_once", "each SUCCEEDED attempt is booked exactly once: captured, or kept apart", "attempts",
        r"""SELECT 'attempt:' || a.id, a.state, c.id AS capture, d.id AS capture_direct, u.id AS unexpected FROM attempts a
        LEFT JOIN entries c ON c.kind = 'capture' AND c.cause = 'attempt:' || a.id
        LEFT JOIN entries d ON d.kind = 'capture_direct' AND d.cause = 'attempt:' || a.id
        LEFT JOIN entries u ON u.kind = 'unexpected' AND u.cause = 'attempt:' || a.id || '\:whole'
        WHERE CASE WHEN c.id IS NULL THEN 0 ELSE 1 END + CASE WHEN d.id IS NULL THEN 0 ELSE 1 END + CASE WHEN u.id IS NULL THEN 0 ELSE 1 END
            <> CASE WHEN a.state = 'SUCCEEDED' THEN 1 ELSE 0 END
            OR (c.id IS NOT NULL AND a.direct) OR (d.id IS NOT NULL AND NOT a.direct) OR (a.settled_at IS NOT NULL) <> (a.state = 'SUCCEEDED')""",
    ),
    check(
        5, "bookings_have_attempts", "each entry about an attempt has its SUCCEEDED attempt", "entries",
        """SELECT 'entry:' || e.id, e.kind, e.cause, a.state FROM entries e LEFT JOIN attempts a ON a.id = ID_OF(e.cause)
        WHERE e.kind IN ('capture', 'capture_direct', 'unexpected', 'disproved', 'written_off') AND (a.id IS NULL OR a.state <> 'SUCCEEDED')""",
    ),
    check(
        5, "refunds_are_booked", "a refund was asked once in the books, and confirmed there when it is DONE and only then", "refunds",
        r"""SELECT 'refund:' || r.id, r.state, a.id AS asked, c.id AS confirmed FROM refunds r
        LEFT JOIN entries a ON a.kind = 'refund_asked' AND a.cause = 'refund:' || r.id || '\:0'
        LEFT JOIN postings s ON s.entry_id = a.id AND s.amount_minor > 0
        LEFT JOIN entries c ON c.kind = 'refund_confirmed' AND c.cause = 'refund:' || r.id
        LEFT JOIN postings t ON t.entry_id = c.id AND t.amount_minor > 0
        WHERE a.id IS NULL OR coalesce(s.account, '') <> r.source OR coalesce(s.amount_minor, 0) <> r.amount_minor
            OR (r.state = 'DONE') <> (c.id IS NOT NULL) OR coalesce(t.amount_minor, r.amount_minor) <> r.amount_minor
            OR (r.done_at IS NOT NULL) <> (r.state = 'DONE')""",
    ),
    check(
        5, "bookings_have_refunds", "each entry about a refund has its refund", "entries",
        """SELECT 'entry:' || e.id, e.kind, e.cause FROM entries e LEFT JOIN refunds r ON r.id = ID_OF(e.cause)
        WHERE e.kind IN ('refund_asked', 'refund_confirmed', 'refund_failed', 'refund_returned') AND r.id IS NULL""",
    ),
    check(
        5, "in_transit_equals_refunds", "money in transit is what the refunds under way say, one by one", "refunds",
        """SELECT account, currency, sum(expected) AS expected, sum(booked) AS booked FROM (
            SELECT 'refunds_in_transit:' || id AS account, currency,
                CASE WHEN state IN ('ASKED', 'SENDING', 'PENDING') THEN amount_minor ELSE 0 END AS expected, 0 AS booked FROM refunds
            UNION ALL SELECT account, currency, 0, -amount_minor FROM postings WHERE account LIKE 'refunds_in_transit:%') both_sides
        GROUP BY account, currency HAVING sum(expected) <> sum(booked)""",
    ),
    check(
        5, "suspense_is_explained", "what is kept apart is what came unexpected or was disproved, less what was sent back or written off",
        "attempts WHERE state = 'SUCCEEDED'",
        """SELECT account, currency, sum(expected) AS expected, sum(booked) AS booked FROM (
            SELECT 'suspense:' || ID_OF(e.cause) AS account, p.currency,
                CASE WHEN e.kind = 'unexpected' THEN p.amount_minor ELSE -p.amount_minor END AS expected, 0 AS booked
                FROM entries e JOIN postings p ON p.entry_id = e.id AND p.amount_minor > 0 WHERE e.kind IN ('unexpected', 'written_off')
            UNION ALL SELECT 'suspense:' || attempt_id, currency, amount_minor, 0 FROM orders WHERE escrow = 'VOID'
            UNION ALL SELECT 'suspense:' || r.attempt_id, r.currency, r.amount_minor, 0
                FROM entries e JOIN refunds r ON r.id = ID_OF(e.cause) WHERE e.kind = 'refund_returned'
            UNION ALL SELECT 'suspense:' || id, currency, CASE WHEN state = 'WAITING' THEN amount_minor ELSE 0 END, 0 FROM strays
            UNION ALL SELECT 'suspense:' || attempt_id, currency, CASE WHEN source LIKE 'suspense:%' THEN
                CASE WHEN state = 'FAILED' THEN 0 ELSE -amount_minor END ELSE CASE WHEN state = 'FAILED' THEN amount_minor ELSE 0 END END, 0
                FROM refunds
            UNION ALL SELECT account, currency, 0, -amount_minor FROM postings WHERE account LIKE 'suspense:%') both_sides
        GROUP BY account, currency HAVING sum(expected) <> sum(booked)""",
    ),
    check(
        5, "strays_are_apart", "money that waits for its owner is in no attempt, and what was matched is in the one it names", "strays",
        """SELECT 'stray:' || s.id, s.state, s.attempt_id, a.id AS has FROM strays s
        LEFT JOIN attempts a ON a.gateway = s.gateway AND a.receipt = s.receipt
        WHERE coalesce(s.attempt_id, 0) <> coalesce(a.id, 0) OR (s.state = 'MATCHED') <> (s.attempt_id IS NOT NULL)""",
    ),
    check(
        5, "chargebacks_are_booked", "each case at a bank is booked once out of its source, and back when it was won, and only then", "chargebacks",
        """SELECT 'chargeback:' || c.id, c.state, b.id AS booked, w.id AS back FROM chargebacks c
        LEFT JOIN entries b ON b.kind = 'chargeback' AND b.cause = 'chargeback:' || c.id
        LEFT JOIN postings s ON s.entry_id = b.id AND s.amount_minor > 0
        LEFT JOIN entries w ON w.kind = 'chargeback_won' AND w.cause = 'chargeback:' || c.id
        LEFT JOIN postings t ON t.entry_id = w.id AND t.amount_minor < 0
        WHERE b.id IS NULL OR s.account <> c.source OR s.amount_minor <> c.amount_minor OR s.currency <> c.currency
            OR (c.state = 'WON') <> (w.id IS NOT NULL) OR coalesce(t.account, c.source) <> c.source
            OR coalesce(-t.amount_minor, c.amount_minor) <> c.amount_minor OR (c.ended_at IS NULL) <> (c.state = 'OPEN')""",
    ),
    check(
        5, "bookings_have_chargebacks", "each entry about a chargeback has its case", "entries",
        """SELECT 'entry:' || e.id, e.kind, e.cause FROM entries e LEFT JOIN chargebacks c ON c.id = ID_OF(e.cause)
        WHERE e.kind IN ('chargeback', 'chargeback_won') AND c.id IS NULL""",
    ),
    check(
        5, "frozen_orders_have_chargebacks", "an order is FROZEN while a case that took its whole escrow is open, and only then", "orders",
        """SELECT 'order:' || o.id, o.state, o.escrow, c.id AS chargeback FROM orders o
        LEFT JOIN chargebacks c ON c.order_id = o.id AND c.before <> '' AND c.state <> 'WON'
        WHERE (o.state = 'FROZEN') <> (coalesce(c.state, '') = 'OPEN') OR (coalesce(o.escrow, '') = 'CHARGED_BACK') <> (coalesce(c.state, '') = 'LOST')""",
    ),
    check(
        5, "receipts_are_unique", "a gateway's receipt, and its reference, belong to one attempt", "attempts",
        """SELECT 'receipt:' || gateway || '.' || receipt AS id, count(*) AS attempts FROM attempts WHERE receipt IS NOT NULL
            GROUP BY gateway, receipt HAVING count(*) > 1
        UNION ALL SELECT 'ref:' || gateway || '.' || ref, count(*) FROM attempts WHERE ref IS NOT NULL GROUP BY gateway, ref HAVING count(*) > 1""",
    ),
)  # fmt: skip
