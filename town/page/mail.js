// The post office: every letter that arrived in town, in whose box it lies, and what can go wrong with letters.

import { api } from "./api.js";
import { fill, h, hour, icon, link, shortDay, store, tell } from "./dom.js";

const TROUBLE = [
  ["busy", {}, "too busy (421)"], ["unknown", {}, "no such mailbox (550)"], ["full", {}, "mailbox full (552)"],
  ["drop", {}, "takes it, then hangs up"], ["hang", { where: "dot", seconds: 40 }, "takes it, never answers"], ["bounce", {}, "takes it, sends it back"],
];

export class PostOffice {
  constructor() {
    this.key = "mail";
    this.letters = [];
    this.faults = [];
    this.box = store.get("mail.box", "");
    this.read = new Set(store.get("mail.read", []));
    this.open = null;
    this.plain = false;
  }

  mount() {
    this.boxes = h("select", { "aria-label": "Whose letters", onchange: () => this.choose(this.boxes.value) });
    this.list = h("ul", { class: "po-list", "aria-label": "Letters" });
    this.letter = h("article", { class: "po-letter", "aria-label": "The open letter" });
    this.trouble = h("select", { "aria-label": "What shall go wrong with the next letter" }, TROUBLE.map(([, , label], n) => h("option", { value: String(n) }, label)));
    this.waiting = h("span", { class: "po-waiting", role: "status" });
    this.note = h("p", { class: "po-note", role: "status" });
    this.node = h("section", { class: "post", id: "panel-mail", "aria-label": "Post office: letters" },
      h("header", { class: "po-head" }, h("span", { class: "po-sign", "aria-hidden": "true" }, icon("mail")), h("h2", {}, "Post office ", h("small", {}, "e-mail")), this.boxes,
        h("form", { class: "po-trouble", onsubmit: (event) => this.plant(event) }, h("label", {}, "Next letter: ", this.trouble), h("button", { type: "submit", class: "small" }, icon("bolt"), "Plant it"), this.waiting)),
      this.note,
      h("div", { class: "po-desk" }, this.list, this.letter));
    this.draw();
    return this.node;
  }

  get unread() {
    return this.letters.filter((letter) => !this.read.has(this.id(letter))).length;
  }

  id(letter) {
    return `${letter.number}:${letter.at}`;
  }

  async refresh() {
    const [letters, faults] = await Promise.all([api.letters(), api.faults().catch(() => [])]);
    this.faults = faults.filter((fault) => fault.provider === "mail");
    const signature = JSON.stringify([letters.map((letter) => this.id(letter)), this.faults]);
    if (signature === this.drawn) return;
    this.drawn = signature;
    this.letters = letters;
    if (this.open && !letters.some((letter) => this.id(letter) === this.open)) this.open = null;
    this.draw();
  }

  choose(box) {
    this.box = box;
    store.set("mail.box", box);
    this.draw();
  }

  show(letter) {
    this.open = this.id(letter);
    this.read.add(this.open);
    store.set("mail.read", [...this.read].slice(-400));
    this.draw();
    tell("acted", { phone: this });
    if (matchMedia("(max-width: 759px)").matches) this.letter.querySelector("button")?.focus({ preventScroll: true });
  }

  close() {
    const was = this.open;
    this.open = null;
    this.draw();
    this.list.querySelector(`[data-id="${CSS.escape(was || "")}"]`)?.focus();
  }

  say(text, bad = false) {
    this.note.textContent = text;
    this.note.classList.toggle("bad", bad);
    clearTimeout(this.noteTimer);
    this.noteTimer = setTimeout(() => {
      this.note.textContent = "";
    }, 6000);
  }

  async plant(event) {
    event.preventDefault();
    const [fault, detail, label] = TROUBLE[Number(this.trouble.value)];
    await this.work(() => api.fault("mail", fault, 1, detail), `With the next letter the server ${label.includes("takes") ? label : `says: ${label}`}.`);
  }

  /** The letter goes back to its sender, as if a server further on had refused it. */
  sendBack(letter, status) {
    return this.work(() => api.sendBack(letter.number, status), status.startsWith("4") ? "The sender hears that it is late." : "The sender hears that nobody reads there.");
  }

  async work(doing, said) {
    try {
      await doing();
      this.say(said);
    } catch (error) {
      this.say(error.message, true);
    }
    tell("acted", { phone: this });
  }

