// The third column: the town's clock, faults on demand, links that showed up, and everything that happened.

import { api } from "./api.js";
import { clock, copy, fill, h, hash, hear, hour, icon, money, shortDay, tell } from "./dom.js";

const JUMPS = [[60, "+1 min"], [3600, "+1 h"], [86400, "+1 day"], [604800, "+7 days"]];
// The names are the town's own; each is something that really happens to people who live off these services.
const FAULTS = [
  ["daraja", "M-Pesa", [
    ["no_callback", "never says how it ended"], ["late_callback", "tells the result 5 minutes late"], ["duplicate_callback", "tells the result twice"],
    ["callback_before_reply", "tells the result before its answer"], ["stk_500", "fails to ring"], ["stk_timeout_after", "rings, but never answers us"],
    ["spike", "is overloaded"], ["wrong_amount", "tells a wrong amount"], ["wrong_success", "says paid when it is not"], ["query_down", "cannot be asked"],
  ]],
  ["africastalking", "USSD and SMS", [
    ["drop_before", "loses the line before our answer"], ["drop_after", "loses the line after our answer"], ["turn_twice", "asks the same twice"],
    ["slow_operator", "is slow"], ["event_early", "says the end too early"], ["no_event", "never says the end"], ["recipient_code", "refuses an SMS"],
    ["report_failed", "cannot deliver an SMS"], ["no_report", "never reports an SMS"], ["inbound_twice", "brings an SMS twice"], ["sms_timeout_after", "sends, but never answers us"],
  ]],
  ["mail", "The mail server", [
    ["busy", "is too busy (421)"], ["greylist", "says: later (451)"], ["unknown", "knows no such mailbox (550)"], ["full", "says: mailbox full (552)"],
    ["policy", "refuses by policy (554)"], ["drop", "takes a letter, then hangs up"], ["bad_login", "refuses our password"], ["bounce", "sends a letter back"],
  ]],
  ["telegram", "Telegram", [
    ["duplicate_update", "tells everything twice"], ["reorder_updates", "mixes up the order"], ["429", "says: too many requests"], ["500", "fails"],
    ["slow", "answers slowly"], ["drop", "does it, but the answer is lost"], ["html", "answers with a broken page"], ["not_found_on_edit", "loses the message to edit"],
  ]],
];

const KINDS = [
  [/^telegram/, "chat", "Telegram"], [/^(daraja|mpesa|stk)/, "coin", "M-Pesa"], [/sms/, "sms", "SMS"], [/^ussd/, "phone", "USSD"], [/^phone/, "phone", "Phone"],
  [/^clock/, "clock", "Clock"], [/fault/, "bolt", "Fault"], [/^(mail|email|smtp)/, "mail", "Email"], [/^(stripe|paypal|paytabs|moyasar|card)/, "card", "Card"],
];
const HIDDEN = new Set(["n", "kind", "at", "text", "summary", "words", "description"]);

export class Story {
  constructor(guide, people) {
    this.people = people;
    this.events = [];
    this.codes = [];
    this.now = h("time", { class: "now" });
    this.date = h("span", { class: "date" });
    this.live = h("p", { class: "live", role: "status" });
    this.codesNode = h("section", { class: "card links", hidden: true, "aria-label": "Links" });
    this.timeline = h("ol", { class: "timeline", tabindex: "0", "aria-label": "What happened, newest first" });
    this.filter = h("select", { "aria-label": "Show", onchange: () => this.renderTimeline() });
    this.waiting = h("div", { class: "waiting" });
    this.note = h("p", { class: "note", role: "status" });
    this.node = h("aside", { class: "story", id: "panel-story", "aria-label": "Story and controls" }, guide.node, this.codesNode, this.controls(),
      h("section", { class: "card happened", "aria-label": "What happened" }, h("div", { class: "card-head" }, h("h2", {}, "What happened"), this.filter,
        h("button", { type: "button", class: "small", onclick: () => tell("to-end") }, "All to newest")), this.timeline));
    hear("codes", (codes) => this.showCodes(codes));
    this.renderTimeline();
  }

