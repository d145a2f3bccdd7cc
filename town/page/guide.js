// "Play it": four steps that tick themselves off by what really happened, each with a next move to press.

import { buttonsOf } from "./chat.js";
import { clock, fill, h, hear, icon, plainText, store, tell, when } from "./dom.js";
import { SAMPLES, direct } from "./sheets.js";

const CODE = /\bPL-[A-Z0-9]{4,}\b/gi;
const everything = (message) => `${message.text || ""} ${message.html || ""} ${JSON.stringify(buttonsOf(message))}`;
export const codesIn = (messages) => [...new Set(messages.flatMap((message) => everything(message).match(CODE) || []).map((code) => code.toUpperCase()))];

const STEPS = [
  { title: "Sell", about: "Amina turns one message into a link." },
  { title: "Share", about: "The link goes where the buyer is." },
  { title: "Pay", about: "Brian's M-Pesa rings; the money waits, safe." },
  { title: "Confirm", about: "Goods arrived: the money is Amina's." },
];

export class Guide {
  constructor(seller, buyer) {
    this.seller = seller;
    this.buyer = buyer;
    this.since = store.get("round", { seller: 0, buyer: 0, at: 0 });
    this.flags = store.get("flags", {});
    this.node = h("section", { class: "card guide", "aria-label": "Play it" });
    this.hint = h("div", { class: "hint" }); // the same next move, above the phones, where there is no room for the story
    hear("ringing", (phone) => phone === this.buyer && phone.ringing && this.flag("rang"));
    hear("pin", ({ phone, what }) => phone === this.buyer && what === "right" && this.flag("pin"));
    hear("visited", ({ phone, href }) => {
      if (phone === this.buyer && /\/(buy|pay|track)\//.test(href)) this.flag("opened");
    });
    for (const name of ["direct", "moved", "person"]) hear(name, () => this.render());
  }

  flag(name) {
    if (this.flags[name]) return;
    this.flags[name] = true;
    store.set("flags", this.flags);
    this.render();
  }

  again() {
    const top = (phone) => Math.max(0, ...phone.chat.messages.map((message) => Number(message.message_id) || 0));
    this.since = { seller: top(this.seller), buyer: top(this.buyer), at: clock.now().getTime() };
    this.flags = {};
    store.set("round", this.since);
    store.set("flags", this.flags);
    this.render();
  }

  fresh(phone) {
    const all = phone.chat.botItems;
    const newest = Math.max(0, ...all.map((message) => Number(message.message_id) || 0));
    if (newest < this.since[phone.key]) {
      // the town was started again, or somebody else holds this phone
      this.since = { ...this.since, [phone.key]: 0 };
      store.set("round", this.since);
    }
    return all.filter((message) => (Number(message.message_id) || 0) > this.since[phone.key]);
  }

  look() {
    const sold = this.fresh(this.seller);
    const bought = this.fresh(this.buyer);
    const bot = (list) => list.filter((message) => message.from === "bot").map(plainText).join("\n");
    const [sellerSaid, buyerSaid] = [bot(sold), bot(bought)];
    const since = this.since.at > clock.now().getTime() ? 0 : this.since.at || 0;
    const between = this.buyer.chat.peerItems.filter((item) => (when(item.at ?? item.date)?.getTime() || 0) >= since);
    const code = codesIn(sold).at(-1) || null;
    const has = (list) => Boolean(code) && list.some((message) => everything(message).toUpperCase().includes(code));
    // order numbers and pictures are the same in every language
    const confirmed = /💚/u;
    const receipt = Boolean(code) && this.buyer.sms.some((sms) => /confirmed/i.test(sms.text) && (when(sms.at)?.getTime() || 0) >= since);
    const seen = {
      started: this.seller.chat.botItems.length > 0,
      described: Boolean(code) || sold.some((message) => message.from === "me" && /\S\s+\d{2,}/.test(plainText(message))),
      created: Boolean(code),
      shared: has(between),
      opened: Boolean(this.flags.opened) || has(bought),
      rang: Boolean(this.flags.rang || this.flags.pin),
      paid: receipt || /\b\d{8}\b/.test(`${buyerSaid}\n${sellerSaid}`),
      sent: /🚚|📬/u.test(`${buyerSaid}\n${sellerSaid}`),
      confirmed: confirmed.test(buyerSaid) || confirmed.test(sellerSaid),
    };
    seen.paid = seen.paid || seen.confirmed;
    const parts = [
      [["Say hello to the bot", seen.started], ["Name and price in one message", seen.described], ["A link of her own", seen.created]],
      [["Send it to Brian", seen.shared || seen.paid], ["Brian opens it", seen.opened || seen.paid]],
      [["The phone rings", seen.rang || seen.paid], ["PIN, and the money is held", seen.paid]],
      [["Amina sends the goods", seen.sent || seen.confirmed], ["Brian confirms", seen.confirmed]],
    ].map((list) => list.map(([text, done]) => ({ text: text.replace("Brian", this.buyer.person.name).replace("Amina", this.seller.person.name), done })));
    const done = [seen.created, (seen.shared && seen.opened) || seen.opened || seen.paid, seen.paid, seen.confirmed];
    const now = done.findIndex((yes) => !yes);
    return { parts, done, now: now < 0 ? STEPS.length : now, code, seen };
  }

  // ------------------------------------------------------------ suggestions

  /** The newest button of the bot whose label fits, in the order of the wishes. */
  find(phone, ...wishes) {
    const recent = phone.chat.botItems.filter((message) => message.from === "bot").slice(-5).reverse();
    for (const wish of wishes) {
      for (const item of recent) {
        for (const button of buttonsOf(item).flat()) if (wish.test(button.text)) return { item, button };
      }
    }
    return null;
  }

  tap(phone, ...wishes) {
    const found = this.find(phone, ...wishes);
    return found && { phone, verb: "Tap", label: found.button.text, run: () => {
      phone.chat.show("bot");
      const { url } = found.button;
      return url ? phone.openLink(url) : phone.chat.press(found.item, found.button);
    } };
  }

  type(phone, text) {
    return { phone, verb: "Type", label: text, run: () => {
      phone.chat.show("bot");
      return phone.chat.say(text);
    } };
  }

  start(phone) {
    return { phone, verb: "Press", label: "Start", run: () => {
      phone.chat.show("bot");
      return phone.chat.start();
    } };
  }

  contact(phone) {
    const last = phone.chat.botItems.findLast((message) => message.keyboard !== undefined && message.keyboard !== null);
    const key = Array.isArray(last?.keyboard) ? last.keyboard.flat().find((item) => item?.request_contact) : null;
    return key && { phone, verb: "Tap", label: key.text, run: () => phone.chat.pressReply(key) };
  }

  moves({ now, code, seen }) {
    const { seller, buyer } = this;
    const blockedStart = (phone) => phone.chat.payload || !phone.chat.botItems.length;
    const asked = (phone, pattern) => {
      const last = phone.chat.lastBot;
      return last && phone.chat.botItems.at(-1) === last && pattern.test(plainText(last));
    };
    const welcome = (phone, role) => [
      this.contact(phone),
      asked(phone, /shop('s)? name|name (of|for) your shop|call your shop/i) && this.type(phone, `${phone.person.name}'s Corner`),
      asked(phone, /your name|call you/i) && this.type(phone, phone.person.name),
      this.tap(phone, /^\W*english\W*$/i, role),
    ];
    if (now === 0) {
      if (blockedStart(seller)) return [this.start(seller)];
      const last = seller.chat.lastBot;
      const check = this.tap(seller, /create (the |a |my )?link|looks good|^\W*(create|publish|save)\b/i);
      if (check && last && buttonsOf(last).flat().some((button) => button.text === check.label)) return [check];
      return [...welcome(seller, /^\W*(i )?(want to )?sell(er|ing)?\b/i), this.type(seller, "Red sneakers 2500"),
        { phone: seller, verb: "Or send", label: "a photo with a caption", run: () => {
          seller.chat.show("bot");
          seller.chat.pick({ sample: SAMPLES[0].id, label: SAMPLES[0].label });
          seller.chat.box.value = "Red sneakers 2500";
        } }];
    }
    if (now === 1) {
      if (seen.shared) {
        if (buyer.chat.payload) return [this.start(buyer)];
        const card = buyer.chat.peerItems.findLast((item) => everything(item).toUpperCase().includes(code));
        const button = buttonsOf(card).flat().find((item) => item.url);
        return [
          button && { phone: buyer, verb: "Tap", label: button.text, run: () => {
            buyer.chat.show("peer");
            return buyer.openLink(button.url);
          } },
          { phone: buyer, verb: "Open", label: `the page ${code}`, run: () => buyer.openLink(`/buy/${code}`) },
          this.type(buyer, `/buy ${code}`),
        ];
      }
      return [this.tap(seller, /share|send to|forward/i), { phone: seller, verb: "Paste", label: `the link to ${buyer.person.name}`, run: () => {
        seller.chat.show("peer");
        direct.push({ from: "seller", text: `${location.origin}/buy/${code}` });
        tell("shared", {});
      } }];
    }
    if (now === 2) {
      if (buyer.ringing) return [{ phone: buyer, verb: "Enter", label: "the PIN, 1234", run: () => buyer.answerPrompt("right") }];
      if (buyer.chat.payload) return [this.start(buyer)];
      return [
        ...welcome(buyer, /^\W*(i )?(want to )?buy(er|ing)?\b/i),
        asked(buyer, /where|address|deliver to/i) && this.type(buyer, "Moi Avenue 12, Nairobi"),
        asked(buyer, /phone|number/i) && this.type(buyer, `0${buyer.person.msisdn.replace(/^254/, "")}`),
        asked(buyer, /how many|quantity/i) && this.type(buyer, "1"),
        this.tap(buyer, /m-?pesa/i, /try again|ring again|send again/i, /\bpay\b/i, /^\W*buy\b/i, /this number|use .*\d{4}/i, /continue|next|yes|^\W*1\W*$/i),
        !seen.opened && this.type(buyer, `/buy ${code}`),
      ];
    }
    if (now === 3) {
      return [
        this.tap(buyer, /yes.*(release|confirm|have it|got it)|release/i, /confirm( delivery)?|i (have|got|received) it/i),
        !seen.sent && this.tap(seller, /accept/i, /\bship|send it|on (its|the) way/i, /delivered/i),
        !seen.sent && this.type(seller, "/orders"),
        this.tap(buyer, /track|my order/i),
      ];
    }
    return [];
  }

  // ------------------------------------------------------------ drawing

  move(i) {
    const { phone, verb, label } = this.current[i];
    return h("button", { type: "button", class: `move by-${phone.key}`, onclick: () => {
      tell("look-at", phone);
      this.current[i]?.run();
    } }, h("span", { class: `avatar ${phone.key}`, "aria-hidden": "true" }, phone.person.name.slice(0, 1)),
    h("span", {}, h("small", {}, `${phone.person.name}: ${verb.toLowerCase()}`), h("b", { dir: "auto" }, label)));
  }

  render() {
    const seen = this.look();
    tell("codes", codesIn([...this.seller.chat.messages, ...this.buyer.chat.messages, ...direct.items]));
    const moves = this.moves(seen).filter(Boolean).slice(0, 3);
    const signature = JSON.stringify([seen.parts, seen.done, moves.map((move) => [move.phone.person.name, move.verb, move.label])]);
    this.current = moves;
    if (signature === this.drawn) return;
    const finished = this.drawn && seen.now === STEPS.length && !this.cheered;
    this.drawn = signature;
    this.cheered = seen.now === STEPS.length;
    const inside = this.node.contains(document.activeElement);
    fill(this.node,
      h("h2", {}, "Play it"),
      h("ol", { class: "steps" }, STEPS.map((step, i) => h("li", { class: seen.done[i] ? "done" : i === seen.now ? "now" : "later", "aria-current": i === seen.now ? "step" : null },
        h("span", { class: "tick", "aria-hidden": "true" }, seen.done[i] ? icon("check") : i + 1),
        h("div", {}, h("b", {}, step.title, seen.done[i] ? h("span", { class: "visually-hidden" }, " (done)") : null),
          i === seen.now || (seen.now === STEPS.length) ? h("p", {}, step.about.replace("Amina", this.seller.person.name).replace("Brian", this.buyer.person.name)) : null,
          i === seen.now ? h("ul", { class: "parts" }, seen.parts[i].map((part) => h("li", { class: part.done ? "done" : "" }, part.done ? icon("check") : icon("dot"), part.text))) : null)))),
      seen.now === STEPS.length
        ? h("div", { class: `done-note${finished ? " cheer" : ""}` }, h("p", {}, h("b", {}, "Sold, paid, delivered."), " Nobody had to trust anybody."), h("button", { type: "button", class: "primary", onclick: () => this.again() }, "Play another sale"))
        : h("div", { class: "moves" }, h("p", { class: "quiet" }, moves.length ? "A next move (or do it your own way on the phones):" : "The town is busy. Watch the phones."),
          moves.map((_, i) => this.move(i))));
    fill(this.hint, moves.length ? [h("span", { class: "visually-hidden" }, "Next move"), this.move(0)] : null);
    if (inside) this.node.querySelector(".move, .primary")?.focus({ preventScroll: true });
  }
}
