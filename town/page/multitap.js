// Letters from a number pad: press 2 once for a, twice for b. A pause, or another key, begins the next letter.

export const LETTERS = { 1: ".,?!1", 2: "abc2", 3: "def3", 4: "ghi4", 5: "jkl5", 6: "mno6", 7: "pqrs7", 8: "tuv8", 9: "wxyz9", 0: " 0", "*": "*+-/@:" };
export const MODES = ["123", "abc", "ABC"];
const PAUSE_MS = 900;

export class Multitap {
  constructor() {
    this.mode = "abc";
    this.rest();
  }

  rest() {
    this.key = null;
    this.place = 0;
    this.at = 0;
  }

  next() {
    this.mode = MODES[(MODES.indexOf(this.mode) + 1) % MODES.length];
    this.rest();
  }

  /** The text after one more press of `key`, at `now` in milliseconds. */
  press(text, key, now) {
    if (this.mode === "123") return text + key;
    const letters = LETTERS[key];
    const again = key === this.key && now - this.at < PAUSE_MS;
    this.place = again ? (this.place + 1) % letters.length : 0;
    this.key = key;
    this.at = now;
    const letter = this.mode === "ABC" ? letters[this.place].toUpperCase() : letters[this.place];
    return (again ? text.slice(0, -1) : text) + letter;
  }
}
