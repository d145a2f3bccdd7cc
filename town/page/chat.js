// Telegram on one phone: the bot's chat, the chat with the other person, everything that can be pressed in them.

import { api } from "./api.js";
import { copy, day, fill, h, hash, hear, hour, icon, link, plainText, rich, safeUrl, store, tell, when } from "./dom.js";
import { moneyIn, payInvoice, slugOf } from "./invoice.js";
import { Sheets, direct } from "./sheets.js";

const isMine = (message, person) => message.from === "me" || String(message.from) === String(person.user);
/** In the chat with the bot, as against one with another person (a chat of type `pair`, or with number 0). */
const isBot = (message, person) => {
  const chat = message.chat ?? null;
  const kind = message.chat_type || (chat && typeof chat === "object" ? chat.type : null);
  if (kind) return kind === "private";
  if (chat !== null && typeof chat !== "object") return String(chat) === String(person.user) || chat === "bot" || chat === "private";
  return message.from === "bot" || isMine(message, person);
};
const at = (item) => when(item?.at ?? item?.date)?.getTime() || 0;
export const buttonsOf = (message) => (Array.isArray(message?.buttons) ? message.buttons.filter(Array.isArray) : []);
const switchOf = (button) => [button.switch_inline, button.switch_inline_query, button.switch_inline_query_chosen_chat?.query].find((x) => typeof x === "string");
const CONFIRMED = /^[A-Z][A-Z0-9]{9}( Confirmed|$)/; // what M-Pesa sent is for the bot as well
const copyOf = (button) => (typeof button.copy === "object" ? button.copy?.text : button.copy) || button.copy_text?.text;
const appOf = (button) => (typeof button.web_app === "object" ? button.web_app?.url : button.web_app);

function keyIcon(button) {
  if (switchOf(button) !== undefined) return icon("share");
  if (copyOf(button)) return icon("copy");
  if (button.url || appOf(button)) return icon("out");
  return null;
}

export class Chat extends Sheets {
  constructor(phone) {
    super();
    this.phone = phone;
    this.messages = [];
    this.open = "bot"; // or "peer"
    this.seen = { bot: store.get(`seen.bot.${phone.key}`, 0), peer: store.get(`seen.peer.${phone.key}`, 0) };
    this.waiting = null; // a picture waiting for its caption
    this.payload = null; // a deep link waiting for START
    this.firstLoad = true;
    this.rows = new Map();
    this.commands = [];
    this.build();
    hear("direct", () => this.render());
    hear("copied", () => this.renderComposer());
  }

  get person() {
    return this.phone.person;
  }

  // ------------------------------------------------------------ skeleton

