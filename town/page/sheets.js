// What slides up inside Telegram: the menu of commands, pictures to attach, and "share to" with the bot's cards.

import { api } from "./api.js";
import { clock, fill, h, icon, safeUrl, store, tell } from "./dom.js";

export const SAMPLES = [
  { id: "sneakers", label: "Red sneakers" },
  { id: "dress", label: "Kitenge dress" },
  { id: "honey", label: "Forest honey" },
  { id: "basket", label: "Woven basket" },
];

// ---------------------------------------------------------------- the chat between the two people

export const direct = {
  items: store.get("direct", []),
  push(item) {
    this.items = [...this.items, { id: `d${Date.now()}${this.items.length}`, at: clock.now().toISOString(), ...item }].slice(-200);
    store.set("direct", this.items);
    tell("direct");
  },
  clear() {
    this.items = [];
    store.set("direct", []);
    tell("direct");
  },
};

/** A drawing as the photo a phone would send; without a canvas the town makes a picture of its own from the word. */
async function drawn(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = h("canvas", { width: "640", height: "640" });
  canvas.getContext("2d").drawImage(image, 0, 0, 640, 640);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  return blob && new File([blob], "photo.png", { type: "image/png" });
}

/** The sheets of a chat; the chat itself (Chat) gives `phone`, `sheet`, `pop`, `act` and the rest. */
export class Sheets {
  closeSheets() {
    this.sheet.hidden = true;
    this.pop.hidden = true;
    for (const tool of [this.menuButton, this.clip]) tool.setAttribute("aria-expanded", "false");
  }


  async showCommands() {
    if (!this.pop.hidden && this.pop.dataset.kind === "commands") return this.closeSheets();
    this.closeSheets();
    let menu = null;
    try {
      this.commands = await api.commands(this.person.user);
      menu = await api.menu(this.person.user).catch(() => null);
    } catch (error) {
      return this.phone.toast(error.message, true);
    }
    this.pop.dataset.kind = "commands";
    fill(this.pop, menu?.url && safeUrl(menu.url) ? h("a", { class: "pop-row", href: menu.url, target: "_blank", rel: "noopener noreferrer" }, h("b", {}, menu.text || "Dashboard"), h("span", {}, "opens the Mini App")) : null,
      this.commands.length
      ? this.commands.map((item) => h("button", { type: "button", class: "pop-row", onclick: () => {
        this.closeSheets();
        this.say(`/${String(item.command).replace(/^\//, "")}`);
      } }, h("b", {}, `/${String(item.command).replace(/^\//, "")}`), h("span", { dir: "auto" }, item.description)))
      : h("p", { class: "quiet" }, "The bot has not registered any commands yet."));
    this.pop.hidden = false;
    this.menuButton.setAttribute("aria-expanded", "true");
    this.pop.querySelector("button, a")?.focus();
    return null;
  }

  showSamples() {
    if (!this.pop.hidden && this.pop.dataset.kind === "samples") return this.closeSheets();
    this.closeSheets();
    this.pop.dataset.kind = "samples";
    fill(this.pop,
      h("p", { class: "quiet" }, "Pick a picture, then write its caption: “Red sneakers 2500”."),
      h("div", { class: "samples" }, SAMPLES.map((item) => h("button", { type: "button", class: "sample", onclick: () => this.pick({ sample: item.id, label: item.label }) },
        h("img", { src: `/town/static/sample-${item.id}.svg`, alt: "" }), h("span", {}, item.label)))),
      h("button", { type: "button", class: "pop-row", onclick: () => this.file.click() }, h("b", {}, "Choose a file…")));
    this.pop.hidden = false;
    this.clip.setAttribute("aria-expanded", "true");
    this.pop.querySelector("button")?.focus();
    return null;
  }

  pickFile() {
    const [file] = this.file.files;
    this.file.value = "";
    if (file) this.pick({ file, label: file.name });
  }

  pick(picture) {
    this.closeSheets();
    this.waiting = picture;
    if (picture.sample) drawn(`/town/static/sample-${picture.sample}.svg`).then((file) => Object.assign(picture, { file }), () => null);
    const address = picture.sample ? `/town/static/sample-${picture.sample}.svg` : null;
    fill(this.caption, address ? h("img", { src: address, alt: "" }) : icon("clip"), h("span", {}, h("b", {}, picture.label), h("small", {}, "Write a caption below, then send")),
      h("button", { type: "button", class: "tool", "aria-label": "Take the picture away", onclick: () => this.dropPicture() }, icon("close")));
    this.renderComposer();
    this.box.focus();
  }

  dropPicture() {
    this.waiting = null;
    this.renderComposer();
  }

  /** Telegram's "share to" sheet: the bot offers cards for the query, and one goes to the other person. */
  async share(query, to = this.phone.other.person) {
    this.closeSheets();
    const own = to === this.person;
    const head = h("div", { class: "sheet-head" }, h("b", {}, own ? "Choose a card" : `Send to ${to.name}`),
      h("button", { type: "button", class: "tool", "aria-label": "Close", onclick: () => this.closeSheets() }, icon("close")));
    fill(this.sheet, head, h("p", { class: "quiet" }, "Looking for what you can send…"));
    this.sheet.hidden = false;
    let results = [];
    try {
      results = await api.inline(this.person.user, query);
    } catch (error) {
      this.closeSheets();
      return this.phone.toast(error.message, true);
    }
    fill(this.sheet, head, results.length ? null : h("p", { class: "quiet" }, "The bot has nothing to send for this."),
      results.map((result) => {
        const thumb = safeUrl(result.thumbnail_url || result.thumb_url || result.photo_url || result.photo || "/town/static/sample-parcel.svg");
        return h("button", { type: "button", class: "result", onclick: () => this.choose(query, result, to) },
          h("img", { src: thumb, alt: "" }), h("span", {}, h("b", { dir: "auto" }, result.title || result.caption || "Product card"), h("small", { dir: "auto" }, result.description || "")));
      }));
    this.sheet.querySelector(".result")?.focus();
    return null;
  }

  async choose(query, result, to) {
    const own = to === this.person;
    this.closeSheets();
    const before = this.toldByTown.length;
    await this.act(async () => {
      const answer = await api.choose(this.person.user, query, String(result.id ?? result.result_id), to.user);
      await this.phone.refreshChat();
      return answer;
    }, (answer) => {
      if (own) return;
      // a town that keeps the chat of two people shows the card by itself; else this page does
      if (this.toldByTown.length === before) direct.push({ from: this.phone.key, via: "@PayLoom", ...cardOf(answer, result) });
      this.show("peer");
      this.phone.toast(`Sent to ${to.name}`);
      tell("shared", { from: this.phone.key, text: query });
    });
  }
}

function cardOf(answer, result) {
  const shown = answer?.message && typeof answer.message === "object" ? answer.message : {};
  const content = result.input_message_content || {};
  return {
    message_id: shown.message_id,
    photo: shown.photo ?? result.photo_url ?? result.photo,
    html: shown.html ?? result.html ?? content.html ?? ((result.parse_mode || content.parse_mode) === "HTML" ? content.message_text ?? result.caption : undefined),
    text: shown.text ?? result.text ?? content.message_text ?? result.caption ?? [result.title, result.description].filter(Boolean).join("\n"),
    buttons: shown.buttons ?? result.buttons ?? result.reply_markup?.inline_keyboard ?? [],
  };
}
