// What the book says about a choice: one part of each bar for each meter, place or source.
import { ask, type Answer, type Meter, SOURCES } from "../lib/api";
import { atOrBelow, children } from "../lib/locations";
import type { Choice } from "./choice";
import { endOf, type Period, startOf, STEP } from "./period";

export const QUANTITY = { import: "active_energy_import", export: "active_energy_export" } as const;
export const QUALITIES = ["measured", "spread", "estimated", "missing"] as const; // from the best to the worst
export type Energy = (typeof QUALITIES)[number];

export interface Part {
  name: string;
  source: string; // of what is divided by source; "" else
  points: { at: number; value: number | null; quality: Energy }[];
}

interface Told extends Answer {
  meter: string;
  source?: string;
}
type Query = Record<string, string | string[]>;

export interface Known {
  meters: Meter[];
  virtual: string[];
  zone: string;
  now: number;
}

/** The sources that some meter stands at. */
function fedBy({ meters }: Known): (typeof SOURCES)[number][] {
  return SOURCES.filter((source) => meters.some((meter) => meter.source === source));
}

/** The questions of a choice: nearly always one, of a house's sources one for each. */
export function questions(choice: Choice, known: Known): Query[] {
  if (choice.by === "place") return [{ location: children(locations(known), choice.of[0] ?? "/"), by: "location" }];
  if (choice.by === "meter") return [{ meter: choice.of }];
  if (choice.of.length) return [{ meter: choice.of, by: "source" }];
  const fed = fedBy(known);
  return fed.map((source) => ({
    meter: known.meters.filter((meter) => meter.source === source).map((meter) => meter.name),
    sum: "true",
  }));
}

export function locations(known: Known): string[] {
  return [...new Set(known.meters.map((meter) => meter.location).filter((place) => atOrBelow(place, "/") && place))];
}

/** Ask for a period, or its beginning up to an instant. */
export async function load(choice: Choice, period: Period, known: Known, until = Infinity): Promise<Part[]> {
  const span = spanOf(period, known, until);
  if (choice.money) return loadCost(choice, known, { ...span, every: STEP[period.view] });
  const asked = questions(choice, known).filter((each) => [each.meter, each.location].some((names) => names?.length));
  const told = await Promise.all(
    asked.map((each) => ask<Told | Told[]>("query", { ...each, ...span, quantity: QUANTITY[choice.way], every: STEP[period.view] })),
  );
  const whole = choice.by === "source" && !choice.of.length;
  const fed = fedBy(known);
  return told.flatMap((answer, place) =>
    [answer].flat().map((each) => ({
      name: each.meter,
      source: (whole ? fed[place] : each.source) ?? "",
      points: each.points.map(({ at, value, quality }) => ({ at: Date.parse(at), value, quality: quality as Energy })),
    })),
  );
}

interface Costs {
  costs: { meter: string; points: { at: string; amount: string | null; quality: string }[] }[];
}

/** What a choice costs, in thousandths of the currency, as energy is in thousandths of a kWh. */
async function loadCost(choice: Choice, known: Known, span: Query): Promise<Part[]> {
  const asked = costQuestions(choice, known);
  const told = await Promise.all(asked.map((each) => ask<Costs>("cost", { ...each, ...span })));
  return told.flatMap(({ costs }, place) =>
    costs.map(({ meter, points }) => ({
      name: meter,
      source: String(asked[place]?.source ?? ""),
      points: points.map(({ at, amount, quality }) => ({
        at: Date.parse(at),
        value: amount === null ? null : Number(amount) * 1000,
        quality: quality as Energy,
      })),
    })),
  );
}

function costQuestions(choice: Choice, known: Known): Query[] {
  if (choice.by !== "source") return questions(choice, known).filter((each) => each.meter?.length || each.location?.length);
  const fed = fedBy(known);
  return fed.map((source) => ({ source, sum: "true" }));
}

function spanOf(period: Period, known: Known, until = Infinity): { from: string; to: string } {
  const end = Math.min(endOf(period, known.zone), until);
  return { from: new Date(startOf(period, known.zone)).toISOString(), to: new Date(end).toISOString() };
}

/** The address of a file with what is shown. */
export function download(choice: Choice, known: Known, format: "csv" | "xlsx"): string {
  const every = STEP[choice.period.view];
  const told = new URLSearchParams({ quantity: QUANTITY[choice.way], every, format });
  for (const [name, value] of Object.entries(spanOf(choice.period, known, known.now))) told.set(name, value);
  if (choice.money) told.delete("quantity");
  for (const each of choice.money ? costQuestions(choice, known) : questions(choice, known)) {
    for (const name of [each.source ?? []].flat()) told.append("source", name);
    for (const name of [each.meter ?? []].flat()) told.append("meter", name);
    for (const name of [each.location ?? []].flat()) told.append("location", name);
    if (each.by) told.set("by", String(each.by));
  }
  return `/api/v1/${choice.money ? "cost" : "query"}/table?${told}`;
}

/** The sum of all parts in each step; null where nothing is known of one of them. */
export function sums(parts: Part[]): (number | null)[] {
  const steps = Math.max(0, ...parts.map((part) => part.points.length));
  return Array.from({ length: steps }, (_, step) =>
    parts.reduce<number | null>((sum, part) => {
      const value = part.points[step]?.value ?? null;
      return sum === null || value === null ? null : sum + value;
    }, 0),
  );
}

/** The points of parts in the order of these steps; nothing is known of a step that is not there. */
export function aligned(parts: Part[], steps: number[]): Part[] {
  const nothing = { at: 0, value: null, quality: "missing" } as const;
  return parts.map((part) => ({ ...part, points: steps.map((step) => part.points[step] ?? nothing) }));
}

/** All that is known, added up; null where nothing is. */
export function total(parts: Part[]): number | null {
  const known = parts.flatMap((part) => part.points.map((point) => point.value)).filter((value) => value !== null);
  return known.length ? known.reduce((sum, value) => sum + value, 0) : null;
}
