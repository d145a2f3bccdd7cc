// Telegram's own invoices on a phone of the town: the card in the chat, and the sheet on which a card is typed.

import { STATIC, fill, h, icon } from "./dom.js";

const CARDS = [
  { number: "4242 4242 4242 4242", label: "Good card" },
  { number: "4000 0000 0000 0002", label: "Declined" },
  { number: "4000 0000 0000 0069", label: "Expired" },
];
const LINK = /^https:\/\/(?:t|telegram)\.me\/(?:\$|invoice\/)([\w-]+)$/;

document.head.append(h("link", { rel: "stylesheet", href: `${STATIC}invoice.css` }));

/** The invoice that an address opens in Telegram, or null. */
export const slugOf = (address) => LINK.exec(String(address || ""))?.[1] ?? null;

async function ask(user, what, body) {
  const answer = await fetch(`/town/api/telegram/${encodeURIComponent(user)}/${what}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), cache: "no-store",
  });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error || `The town said no (${answer.status}).`);
  return said;
}

/** What a message shows of an invoice, or of money that was paid; nothing for any other message. */
export function moneyIn(item) {
  if (item.invoice) {
    const { title, description, total } = item.invoice;
    return h("div", { class: "invoice" }, h("b", { dir: "auto" }, title), h("span", { dir: "auto" }, description), h("span", { class: "total" }, total));
  }
  if (!item.paid) return null;
  const sum = new Intl.NumberFormat("en", { style: "currency", currency: item.paid.currency });
  const amount = sum.format(item.paid.amount / 10 ** sum.resolvedOptions().maximumFractionDigits);
  return h("p", { class: "paid-line" }, item.paid.back ? `${amount} was given back` : `You paid ${amount}`);
}

/** Open the sheet over a chat. Closing it charges nothing. */
export async function payInvoice(chat, slug) {
  const user = chat.person.user;
  let invoice;
  try {
    invoice = await ask(user, "invoice", { slug });
  } catch (error) {
    chat.phone.toast(error.message, true);
    return;
  }
  chat.closeSheets();
  const box = h("input", { name: "card", inputmode: "numeric", autocomplete: "off", value: CARDS[0].number, "aria-label": "Card number" });
  const wrong = h("p", { class: "wrong", role: "alert", hidden: true });
  const pay = h("button", { type: "submit", class: "go" }, `Pay ${invoice.total}`);
  const form = h("form", { class: "paying", onsubmit: (event) => submit(event) },
    h("p", { class: "quiet", dir: "auto" }, invoice.description),
    h("dl", {}, invoice.prices.map((row) => [h("dt", { dir: "auto" }, row.label), h("dd", {}, invoice.prices.length > 1 ? row.amount : invoice.total)])),
    h("label", {}, "Card number", box),
    h("div", { class: "cards" }, CARDS.map((card) => h("button", { type: "button", onclick: () => { box.value = card.number; } }, card.label))),
    wrong, pay, invoice.test ? h("p", { class: "quiet" }, "Test payment: no money moves.") : null);
  const head = h("div", { class: "sheet-head" }, h("b", { dir: "auto" }, invoice.title),
    h("button", { type: "button", class: "tool", "aria-label": "Close", onclick: () => chat.closeSheets() }, icon("close")));

  async function submit(event) {
    event.preventDefault();
    wrong.hidden = true;
    pay.disabled = true;
    pay.setAttribute("aria-busy", "true");
    try {
      const done = await ask(user, "pay", { slug, card: box.value });
      if (done.state === "paid") {
        chat.closeSheets();
        chat.phone.toast(`Paid ${invoice.total}`);
        await chat.phone.refreshChat();
        return;
      }
      wrong.textContent = done.said;
      wrong.hidden = false;
    } catch (error) {
      wrong.textContent = error.message;
      wrong.hidden = false;
    } finally {
      pay.disabled = false;
      pay.removeAttribute("aria-busy");
    }
  }

  fill(chat.sheet, head, form);
  chat.sheet.hidden = false;
  pay.focus();
}
