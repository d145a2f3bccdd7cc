// M-Pesa on a phone with a glass screen: the pad that takes a PIN, and the app with Lipa na M-PESA.

import { api } from "./api.js";
import { copy, fill, h, icon, money, tell } from "./dom.js";

/** Four dots, ten digits, and a key that sends. `nodes` go into a dialog; `keydown` answers a real keyboard. */
export class PinPad {
  constructor({ send, cancel, label = "Send" }) {
    this.send = send;
    this.cancel = cancel;
    this.pin = "";
    this.dots = h("div", { class: "dots", role: "img" });
    this.ok = h("button", { type: "button", class: "ok", onclick: () => this.send(this.pin) }, label);
    this.pad = h("div", { class: "pad" }, ["1", "2", "3", "4", "5", "6", "7", "8", "9"].map((digit) => h("button", { type: "button", onclick: () => this.type(digit) }, digit)),
      h("button", { type: "button", class: "cancel", onclick: () => this.cancel() }, "Cancel"),
      h("button", { type: "button", onclick: () => this.type("0") }, "0"),
      h("button", { type: "button", "aria-label": "Delete a digit", onclick: () => this.type("back") }, icon("back")));
    this.nodes = [this.dots, this.pad, this.ok];
    this.draw();
  }

  draw() {
    fill(this.dots, [0, 1, 2, 3].map((place) => h("i", { class: place < this.pin.length ? "on" : "" })));
    this.dots.setAttribute("aria-label", this.pin ? `${this.pin.length} of 4 digits typed` : "No digits yet");
    this.ok.disabled = this.pin.length < 4;
  }

  type(digit) {
    this.pin = digit === "back" ? this.pin.slice(0, -1) : (this.pin + digit).slice(0, 4);
    this.draw();
  }

  keydown(event) {
    if (/^\d$/.test(event.key)) this.type(event.key);
    else if (event.key === "Backspace") this.type("back");
    else if (event.key === "Escape") this.cancel();
    else if (event.key === "Enter" && this.pin.length === 4 && !event.target.closest(".ifs, .cancel")) this.send(this.pin);
    else return;
    event.preventDefault();
  }
}

const SERVICES = {
  paybill: { title: "Pay Bill", number: "Business number", about: "A business number and an account number" },
  till: { title: "Buy Goods", number: "Till number", about: "A till number, no account" },
};

/** What an M-Pesa message can be copied as: its code alone, or all of it. */
export function copies(phone, text) {
  const [, code] = text.match(/^([A-Z][A-Z0-9]{9}) Confirmed/) || [];
  const one = (label, what) => h("button", { type: "button", class: "small", onclick: async () => {
    await copy(what);
    phone.chat.renderComposer();
    phone.toast("Copied.");
  } }, icon("copy"), label);
  return code ? h("p", { class: "copies" }, one(`Copy ${code}`, code), one("Copy message", text)) : null;
}

export class MpesaApp {
  constructor(phone) {
    this.phone = phone;
    this.node = h("div", { class: "app mpesa", data: { app: "mpesa" }, hidden: true });
    this.typed = {};
    this.menu();
  }

  get name() {
    return this.phone.person.name;
  }

  show(title, back, ...inside) {
    const inApp = this.node.contains(document.activeElement);
    fill(this.node, h("div", { class: "mpesa-head" }, back ? h("button", { type: "button", class: "tool", "aria-label": "Back", onclick: back }, icon("down")) : null, h("h3", {}, title)),
      h("div", { class: "mpesa-body" }, inside));
    if (inApp) this.node.querySelector("input, .mpesa-row, .sim, .primary")?.focus({ preventScroll: true });
  }

  menu() {
    this.typed = {};
    this.show("Lipa na M-PESA", null, Object.entries(SERVICES).map(([service, { title, about }]) => h("button", { type: "button", class: "mpesa-row", onclick: () => this.form(service) },
      icon("coin"), h("span", {}, h("b", {}, title), h("small", {}, about)))),
    h("p", { class: "quiet" }, "Paid by hand, from the menu: what the seller's page tells to type goes here, and the message of M-Pesa that comes back is the proof."));
  }

  form(service, wrong = "") {
    const { title, number } = SERVICES[service];
    const field = (name, label, more) => h("label", {}, label, h("input", { name, required: true, autocomplete: "off", value: this.typed[name] || "", ...more }));
    const next = (event) => {
      event.preventDefault();
      this.typed = Object.fromEntries(new FormData(event.currentTarget));
      this.ask(service);
    };
    this.show(title, () => this.menu(), h("form", { class: "mpesa-form", onsubmit: next },
      wrong ? h("p", { class: "mpesa-wrong", role: "alert" }, wrong) : null,
      field("short_code", number, { inputmode: "numeric", pattern: "[0-9]{1,12}", maxlength: "12" }),
      service === "paybill" ? field("account", "Account number", { maxlength: "20", autocapitalize: "characters", spellcheck: "false" }) : null,
      field("amount", "Amount in shillings", { inputmode: "numeric", pattern: "[0-9]{1,7}", maxlength: "7" }),
      h("button", { type: "submit", class: "primary" }, "Continue")));
  }

  ask(service) {
    const { short_code, account, amount } = this.typed;
    const back = () => this.form(service);
    const pad = new PinPad({ send: (pin) => this.pay(service, pin), cancel: back });
    this.show(SERVICES[service].title, back, h("div", { class: "sim", role: "group", "aria-label": `M-Pesa asks ${this.name} for the PIN`, tabindex: "-1", onkeydown: (event) => pad.keydown(event) },
      h("p", { class: "sum" }, money(amount)),
      h("p", { class: "ask", dir: "auto" }, account ? `Pay to business ${short_code} for account ${account}. Enter M-PESA PIN:` : `Pay to till ${short_code}. Enter M-PESA PIN:`),
      pad.nodes, h("p", { class: "ifs" }, h("span", {}, `${this.name}'s PIN is 1234. Another one is wrong.`))));
    this.node.querySelector(".sim").focus({ preventScroll: true });
  }

  async pay(service, pin) {
    const { msisdn } = this.phone.person;
    this.show(SERVICES[service].title, null, h("p", { role: "status" }, "Sending…"));
    try {
      const { receipt, said } = await api.pay(msisdn, { ...this.typed, amount: Number(this.typed.amount), service, pin });
      this.told(service, receipt, said);
    } catch (error) {
      this.form(service, error.message);
    }
    tell("acted", { phone: this.phone });
  }

  told(service, receipt, said) {
    this.show(receipt ? "Paid" : "Not paid", null, h("p", { class: `mpesa-said${receipt ? "" : " bad"}`, role: "status", dir: "auto" }, said), copies(this.phone, said),
      h("div", { class: "row" }, receipt ? null : h("button", { type: "button", class: "primary", onclick: () => this.form(service) }, "Try again"),
        h("button", { type: "button", class: "plain", onclick: () => this.menu() }, "Back to the menu")));
    if (!receipt) this.node.querySelector(".primary").focus({ preventScroll: true });
  }
}
