// Parts of a page that come one by one push those below them from under a pointer. Such a page stays hidden until all
// of its parts have had their first answers, or their first words about why not.
import { getContext, setContext } from "svelte";

const PATIENCE_MS = 1000; // then the page is shown, whatever still comes
const KEY = Symbol("arriving");

/** Made by the page, before its parts. */
export class Arriving {
  all = $state(true);
  #missing = 0;
  #late = false;

  constructor() {
    setContext(KEY, this);
    setTimeout(() => (this.all = this.#late = true), PATIENCE_MS);
  }

  expect(): () => void {
    this.#missing += 1;
    this.all = this.#late;
    let come = false;
    return () => {
      if (come) return;
      come = true;
      this.#missing -= 1;
      if (!this.#missing) this.all = true;
    };
  }
}

/** Called by a part while it is made; what it returns says that the part has come, and may be called again and again. */
export function arrives(): () => void {
  return getContext<Arriving>(KEY).expect();
}
