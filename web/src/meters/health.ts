// How a meter fares, in one word, and why.
import type { Meter, Reading } from "../lib/api";
import type { Key } from "../lib/i18n";

export interface Watched extends Meter {
  hints: string[]; // what looks wrong about its wiring or its model
  refusal: string; // what the device said when it last refused
}

export type Tone = "present" | "away" | "starting" | "troubled" | "unknown";

export interface Health {
  tone: Tone;
  name: Key;
  reason: string; // in the daemon's words
}

const TROUBLED_SHARE = 0.02; // of its polls; a good line loses fewer
const POLLS_MIN = 50; // before a share says something

export function health(meter: Watched, reading: Reading | undefined, lost: boolean): Health {
  if (lost) return { tone: "unknown", name: "state.unknown", reason: "" };
  if (meter.state === "away") return { tone: "away", name: "state.away", reason: meter.reason };
  if (meter.state === "starting") {
    return { tone: "starting", name: meter.line ? "state.starting" : "state.waiting", reason: meter.reason };
  }
  const said = [meter.reason, meter.refusal, ...(meter.hints ?? [])].find(Boolean) ?? "";
  const troubled = said !== "" || lostShare(meter) > TROUBLED_SHARE || doubted(reading).length > 0;
  return { tone: troubled ? "troubled" : "present", name: troubled ? "meter.troubled" : "state.present", reason: said };
}

/** The share of its polls that brought no good answer. */
export function lostShare({ counters }: Meter): number {
  const bad = counters.timeouts + counters.garbled + counters.refused;
  return counters.polls < POLLS_MIN ? 0 : bad / counters.polls;
}

/** The quantities of a reading that are in doubt. */
export function doubted(reading: Reading | undefined): string[] {
  if (!reading) return [];
  return Object.keys(reading.values).filter((name) => (reading.doubt?.[name] ?? reading.quality) === "suspect");
}

/** Every place that a meter stands at or below, each once, in the order of the alphabet. */
export function places(meters: readonly Meter[]): string[] {
  const found = new Set<string>();
  for (const { location } of meters) {
    const parts = location.split("/").filter(Boolean);
    parts.forEach((_, last) => found.add(parts.slice(0, last + 1).join("/")));
  }
  return [...found].sort((a, b) => a.localeCompare(b));
}

export function isAt(location: string, place: string): boolean {
  return !place || location === place || location.startsWith(`${place}/`);
}

/** "house/panel/a" as people read it. */
export function placeWords(location: string): string {
  return location.split("/").filter(Boolean).join(" › ");
}