  build() {
    const { key } = this.phone;
    this.tabs = h("div", { class: "chats", role: "group", "aria-label": "Chats" });
    this.log = h("div", { class: "log", role: "log", tabindex: "0", "aria-label": "Messages" });
    this.list = h("div", { class: "messages" });
    this.log.append(this.list);
    this.jump = h("button", { type: "button", class: "jump", hidden: true, "aria-label": "Go to the newest message", onclick: () => this.toEnd(true) }, icon("down"));
    this.keyboard = h("div", { class: "reply-keys", hidden: true });
    this.pop = h("div", { class: "pop", hidden: true });
    this.caption = h("div", { class: "picked", hidden: true });
    this.paste = h("button", { type: "button", class: "paste", hidden: true, onclick: () => this.pasteNow() });
    this.box = h("textarea", {
      rows: "1", dir: "auto", placeholder: "Message", id: `${key}-box`, "aria-label": `Message as ${this.person.name}`,
      oninput: () => this.grow(), onkeydown: (event) => this.onKey(event),
    });
    this.menuButton = h("button", { type: "button", class: "tool", "aria-label": "Menu of commands", "aria-expanded": "false", onclick: () => this.showCommands() }, icon("menu"));
    this.clip = h("button", { type: "button", class: "tool", "aria-label": "Attach a photo", "aria-expanded": "false", onclick: () => this.showSamples() }, icon("clip"));
    this.sendButton = h("button", { type: "submit", class: "tool send", "aria-label": "Send" }, icon("send"));
    this.file = h("input", { type: "file", accept: "image/*", class: "visually-hidden", tabindex: "-1", "aria-label": "Choose a picture", onchange: () => this.pickFile() });
    this.form = h("form", { class: "composer", onsubmit: (event) => this.submit(event) }, this.menuButton, this.box, this.clip, this.file, this.sendButton);
    this.startButton = h("button", { type: "button", class: "start", hidden: true, onclick: () => this.start() }, "Start");
    this.sheet = h("div", { class: "sheet", hidden: true, role: "dialog", "aria-label": "Share" });
    this.node = h("div", { class: "app telegram", data: { app: "telegram" } },
      this.tabs, h("div", { class: "wall" }, this.log, this.jump), this.pop, this.caption, this.paste, this.form, this.startButton, this.keyboard, this.sheet);
    this.log.addEventListener("scroll", () => this.onScroll(), { passive: true });
    this.node.addEventListener("click", (event) => this.onClick(event));
    this.node.addEventListener("keydown", (event) => {
      const spoiler = event.target.closest?.(".spoiler");
      if (spoiler && (event.key === "Enter" || event.key === " ")) {
        event.preventDefault();
        spoiler.classList.add("shown");
      }
      if (event.key === "Escape") this.closeSheets();
    });
    this.renderTabs();
    this.renderComposer();
  }

  // ------------------------------------------------------------ what is in which chat

  get botItems() {
    return this.messages.filter((message) => isBot(message, this.person));
  }

  get peerItems() {
    return [...direct.items, ...this.toldByTown].sort((a, b) => at(a) - at(b));
  }

  /** What the town itself put into the chat of the two (a card sent through the bot). */
  get toldByTown() {
    return this.messages.filter((message) => !isBot(message, this.person));
  }

  fromMe(item) {
    return item.from === this.phone.key || isMine(item, this.person);
  }

  get items() {
    return this.open === "bot" ? this.botItems : this.peerItems;
  }

  get lastBot() {
    return this.botItems.findLast((message) => !isMine(message, this.person));
  }

  unread(which) {
    if (which === "bot") return this.botItems.filter((message) => message.from === "bot" && Number(message.message_id) > this.seen.bot).length;
    return this.peerItems.filter((item) => !this.fromMe(item) && at(item) > (Number(this.seen.peer) || 0)).length;
  }

  markSeen() {
    if (!this.phone.visible || this.phone.app !== "telegram") return;
    if (this.open === "bot") {
      const last = Math.max(0, ...this.botItems.map((message) => Number(message.message_id) || 0));
      if (last === this.seen.bot) return;
      this.seen.bot = last;
    } else {
      const last = at(this.peerItems.at(-1));
      if (last === this.seen.peer) return;
      this.seen.peer = last;
    }
    store.set(`seen.${this.open}.${this.phone.key}`, this.seen[this.open]);
  }

  show(which) {
    if (this.open !== which) {
      this.open = which;
      this.rows.clear();
      this.list.replaceChildren();
      this.closeSheets();
    }
    this.phone.openApp("telegram");
    this.render();
    tell("moved");
    this.toEnd(false);
    this.renderComposer();
  }

  forget() {
    this.messages = [];
    this.rows.clear();
    this.list.replaceChildren();
    this.firstLoad = true;
    this.seen = { bot: 0, peer: 0 };
    this.commands = [];
  }

  take(messages) {
    this.messages = messages;
    this.render();
    this.firstLoad = false;
  }

  // ------------------------------------------------------------ drawing

