// The page at /town: two phones, a third with keys, and a story, all of it real through the town's control addresses.

import { api, listen } from "./api.js";
import { clock, fill, h, hear, icon } from "./dom.js";
import { FeaturePhone } from "./feature.js";
import { Guide } from "./guide.js";
import { PostOffice } from "./mail.js";
import { Phone } from "./phone.js";
import { direct } from "./sheets.js";
import { sound } from "./sound.js";
import { Story } from "./story.js";

const seller = new Phone("seller", "sells", { name: "Amina", user: 1001, msisdn: "254711000001", language_code: "en" });
const buyer = new Phone("buyer", "buys", { name: "Brian", user: 2002, msisdn: "254722000002", language_code: "en" });
const phones = [seller, buyer];
const feature = new FeaturePhone("feature", { name: "Zawadi", user: "none", msisdn: "254700000003" }, phones);
const lined = [...phones, feature]; // everything with a telephone line
const office = new PostOffice();
const square = document.getElementById("square");
const tabs = document.getElementById("tabs");
square.replaceChildren();
square.append(seller.mount(buyer), buyer.mount(seller), feature.mount());
const guide = new Guide(seller, buyer);
const story = new Story(guide, lined);
square.append(story.node, office.mount());
square.before(guide.hint);

// ---------------------------------------------------------------- refreshing, never twice at once

const jobs = new Map();
function refresh(name, work) {
  const job = jobs.get(name) || { running: false, again: false };
  jobs.set(name, job);
  if (job.running) {
    job.again = true;
    return;
  }
  job.running = true;
  work().then(() => down(false), () => down(true)).finally(() => {
    job.running = false;
    guide.render();
    renderTabs();
    if (job.again) {
      job.again = false;
      refresh(name, work);
    }
  });
}

const chats = () => phones.forEach((phone) => refresh(`chat ${phone.key}`, () => phone.refreshChat()));
const lines = () => lined.forEach((phone) => refresh(`line ${phone.key}`, () => phone.refreshPhone()));
const letters = () => refresh("mail", () => office.refresh());
const time = () => refresh("clock", async () => clock.set((await api.clock()).now));
const all = () => {
  chats();
  lines();
  letters();
  time();
};

const offline = document.getElementById("offline");
let missed = 0;
function down(yes) {
  missed = yes ? missed + 1 : 0;
  offline.hidden = missed < 3;
}

function onEvent(event) {
  const kind = String(event.kind || "");
  story.add(event);
  if (/^telegram/.test(kind)) {
    chats();
    if (/action|typing/.test(kind)) phones.filter(({ person }) => [...(event.users || []), event.user, event.user_id, event.chat].map(String).includes(String(person.user))).forEach((phone) => phone.chat.typing());
  } else if (/^(clock)/.test(kind)) all();
  else if (/^(phone|daraja|sms|ussd|mpesa)/.test(kind)) lines();
  else if (/^(mail|fault)/.test(kind)) letters();
  else all();
}

listen(onEvent, all, (live) => {
  story.setLive(live);
  if (live) phones.forEach((phone) => phone.introduce().catch(() => null));
});
hear("acted", all);

// ---------------------------------------------------------------- what the parts ask of each other

hear("open-as-buyer", (address) => {
  show("buyer");
  buyer.openLink(address);
});
hear("paste-direct", ({ from, text }) => {
  direct.push({ from: from.key, text });
  from.chat.show("peer");
});
hear("to-end", () => phones.forEach((phone) => phone.chat.toEnd(true)));
hear("look-at", (phone) => {
  if (narrow.matches) show(phone.key);
  phone.node.classList.remove("here");
  requestAnimationFrame(() => phone.node.classList.add("here"));
});
hear("person", all);

// ---------------------------------------------------------------- tabs of the narrow page

const narrow = matchMedia("(max-width: 759px)");
const PANELS = [["seller", () => seller.person.name], ["buyer", () => buyer.person.name], ["feature", () => feature.person.name], ["mail", () => "Post"], ["story", () => "Story"]];
let current = "seller";

function show(name) {
  current = name;
  for (const [key] of PANELS) {
    document.getElementById(`panel-${key}`).classList.toggle("away", narrow.matches && key !== name);
  }
  lined.forEach((phone) => phone.setVisible(!narrow.matches || phone.key === name));
  renderTabs();
}

function renderTabs() {
  const counts = { seller: seller.unread, buyer: buyer.unread, feature: feature.unread + (feature.ringing ? 1 : 0), mail: office.unread, story: 0 };
  const signature = JSON.stringify([current, counts, PANELS.map(([, label]) => label()), Boolean(buyer.ringing), Boolean(seller.ringing), Boolean(feature.ringing)]);
  document.title = lined.some((phone) => phone.ringing) ? "M-Pesa is ringing | PayLoom Town" : "PayLoom Town";
  phones.forEach((phone) => phone.renderDock());
  if (signature === tabs.dataset.drawn) return;
  tabs.dataset.drawn = signature;
  const focused = [...tabs.children].indexOf(document.activeElement);
  fill(tabs, PANELS.map(([key, label]) => h("button", { type: "button", "aria-pressed": String(current === key), "aria-controls": `panel-${key}`, class: `tab-${key}`, onclick: () => show(key) },
    label(), current !== key && counts[key] ? h("span", { class: "badge", "aria-label": `${counts[key]} new` }, counts[key]) : null)));
  if (focused >= 0) tabs.children[focused].focus();
}
narrow.addEventListener("change", () => show(current));
show(current);

// ---------------------------------------------------------------- the street

const hands = [document.getElementById("hand-hour"), document.getElementById("hand-minute")];
const sky = document.getElementById("sky");
function tick() {
  lined.forEach((phone) => phone.tick());
  story.tick();
  const [hours, minutes] = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "Africa/Nairobi" }).format(clock.now()).split(":").map(Number);
  hands[0].setAttribute("transform", `rotate(${(hours % 12) * 30 + minutes / 2})`);
  hands[1].setAttribute("transform", `rotate(${minutes * 6})`);
  sky.dataset.time = hours < 6 || hours >= 19 ? "night" : hours >= 17 ? "evening" : "day";
}
tick();
setInterval(tick, 1000);

const soundButton = document.getElementById("sound");
function drawSound() {
  soundButton.setAttribute("aria-pressed", String(sound.on));
  fill(soundButton, icon(sound.on ? "loud" : "mute"), h("span", {}, sound.on ? "Ring is on" : "Ring is off"));
}
soundButton.addEventListener("click", () => {
  sound.toggle();
  drawSound();
});
drawSound();
