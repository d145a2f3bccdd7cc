// A phone with keys: dials, follows USSD menus, reads and writes SMS, and types the M-Pesa PIN. No letter of it is Telegram's.

import { api } from "./api.js";
import { clock, fill, h, hear, hour, icon, money, shortDay, store, tell, when } from "./dom.js";
import { LETTERS, Multitap } from "./multitap.js";
import { MPESA_CODE, SimMenu } from "./simmenu.js";
import { ring } from "./sound.js";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const NAMES = { "*": "star", "#": "hash" };
const NOTICE_MS = 2500;

export class FeaturePhone extends SimMenu {
  constructor(key, person, others) {
    super();
    this.key = key;
    this.person = person;
    this.others = others;
    this.msisdn = store.get(`sim.${key}`, person.msisdn);
    this.sms = [];
    this.prompts = [];
    this.ussd = null;
    this.read = new Set(store.get(`read.${key}`, []));
    this.tap = new Multitap();
    this.view = { name: "idle" };
    this.chosen = 0;
    this.service = "*384*77#";
    this.code = "22384";
  }

  // ------------------------------------------------------------ the thing itself

  mount() {
    this.signal = h("span", { class: "ff-signal", "aria-hidden": "true" }, h("i"), h("i"), h("i"), h("i"));
    this.operator = h("span");
    this.time = h("time");
    this.mode = h("button", { type: "button", class: "ff-mode", hidden: true, onclick: () => this.press("mode") });
    this.body = h("div", { class: "ff-body", role: "status", tabindex: "0", "aria-label": "Screen" });
    this.labels = [h("span"), h("span")];
    this.lcd = h("div", { class: "ff-lcd" }, h("div", { class: "ff-bar" }, this.signal, this.operator, this.mode, this.time), this.body,
      h("div", { class: "ff-softs", "aria-hidden": "true" }, this.labels));
    const key = (name, label, ...inside) => h("button", { type: "button", class: `ff-key ff-${name}`, "aria-label": label, onclick: () => this.press(name) }, inside);
    this.softs = [key("left", "Left key", h("i")), key("right", "Right key", h("i"))];
    this.pad = h("div", { class: "ff-keys" },
      h("div", { class: "ff-top" },
        h("div", { class: "ff-side" }, this.softs[0], key("call", "Green key: call", icon("handset"))),
        h("div", { class: "ff-arrows" }, key("up", "Up", icon("down")), key("down", "Down", icon("down"))),
        h("div", { class: "ff-side" }, this.softs[1], key("end", "Red key: hang up", icon("handset")))),
      h("div", { class: "ff-pad" }, KEYS.map((digit) => h("button", { type: "button", class: "ff-key", "aria-label": NAMES[digit] || digit, data: { key: digit }, onclick: () => this.press(digit) },
        h("b", {}, digit), h("small", { "aria-hidden": "true" }, digit === "#" ? "abc" : (LETTERS[digit] || "").replace(/[^a-z+]/g, "") || (digit === "0" ? "␣" : ""))))));
    this.device = h("div", { class: "ff-device", onkeydown: (event) => this.typed(event) }, h("div", { class: "ff-ear", "aria-hidden": "true" }), h("p", { class: "ff-make", "aria-hidden": "true" }, "kabambe"), this.lcd, this.pad);
    this.who = h("header", { class: "who" });
    this.tip = h("p", { class: "ff-tip quiet" });
    this.node = h("section", { class: "phone feature", id: `panel-${this.key}`, "aria-label": `${this.person.name}'s phone with keys` }, this.who, this.device, this.tip);
    this.renderWho();
    this.renderTip();
    hear("person", () => this.renderWho());
    this.draw();
    return this.node;
  }

  /** Whose SIM is in: the keypad can also be tried with the number of one of the others. */
  renderWho() {
    const sims = [this.person, ...this.others.map((phone) => phone.person)];
    const choice = h("select", { "aria-label": "SIM in the phone with keys", onchange: () => this.putIn(choice.value) },
      sims.map(({ name, msisdn }) => h("option", { value: msisdn, selected: msisdn === this.msisdn }, `SIM: ${name}`)));
    fill(this.who, h("span", { class: "avatar feature", "aria-hidden": "true" }, this.person.name.slice(0, 1)), h("h2", {}, this.person.name), choice);
  }