  // ------------------------------------------------------------ drawing

  draw() {
    const boxes = [...new Set(this.letters.map((letter) => letter.to.toLowerCase()))].sort();
    fill(this.boxes, h("option", { value: "" }, boxes.length ? `All boxes (${boxes.length})` : "No boxes yet"), boxes.map((box) => h("option", { value: box, selected: box === this.box }, box)));
    this.boxes.hidden = boxes.length < 2;
    this.waiting.textContent = this.faults.length ? this.faults.map((fault) => `${TROUBLE.find(([name]) => name === fault.fault)?.[2] || fault.fault}, ${fault.times}×`).join("; ") : "";
    const shown = this.letters.filter((letter) => !boxes.includes(this.box) || letter.to.toLowerCase() === this.box);
    fill(this.list, shown.length ? shown.map((letter) => this.row(letter)) : h("li", { class: "po-empty" }, icon("mail"), h("b", {}, "No letters yet"),
      h("span", {}, "Any address works in this town. Give one on the page of an order, under “News by e-mail”, or type ", h("code", {}, "/email"), " to the bot.")));
    const letter = this.letters.find((one) => this.id(one) === this.open);
    this.node?.classList.toggle("reading", Boolean(letter));
    if (this.letter.dataset.id === (this.open || "") && this.letter.dataset.plain === String(this.plain)) return;
    this.letter.dataset.id = this.open || "";
    this.letter.dataset.plain = String(this.plain);
    fill(this.letter, letter ? this.sheet(letter) : h("p", { class: "po-none quiet" }, "Open a letter to read it here."));
  }

  row(letter) {
    const id = this.id(letter);
    const fresh = !this.read.has(id);
    return h("li", {}, h("button", { type: "button", class: `po-row${fresh ? " new" : ""}`, "aria-current": this.open === id ? "true" : null, data: { id }, onclick: () => this.show(letter) },
      h("span", { class: "po-top" }, h("b", {}, letter.to), h("time", {}, hour(letter.at))),
      h("span", { class: "po-subject", dir: "auto" }, fresh ? h("span", { class: "po-dot", role: "img", "aria-label": "unread" }) : null, letter.subject),
      letter.again ? h("span", { class: "po-again" }, "Came a second time: same Message-ID") : null));
  }

  sheet(letter) {
    const html = `/town/api/mail/${encodeURIComponent(letter.to)}/${letter.number}.html`;
    const way = (label, plain) => h("button", { type: "button", class: "small", "aria-pressed": String(this.plain === plain), onclick: () => {
      this.plain = plain;
      this.draw();
    } }, label);
    const stop = letter.headers["List-Unsubscribe"];
    return [
      h("header", { class: "po-about" },
        h("button", { type: "button", class: "small po-back", onclick: () => this.close() }, "All letters"),
        h("h3", { dir: "auto" }, letter.subject),
        h("dl", {}, h("dt", {}, "From"), h("dd", {}, letter.from), h("dt", {}, "To"), h("dd", {}, letter.to), h("dt", {}, "At"), h("dd", {}, `${shortDay(letter.at)}, ${hour(letter.at)}`)),
        h("div", { class: "po-acts" }, h("span", { role: "group", "aria-label": "How to read it" }, way("As a letter", false), way("As text", true)),
          h("button", { type: "button", class: "small", onclick: () => this.sendBack(letter, "5.1.1") }, icon("out"), "Bounce this"),
          h("button", { type: "button", class: "small", onclick: () => this.sendBack(letter, "4.4.1") }, "Say it is late"),
          stop ? h("span", { class: "po-list-unsubscribe" }, "List-Unsubscribe: ", link(stop.replace(/[<>]/g, ""), "one click")) : null)),
      this.plain
        ? h("pre", { class: "po-text", dir: "auto", tabindex: "0" }, linked(letter.text))
        : h("iframe", { class: "po-html", title: `Letter: ${letter.subject}`, src: html, sandbox: "allow-popups allow-popups-to-escape-sandbox", referrerpolicy: "no-referrer" }),
    ];
  }
}

/** The text with its addresses made pressable. */
function linked(text) {
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(/https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]]/g)) {
    parts.push(text.slice(from, found.index), link(found[0]));
    from = found.index + found[0].length;
  }
  return [...parts, text.slice(from)];
}
