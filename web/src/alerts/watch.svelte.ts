// How the alerts stand, for every part of the page; asked for anew when something happened, and now and then.
import { ask } from "../lib/api";
import { order, words } from "../lib/order";
import type { Deed, Rule, Target } from "./watched";

const EVERY_MS = 10_000; // values move also where no alert changes

class Watch {
  rules = $state.raw<Rule[]>([]);
  targets = $state.raw<Target[]>([]);
  loaded = $state(false);
  failed = $state("");
  said = $state(""); // what was done last, for the eyes and for a reader of the screen

  /** Begin to look; returns what stops it. */
  start(): () => void {
    const timer = setInterval(() => document.visibilityState === "visible" && void this.load(), EVERY_MS);
    return () => clearInterval(timer);
  }

  async load(): Promise<void> {
    try {
      const { rules, targets } = await ask<{ rules: Rule[]; targets: Target[] }>("alerts");
      Object.assign(this, { rules, targets, loaded: true, failed: "" });
    } catch (error) {
      this.failed = words(error);
    }
  }

  /** Test, mute or unmute a rule. Throws with the daemon's words. */
  async order(rule: string, deed: Deed, length = ""): Promise<void> {
    const body = length ? { do: deed, for: length } : { do: deed };
    await order(`alerts/${encodeURIComponent(rule)}`, body);
    await this.load();
  }

  /** Send somebody a message now. Throws with the words of why it did not go out. */
  async test(target: string): Promise<void> {
    await order(`notify/${encodeURIComponent(target)}`, { do: "test" });
    await this.load();
  }
}

export const watch = new Watch();