  controls() {
    const provider = h("select", { id: "fault-provider", onchange: () => kinds() }, FAULTS.map(([value, label]) => h("option", { value }, label)));
    const fault = h("select", { id: "fault-kind" });
    const times = h("select", { id: "fault-times" }, [1, 2, 3, 5, 10].map((n) => h("option", { value: String(n) }, n === 1 ? "once" : `${n} times`)));
    const kinds = () => fill(fault, FAULTS.find(([value]) => value === provider.value)[2].map(([value, label]) => h("option", { value }, label)));
    kinds();
    const jumps = h("div", { class: "jumps", role: "group", "aria-label": "Move the clock" }, JUMPS.map(([seconds, label]) => h("button", { type: "button", class: "small", onclick: (event) => this.jump(seconds, label, event.currentTarget) }, label)));
    const plant = async (event) => {
      event.preventDefault();
      try {
        await api.fault(provider.value, fault.value, Number(times.value));
        this.showWaiting();
        this.say(`${provider.selectedOptions[0].textContent} ${fault.selectedOptions[0].textContent}, ${times.selectedOptions[0].textContent}.`);
      } catch (error) {
        this.say(error.message, true);
      }
    };
    return h("section", { class: "card controls", "aria-label": "The town's clock and troubles" },
      h("div", { class: "clock-row" }, icon("clock"), h("div", {}, this.now, this.date), jumps),
      h("details", {}, h("summary", {}, icon("bolt"), "Make trouble"),
        h("form", { class: "faults", onsubmit: plant },
          h("label", { for: "fault-provider" }, "Who", provider), h("label", { for: "fault-kind" }, "What", fault), h("label", { for: "fault-times" }, "How often", times),
          h("button", { type: "submit", class: "small" }, "Plant it")), this.waiting),
      this.note, this.live);
  }

  async showWaiting() {
    const faults = await api.faults().catch(() => []);
    const signature = JSON.stringify(faults);
    if (signature === this.waitingDrawn) return;
    this.waitingDrawn = signature;
    const name = ({ provider, fault }) => {
      const known = FAULTS.find(([value]) => value === provider);
      return `${known?.[1] || provider} ${known?.[2].find(([value]) => value === fault)?.[1] || fault}`;
    };
    fill(this.waiting, faults.length ? [h("p", { class: "quiet" }, "Waiting to happen: ", faults.map((fault) => `${name(fault)}, ${fault.times}×`).join("; "), "."),
      h("button", { type: "button", class: "small", onclick: () => api.clearFaults().then(() => this.showWaiting(), (error) => this.say(error.message, true)) }, "Take them back")] : null);
  }

  async jump(seconds, label, button) {
    button.disabled = true;
    try {
      const answer = await api.advance(seconds);
      if (answer?.now) clock.set(answer.now);
      this.tick();
      this.say(`The town is now ${label.replace("+", "")} later.`);
      tell("acted", {});
    } catch (error) {
      this.say(error.message, true);
    }
    button.disabled = false;
    button.focus();
  }

  say(text, bad = false) {
    this.note.textContent = text;
    this.note.classList.toggle("bad", bad);
    clearTimeout(this.noteTimer);
    this.noteTimer = setTimeout(() => {
      this.note.textContent = "";
    }, 6000);
  }

  setLive(live) {
    this.live.textContent = live ? "" : "Live line is down: looking every 1.5 seconds.";
  }

  tick() {
    const now = clock.now();
    this.now.textContent = hour(now);
    this.now.dateTime = now.toISOString();
    this.date.textContent = `${shortDay(now)}, Nairobi`;
  }

  // ------------------------------------------------------------ links

  showCodes(codes) {
    const signature = codes.join();
    if (signature === this.codesDrawn) return;
    this.codesDrawn = signature;
    this.codesNode.hidden = !codes.length;
    fill(this.codesNode, h("h2", {}, "Links in town"), h("ul", {}, codes.slice(-4).reverse().map((code) => h("li", {}, h("code", {}, code),
      h("button", { type: "button", class: "small", onclick: () => tell("open-as-buyer", `/buy/${code}`) }, icon("out"), "Buy page"),
      h("button", { type: "button", class: "small", "aria-label": `Copy the address of ${code}`, onclick: () => copy(`${location.origin}/buy/${code}`).then(() => this.say("Copied. Paste it in a chat.")) }, icon("copy"), "Copy")))));
  }

