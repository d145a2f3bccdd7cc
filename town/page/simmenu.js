// The M-PESA menu of a phone with keys, as it lives on the SIM: rows to choose from, one question after the other, then the PIN.

import { api } from "./api.js";
import { h, money } from "./dom.js";

export const MPESA_CODE = "*334#";

const MENUS = {
  mpesa: { title: "M-PESA", back: null, rows: [["1. Lipa na M-PESA", { go: "lipa" }], ["2. My balance", { balance: true }]] },
  lipa: { title: "Lipa na M-PESA", back: "mpesa", rows: [["1. Pay Bill", { ask: "paybill" }], ["2. Buy Goods", { ask: "till" }]] },
};
const AMOUNT = { name: "amount", label: "Enter amount", most: "7" };
const PIN = { name: "pin", label: "Enter M-PESA PIN", most: "4", secret: true };
const QUESTIONS = {
  paybill: [{ name: "short_code", label: "Enter business no.", most: "12" }, { name: "account", label: "Enter account no.", most: "20", letters: true }, AMOUNT, PIN],
  till: [{ name: "short_code", label: "Enter till no.", most: "12" }, AMOUNT, PIN],
};

/** The menus of the SIM; the phone itself (FeaturePhone) gives `view`, `go`, `entry`, `notice` and the rest. */
export class SimMenu {
  openMenu(menu = "mpesa") {
    this.go("menu", { menu });
  }

  draw_menu() {
    const { title, rows } = MENUS[this.view.menu];
    return [h("p", { class: "ff-head" }, h("b", {}, title)), this.list(title, rows.map(([label]) => h("b", {}, label)), (place) => this.pickRow(place))];
  }

  pickRow(place) {
    const row = MENUS[this.view.menu].rows[place];
    if (!row) return;
    const [, { go, ask, balance }] = row;
    if (go) this.openMenu(go);
    else if (ask) this.askNext(ask, 0, {});
    else if (balance) this.notice(`Your M-PESA balance is ${money(this.balance / 100)}.`, "idle");
  }

  leaveMenu() {
    const { back } = MENUS[this.view.menu];
    if (back) this.openMenu(back);
    else this.go("idle");
  }

  get question() {
    return this.view.name === "ask" ? QUESTIONS[this.view.service][this.view.step] : null;
  }

  askNext(service, step, given) {
    this.given = given;
    this.entry = null; // a new question begins empty
    this.go("ask", { service, step });
    this.tap.mode = this.question.letters ? "ABC" : "123";
    this.drawSofts();
  }

  draw_ask() {
    const { label, most, secret, letters } = this.question;
    return [h("p", { class: "ff-head" }, h("b", {}, this.view.service === "till" ? "Buy Goods" : "Pay Bill")), this.lines(label),
      this.field(label, { maxlength: most, class: "ff-entry ff-answer", type: secret ? "password" : "text", inputmode: letters ? "text" : "numeric" })];
  }

  answerQuestion() {
    const typed = this.entry.value.trim();
    const { service, step } = this.view;
    const { name } = this.question;
    if (!typed || (name === "pin" && typed.length < 4)) return;
    const given = { ...this.given, [name]: typed };
    if (step + 1 < QUESTIONS[service].length) this.askNext(service, step + 1, given);
    else {
      this.given = given;
      this.go("sure", { service });
    }
  }

  draw_sure() {
    const { short_code, account, amount } = this.given;
    const to = this.view.service === "till" ? `till ${short_code}` : `business ${short_code} for account ${account}`;
    return [h("p", { class: "ff-head" }, h("b", {}, "M-PESA")), this.lines(`Pay ${money(amount)} to ${to}?`)];
  }

  async payByHand() {
    const { service } = this.view;
    const { amount, ...given } = this.given;
    this.given = {};
    this.notice("Request sent. Wait for the M-PESA message.");
    await this.work(() => api.pay(this.msisdn, { ...given, amount: Number(amount), service }));
  }
}