  renderTabs() {
    const tab = (which, name, look, about) => {
      const count = this.open === which && this.phone.visible && this.phone.app === "telegram" ? 0 : this.unread(which);
      return h("button", { type: "button", class: "chat-tab", "aria-pressed": String(this.open === which), onclick: () => this.show(which) },
        h("span", { class: `avatar ${look}`, "aria-hidden": "true" }, which === "bot" ? icon("loom") : name.slice(0, 1)),
        h("span", { class: "chat-name" }, h("b", {}, name), h("small", {}, about)),
        count ? h("span", { class: "badge", "aria-label": `${count} new` }, count) : null);
    };
    const busy = this.typingUntil > Date.now();
    const signature = hash([this.open, busy, this.unread("bot"), this.unread("peer"), this.phone.visible, this.phone.app, this.phone.other.person.name]);
    if (signature === this.tabsDrawn) return;
    this.tabsDrawn = signature;
    const focused = this.tabs.contains(document.activeElement) ? [...this.tabs.children].indexOf(document.activeElement) : -1;
    fill(this.tabs, tab("bot", "PayLoom", "loom", busy ? "typing…" : "bot"), tab("peer", this.phone.other.person.name, this.phone.other.key, this.phone.other.role));
    if (focused >= 0) this.tabs.children[focused]?.focus();
  }

  render() {
    const items = this.items;
    const near = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 90;
    const wanted = [];
    let today = "";
    for (const item of items) {
      const label = day(item.at ?? item.date);
      if (label && label !== today) {
        today = label;
        wanted.push({ id: `day:${label}`, day: label });
      }
      wanted.push({ id: `m:${this.open}:${item.message_id ?? item.id}`, item });
    }
    let added = false;
    const keep = new Set(wanted.map((row) => row.id));
    for (const [id, row] of this.rows) {
      if (!keep.has(id)) {
        row.node.remove();
        this.rows.delete(id);
      }
    }
    let before = null;
    for (const row of wanted) {
      const signature = row.day ? row.day : hash(row.item);
      let known = this.rows.get(row.id);
      if (!known) {
        known = { signature, node: row.day ? h("p", { class: "day" }, row.day) : this.bubble(row.item) };
        if (!this.firstLoad && !row.day) known.node.classList.add("fresh");
        this.rows.set(row.id, known);
        added = true;
      } else if (known.signature !== signature) {
        const node = this.bubble(row.item);
        node.classList.add("changed");
        if (known.node.contains(document.activeElement)) this.log.focus({ preventScroll: true });
        known.node.replaceWith(node);
        known.node = node;
        known.signature = signature;
        added = added || near;
      }
      const place = before ? before.nextSibling : this.list.firstChild;
      if (place !== known.node) this.list.insertBefore(known.node, place);
      before = known.node;
    }
    if (!items.length && !this.list.querySelector(".empty")) this.list.append(this.emptyNote());
    if (items.length) this.list.querySelector(".empty")?.remove();
    this.renderKeyboard();
    this.renderComposer();
    if (added && (near || this.firstLoad || this.fromMe(items.at(-1) ?? {}))) this.toEnd(!this.firstLoad);
    this.markSeen();
    this.renderTabs();
  }

  emptyNote() {
    if (this.open === "peer") {
      return h("div", { class: "empty" }, h("p", {}, `The everyday chat between ${this.person.name} and ${this.phone.other.person.name}. Paste the link here, or use Share in the bot's chat.`));
    }
    const what = this.phone.key === "seller" ? "Sell in a chat and be paid for sure." : "Buy in a chat. Your money waits until you have the goods.";
    return h("div", { class: "empty" }, icon("loom"), h("p", {}, h("b", {}, "What can this bot do?")), h("p", {}, `${what} Press Start to say hello.`));
  }

