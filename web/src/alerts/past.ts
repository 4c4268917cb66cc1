// What a rule would have said of the time before: the curves it looks at, its limits, and how often it went beyond.
import { ask, type Answer, type Reading } from "../lib/api";
import { seconds } from "./words";

const CURVES_MAX = 5; // of the house's meters; more could not be told apart
const POINTS = 1500; // the least and the greatest of each stretch stay
const DAYS = 14;
const MONTHS = 12;
const DAY_MS = 86_400_000;
const VOLTAGE_SHARE = 0.1; // EN 50160, as the daemon takes it

export interface Curve {
  meter: string;
  at: number[]; // seconds since 1970
  values: (number | null)[];
}

export interface Past {
  curves: Curve[];
  limits: number[];
  bars: boolean;
  unit: string;
  times: number | null; // how often it would have been said; null: that cannot be told from here
  per: "hours" | "days" | "months";
}

type Watches = Record<string, unknown>;

/** The quantity that a kind of rule looks at, as this meter tells it. */
function quantityOf(kind: string, watches: Watches, reading: Reading | undefined): string | undefined {
  const told = Object.keys(reading?.values ?? {});
  if (kind === "en50160") return told.find((name) => /^voltage(_l\d+)?$/.test(name));
  return told.find((name) => name === watches.quantity);
}

/** Ask the book. Null where a picture says nothing about this kind, or nothing is told yet. */
export async function askPast(
  kind: string, meters: string[], watches: Watches, readings: Record<string, Reading>, zone: string, now: number,
): Promise<Past | null> {
  if (kind === "budget") return meters.length ? askBudget(meters, watches, zone, now) : null;
  if (!["above", "below", "rate", "en50160"].includes(kind)) return null;
  const curves: Curve[] = [];
  let unit = "";
  for (const meter of meters.length ? meters : Object.keys(readings)) {
    const quantity = quantityOf(kind, watches, readings[meter]);
    if (!quantity || curves.length === CURVES_MAX) continue;
    const means: Record<string, string> = kind === "en50160" ? { every: "10min" } : { points: String(POINTS) };
    const answer = await ask<Answer>("query", { meter, quantity, from: "-24h", ...means });
    unit = answer.unit;
    curves.push(curveOf(meter, answer));
  }
  if (!curves.length) return null;
  const limits = limitsOf(kind, watches);
  const times = limits.length ? curves.reduce((sum, curve) => sum + excursions(curve, kind, watches, limits), 0) : null;
  return { curves, limits, bars: false, unit, times, per: "hours" };
}

async function askBudget(meters: string[], watches: Watches, zone: string, now: number): Promise<Past> {
  const month = watches.per === "month";
  const day = (back: number) => new Intl.DateTimeFormat("en-CA", { timeZone: zone }).format(now - back * DAY_MS);
  const from = month ? `${day(30.4 * (MONTHS - 1)).slice(0, 7)}-01` : day(DAYS - 1);
  const question = { meter: meters, quantity: String(watches.quantity), from, every: month ? "1mo" : "1d", sum: "true" };
  const told = [await ask<Answer | Answer[]>("query", question)].flat();
  const curves = told.slice(0, 1).map((answer) => curveOf(meters.join(", "), answer));
  const limits = limitsOf("budget", watches);
  const over = curves[0]?.values.filter((value) => value !== null && value > (limits[0] ?? Infinity)).length ?? 0;
  return { curves, limits, bars: true, unit: told[0]?.unit ?? "Wh", times: limits.length ? over : null, per: month ? "months" : "days" };
}

function curveOf(meter: string, { points }: Answer): Curve {
  return { meter, at: points.map(({ at }) => Date.parse(at) / 1000), values: points.map(({ value }) => value) };
}

function limitsOf(kind: string, watches: Watches): number[] {
  if (kind === "rate") return [];
  if (kind !== "en50160") return typeof watches.limit === "number" ? [watches.limit] : [];
  const nominal = Number(watches.nominal);
  return [nominal * (1 - VOLTAGE_SHARE), nominal * (1 + VOLTAGE_SHARE)];
}

/** How often it was so for long enough, each time until it was back on the good side. */
export function excursions({ at, values }: Curve, kind: string, watches: Watches, limits: number[]): number {
  const lasting = seconds(watches.lasting) ?? 0;
  const back = typeof watches.hysteresis === "number" ? watches.hysteresis : 0;
  let times = 0;
  let since: number | null = null;
  let said = false;
  values.forEach((value, row) => {
    const now = at[row] ?? 0;
    if (value === null) return;
    const bad = beyond(value, kind, limits, since === null ? 0 : back);
    if (!bad) [since, said] = [null, false];
    else since ??= now;
    if (since !== null && !said && now - since >= lasting) [times, said] = [times + 1, true];
  });
  return times;
}

function beyond(value: number, kind: string, [low = 0, high = low]: number[], back: number): boolean {
  if (kind === "below") return value < low + back;
  if (kind === "en50160") return value < low || value > high;
  return value > high - back;
}
