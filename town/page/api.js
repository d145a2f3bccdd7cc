// The town's control addresses, and the stream of what happens. Tolerant of fields it does not know.

export class TownError extends Error {}

async function call(method, path, body) {
  const options = { method, headers: { Accept: "application/json" }, cache: "no-store" };
  if (body instanceof FormData) options.body = body;
  else if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(`/town/api${path}`, options);
  } catch {
    throw new TownError("The town is not answering. Is it still running?");
  }
  const text = await answer.text();
  let data = null;
  try {
    data = text ? JSON.parse(text) : null;
  } catch {
    data = null;
  }
  if (!answer.ok) {
    const why = data && (data.detail || data.error || data.message || data.title || data.description);
    throw new TownError(typeof why === "string" ? why : `The town said no (${answer.status}).`);
  }
  return data ?? {};
}

const post = (path, body = {}) => call("POST", path, body);
const tg = (user) => `/telegram/${encodeURIComponent(user)}`;
const tel = (msisdn) => `/phone/${encodeURIComponent(msisdn)}`;
const list = (data, ...names) => {
  if (Array.isArray(data)) return data;
  for (const name of names) if (Array.isArray(data?.[name])) return data[name];
  return [];
};

export const api = {
  messages: async (user) => list(await call("GET", `${tg(user)}/messages`), "messages"),
  others: async (user) => list(await call("GET", `${tg(user)}/others`), "others"),
  who: (user) => call("GET", `${tg(user)}/profile`),
  menu: (user) => call("GET", `${tg(user)}/menu`),
  send: (user, text) => post(`${tg(user)}/send`, { text }),
  tap: (user, messageId, button) => post(`${tg(user)}/tap`, { message_id: messageId, button }),
  photo(user, { file, sample, caption }) {
    if (!file) return post(`${tg(user)}/photo`, { sample, caption });
    const form = new FormData();
    form.append("caption", caption);
    form.append("photo", file, file.name || "photo.jpg");
    return post(`${tg(user)}/photo`, form);
  },
  contact: (user, phone) => post(`${tg(user)}/contact`, { phone }),
  start: (user, payload) => post(`${tg(user)}/start`, payload ? { payload } : {}),
  inline: async (user, query) => list(await post(`${tg(user)}/inline`, { query }), "results"),
  choose: (user, query, resultId, to) => post(`${tg(user)}/inline/choose`, { query, result_id: resultId, to }),
  profile: (user, profile) => post(`${tg(user)}/profile`, profile),
  block: (user, yes) => post(`${tg(user)}/${yes ? "block" : "unblock"}`),
  commands: async (user) => list(await call("GET", `${tg(user)}/commands`), "commands"),
  phone: (msisdn) => call("GET", tel(msisdn)),
  pin: (msisdn, answer, prompt) => post(`${tel(msisdn)}/pin`, { answer, prompt }),
  prompted: (msisdn, how) => post(`${tel(msisdn)}/pin`, how),
  pay: (msisdn, order) => post(`${tel(msisdn)}/pay`, order),
  dial: (msisdn, code) => post(`${tel(msisdn)}/dial`, { code }),
  answer: (msisdn, text) => post(`${tel(msisdn)}/answer`, { text }),
  hangup: (msisdn) => post(`${tel(msisdn)}/hangup`),
  sms: (msisdn, to, text) => post(`${tel(msisdn)}/sms`, { to, text }),
  africastalking: () => call("GET", "/africastalking/codes"),
  clock: () => call("GET", "/clock"),
  advance: (seconds) => post("/clock", { advance_s: seconds }),
  fault: (provider, fault, times, detail = {}) => post("/faults", { provider, fault, times, detail }),
  letters: async () => list(await call("GET", "/mail"), "letters"),
  sendBack: (number, status) => post(`/mail/${encodeURIComponent(number)}/bounce`, { status }),
  faults: async () => list(await call("GET", "/faults"), "faults"),
  clearFaults: () => call("DELETE", "/faults"),
};

/** Live events. While the stream is down, `onTick` is called every 1.5 s instead, so that nothing stands still. */
export function listen(onEvent, onTick, onLive) {
  let live = false;
  const seen = new Set(); // a stream that comes back may tell again what it told; a restarted town counts from one again
  let stream;
  const connect = () => {
    stream = new EventSource("/town/api/events");
    stream.onmessage = (message) => {
      if (seen.has(message.data)) return;
      seen.add(message.data);
      let event = null;
      try {
        event = JSON.parse(message.data);
      } catch {
        return;
      }
      if (event && typeof event === "object") onEvent(event);
    };
    stream.onopen = () => {
      live = true;
      onLive(true);
      onTick();
    };
    stream.onerror = () => {
      live = false;
      onLive(false);
      stream.close();
      setTimeout(connect, 2000);
    };
  };
  connect();
  let beat = 0;
  setInterval(() => {
    beat += 1;
    if (document.hidden) return;
    if (!live || beat % 4 === 0) onTick();
  }, 1500);
  addEventListener("pagehide", () => stream.close());
}