  bubble(item) {
    const mine = this.fromMe(item);
    const text = item.html || item.text ? h("div", { class: "words", dir: "auto" }, rich(item.html, item.text)) : null;
    const bubble = h("div", { class: "bubble" });
    const via = item.via || item.via_bot?.username || item.via_bot;
    if (via) bubble.append(h("small", { class: "via" }, `via ${via === true ? "@PayLoom" : via}`));
    const photos = [item.photo, ...(Array.isArray(item.photos) ? item.photos : [])].filter((x) => typeof x === "string" || x?.url);
    for (const photo of photos) {
      const src = safeUrl(photo.url || photo);
      if (src) bubble.append(h("img", { class: "photo", src, alt: plainText(item).slice(0, 90) || "Photo", loading: "lazy", onload: () => this.nudge() }));
    }
    if (item.document) {
      const file = typeof item.document === "object" ? item.document : { url: item.document };
      const name = file.name || file.file_name || String(file.url || "document").split("/").pop();
      bubble.append(h("p", { class: "file" }, icon("file"), file.url && safeUrl(file.url) ? link(file.url, name) : name));
    }
    if (item.contact) {
      bubble.append(h("p", { class: "file" }, icon("person"), [item.contact.first_name, item.contact.phone_number || item.contact.phone].filter(Boolean).join(", ") || (typeof item.contact === "string" ? item.contact : "Contact")));
    }
    if (item.location) bubble.append(h("p", { class: "file" }, icon("globe"), `${item.location.latitude}, ${item.location.longitude}`));
    if (text) bubble.append(text);
    const money = moneyIn(item);
    if (money) bubble.append(money);
    bubble.append(h("small", { class: "meta" }, item.edited ? "edited " : "", hour(item.at ?? item.date)));
    const who = mine ? this.person.name : this.open === "bot" ? "PayLoom" : this.phone.other.person.name;
    const row = h("article", { class: `msg ${mine ? "me" : "them"}`, "aria-label": who }, bubble);
    const lines = buttonsOf(item);
    if (lines.length) {
      row.append(h("div", { class: "keys" }, lines.map((line) => h("div", { class: "key-line" }, line.map((button) => this.inlineKey(item, button))))));
    }
    return row;
  }

  inlineKey(item, button) {
    const address = button.url; // a Mini App's address is asked from the town, which signs it for this person
    const face = [h("span", { dir: "auto" }, button.text), keyIcon(button)];
    const invoice = slugOf(address);
    if (invoice) return h("button", { type: "button", class: "key", onclick: () => payInvoice(this, invoice) }, ...face);
    if (address && safeUrl(address)) {
      const node = link(address, ...face);
      node.className = "key";
      return node;
    }
    return h("button", { type: "button", class: "key", onclick: (event) => this.press(item, button, event.currentTarget) }, ...face);
  }

  renderKeyboard() {
    const last = this.botItems.findLast((message) => message.keyboard !== undefined && message.keyboard !== null);
    const lines = this.open === "bot" && Array.isArray(last?.keyboard) ? last.keyboard.filter((line) => Array.isArray(line) && line.length) : [];
    const signature = hash([lines, last?.message_id ?? 0]);
    if (signature === this.keyboardDrawn) return;
    this.keyboardDrawn = signature;
    this.keyboard.hidden = !lines.length;
    fill(this.keyboard, lines.map((line) => h("div", { class: "key-line" }, line.map((raw) => {
      const key = typeof raw === "string" ? { text: raw } : raw;
      return h("button", { type: "button", class: "key", onclick: () => this.pressReply(key) }, key.request_contact ? icon("person") : null, h("span", { dir: "auto" }, key.text));
    }))));
    if (lines.length) this.toEnd(false);
  }

  renderComposer() {
    const empty = this.open === "bot" && !this.botItems.length;
    const start = empty || (this.open === "bot" && this.payload);
    this.startButton.hidden = !start;
    this.startButton.textContent = this.person.blocked ? "Unblock" : "Start";
    this.form.hidden = Boolean(start);
    this.menuButton.hidden = this.open !== "bot";
    this.clip.hidden = this.open !== "bot";
    this.caption.hidden = !this.waiting || this.open !== "bot";
    this.paste.hidden = !(copy.last && (this.open === "peer" || CONFIRMED.test(copy.last)));
    if (!this.paste.hidden) fill(this.paste, icon("copy"), h("span", {}, `Paste ${copy.last}`));
  }

  typing(seconds = 4) {
    this.typingUntil = Date.now() + seconds * 1000;
    this.renderTabs();
    setTimeout(() => this.renderTabs(), seconds * 1000 + 50);
  }

  // ------------------------------------------------------------ scrolling

