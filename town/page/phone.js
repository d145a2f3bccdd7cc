// One phone: its frame, status bar, apps (Telegram, messages, M-Pesa, browser), the M-Pesa prompt, and who holds it.

import { api } from "./api.js";
import { Chat } from "./chat.js";
import { clock, fill, h, hear, hour, icon, link, money, rich, safeUrl, shortDay, store, tell, when } from "./dom.js";
import { copies, MpesaApp, PinPad } from "./mpesa.js";
import { ring } from "./sound.js";

const APPS = [["telegram", "Telegram", "chat"], ["sms", "Messages", "sms"], ["mpesa", "M-Pesa", "coin"], ["browser", "Browser", "globe"]];

export class Phone {
  constructor(key, role, person) {
    this.key = key;
    this.role = role;
    this.person = { ...person, ...store.get(`person.${key}`, {}) };
    this.app = "telegram";
    this.visible = true;
    this.sms = [];
    this.prompts = [];
    this.put = new Set(store.get(`ignored.${key}`, [])); // prompts this person lets ring out
    this.visited = store.get(`visited.${key}`, []);
    this.smsSeen = store.get(`sms.${key}`, 0);
    this.firstLoad = true;
  }

  /** Drawn once both phones exist, because each shows the other's name. */
  mount(other) {
    this.other = other;
    this.chat = new Chat(this);
    this.build();
    this.renderWho();
    this.openApp("telegram");
    hear("person", () => {
      this.chat.tabsDrawn = null;
      this.chat.renderTabs();
    });
    return this.node;
  }

  // ------------------------------------------------------------ skeleton

  build() {
    this.time = h("span", { class: "time" });
    this.balance = h("span", { class: "balance" });
    this.bell = h("button", { type: "button", class: "bell", "aria-expanded": "false", onclick: () => this.toggleDrawer() });
    this.drawer = h("div", { class: "drawer", hidden: true, role: "region", "aria-label": "Notifications" });
    this.banner = h("button", { type: "button", class: "banner", hidden: true, onclick: () => this.openApp("sms") });
    this.toastBox = h("div", { class: "toast", hidden: true, role: "status" });
    this.alertBox = h("div", { class: "veil", hidden: true });
    this.stk = h("div", { class: "veil stk", hidden: true });
    this.smsApp = h("div", { class: "app sms", data: { app: "sms" }, hidden: true });
    this.browserApp = h("div", { class: "app browser", data: { app: "browser" }, hidden: true });
    this.mpesa = new MpesaApp(this);
    this.dock = h("nav", { class: "dock", "aria-label": `Apps on ${this.person.name}'s phone` });
    this.settings = h("div", { class: "veil", hidden: true });
    this.who = h("header", { class: "who" });
    this.device = h("div", { class: "device" },
      h("div", { class: "status" }, this.time, this.bell, this.balance),
      h("div", { class: "screen" }, this.chat.node, this.smsApp, this.mpesa.node, this.browserApp, this.drawer, this.banner, this.stk, this.alertBox, this.settings, this.toastBox),
      this.dock);
    this.node = h("section", { class: `phone ${this.key}`, id: `panel-${this.key}`, "aria-label": `${this.person.name}'s phone` }, this.who, this.device);
    for (const app of [this.smsApp, this.browserApp]) {
      app.addEventListener("click", (event) => {
        const anchor = event.target.closest("a[href]");
        if (anchor) this.openLink(anchor.href, event);
        const command = event.target.closest(".command");
        if (command) command.blur();
      });
    }
    this.renderSms();
    this.renderBrowser();
    this.renderBell();
  }

  renderWho() {
    const { name, user, msisdn, blocked } = this.person;
    this.node.setAttribute("aria-label", `${name}'s phone`);
    fill(this.who,
      h("span", { class: `avatar ${this.key}`, "aria-hidden": "true" }, name.slice(0, 1)),
      h("h2", {}, name, " ", h("small", {}, this.role)),
      h("span", { class: "ids" }, `+${msisdn}`, h("br"), `Telegram ${user}${blocked ? ", blocked the bot" : ""}`),
      h("button", { type: "button", class: "gear", "aria-label": `Who holds ${name}'s phone`, onclick: () => this.showSettings() }, icon("gear")));
  }