  // ------------------------------------------------------------ timeline

  add(event) {
    this.events.push(event.at ? event : { ...event, at: clock.now().toISOString() });
    if (this.events.length > 400) this.events.splice(0, 100);
    clearTimeout(this.drawTimer);
    this.drawTimer = setTimeout(() => {
      this.renderTimeline();
      this.showWaiting();
    }, 40);
  }

  whoIs(value) {
    const text = String(value);
    const phone = this.people.find(({ person }) => text === String(person.user) || text === person.msisdn || text === `+${person.msisdn}`);
    return phone ? phone.person.name : null;
  }

  words(event) {
    const kind = String(event.kind || "");
    const [, picture, family] = KINDS.find(([pattern]) => pattern.test(kind)) || [null, "dot", kind.split(".")[0] || "Town"];
    const who = [...(Array.isArray(event.users) ? event.users : []), event.user, event.user_id, event.chat, event.chat_id, event.msisdn, event.phone, event.to].filter((x) => typeof x !== "object").map((x) => this.whoIs(x)).find(Boolean);
    const sender = event.from === "bot" ? "to " : "";
    const verb = kind.split(".").slice(1).join(" ").replace(/[_-]/g, " ");
    const amount = event.amount_minor !== undefined ? money(event.amount_minor / 100) : event.amount !== undefined ? money(event.amount) : "";
    const text = [event.summary, event.words, event.text, event.description, event.caption].find((x) => typeof x === "string" && x) || "";
    return { picture, family, title: [verb && verb !== family.toLowerCase() ? verb : family.toLowerCase(), amount].filter(Boolean).join(" "), who: who && sender + who, text };
  }

  renderTimeline() {
    const families = [...new Set(this.events.map((event) => this.words(event).family))];
    const signature = families.join();
    if (signature !== this.familiesDrawn) {
      this.familiesDrawn = signature;
      const chosen = this.filter.value;
      fill(this.filter, h("option", { value: "" }, "Everything"), families.map((name) => h("option", { value: name, selected: name === chosen }, name)));
    }
    const shown = this.events.filter((event) => !this.filter.value || this.words(event).family === this.filter.value).slice(-120).reverse();
    if (!shown.length) {
      fill(this.timeline, h("li", { class: "quiet" }, "Quiet so far. Press Start on Amina's phone."));
      this.rows = null;
      return;
    }
    this.rows ??= new Map();
    const next = new Map();
    const nodes = shown.map((event) => {
      const id = `${event.n}:${hash(event)}`;
      const node = this.rows.get(id) || this.row(event);
      next.set(id, node);
      return node;
    });
    this.rows = next;
    const open = document.activeElement;
    this.timeline.replaceChildren(...nodes);
    if (this.timeline.contains(open)) open.focus({ preventScroll: true });
  }

  row(event) {
    const { picture, family, title, who, text } = this.words(event);
    const rest = Object.entries(event).filter(([name, value]) => !HIDDEN.has(name) && value !== null && value !== "");
    return h("li", { class: "fresh" }, h("span", { class: `dot ${family.toLowerCase().replace(/\W/g, "")}`, "aria-hidden": "true" }, icon(picture)),
      h("details", {}, h("summary", {}, h("b", {}, family), ` ${title} `, who ? h("em", {}, who) : null, h("time", {}, hour(event.at)), text ? h("span", { class: "gist", dir: "auto" }, text.slice(0, 160)) : null),
        text.length > 160 ? h("p", { dir: "auto" }, text) : null,
        h("dl", {}, rest.map(([name, value]) => [h("dt", {}, name), h("dd", {}, typeof value === "object" ? JSON.stringify(value) : String(value))]))));
  }
}
