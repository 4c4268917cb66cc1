// What each meter counted today, and yesterday up to the same time of the day.
import { ask, type Answer, type Reading } from "./api";
import { timeFormat } from "./intl";

export interface Day {
  today: number | null; // Wh
  yesterday: number | null;
}

const COUNTED = ["active_energy_import", "active_energy_export"] as const; // the first that a meter has moved

/** Ask the book; the meters are those that count energy. */
export async function askDays(readings: Record<string, Reading>, now: number, zone: string): Promise<Record<string, Day>> {
  const days: Record<string, Day> = {};
  for (const quantity of COUNTED) {
    const meters = Object.values(readings).filter((each) => counting(each) === quantity).map((each) => each.meter);
    if (!meters.length) continue;
    const question = { meter: meters, quantity, every: "1d" };
    const [today, yesterday] = await Promise.all([
      answers({ ...question, from: "today" }),
      answers({ ...question, from: "yesterday", to: sameTimeYesterday(now, zone) }),
    ]);
    for (const meter of meters) {
      days[meter] = { today: today.get(meter) ?? null, yesterday: yesterday.get(meter) ?? null };
    }
  }
  return days;
}

/** The register by which a meter counts; undefined where it has none. */
export function counting({ values }: Reading): string | undefined {
  return COUNTED.find((name) => values[name]) ?? COUNTED.find((name) => name in values);
}

async function answers(question: Record<string, string | string[]>): Promise<Map<string, number | null>> {
  const told = await ask<Answer | Answer[]>("query", question);
  const asked = question.meter as string[];
  return new Map([told].flat().map((each, place) => [each.meter ?? asked[place] ?? "", each.points[0]?.value ?? null]));
}

/** As a wall clock shows it, so that a day of 23 hours is compared by what people did in it. */
export function sameTimeYesterday(now: number, timeZone: string): string {
  const parts = timeFormat("en-GB", {
    timeZone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
  }).formatToParts(now);
  const part = (name: string) => parts.find(({ type }) => type === name)?.value ?? "";
  const day = new Date(Date.UTC(Number(part("year")), Number(part("month")) - 1, Number(part("day")) - 1));
  return `${day.toISOString().slice(0, 10)}T${part("hour")}:${part("minute")}`;
}
