// The ring of the M-Pesa prompt, made on the spot, and silent until somebody asks for it.

import { store } from "./dom.js";

let context = null;
export const sound = {
  on: store.get("sound", false),
  toggle() {
    this.on = !this.on;
    store.set("sound", this.on);
    if (this.on) ring();
    return this.on;
  },
};

export function ring() {
  if (!sound.on) return;
  context ??= new AudioContext();
  context.resume();
  [0, 0.18, 0.36].forEach((delay, i) => {
    const tone = context.createOscillator();
    const loud = context.createGain();
    const at = context.currentTime + delay;
    tone.frequency.value = [660, 880, 660][i];
    loud.gain.setValueAtTime(0, at);
    loud.gain.linearRampToValueAtTime(0.12, at + 0.02);
    loud.gain.exponentialRampToValueAtTime(0.001, at + 0.16);
    tone.connect(loud).connect(context.destination);
    tone.start(at);
    tone.stop(at + 0.17);
  });
}