  remember(change) {
    Object.assign(this.person, change);
    store.set(`person.${this.key}`, this.person);
    this.renderWho();
    this.chat.box.setAttribute("aria-label", `Message as ${this.person.name}`);
    tell("person", this);
  }

  // ------------------------------------------------------------ refreshing

  async refreshChat() {
    const user = this.person.user;
    const [messages, others] = await Promise.all([api.messages(user), api.others(user).catch(() => [])]);
    const between = others.filter((chat) => chat.type === "pair" && String(chat.with) === String(this.other.person.user)).flatMap((chat) => chat.messages || []);
    if (user === this.person.user) this.chat.take([...messages, ...between.map((message) => ({ ...message, chat_type: "pair" }))]);
  }

  /** Tell the town who this is, unless somebody already did; learn whether the bot is blocked. */
  async introduce() {
    const { user, name, msisdn, language_code } = this.person;
    const known = await api.who(user);
    if (/^User \d+$/.test(known.first_name || "")) await api.profile(user, { first_name: name, language_code, phone: msisdn });
    if (user === this.person.user && Boolean(known.blocked) !== Boolean(this.person.blocked)) this.remember({ blocked: Boolean(known.blocked) });
  }

  async refreshPhone() {
    const { msisdn } = this.person;
    const got = await api.phone(msisdn);
    if (msisdn !== this.person.msisdn) return;
    this.takeSms(Array.isArray(got.sms) ? got.sms : []);
    this.prompts = Array.isArray(got.prompts) ? got.prompts : [];
    const minor = got.balance_minor;
    this.balance.textContent = Number.isFinite(minor) ? money(minor / 100) : "";
    this.balance.title = "M-Pesa balance";
    this.off = got.on === false;
    this.node.classList.toggle("off", this.off);
    this.renderPrompt();
    this.firstLoad = false;
  }

  get unread() {
    return this.chat.unread("bot") + this.chat.unread("peer") + Math.max(0, this.sms.length - this.smsSeen) + (this.ringing ? 1 : 0);
  }

  setVisible(yes) {
    this.visible = yes;
    if (!yes) return;
    this.chat.markSeen();
    this.chat.renderTabs();
    this.chat.toEnd(false);
  }

  tick() {
    this.time.textContent = hour(clock.now());
    if (this.ringing) this.renderTimeLeft();
  }

  // ------------------------------------------------------------ apps

  openApp(name) {
    this.app = name;
    for (const node of [this.chat.node, this.smsApp, this.mpesa.node, this.browserApp]) node.hidden = node.dataset.app !== name;
    this.drawer.hidden = true;
    this.bell.setAttribute("aria-expanded", "false");
    if (name === "sms") this.readSms();
    if (name === "telegram") {
      this.chat.markSeen();
      this.chat.renderTabs();
      this.chat.toEnd(false);
    }
    this.renderDock();
  }

  renderDock() {
    const counts = { telegram: this.app === "telegram" ? 0 : this.chat.unread("bot") + this.chat.unread("peer"), sms: this.sms.length - this.smsSeen, mpesa: 0, browser: 0 };
    const signature = `${this.app}${JSON.stringify(counts)}`;
    if (signature === this.dockDrawn) return;
    this.dockDrawn = signature;
    const focused = [...this.dock.children].indexOf(document.activeElement);
    fill(this.dock, APPS.map(([app, label, picture]) => h("button", { type: "button", "aria-pressed": String(this.app === app), onclick: () => this.openApp(app) },
      icon(picture), h("span", {}, label), counts[app] > 0 ? h("span", { class: "badge", "aria-label": `${counts[app]} new` }, counts[app]) : null)));
    if (focused >= 0) this.dock.children[focused].focus();
  }

  // ------------------------------------------------------------ SMS

