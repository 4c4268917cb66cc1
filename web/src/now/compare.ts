// Today against yesterday at the same time.
import { whole } from "../lib/format";
import { type Meter, type Reading, SOURCES } from "../lib/api";
import { counting, type Day } from "../lib/today";
import type { Layer } from "./stack";

const SAME_SHARE = 0.005; // half a percent is no difference

export interface Part {
  tone: Layer["tone"];
  wh: number | null; // null: not known, or not yet
}

export interface Change {
  direction: "less" | "more" | "same";
  percent: string;
}

/** Null where there is no share of it: of nothing, and of money that was earned. */
export function compared({ today, yesterday }: Day): Change | null {
  if (today === null || yesterday === null || yesterday <= 0) return null;
  const share = today / yesterday - 1;
  const percent = whole(Math.round(Math.abs(share) * 100));
  return { direction: Math.abs(share) < SAME_SHARE ? "same" : share < 0 ? "less" : "more", percent };
}

/** The meters that tell what the house used: those of its sources; or, where none stands at one, of its loads. */
export function houseMeters(meters: Meter[], readings: Record<string, Reading>): Meter[] {
  const counters = countersOf(meters, readings);
  const sources = counters.filter((meter) => meter.source && meter.source !== "battery"); // it gives what it took before
  const told = sources.length ? sources : counters.filter((meter) => readings[meter.name]?.values.active_power !== undefined);
  return told.length ? told : counters.slice(0, 1);
}

/** The day of the house; null where no meter counts. Before the days came nothing of it is known, but it has its place. */
export function houseDay(of: Meter[], days: Record<string, Day>): Day | null {
  if (!of.length) return null;
  return { today: added(of, days, "today"), yesterday: added(of, days, "yesterday") };
}

/** Today's energy by the kinds of sources that count it. */
export function partsOf(meters: Meter[], readings: Record<string, Reading>, days: Record<string, Day>): Part[] {
  const counters = countersOf(meters, readings);
  return SOURCES.flatMap((tone) => {
    const of = counters.filter((meter) => meter.source === tone);
    return of.length ? [{ tone, wh: added(of, days, "today") }] : [];
  });
}

function countersOf(meters: Meter[], readings: Record<string, Reading>): Meter[] {
  return meters.filter(({ name }) => readings[name] && counting(readings[name]));
}

/** A meter that was never there adds nothing; where none was, nothing is known. */
function added(meters: Meter[], days: Record<string, Day>, when: keyof Day): number | null {
  const known = meters.flatMap((meter) => days[meter.name]?.[when] ?? []);
  return known.length ? known.reduce((sum, each) => sum + each, 0) : null;
}