  renderTip() {
    fill(this.tip, "Press the keys, or type: Enter sends, Esc leaves. This is ", h("code", {}, `+${this.msisdn}`), "; dial ", h("code", {}, this.service), ", SMS to ", h("code", {}, this.code), ", M-PESA with ", h("code", {}, "▲"), " or ", h("code", {}, MPESA_CODE), ", PIN 1234.");
  }

  putIn(msisdn) {
    this.msisdn = msisdn;
    store.set(`sim.${this.key}`, msisdn);
    Object.assign(this, { sms: [], prompts: [], ussd: null, loaded: false });
    this.renderWho();
    this.renderTip();
    this.who.querySelector("select").focus();
    this.go("idle");
    tell("acted", { phone: this });
  }

  // ------------------------------------------------------------ what the town tells

  async refreshPhone() {
    const { msisdn } = this;
    if (!this.known) {
      const service = await api.africastalking();
      this.known = true;
      this.service = service.service_code || this.service;
      this.code = service.short_code || this.code;
      this.renderTip();
    }
    const got = await api.phone(msisdn);
    if (msisdn !== this.msisdn) return;
    const before = this.sms.length;
    this.sms = Array.isArray(got.sms) ? got.sms : [];
    this.prompts = (Array.isArray(got.prompts) ? got.prompts : []).filter((prompt) => !prompt.ignored);
    this.balance = got.balance_minor;
    this.off = got.on === false;
    if (this.loaded && this.sms.length > before) this.buzz();
    this.loaded = true;
    this.follow(got.ussd);
    const prompt = this.prompt;
    if (prompt && this.view.prompt !== prompt.id) {
      ring();
      this.buzz();
      this.go("pin", { prompt: prompt.id });
    } else if (!prompt && this.view.name === "pin") this.go("idle");
    this.draw();
  }

  /** USSD as the town has it: another page, or the clock, may have moved it. */
  follow(ussd) {
    const was = JSON.stringify(this.ussd);
    if (this.view.busy) return;
    this.ussd = seen(ussd);
    if (this.view.name === "pin" || was === JSON.stringify(this.ussd)) return;
    if (this.ussd) this.go("ussd");
    else if (this.view.name === "ussd") this.go("idle");
  }

  get prompt() {
    return this.prompts.find((prompt) => when(prompt.expires_at) > clock.now()) || null;
  }

  get ringing() {
    return this.prompt;
  }

  id(sms) {
    return `${sms.at}${sms.from}`;
  }

  get unread() {
    return this.sms.filter((sms) => !this.read.has(this.id(sms))).length;
  }

  buzz() {
    this.device.classList.remove("buzz");
    requestAnimationFrame(() => this.device.classList.add("buzz"));
  }

  tick() {
    this.time.textContent = hour(clock.now());
    if (this.view.name === "pin" && !this.prompt) this.go("idle");
  }

  setVisible() {
    this.draw();
  }

  renderDock() {}

  // ------------------------------------------------------------ screens

  go(name, more = {}) {
    this.view = { name, ...more };
    this.chosen = 0;
    this.tap.rest();
    this.tap.mode = name === "write" ? "abc" : "123";
    this.drawn = null;
    this.draw();
  }

  notice(text, back = "idle") {
    this.go("notice", { text, back });
    const { view } = this;
    setTimeout(() => {
      if (this.view === view) this.go(back);
    }, Math.max(NOTICE_MS, text.length * 70));
  }

  field(label, more = {}) {
    const node = h("input", { class: "ff-entry", type: "text", "aria-label": label, autocomplete: "off", autocapitalize: "off", spellcheck: "false", ...more, oninput: () => this.drawSofts() });
    this.entry = node;
    return node;
  }

  lines(text) {
    return h("p", { class: "ff-text", dir: "auto" }, text);
  }

