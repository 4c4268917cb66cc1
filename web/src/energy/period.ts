// What is looked at: a year, month, week, day or hour, its steps, what is before it and what is inside.
import { addDays, addMonths, begins, dayOf, instantOf, monday, utc, wallOf } from "./days";

export const VIEWS = ["day", "week", "month", "year"] as const; // chosen by name; an hour is opened from its day
export type View = (typeof VIEWS)[number] | "hour";
export type Than = "none" | "before" | "week" | "year";

export interface Period {
  view: View;
  at: string; // its first day, "2026-11-01"; of an hour its instant, "2026-11-21T13:00:00.000Z"
}

export const STEP: Record<View, string> = { year: "1mo", month: "1d", week: "1d", day: "1h", hour: "1min" };
const HOUR_MS = 3_600_000;

/** The period of a kind that holds a day. */
export function periodOf(view: View, day: string): Period {
  if (view === "year") return { view, at: `${day.slice(0, 4)}-01-01` };
  if (view === "month") return { view, at: `${day.slice(0, 7)}-01` };
  return { view, at: view === "week" ? monday(day) : day };
}

/** The period so many before or after. */
export function shifted({ view, at }: Period, count: number): Period {
  switch (view) {
    case "year":
      return { view, at: addMonths(at, 12 * count) };
    case "month":
      return { view, at: addMonths(at, count) };
    case "week":
      return { view, at: addDays(at, 7 * count) };
    case "day":
      return { view, at: addDays(at, count) };
    case "hour":
      return { view, at: new Date(Date.parse(at) + count * HOUR_MS).toISOString() };
  }
}

/** What a period can be compared with. */
export function comparisons(view: View): Than[] {
  if (view === "year") return ["none", "before"];
  if (view === "hour") return ["none", "before", "week"];
  return view === "day" ? ["none", "before", "week", "year"] : ["none", "before", "year"];
}

/** The period it is compared with; a year before, weeks stay weeks; a week before, an hour stays the clock's hour. */
export function compared(period: Period, than: Than, zone: string): Period | null {
  if (than === "none" || !comparisons(period.view).includes(than)) return null;
  if (than === "before") return shifted(period, -1);
  if (than === "week" && period.view === "hour") {
    return { view: "hour", at: new Date(instantOf(wallOf(Date.parse(period.at), zone) - 7 * 24 * HOUR_MS, zone)).toISOString() };
  }
  if (than === "week") return shifted(period, -7);
  return period.view === "week" ? shifted(period, -52) : { ...period, at: addMonths(period.at, -12) };
}

export function startOf(period: Period, zone: string): number {
  return period.view === "hour" ? Date.parse(period.at) : begins(period.at, zone);
}

export function endOf(period: Period, zone: string): number {
  return startOf(shifted(period, 1), zone);
}

/** Up to when another period is compared with one that is over up to an instant: the same time of the clock. */
export function asFar(at: number, period: Period, other: Period, zone: string): number {
  if (period.view === "hour") return startOf(other, zone) + at - startOf(period, zone);
  return instantOf(utc(other.at) + wallOf(at, zone) - utc(period.at), zone);
}

/** The step of another period that each one is compared with: hours by the clock, where days have 23 or 25 of them. */
export function beside(period: Period, other: Period, zone: string): number[] {
  const of = (whose: Period) =>
    Array.from({ length: slots(whose, zone) }, (_, slot) =>
      whose.view === "day" ? wallOf(slotAt(whose, slot, zone), zone) - utc(whose.at) : slot,
    );
  const theirs = of(other);
  return of(period).map((each) => theirs.indexOf(each));
}

/** How many steps it has when it is over. */
export function slots(period: Period, zone: string): number {
  if (period.view === "year") return 12;
  if (period.view === "hour") return 60;
  if (period.view === "day") return Math.round((endOf(period, zone) - startOf(period, zone)) / HOUR_MS);
  return Math.round((utc(shifted(period, 1).at) - utc(period.at)) / (24 * HOUR_MS));
}

/** The instant a step begins, also of one that has not come. */
export function slotAt(period: Period, slot: number, zone: string): number {
  if (period.view === "hour") return startOf(period, zone) + slot * 60_000;
  if (period.view === "day") return startOf(period, zone) + slot * HOUR_MS;
  return begins(period.view === "year" ? addMonths(period.at, slot) : addDays(period.at, slot), zone);
}

/** What is inside of a step, or null: a minute is the least. */
export function inside(period: Period, at: number, zone: string): Period | null {
  if (period.view === "hour") return null;
  if (period.view === "day") return { view: "hour", at: new Date(at).toISOString() };
  return periodOf(period.view === "year" ? "month" : "day", dayOf(at, zone));
}

/** What a period is in, or null. */
export function around({ view, at }: Period, zone: string): Period | null {
  if (view === "year") return null;
  if (view === "hour") return periodOf("day", dayOf(Date.parse(at), zone));
  return periodOf(view === "month" ? "year" : "month", at);
}
