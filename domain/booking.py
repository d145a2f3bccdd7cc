"""Each kind of ledger entry as one function: which accounts, which cause. The table is in docs/ledger.md."""

from __future__ import annotations

from domain.ids import AttemptId, ChargebackId, CheckoutId, OrderId, OrganizationId, RefundId
from domain.ledger import AccountKind, Entry, LedgerAccount, Posting, transfer
from domain.money import Money


def clearing(gateway: str) -> LedgerAccount:
    """What a gateway has taken for us and not paid out yet."""
    return LedgerAccount(AccountKind.CLEARING, gateway)


def escrow_account(order_id: OrderId) -> LedgerAccount:
    return LedgerAccount(AccountKind.ESCROW, str(order_id))


def wallet(organization_id: OrganizationId) -> LedgerAccount:
    return LedgerAccount(AccountKind.WALLET, str(organization_id))


def suspense(attempt_id: AttemptId) -> LedgerAccount:
    """Money nobody asked for, kept apart by the attempt that brought it."""
    return LedgerAccount(AccountKind.SUSPENSE, str(attempt_id))


def in_transit(refund_id: RefundId) -> LedgerAccount:
    return LedgerAccount(AccountKind.REFUNDS_IN_TRANSIT, str(refund_id))


def shares_account(checkout_id: CheckoutId) -> LedgerAccount:
    """What some have paid of a group checkout that is not full yet."""
    return LedgerAccount(AccountKind.SHARES, str(checkout_id))


def direct_clearing(organization_id: OrganizationId, gateway: str) -> LedgerAccount:
    """What an organization's own short code has taken: a memo, not our money."""
    return LedgerAccount(AccountKind.DIRECT_CLEARING, f"{organization_id}.{gateway}")


def direct_sales(organization_id: OrganizationId) -> LedgerAccount:
    return LedgerAccount(AccountKind.DIRECT_SALES, str(organization_id))


def receivable(organization_id: OrganizationId) -> LedgerAccount:
    """What an organization owes us: money that its buyer's bank or its gateway took back after it was paid out."""
    return LedgerAccount(AccountKind.RECEIVABLE, str(organization_id))


FEES = LedgerAccount(AccountKind.FEES, "platform")


def capture(attempt_id: AttemptId, order_id: OrderId, organization_id: OrganizationId, gateway: str, money: Money) -> Entry:
    """A payment arrived: held for the order. Cause: the attempt."""
    return transfer("capture", f"attempt:{attempt_id}", clearing(gateway), escrow_account(order_id), money, organization_id)


def share_held(attempt_id: AttemptId, checkout_id: CheckoutId, organization_id: OrganizationId, gateway: str, money: Money) -> Entry:
    """A share of a group checkout was paid: kept with the others until they are all there. Cause: the attempt."""
    return transfer("share_held", f"attempt:{attempt_id}", clearing(gateway), shares_account(checkout_id), money, organization_id)


def shares_gathered(order_id: OrderId, checkout_id: CheckoutId, organization_id: OrganizationId, money: Money) -> Entry:
    """The last share was paid: all of them are held for the order now. Cause: the order."""
    return transfer("shares_gathered", f"order:{order_id}", shares_account(checkout_id), escrow_account(order_id), money, organization_id)


def capture_direct(attempt_id: AttemptId, organization_id: OrganizationId, gateway: str, money: Money) -> Entry:
    """A payment arrived at the organization's own short code: a memo, nothing is held by us. Cause: the attempt."""
    source, target = direct_clearing(organization_id, gateway), direct_sales(organization_id)
    return transfer("capture_direct", f"attempt:{attempt_id}", source, target, money, organization_id)


def unexpected(attempt_id: AttemptId, organization_id: OrganizationId, account: LedgerAccount, money: Money, part: str = "whole") -> Entry:
    """Late, double, short or surplus money: kept in suspense until it is refunded or matched. Cause: the attempt and its part."""
    return transfer("unexpected", f"attempt:{attempt_id}:{part}", account, suspense(attempt_id), money, organization_id)


def stray(stray_id: int, account: LedgerAccount, money: Money, organization_id: OrganizationId | None) -> Entry:
    """Money that named nothing of ours: kept apart until somebody shows whose it is. Cause: the stray."""
    return transfer("stray", f"stray:{stray_id}", account, LedgerAccount(AccountKind.SUSPENSE, str(stray_id)), money, organization_id)


def stray_matched(stray_id: int, account: LedgerAccount, money: Money, organization_id: OrganizationId | None) -> Entry:
    """The reverse: what it is for is known now, and it is booked as that."""
    return transfer(
        "stray_matched", f"stray:{stray_id}", LedgerAccount(AccountKind.SUSPENSE, str(stray_id)), account, money, organization_id
    )