  draw() {
    const { name } = this.view;
    this.operator.textContent = this.off ? "Off" : operatorOf(this.msisdn);
    this.device.classList.toggle("busy", Boolean(this.view.busy));
    const unread = this.unread;
    const signature = JSON.stringify([this.view, this.ussd, this.prompt?.id, this.sms.length, unread, this.chosen, this.off, this.service, name === "idle" ? this.balance : 0]);
    if (signature !== this.drawn) {
      const inside = this.body.contains(document.activeElement);
      const kept = this.drawnName === name ? this.entry?.value : undefined;
      this.drawn = signature;
      this.drawnName = name;
      this.entry = null;
      fill(this.body, this[`draw_${name}`]());
      this.body.scrollTop = 0;
      this.body.querySelector(".chosen")?.scrollIntoView({ block: "nearest" });
      if (this.entry && kept && !this.view.fresh) this.entry.value = kept;
      if (inside) (this.entry || this.body).focus({ preventScroll: true });
    }
    this.drawSofts();
  }

  drawSofts() {
    const [left, right] = this.softLabels();
    this.labels[0].textContent = left;
    this.labels[1].textContent = right;
    this.softs[0].setAttribute("aria-label", left || "Left key");
    this.softs[1].setAttribute("aria-label", right || "Right key");
    const letters = this.writes && Boolean(this.entry);
    this.mode.hidden = !letters;
    this.mode.textContent = this.tap.mode;
    this.mode.setAttribute("aria-label", `Keys write ${this.tap.mode}, press to change`);
  }

  /** Whether keys write letters here, not digits alone. */
  get writes() {
    return ["write", "ussd"].includes(this.view.name) || Boolean(this.question?.letters);
  }

  softLabels() {
    const some = Boolean(this.entry?.value);
    switch (this.view.name) {
      case "idle": return ["Messages", "PayLoom"];
      case "dial": return ["Call", "Clear"];
      case "ussd": return this.waiting ? ["", "Cancel"] : this.ussd?.open ? ["Send", some ? "Clear" : "Cancel"] : ["OK", "Back"];
      case "inbox": return ["Open", "Back"];
      case "message": return [/^\+?\d+$/.test(this.shown?.from || "") ? "Reply" : "Write", "Back"];
      case "write": return ["Send", some ? "Clear" : "Back"];
      case "pin": case "ask": return ["OK", some ? "Clear" : "Cancel"];
      case "menu": return ["Select", "Back"];
      case "sure": return ["OK", "Cancel"];
      default: return ["OK", ""];
    }
  }

  draw_idle() {
    const unread = this.unread;
    return [h("p", { class: "ff-big" }, "PayLoom"), h("p", { class: "ff-mid" }, `Dial ${this.service}`),
      Number.isFinite(this.balance) ? h("button", { type: "button", class: "ff-mid ff-sim", tabindex: "-1", onclick: () => this.openMenu() }, `▲ M-PESA ${money(this.balance / 100)}`) : null,
      unread ? h("p", { class: "ff-new" }, icon("sms"), `${unread} new message${unread > 1 ? "s" : ""}`) : null];
  }

  draw_dial() {
    return [this.field("Number or code to call", { inputmode: "tel", class: "ff-entry ff-number", maxlength: "60" })];
  }

  get waiting() {
    return Boolean(this.view.busy || this.ussd?.waiting);
  }

  draw_ussd() {
    if (this.waiting) return [h("p", { class: "ff-mid ff-wait" }, "USSD code running…")];
    return [this.lines(this.ussd?.screen || ""), this.ussd?.open ? this.field("Your answer", { maxlength: "90", class: "ff-entry ff-answer" }) : null];
  }

  draw_inbox() {
    const rows = [h("b", {}, "Write message"), ...this.newest.map((sms) => [this.read.has(this.id(sms)) ? null : h("i", { class: "ff-dot", role: "img", "aria-label": "unread" }), h("b", {}, sms.from), h("small", {}, sms.text)])];
    return [this.list("Messages", rows, (place) => this.open(place))];
  }

  list(label, rows, pick) {
    return h("ul", { class: "ff-list", "aria-label": label }, rows.map((row, place) => h("li", {}, h("button", { type: "button", tabindex: "-1", class: place === this.chosen ? "chosen" : "", "aria-current": place === this.chosen ? "true" : null, onclick: () => pick(place) }, row))));
  }

