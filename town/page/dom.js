// Small tools every part of the page uses: building elements, showing bot HTML safely, and saying times and amounts.

const SVG = "http://www.w3.org/2000/svg";
export const STATIC = new URL(".", import.meta.url).pathname;

/** Build an element. `on*` functions become listeners, `data` a dataset, everything else an attribute. */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  add(node, children);
  return node;
}

export function add(node, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

export function fill(node, ...children) {
  node.replaceChildren();
  return add(node, children);
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${STATIC}icons.svg#${name}`);
  svg.append(use);
  return svg;
}

export const hash = (value) => {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  let sum = 5381;
  for (let i = 0; i < text.length; i += 1) sum = ((sum * 33) ^ text.charCodeAt(i)) >>> 0;
  return sum.toString(36);
};

// ---------------------------------------------------------------- bot HTML

const SAME = { B: "b", STRONG: "b", I: "i", EM: "i", U: "u", INS: "u", S: "s", STRIKE: "s", DEL: "s", CODE: "code", PRE: "pre", BLOCKQUOTE: "blockquote", BR: "br" };
const DROPPED = new Set(["SCRIPT", "STYLE", "IFRAME", "OBJECT", "EMBED", "TEMPLATE", "NOSCRIPT", "SVG", "MATH", "TITLE", "HEAD"]);
const WORDS = /(https?:\/\/[^\s<>"'«»]*[^\s<>"'«».,;:!?)\]])|((?:t\.me|telegram\.me)\/[^\s<>"']*[^\s<>"'.,;:!?)\]])|((?<=^|\s)\/[a-z][a-z0-9_]{0,31}(?![\w/]))/giu;

/** A web or Telegram address, or null for anything else (javascript:, data: and friends). */
export function safeUrl(address) {
  try {
    const url = new URL(address, location.origin);
    return ["http:", "https:", "tg:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

export function link(address, ...label) {
  const href = safeUrl(address);
  if (!href) return h("span", {}, ...label);
  return h("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...(label.length ? label : [address]));
}

function words(text, into) {
  let from = 0;
  for (const found of text.matchAll(WORDS)) {
    into.append(text.slice(from, found.index));
    const [whole, web, telegram] = found;
    if (web) into.append(link(web));
    else if (telegram) into.append(link(`https://${telegram}`, telegram));
    else into.append(h("button", { type: "button", class: "command", data: { command: whole } }, whole));
    from = found.index + whole.length;
  }
  into.append(text.slice(from));
}

function copyClean(from, into, plain) {
  for (const node of from.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) {
      if (plain) into.append(node.data);
      else words(node.data, into);
    } else if (node.nodeType === Node.ELEMENT_NODE) {
      const name = node.nodeName.toUpperCase();
      if (DROPPED.has(name)) continue;
      let next = into;
      if (SAME[name]) next = h(SAME[name]);
      else if (name === "A") next = link(node.getAttribute("href") || "");
      else if (name === "TG-SPOILER" || node.classList.contains("tg-spoiler")) {
        next = h("span", { class: "spoiler", role: "button", tabindex: "0", "aria-label": "Hidden text, press to show" });
      }
      if (name === "A") next.textContent = "";
      copyClean(node, next, plain || ["A", "CODE", "PRE"].includes(name));
      if (next !== into) into.append(next);
    }
  }
}

/** What a bot may say: a fragment with only the tags Telegram knows, links and commands made pressable. */
export function rich(html, text) {
  const out = document.createDocumentFragment();
  if (typeof html === "string" && html) copyClean(new DOMParser().parseFromString(html, "text/html").body, out, false);
  else words(String(text ?? ""), out);
  return out;
}

export function plainText(message) {
  if (message.text) return String(message.text);
  if (!message.html) return "";
  return new DOMParser().parseFromString(message.html, "text/html").body.textContent;
}

// ---------------------------------------------------------------- time and money

let ahead = 0; // how far the town's clock runs ahead of this computer's
const ZONE = "Africa/Nairobi";
const HOUR = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: ZONE });
const DAY = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long", timeZone: ZONE });
const SHORT = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: ZONE });

export const clock = {
  set(iso) {
    const at = when(iso);
    if (at) ahead = at.getTime() - Date.now();
  },
  now: () => new Date(Date.now() + ahead),
};

export function when(value) {
  if (value === undefined || value === null || value === "") return null;
  const date = typeof value === "number" ? new Date(value < 1e12 ? value * 1000 : value) : new Date(value);
  return Number.isNaN(date.getTime()) ? null : date;
}
const say = (format) => (value) => {
  const date = value instanceof Date ? value : when(value);
  return date ? format.format(date) : "";
};
export const hour = say(HOUR);
export const day = say(DAY);
export const shortDay = say(SHORT);

export function money(amount, currency = "KES") {
  const number = Number(amount);
  if (!Number.isFinite(number)) return `${currency} ${amount}`;
  const digits = Number.isInteger(number) ? 0 : 2;
  return `${currency} ${number.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: 2 })}`;
}

// ---------------------------------------------------------------- memory and talk between parts

export const store = {
  get(key, otherwise) {
    try {
      return JSON.parse(localStorage.getItem(`town.${key}`)) ?? otherwise;
    } catch {
      return otherwise;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(`town.${key}`, JSON.stringify(value));
    } catch {
      // a private window without storage: the page works, it only forgets
    }
  },
};

export const bus = new EventTarget();
export const tell = (name, detail) => bus.dispatchEvent(new CustomEvent(name, { detail }));
export const hear = (name, then) => bus.addEventListener(name, (event) => then(event.detail));

/** Copy for the real clipboard and for the town's own (so that the other phone can paste). */
export async function copy(text) {
  copy.last = text;
  tell("copied", text);
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // not allowed here: the town's own clipboard still has it
  }
}
