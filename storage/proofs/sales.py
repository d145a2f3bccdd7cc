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
        WHERE e.kind IN ('capture', 'capture_direct', 'share_held') GROUP BY a.checkout_id HAVING count(*) > 1
        UNION ALL SELECT 'checkout:' || checkout_id, count(*) FROM payments WHERE settled_at IS NOT NULL GROUP BY checkout_id HAVING count(*) > 1""",
    ),
    check(
        3, "paid_checkouts_have_orders", "a checkout is PAID when it has its order, and only then", "checkouts WHERE group_id IS NULL",
        """SELECT 'checkout:' || c.id, c.state, c.order_id, o.id AS has FROM checkouts c LEFT JOIN orders o ON o.checkout_id = c.id
        WHERE c.group_id IS NULL AND ((c.state = 'PAID') <> (o.id IS NOT NULL) OR coalesce(c.order_id, 0) <> coalesce(o.id, 0))""",
    ),
    check(
        3, "shares_have_payers", "a share is PAID by one SUCCEEDED attempt of its own whose money is held for it, and has no order of its own",
        "checkouts WHERE group_id IS NOT NULL",
        """SELECT 'checkout:' || s.id, s.state, s.paid_by, a.state AS attempt, p.amount_minor AS held FROM checkouts s
        LEFT JOIN checkouts g ON g.id = s.group_id LEFT JOIN attempts a ON a.id = s.paid_by
        LEFT JOIN entries e ON e.kind = 'share_held' AND e.cause = 'attempt:' || s.paid_by
        LEFT JOIN postings p ON p.entry_id = e.id AND p.amount_minor < 0 AND p.account = 'shares:' || s.group_id
        WHERE s.group_id IS NOT NULL AND (g.id IS NULL OR g.shares = 0 OR g.group_id IS NOT NULL OR s.order_id IS NOT NULL
            OR (s.state = 'PAID') <> (s.paid_by IS NOT NULL) OR (s.paid_by IS NOT NULL AND (coalesce(a.state, '') <> 'SUCCEEDED'
                OR a.checkout_id <> s.id OR a.direct OR coalesce(-p.amount_minor, 0) <> s.amount_minor)))""",
    ),
    check(
        3, "shares_add_up", "no more of a group is taken than there is; a full one is paid to the last unit, and gathered for its order",
        "checkouts WHERE shares > 0 AND group_id IS NULL",
        """SELECT 'checkout:' || g.id, g.state, g.shares, coalesce(s.taken, 0) AS taken, coalesce(s.paid_minor, 0) AS paid FROM checkouts g
        LEFT JOIN (SELECT group_id, sum(CASE WHEN state IN ('OPEN', 'PAYING', 'PAID') THEN shares ELSE 0 END) AS taken,
            sum(CASE WHEN state = 'PAID' THEN shares ELSE 0 END) AS paid, sum(CASE WHEN state = 'PAID' THEN amount_minor ELSE 0 END) AS paid_minor
            FROM checkouts WHERE group_id IS NOT NULL GROUP BY group_id) s ON s.group_id = g.id
        LEFT JOIN entries e ON e.kind = 'shares_gathered' AND e.cause = 'order:' || g.order_id
        LEFT JOIN postings p ON p.entry_id = e.id AND p.amount_minor < 0
        WHERE g.shares > 0 AND g.group_id IS NULL AND (coalesce(s.taken, 0) > g.shares OR (g.state = 'PAID') <> (coalesce(s.paid, 0) = g.shares)
            OR (g.state = 'PAID' AND (s.paid_minor <> g.amount_minor OR coalesce(-p.amount_minor, 0) <> g.amount_minor)))""",
    ),
    check(
        3, "payments_follow_orders", "a payment is SUCCEEDED or refunded when an order, or a share, rests on it, and only then", "payments",
        """SELECT 'payment:' || p.id, p.state, o.id AS rests_on FROM payments p
        LEFT JOIN (SELECT a.payment_id, min(a.id) AS id FROM attempts a WHERE a.id IN (
            SELECT attempt_id FROM orders UNION ALL SELECT paid_by FROM checkouts WHERE paid_by IS NOT NULL) GROUP BY a.payment_id
        ) o ON o.payment_id = p.id
        WHERE (p.state IN ('SUCCEEDED', 'PARTLY_REFUNDED', 'REFUNDED', 'DISPUTED_BY_BANK', 'CHARGED_BACK')) <> (o.id IS NOT NULL) OR (p.settled_at IS NOT NULL) <> (o.id IS NOT NULL)""",
    ),
    check(
        3, "amounts_agree", "order, checkout, payment, attempt and capture have the same amount; of a group, order and checkout", "orders",
        """SELECT 'order:' || o.id, o.amount_minor AS total, c.amount_minor AS checkout, a.amount_minor AS attempt, q.amount_minor AS payment,
            p.amount_minor AS captured FROM orders o
        LEFT JOIN checkouts c ON c.id = o.checkout_id LEFT JOIN attempts a ON a.id = o.attempt_id LEFT JOIN payments q ON q.id = a.payment_id
        LEFT JOIN entries e ON e.kind = CASE WHEN a.direct THEN 'capture_direct' ELSE 'capture' END AND e.cause = 'attempt:' || a.id
        LEFT JOIN postings p ON p.entry_id = e.id AND p.amount_minor < 0
            AND p.account = CASE WHEN a.direct THEN 'direct_sales:' || o.organization_id ELSE 'escrow:' || o.id END
        WHERE c.amount_minor <> o.amount_minor OR c.currency <> o.currency OR c.quantity <> o.quantity OR (c.shares = 0 AND (
            p.amount_minor IS NULL OR p.amount_minor <> -o.amount_minor OR a.amount_minor <> o.amount_minor OR q.amount_minor <> o.amount_minor
            OR p.currency <> o.currency OR a.currency <> o.currency OR q.currency <> o.currency))""",
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
        LEFT JOIN entries c ON c.kind IN ('capture', 'share_held') AND c.cause = 'attempt:' || a.id
        LEFT JOIN entries d ON d.kind = 'capture_direct' AND d.cause = 'attempt:' || a.id
        LEFT JOIN entries u ON u.kind = 'unexpected' AND u.cause = 'attempt:' || a.id || '\:whole'
        LEFT JOIN entries l ON l.kind = 'late_accepted' AND l.cause = 'attempt:' || a.id
        WHERE CASE WHEN c.id IS NULL THEN 0 ELSE 1 END + CASE WHEN d.id IS NULL THEN 0 ELSE 1 END + CASE WHEN u.id IS NULL THEN 0 ELSE 1 END
            <> CASE WHEN a.state = 'SUCCEEDED' THEN 1 ELSE 0 END + CASE WHEN l.id IS NULL THEN 0 ELSE 1 END
            OR (l.id IS NOT NULL AND u.id IS NULL)
            OR (c.id IS NOT NULL AND a.direct) OR (d.id IS NOT NULL AND NOT a.direct) OR (a.settled_at IS NOT NULL) <> (a.state = 'SUCCEEDED')""",
    ),
    check(
        5, "bookings_have_attempts", "each entry about an attempt has its SUCCEEDED attempt", "entries",
        """SELECT 'entry:' || e.id, e.kind, e.cause, a.state FROM entries e LEFT JOIN attempts a ON a.id = ID_OF(e.cause)
        WHERE e.kind IN ('capture', 'capture_direct', 'share_held', 'unexpected', 'late_accepted', 'disproved', 'written_off')
            AND (a.id IS NULL OR a.state <> 'SUCCEEDED')""",
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
                FROM entries e JOIN postings p ON p.entry_id = e.id AND p.amount_minor > 0 WHERE e.kind IN ('unexpected', 'late_accepted', 'written_off')
            UNION ALL SELECT 'suspense:' || o.attempt_id, o.currency, o.amount_minor, 0 FROM orders o
                JOIN checkouts c ON c.id = o.checkout_id WHERE o.escrow = 'VOID' AND c.shares = 0
            UNION ALL SELECT 'suspense:' || a.id, p.currency, p.amount_minor, 0 FROM orders o JOIN checkouts s ON s.group_id = o.checkout_id
                JOIN attempts a ON a.id = s.paid_by AND a.disproved JOIN entries e ON e.kind = 'disproved' AND e.cause = 'attempt:' || a.id
                JOIN postings p ON p.entry_id = e.id AND p.amount_minor > 0 WHERE o.escrow = 'VOID'
            UNION ALL SELECT 'suspense:' || r.attempt_id, r.currency, r.amount_minor, 0
                FROM entries e JOIN refunds r ON r.id = ID_OF(e.cause) WHERE e.kind = 'refund_returned'
            UNION ALL SELECT 'suspense:' || id, currency, CASE WHEN state IN ('WAITING', 'RETURNING') THEN amount_minor ELSE 0 END, 0
                FROM strays
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
        5, "strays_go_back_once", "money that went back to whoever paid it is booked so, and only that", "strays",
        """SELECT 'stray:' || s.id, s.state, e.id AS booked FROM strays s
        LEFT JOIN entries e ON e.kind = 'stray_returned' AND e.cause = 'stray:' || s.id WHERE (s.state = 'RETURNED') <> (e.id IS NOT NULL)""",
    ),
    check(
        5, "late_money_is_decided_once", "late money that was taken is an order's, what was given back has its refund, and what waits has neither",
        "late_money",
        r"""SELECT 'late:' || l.id, l.state, o.id AS order_id, e.id AS taken, r.id AS refund FROM late_money l
        LEFT JOIN orders o ON o.attempt_id = l.attempt_id
        LEFT JOIN entries e ON e.kind = 'late_accepted' AND e.cause = 'attempt:' || l.attempt_id
        LEFT JOIN (SELECT attempt_id, min(id) AS id FROM refunds WHERE order_id IS NULL GROUP BY attempt_id) r ON r.attempt_id = l.attempt_id
        WHERE (l.state = 'ACCEPTED') <> (o.id IS NOT NULL) OR (l.state = 'ACCEPTED') <> (e.id IS NOT NULL)
            OR (l.state = 'REFUNDED' AND r.id IS NULL) OR (l.state = 'WAITING' AND r.id IS NOT NULL)
            OR (l.state = 'WAITING') <> (l.ended_at IS NULL)""",
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
        5, "frozen_orders_have_chargebacks", "an order is FROZEN while a case about its escrow is open, and CHARGED_BACK when banks kept all of it, "
        "and only then", "orders",
        """SELECT 'order:' || o.id, o.state, o.escrow, coalesce(c.opened, 0) AS opened, coalesce(c.lost, 0) AS lost FROM orders o
        LEFT JOIN (SELECT order_id, count(*) AS n, sum(CASE WHEN state = 'OPEN' THEN 1 ELSE 0 END) AS opened,
            sum(CASE WHEN state = 'LOST' AND source LIKE 'escrow:%' THEN amount_minor ELSE 0 END) AS lost
            FROM chargebacks WHERE before <> '' GROUP BY order_id) c ON c.order_id = o.id
        LEFT JOIN (SELECT source, sum(amount_minor) AS minor FROM refunds GROUP BY source) r ON r.source = 'escrow:' || o.id
        WHERE (o.state = 'FROZEN') <> (coalesce(c.opened, 0) > 0) OR (coalesce(o.escrow, '') = 'CHARGED_BACK')
            <> (coalesce(c.n, 0) > 0 AND coalesce(c.opened, 0) = 0 AND coalesce(c.lost, 0) + coalesce(r.minor, 0) = o.amount_minor
                AND o.escrow NOT IN ('REFUNDED', 'RELEASED', 'SPLIT', 'VOID'))""",
    ),
    check(
        5, "receipts_are_unique", "a gateway's receipt, and its reference, belong to one attempt", "attempts",
        """SELECT 'receipt:' || gateway || '.' || receipt AS id, count(*) AS attempts FROM attempts WHERE receipt IS NOT NULL
            GROUP BY gateway, receipt HAVING count(*) > 1
        UNION ALL SELECT 'ref:' || gateway || '.' || ref, count(*) FROM attempts WHERE ref IS NOT NULL GROUP BY gateway, ref HAVING count(*) > 1""",
    ),
)  # fmt: skip