  get newest() {
    return this.sms.slice(-60).reverse();
  }

  get shown() {
    return this.sms.find((sms) => this.id(sms) === this.view.id);
  }

  draw_message() {
    const sms = this.shown;
    if (!sms) return [this.lines("This message is gone.")];
    return [h("p", { class: "ff-head" }, h("b", {}, sms.from), h("small", {}, `${shortDay(sms.at)} ${hour(sms.at)}`)), this.lines(sms.text)];
  }

  draw_write() {
    this.to = h("input", { class: "ff-entry ff-to", type: "text", inputmode: "tel", "aria-label": "To", value: this.view.to, autocomplete: "off" });
    return [h("label", { class: "ff-row" }, "To:", this.to), this.field("Message", { maxlength: "480", class: "ff-entry ff-answer", placeholder: "Message" })];
  }

  draw_pin() {
    const { prompt } = this;
    return [h("p", { class: "ff-head" }, h("b", {}, "M-PESA")), this.lines(prompt?.text || ""), this.field("M-Pesa PIN", { type: "password", inputmode: "numeric", maxlength: "4", class: "ff-entry ff-answer" })];
  }

  draw_notice() {
    return [h("p", { class: "ff-mid ff-wait" }, this.view.text)];
  }

  // ------------------------------------------------------------ keys