def stray_returned(stray_id: int, account: LedgerAccount, money: Money, organization_id: OrganizationId | None) -> Entry:
    """It went back to whoever paid it. Cause: the stray."""
    return transfer(
        "stray_returned", f"stray:{stray_id}", LedgerAccount(AccountKind.SUSPENSE, str(stray_id)), account, money, organization_id
    )


def late_accepted(attempt_id: AttemptId, organization_id: OrganizationId, account: LedgerAccount, money: Money) -> Entry:
    """The reverse of `unexpected`: the seller takes the late money, and it is booked as a capture. Cause: the attempt."""
    return transfer("late_accepted", f"attempt:{attempt_id}", suspense(attempt_id), account, money, organization_id)


def disproved(attempt_id: AttemptId, order_id: OrderId, organization_id: OrganizationId, money: Money) -> Entry:
    """The gateway denies a payment that a callback without proof had told: out of escrow, into suspense, for a person to look at."""
    return transfer("disproved", f"attempt:{attempt_id}", escrow_account(order_id), suspense(attempt_id), money, organization_id)


def written_off(attempt_id: AttemptId, organization_id: OrganizationId, account: LedgerAccount, money: Money) -> Entry:
    """An admin found that suspense money never existed."""
    return transfer("written_off", f"attempt:{attempt_id}", suspense(attempt_id), account, money, organization_id)


def release(order_id: OrderId, organization_id: OrganizationId, money: Money, fee: Money) -> Entry:
    """Escrow to the wallet, minus the fee. Cause: the order."""
    shares = [Posting(wallet(organization_id), fee - money), Posting(FEES, -fee)]
    postings = (Posting(escrow_account(order_id), money), *(share for share in shares if share.money.amount_minor))
    return Entry("release", f"order:{order_id}", postings, organization_id)


def refund_asked(refund_id: RefundId, source: LedgerAccount, organization_id: OrganizationId, money: Money, tries: int = 0) -> Entry:
    """Money on its way back. `source` is the escrow or the suspense it leaves; `tries` counts earlier failures of the same refund."""
    return transfer("refund_asked", f"refund:{refund_id}:{tries}", source, in_transit(refund_id), money, organization_id)


def refund_confirmed(refund_id: RefundId, organization_id: OrganizationId, account: LedgerAccount, money: Money) -> Entry:
    """`account` is the gateway's clearing account, or the organization's own for direct payments."""
    return transfer("refund_confirmed", f"refund:{refund_id}", in_transit(refund_id), account, money, organization_id)


def refund_failed(refund_id: RefundId, source: LedgerAccount, organization_id: OrganizationId, money: Money, tries: int = 0) -> Entry:
    """The reverse of `refund_asked`: the money waits where it came from, and an alert is raised."""
    return transfer("refund_failed", f"refund:{refund_id}:{tries}", in_transit(refund_id), source, money, organization_id)


def chargeback(
    chargeback_id: ChargebackId, source: LedgerAccount, organization_id: OrganizationId, account: LedgerAccount, money: Money
) -> Entry:
    """The buyer's bank took money back: out of `source` (escrow, wallet, receivable or direct sales) and of the gateway's account."""
    return transfer("chargeback", f"chargeback:{chargeback_id}", source, account, money, organization_id)


def chargeback_won(
    chargeback_id: ChargebackId, source: LedgerAccount, organization_id: OrganizationId, account: LedgerAccount, money: Money
) -> Entry:
    """The reverse of `chargeback`: the bank decided for the seller, and the money is where it was."""
    return transfer("chargeback_won", f"chargeback:{chargeback_id}", account, source, money, organization_id)


def owed_taken(cause: str, organization_id: OrganizationId, money: Money) -> Entry:
    """What an organization owes us, out of its wallet. Cause: the fact after which there was something to take, or something owed."""
    return transfer("owed_taken", cause, wallet(organization_id), receivable(organization_id), money, organization_id)


def owed_returned(cause: str, organization_id: OrganizationId, money: Money) -> Entry:
    """A debt that the wallet had paid is given up (the bank decided for the seller): back into the wallet."""
    return transfer("owed_returned", cause, receivable(organization_id), wallet(organization_id), money, organization_id)


def refund_returned(
    refund_id: RefundId, attempt_id: AttemptId, organization_id: OrganizationId, account: LedgerAccount, money: Money
) -> Entry:
    """A refund that was done came back from the buyer's bank: the money waits in suspense."""
    return transfer("refund_returned", f"refund:{refund_id}", account, suspense(attempt_id), money, organization_id)