  toEnd(smooth) {
    this.log.scrollTo({ top: this.log.scrollHeight, behavior: smooth ? "smooth" : "instant" });
    this.stick = Date.now();
  }

  nudge() {
    if (Date.now() - (this.stick || 0) < 2500) this.toEnd(false);
  }

  onScroll() {
    this.jump.hidden = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 160;
  }

  // ------------------------------------------------------------ what a person does

  async act(work, after) {
    try {
      const answer = await work();
      tell("acted", { phone: this.phone });
      if (after) after(answer);
      return answer;
    } catch (error) {
      this.phone.toast(error.message, true);
      return null;
    }
  }

  start() {
    const payload = this.payload;
    this.payload = null;
    const open = this.person.blocked ? () => api.block(this.person.user, false).then(() => api.start(this.person.user, payload)) : () => api.start(this.person.user, payload);
    if (this.person.blocked) this.phone.remember({ blocked: false });
    return this.act(open, () => this.renderComposer());
  }

  /** A link t.me/bot?start=... : the bot's chat opens with START waiting, as in Telegram. */
  deepLink(payload) {
    this.payload = payload || null;
    this.show("bot");
    this.startButton.focus({ preventScroll: true });
    tell("moved");
  }

  say(text) {
    if (this.open === "peer") {
      direct.push({ from: this.phone.key, text });
      return Promise.resolve();
    }
    return this.act(() => api.send(this.person.user, text));
  }

  submit(event) {
    event?.preventDefault();
    const text = this.box.value.trim();
    const picked = this.waiting;
    if (picked && this.open === "bot") {
      this.dropPicture();
      this.box.value = "";
      this.grow();
      return this.act(() => api.photo(this.person.user, { ...picked, caption: text }));
    }
    if (!text) return null;
    this.box.value = "";
    this.grow();
    return this.say(text);
  }

  onKey(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) this.submit(event);
  }

  grow() {
    this.box.rows = Math.min(5, Math.max(1, this.box.value.split("\n").length));
  }

  pasteNow() {
    this.box.value = copy.last;
    this.submit();
    copy.last = null;
    this.renderComposer();
  }

  onClick(event) {
    const spoiler = event.target.closest(".spoiler");
    if (spoiler) {
      spoiler.classList.add("shown");
      return;
    }
    const command = event.target.closest(".command");
    if (command) {
      this.show("bot");
      this.say(command.dataset.command);
      return;
    }
    const anchor = event.target.closest("a[href]");
    if (anchor) this.phone.openLink(anchor.href, event);
  }

  async press(item, button, node) {
    const query = switchOf(button);
    const text = copyOf(button);
    if (text) {
      await copy(text);
      this.phone.toast("Copied. Paste it to your buyer.");
      return;
    }
    if (query !== undefined) {
      this.share(query, button.current_chat ? this.person : undefined);
      return;
    }
    node?.classList.add("busy");
    node?.setAttribute("aria-busy", "true");
    const owner = item.message_id ?? item.id;
    await this.act(() => api.tap(this.person.user, owner, button.text), (answer) => this.answered(answer));
    node?.classList.remove("busy");
    node?.removeAttribute("aria-busy");
  }

  answered(answer) {
    if (!answer || typeof answer !== "object") return;
    const said = [answer.toast, answer.alert, answer.text].find((x) => typeof x === "string" && x);
    if (answer.alert && said) this.phone.alert(said);
    else if (said) this.phone.toast(said);
    if (answer.copy) copy(answer.copy).then(() => this.phone.toast("Copied. Paste it to your buyer."));
    const query = answer.inline_query ?? answer.switch_inline;
    if (typeof query === "string") this.share(query, answer.current_chat ? this.person : undefined);
    if (answer.invoice) payInvoice(this, answer.invoice);
    if (answer.url) this.phone.openLink(answer.url);
  }

  pressReply(key) {
    if (key.request_contact) return this.act(() => api.contact(this.person.user, this.person.msisdn));
    if (key.request_location) return this.phone.toast("This town has no map yet: type the place instead.");
    return this.act(() => api.send(this.person.user, key.text));
  }
}
