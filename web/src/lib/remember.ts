// The last values, kept by this browser for when the daemon cannot be asked. They are shown as old, with their age.
import type { About, Meter, Quantity, Reading, Supply, Virtual } from "./api";
import { keep, kept } from "./kept";

export interface Snapshot {
  heard: number; // when they came, by the daemon's clock
  about: About;
  meters: Meter[];
  virtual: Virtual[];
  supply: Supply | null;
  readings: Record<string, Reading>;
  quantities: Record<string, Quantity>;
}

const KEY = "last";
const LETTERS_MAX = 2_000_000; // browsers keep some 5 MB for a site

export function remember(snapshot: Snapshot): void {
  const text = JSON.stringify(snapshot);
  keep(KEY, text.length > LETTERS_MAX ? null : text);
}

/** What was known last, or null; what an older page wrote in another shape is not believed. */
export function remembered(): Snapshot | null {
  const text = kept(KEY);
  if (text === null) return null;
  try {
    const snapshot = JSON.parse(text) as Partial<Snapshot>;
    return snapshot.heard && snapshot.about && snapshot.meters && snapshot.readings && snapshot.virtual && snapshot.quantities
      ? (snapshot as Snapshot)
      : null;
  } catch (error) {
    console.info("the last values are not readable:", error);
    return null;
  }
}

/** Forget everything: whoever opens this browser next may not be allowed to see it. */
export function forget(): void {
  keep(KEY, null);
}
