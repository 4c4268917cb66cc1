// What a meter's card says, in words.
import type { Meter, Reading } from "../lib/api";
import { text } from "../lib/format";
import { short, t } from "../lib/i18n";
import type { Value } from "./arrange";

/** A value as it stands on a card. */
export interface Told {
  name: string;
  title: string;
  text: string;
  doubt: boolean;
  note?: string; // small, beside it
}

export function told(value: Value, reading: Reading | undefined): Told {
  const { name, title } = value;
  return { name, title: short(name, title), text: words(value), doubt: isDoubtful(reading, name) };
}

function words({ name, value, unit }: Value): string {
  if (name !== "error_bits") return text(value, unit);
  return value ? `0x${value.toString(16)}` : t("card.no_errors");
}

export function isDoubtful(reading: Reading | undefined, name: string): boolean {
  return (reading?.doubt?.[name] ?? reading?.quality) === "suspect";
}

/** How a meter stands; `tone` says in which colour. */
export interface Standing {
  tone: string;
  name: string;
}

/** `lost`: nothing is known to be so still. `runningA`: from which current on a generator runs. */
export function standing(meter: Meter, reading: Reading | undefined, lost: boolean, runningA: number): Standing {
  if (lost) return { tone: "unknown", name: t("state.unknown") };
  if (meter.state === "starting") return { tone: "starting", name: t(meter.line ? "state.starting" : "state.waiting") };
  if (meter.source !== "generator") return { tone: meter.state, name: t(`state.${meter.state}`) };
  if (meter.state === "away") return { tone: "idle", name: t("state.away") };
  const runs = running(reading, runningA);
  if (runs === null) return { tone: "present", name: t("state.present") };
  return runs ? { tone: "present", name: t("generator.running") } : { tone: "idle", name: t("generator.standing") };
}

/** Whether the generator gives current; null when its meter does not tell. */
function running(reading: Reading | undefined, runningA: number): boolean | null {
  const values = reading?.values ?? {};
  const currents = ["current", "current_l1", "current_l2", "current_l3"].flatMap((name) => values[name] ?? []);
  return currents.length ? Math.max(...currents) > runningA : null;
}