  takeSms(list) {
    const grew = list.length > this.sms.length;
    this.sms = list;
    if (list.length < this.smsSeen) this.smsSeen = 0;
    if (this.firstLoad && !this.smsSeen) this.smsSeen = list.length;
    if (grew && !this.firstLoad) {
      const last = list.at(-1);
      fill(this.banner, icon("sms"), h("span", {}, h("b", {}, last.from || "SMS"), h("small", { dir: "auto" }, last.text)));
      this.banner.hidden = false;
      clearTimeout(this.bannerTimer);
      this.bannerTimer = setTimeout(() => {
        this.banner.hidden = true;
      }, 6000);
    }
    if (this.app === "sms") this.readSms();
    this.renderBell();
    this.renderSms();
    this.renderDock();
  }

  readSms() {
    this.smsSeen = this.sms.length;
    store.set(`sms.${this.key}`, this.smsSeen);
    this.banner.hidden = true;
    this.renderBell();
    this.renderDock();
  }

  renderBell() {
    const count = Math.max(0, this.sms.length - this.smsSeen);
    if (this.bellDrawn === count) return;
    this.bellDrawn = count;
    fill(this.bell, icon("bell"), count ? h("span", { class: "badge" }, count) : null);
    this.bell.setAttribute("aria-label", `Notifications, ${count} new`);
  }

  smsRow(sms) {
    return h("li", {}, h("p", { class: "sms-from" }, h("b", {}, sms.from || "SMS"), h("small", {}, `${shortDay(sms.at)} ${hour(sms.at)}`)), h("p", { class: "sms-text", dir: "auto" }, rich(null, sms.text)), copies(this, sms.text));
  }

  renderSms() {
    const signature = this.sms.length + String(this.sms.at(-1)?.at);
    if (signature === this.smsDrawn) return;
    this.smsDrawn = signature;
    const rows = () => this.sms.slice(-40).reverse().map((sms) => this.smsRow(sms));
    fill(this.smsApp, h("h3", { class: "app-title" }, "Messages"),
      this.sms.length ? h("ul", { class: "sms-list", tabindex: "0", "aria-label": "SMS" }, rows()) : h("p", { class: "quiet pad" }, "No SMS yet. M-Pesa receipts and PayLoom's short messages arrive here."));
    fill(this.drawer, h("h3", { class: "app-title" }, "Notifications"),
      this.sms.length ? h("ul", { class: "sms-list", tabindex: "0", "aria-label": "Notifications" }, rows()) : h("p", { class: "quiet pad" }, "Nothing new."));
  }

  toggleDrawer() {
    this.drawer.hidden = !this.drawer.hidden;
    this.bell.setAttribute("aria-expanded", String(!this.drawer.hidden));
    if (!this.drawer.hidden) this.readSms();
  }

  // ------------------------------------------------------------ links and the browser

  /** Any link pressed on this phone: Telegram's own stay in Telegram, the web opens in a tab of its own. */
  openLink(address, event) {
    const href = safeUrl(address);
    if (!href) {
      event?.preventDefault();
      return;
    }
    const url = new URL(href);
    const telegram = url.protocol === "tg:" || ["t.me", "telegram.me"].includes(url.hostname);
    if (telegram) {
      event?.preventDefault();
      if (url.pathname.startsWith("/share")) {
        tell("paste-direct", { from: this, text: [url.searchParams.get("text"), url.searchParams.get("url")].filter(Boolean).join("\n") });
      } else this.chat.deepLink(url.searchParams.get("start") || url.searchParams.get("startapp"));
      return;
    }
    this.visited = [{ href, at: clock.now().toISOString() }, ...this.visited.filter((item) => item.href !== href)].slice(0, 12);
    store.set(`visited.${this.key}`, this.visited);
    tell("visited", { phone: this, href });
    if (!event) window.open(href, "_blank", "noopener,noreferrer");
    this.renderBrowser(href);
    this.openApp("browser");
  }

