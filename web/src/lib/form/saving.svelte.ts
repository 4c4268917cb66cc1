// How a change fares that somebody sends: under way, refused, and what is wrong with which key.
import { words, Wrong } from "../order";

type Fields = Record<string, string>;

export class Saving {
  busy = $state(false);
  wrong = $state.raw<Fields>({}); // key -> the daemon's words
  failed = $state(""); // its words where they are about no key

  /** `beside`: says of which key the words are, where the daemon tells them of another one. */
  constructor(private readonly beside: (fields: Fields) => Fields = (fields) => fields) {}

  /** Do it; what is refused is told. */
  async change(doing: () => Promise<void>): Promise<void> {
    [this.busy, this.wrong, this.failed] = [true, {}, ""];
    try {
      await doing();
    } catch (error) {
      this.wrong = error instanceof Wrong ? this.beside(error.fields) : {};
      this.failed = Object.keys(this.wrong).length ? "" : words(error);
    } finally {
      this.busy = false;
    }
  }
}
