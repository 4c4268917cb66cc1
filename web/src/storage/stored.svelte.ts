// How sinks, the book and its backups fare, asked for now and then; what was just seen is kept for the small pictures.
import { ask } from "../lib/api";
import { house } from "../lib/house.svelte";
import { order, words } from "../lib/order";

const EVERY_MS = 3000;
const SEEN_MAX = 200; // ten minutes

export interface Sink {
  name: string;
  kind: string;
  target: string;
  state: "starting" | "reading" | "waiting" | "away" | "failed" | "paused" | "stopped";
  reason: string;
  since: string | null;
  behind: number;
  newest: string | null;
  written: number;
  set_aside: number;
}

export interface Storage {
  bytes_file: number;
  bytes_a_day: number | null;
  bytes_free: number;
  readings_hot: number;
  readings_sealed: number;
  full_at: string | null;
  commit_every_s: number;
}

export interface Backups {
  dir: string | null;
  every_s: number | null;
  at: string | null; // a local time of day, instead of a period
  keep: number | null;
  backups: { file: string; at: string; bytes: number; own: boolean }[];
  problem: string;
  overdue: boolean;
  running: { since: string; done: number } | null;
  failed: string;
}

export interface Seen {
  at: number; // milliseconds
  behind: number;
  written: number;
}

class Stored {
  sinks = $state.raw<Sink[]>([]);
  storage = $state.raw<Storage | null>(null);
  backups = $state.raw<Backups | null>(null);
  seen = $state.raw<Record<string, Seen[]>>({});
  loaded = $state(false);
  failed = $state("");
  said = $state(""); // what was done last

  /** Whether what is shown may be long over. */
  get stale(): boolean {
    return house.connection === "lost" || this.failed !== "";
  }

  /** Begin to look; returns what stops it. */
  start(): () => void {
    void this.load();
    const timer = setInterval(() => document.visibilityState === "visible" && void this.load(), EVERY_MS);
    return () => clearInterval(timer);
  }

  async load(): Promise<void> {
    try {
      const [sinks, storage, backups] = await Promise.all([
        ask<Sink[]>("sinks"),
        ask<Storage>("storage"),
        ask<Backups>("backups"),
      ]);
      Object.assign(this, { sinks, storage, backups, loaded: true, failed: "" });
      this.#see(sinks);
    } catch (error) {
      this.failed = words(error);
    }
  }

  #see(sinks: Sink[]): void {
    const at = Date.now();
    this.seen = Object.fromEntries(
      sinks.map(({ name, behind, written }) => [
        name,
        [...(this.seen[name] ?? []), { at, behind, written }].slice(-SEEN_MAX),
      ]),
    );
  }

  /** Rows a second over what was seen; null = not known yet, or the daemon began anew. */
  rate(name: string): number | null {
    const [first, last] = [this.seen[name]?.at(-20) ?? this.seen[name]?.[0], this.seen[name]?.at(-1)];
    if (!first || !last || last.at === first.at || last.written < first.written) return null;
    return ((last.written - first.written) * 1000) / (last.at - first.at);
  }

  async order(path: string, body: Record<string, unknown>): Promise<void> {
    await order(path, body);
    await this.load();
  }
}

export const stored = new Stored();