  typed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const field = event.target.matches?.(".ff-entry");
    const named = { Enter: "left", Escape: "end", ArrowUp: "up", ArrowDown: "down" }[event.key];
    const onButton = event.target.closest("button");
    if (named === "left" && onButton) return;
    if (named) this.press(named);
    else if (event.key === "Backspace" && !field) this.erase();
    else if (!field && event.key.length === 1 && !(onButton && event.key === " ")) this.letter(event.key);
    else return;
    event.preventDefault();
  }

  /** A character from a real keyboard, while no field has the focus. */
  letter(character) {
    if (this.view.name === "idle" && /[\d*#+]/.test(character)) this.go("dial");
    if (this.view.name === "menu") {
      if (/\d/.test(character)) this.pickRow(Number(character) - 1);
      return;
    }
    if (!this.entry || (this.digitsOnly && !/\d/.test(character))) return;
    this.put(this.entry.value + character);
    this.entry.focus({ preventScroll: true });
  }

  put(text) {
    const limit = Number(this.entry.getAttribute("maxlength")) || 480;
    this.entry.value = text.slice(0, limit);
    this.entry.scrollLeft = this.entry.scrollWidth;
    this.drawSofts();
  }

  erase() {
    if (!this.entry) return;
    this.tap.rest();
    this.put(this.entry.value.slice(0, -1));
    if (this.view.name === "dial" && !this.entry.value) this.go("idle");
  }

  press(name) {
    const { view } = this;
    if (name === "mode") this.tap.next();
    else if (KEYS.includes(name)) this.digit(name);
    else if (name === "up" || name === "down") this.move(name === "up" ? -1 : 1);
    else if (name === "call") this.call();
    else if (name === "end") this.end();
    else if (name === "left") this.left();
    else if (view.name === "idle") this.dial(this.service);
    else if (["message", "inbox"].includes(view.name)) this.go(view.name === "message" ? "inbox" : "idle");
    else if (view.name === "menu") this.leaveMenu();
    else if (this.entry?.value) this.erase();
    else if (view.name === "write") this.go("inbox");
    else this.end();
    this.drawSofts();
  }

  digit(key) {
    const { name } = this.view;
    if (["idle", "notice"].includes(name)) this.go("dial");
    if (name === "menu") this.pickRow(Number(key) - 1);
    if (name === "inbox" || name === "message" || name === "menu" || !this.entry) return;
    if (this.writes) {
      if (key === "#") this.tap.next();
      else this.put(this.tap.press(this.entry.value, key, performance.now()));
    } else if (!this.digitsOnly || /\d/.test(key)) this.put(this.entry.value + key);
  }

  get digitsOnly() {
    return this.view.name === "pin" || Boolean(this.question && !this.question.letters);
  }

  move(step) {
    if (this.view.name === "inbox" || this.view.name === "menu") {
      const rows = this.body.querySelectorAll(".ff-list li").length;
      this.chosen = Math.max(0, Math.min(rows - 1, this.chosen + step));
      this.draw();
    } else if (this.view.name === "idle") this.go(step > 0 ? "inbox" : "menu", step > 0 ? {} : { menu: "mpesa" });
    else this.body.scrollBy({ top: step * 40 });
  }

  call() {
    if (this.view.name === "dial" && this.entry.value) this.dial(this.entry.value);
    else if (this.view.name === "idle") this.go("dial");
    else this.left();
  }

  left() {
    switch (this.view.name) {
      case "idle": return this.go("inbox");
      case "dial": return this.call();
      case "ussd": return this.ussd?.open ? this.answer() : this.end();
      case "inbox": return this.open(this.chosen);
      case "message": return this.write(/^\+?\d+$/.test(this.shown?.from || "") ? this.shown.from : this.code);
      case "write": return this.send();
      case "pin": return this.pin();
      case "menu": return this.pickRow(this.chosen);
      case "ask": return this.answerQuestion();
      case "sure": return this.payByHand();
      default: return this.go(this.view.back || "idle");
    }
  }

  end() {
    const { name } = this.view;
    if (name === "pin") this.reply({ answer: "cancel" });
    else if (name === "ussd") {
      this.ussd = null;
      this.go("idle");
      this.work(() => api.hangup(this.msisdn));
    } else this.go("idle");
  }

  // ------------------------------------------------------------ acts

  /** Do it; words of a refusal are shown as the phone shows them. */
  async work(doing) {
    try {
      return await doing();
    } catch (error) {
      this.notice(error.message);
      return null;
    } finally {
      tell("acted", { phone: this });
    }
  }

  dial(code) {
    if (code === MPESA_CODE) return this.openMenu();
    if (/^\+?\d{8,15}$/.test(code)) return this.notice("Nobody picks up in this town. Send an SMS.");
    return this.talk(() => api.dial(this.msisdn, code));
  }

  answer() {
    const text = this.entry?.value ?? "";
    if (!text || this.waiting) return null;
    return this.talk(() => api.answer(this.msisdn, text));
  }

  async talk(doing) {
    this.ussd = seen({ open: true, waiting: true });
    this.go("ussd", { busy: true });
    const { view } = this;
    const shown = await this.work(doing);
    if (!shown || this.view !== view) return;
    this.ussd = seen(shown);
    if (shown.open || shown.screen) this.go("ussd");
    else this.go("idle");
  }

  open(place) {
    if (!place) return this.write(this.code);
    const sms = this.newest[place - 1];
    if (!sms) return null;
    this.read.add(this.id(sms));
    store.set(`read.${this.key}`, [...this.read].slice(-400));
    tell("acted", { phone: this });
    return this.go("message", { id: this.id(sms) });
  }

  write(to) {
    this.go("write", { to });
  }

  async send() {
    const text = this.entry.value.trim();
    const to = this.to.value.trim();
    if (!text || !to) return;
    this.go("notice", { text: "Sending…", back: "inbox" });
    if (await this.work(() => api.sms(this.msisdn, to, text))) this.notice("Message sent", "inbox");
  }

  pin() {
    if (this.entry.value.length === 4) this.reply({ pin: this.entry.value });
  }

  async reply(how) {
    const { prompt } = this;
    if (!prompt) return this.go("idle");
    this.prompts = this.prompts.filter((one) => one !== prompt);
    this.notice(how.answer === "cancel" ? "Cancelled" : "Request sent. Wait for the M-PESA message.");
    return this.work(() => api.prompted(this.msisdn, { ...how, prompt: prompt.id }));
  }
}

/** What matters of a USSD session, always in one order. */
const seen = (ussd) => ussd && { open: Boolean(ussd.open), waiting: Boolean(ussd.waiting), screen: ussd.screen || "" };

function operatorOf(msisdn) {
  if (/^254(73|78|75[0-6]|762|10\d)/.test(msisdn)) return "Airtel";
  if (/^25477/.test(msisdn)) return "Telkom";
  if (/^25476[3-6]/.test(msisdn)) return "Equitel";
  return msisdn.startsWith("254") ? "Safaricom" : "Roaming";
}