  renderBrowser(current) {
    const field = h("input", { type: "text", inputmode: "url", value: current || "", placeholder: "Type or paste an address", "aria-label": `Address bar of ${this.person.name}'s browser`, autocomplete: "off", spellcheck: "false" });
    const go = (event) => {
      event.preventDefault();
      const typed = field.value.trim();
      if (!typed) return;
      const code = typed.match(/^PL-[A-Z0-9]{4,}$/i);
      this.openLink(code ? `${location.origin}/buy/${typed.toUpperCase()}` : /^[\w.-]+:\/\//.test(typed) ? typed : typed.startsWith("/") ? location.origin + typed : `http://${typed}`);
    };
    fill(this.browserApp,
      h("form", { class: "address", onsubmit: go }, icon("lock"), field, h("button", { type: "submit", class: "tool", "aria-label": "Open in a new tab" }, icon("out"))),
      h("div", { class: "page" },
        current ? h("div", { class: "opened" }, icon("out"), h("p", {}, h("b", {}, "Opened in a new tab")), h("p", { class: "where" }, current),
          h("div", { class: "row" }, h("a", { class: "primary", href: current, target: "_blank", rel: "noopener noreferrer" }, "Open again"),
            h("button", { type: "button", class: "plain", onclick: () => this.openApp("telegram") }, "Back to the chat")))
          : h("div", { class: "opened" }, icon("globe"), h("p", {}, h("b", {}, `${this.person.name}'s browser`)), h("p", {}, "Links pressed on this phone end up here.")),
        h("p", { class: "why" }, "Why a new tab? A page that takes money never lets itself be shown inside another page, so nobody can lay a false button over Pay. Do what you like there: the M-Pesa prompt still rings on this phone."),
        this.visited.length ? h("h3", {}, "Visited") : null,
        h("ul", { class: "visited" }, this.visited.map((item) => h("li", {}, link(item.href, item.href.replace(/^https?:\/\//, "")), h("small", {}, hour(item.at)))))));
  }

  // ------------------------------------------------------------ the M-Pesa prompt

  renderPrompt() {
    const now = clock.now();
    const prompt = this.prompts.find((item) => !item.ignored && !this.put.has(String(item.id)) && !(when(item.expires_at) < now));
    if ((prompt?.id ?? null) === (this.ringing?.id ?? null)) return;
    this.ringing = prompt || null;
    this.stk.hidden = !prompt;
    this.node.classList.toggle("ringing", Boolean(prompt));
    tell("ringing", this);
    if (!prompt) {
      const inside = this.stk.contains(document.activeElement);
      this.stk.replaceChildren();
      if (inside) this.chat.log.focus({ preventScroll: true });
      return;
    }
    ring();
    const answer = async (what) => {
      for (const button of this.stk.querySelectorAll("button")) button.disabled = true;
      try {
        await api.pin(this.person.msisdn, what, prompt.id);
        if (what === "ignore") {
          this.put.add(String(prompt.id));
          store.set(`ignored.${this.key}`, [...this.put].slice(-30));
        }
        tell("pin", { phone: this, what });
      } catch (error) {
        this.toast(error.message, true);
        for (const button of this.stk.querySelectorAll("button")) button.disabled = false;
        pad.draw();
      }
      this.prompts = this.prompts.filter((item) => item.id !== prompt.id || what === undefined);
      this.renderPrompt();
      tell("acted", { phone: this });
    };
    const pad = new PinPad({ send: (pin) => answer(pin === "1234" ? "right" : "wrong"), cancel: () => answer("cancel") });
    this.answerPrompt = answer;
    this.left = h("span", { class: "left" });
    const said = prompt.text || `Do you want to pay ${money(prompt.amount)} to ${prompt.business}, account no. ${prompt.reference}? Enter M-PESA PIN`;
    const dialog = h("div", { class: "sim", role: "dialog", "aria-label": `M-Pesa asks ${this.person.name} for a PIN`, tabindex: "-1", onkeydown: (event) => pad.keydown(event) },
      h("p", { class: "sim-head" }, h("b", {}, "M-PESA"), h("small", {}, "SIM toolkit"), this.left),
      h("p", { class: "sum" }, money(prompt.amount, prompt.currency)),
      h("p", { class: "ask", dir: "auto" }, said),
      pad.nodes,
      h("div", { class: "ifs", role: "group", "aria-label": "Answers to try" }, h("span", {}, `${this.person.name}'s PIN is 1234. Or try:`),
        [["right", "Right PIN"], ["wrong", "Wrong PIN"], ["broke", "Not enough money"], ["ignore", "Let it ring out"]]
          .map(([what, label]) => h("button", { type: "button", onclick: () => answer(what) }, label))));
    fill(this.stk, dialog);
    this.renderTimeLeft();
    const active = document.activeElement;
    if (!active || active === document.body || this.node.contains(active)) dialog.focus({ preventScroll: true });
  }

  renderTimeLeft() {
    const end = when(this.ringing?.expires_at);
    if (!end) return;
    const seconds = Math.max(0, Math.round((end - clock.now()) / 1000));
    this.left.textContent = `${seconds} s`;
    this.left.setAttribute("aria-label", `${seconds} seconds left`);
    if (!seconds) this.renderPrompt();
  }

  // ------------------------------------------------------------ small talk of the phone

  toast(text, bad = false) {
    this.toastBox.textContent = text;
    this.toastBox.classList.toggle("bad", bad);
    this.toastBox.hidden = false;
    clearTimeout(this.toastTimer);
    this.toastTimer = setTimeout(() => {
      this.toastBox.hidden = true;
    }, Math.max(2600, text.length * 60));
  }

  alert(text) {
    const back = document.activeElement;
    const close = () => {
      this.alertBox.hidden = true;
      back?.focus?.({ preventScroll: true });
    };
    fill(this.alertBox, h("div", { class: "card", role: "alertdialog", "aria-label": "PayLoom", onkeydown: (event) => event.key === "Escape" && close() },
      h("b", {}, "PayLoom"), h("p", { dir: "auto" }, text), h("button", { type: "button", class: "primary", onclick: close }, "OK")));
    this.alertBox.hidden = false;
    this.alertBox.querySelector("button").focus();
  }

  showSettings() {
    const gear = this.who.querySelector(".gear");
    const close = () => {
      this.settings.hidden = true;
      gear.focus();
    };
    const person = this.person;
    const field = (name, label, value, more = {}) => h("label", {}, label, h("input", { name, value, autocomplete: "off", ...more }));
    const language = h("select", { name: "language_code" }, [["en", "English"], ["sw", "Kiswahili"], ["ar", "العربية"], ["so", "Soomaali"], ["fr", "Français"]].map(([code, label]) => h("option", { value: code, selected: code === (person.language_code || "en") }, label)));
    const save = async (event) => {
      event.preventDefault();
      const form = new FormData(event.currentTarget);
      const user = Number(form.get("user"));
      if (user !== person.user) this.chat.forget();
      const msisdn = String(form.get("msisdn")).replace(/\D/g, "").replace(/^0/, "254");
      if (msisdn !== person.msisdn) Object.assign(this, { sms: [], smsSeen: 0, firstLoad: true });
      this.remember({ user, msisdn, name: String(form.get("name")).trim() || person.name, language_code: form.get("language_code"), blocked: user === person.user && person.blocked });
      close();
      await this.chat.act(() => api.profile(user, { first_name: this.person.name, language_code: this.person.language_code, phone: msisdn }));
    };
    const block = async () => {
      const blocked = !person.blocked;
      await this.chat.act(() => api.block(person.user, blocked), () => {
        this.remember({ blocked });
        this.toast(blocked ? "The bot is blocked: PayLoom will turn to SMS." : "The bot may write again.");
      });
      close();
    };
    fill(this.settings, h("form", { class: "card", onsubmit: save, onkeydown: (event) => event.key === "Escape" && close(), "aria-label": "Who holds this phone" },
      h("b", {}, "Who holds this phone?"),
      field("name", "First name", person.name, { maxlength: 40, required: true }),
      field("user", "Telegram id", String(person.user), { inputmode: "numeric", pattern: "[0-9]{1,15}", required: true }),
      field("msisdn", "Phone number", person.msisdn, { inputmode: "tel", pattern: "[+0-9 ]{9,16}", required: true }),
      h("label", {}, "Language of the phone", language),
      h("div", { class: "row" }, h("button", { type: "submit", class: "primary" }, "Save"), h("button", { type: "button", class: "plain", onclick: close }, "Close")),
      h("button", { type: "button", class: "plain danger", onclick: block }, person.blocked ? "Unblock the bot" : "Block the bot")));
    this.settings.hidden = false;
    this.settings.querySelector("input").focus();
  }
}
