// Today against yesterday at the same time.
import { whole } from "../lib/format";
import { type Meter, type Reading, SOURCES } from "../lib/api";
import type { Day } from "../lib/today";
import type { Layer } from "./stack";

const SAME_SHARE = 0.005; // half a percent is no difference

export interface Change {
  direction: "less" | "more" | "same";
  percent: string;
}

export function compared({ today, yesterday }: Day): Change | null {
  if (today === null || !yesterday) return null;
  const share = today / yesterday - 1;
  const percent = whole(Math.round(Math.abs(share) * 100));
  return { direction: Math.abs(share) < SAME_SHARE ? "same" : share < 0 ? "less" : "more", percent };
}

/** The meters that tell what the house used: those of its sources; or, where none stands at one, of its loads. */
export function houseMeters(meters: Meter[], days: Record<string, Day>, readings: Record<string, Reading>): Meter[] {
  const counting = meters.filter((meter) => days[meter.name]);
  const sources = counting.filter((meter) => meter.source && meter.source !== "battery"); // it gives what it took before
  const told = sources.length ? sources : counting.filter((meter) => readings[meter.name]?.values.active_power !== undefined);
  return told.length ? told : counting.slice(0, 1);
}

/** The day of the house. */
export function houseDay(of: Meter[], days: Record<string, Day>): Day | null {
  if (!of.length) return null;
  return { today: added(of, days, "today"), yesterday: added(of, days, "yesterday") };
}

/** Today's energy by the kinds of sources that gave any. */
export function partsOf(meters: Meter[], days: Record<string, Day>): { tone: Layer["tone"]; wh: number }[] {
  return SOURCES.flatMap((tone) => {
    const wh = added(meters.filter((meter) => meter.source === tone), days, "today");
    return wh ? [{ tone, wh }] : [];
  });
}

/** A meter that was never there adds nothing; where none was, nothing is known. */
function added(meters: Meter[], days: Record<string, Day>, when: keyof Day): number | null {
  const known = meters.flatMap((meter) => days[meter.name]?.[when] ?? []);
  return known.length ? known.reduce((sum, each) => sum + each, 0) : null;
}
