// Days of the calendar as texts, "2026-11-21", and where they begin on a zone's clock.
import { timeFormat } from "../lib/intl";

const DAY_MS = 86_400_000;

export function utc(day: string): number {
  return Date.parse(`${day}T00:00:00Z`);
}

function text(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

export function addDays(day: string, count: number): string {
  return text(utc(day) + count * DAY_MS);
}

/** The same day of another month, or its last day where that month is shorter. */
export function addMonths(day: string, count: number): string {
  const [year = 1970, month = 1, date = 1] = day.split("-").map(Number);
  const last = new Date(Date.UTC(year, month + count, 0)).getUTCDate();
  return text(Date.UTC(year, month - 1 + count, Math.min(date, last)));
}

/** The Monday at or before a day. */
export function monday(day: string): string {
  return addDays(day, -((new Date(utc(day)).getUTCDay() + 6) % 7));
}

/** The day an instant falls on. */
export function dayOf(at: number, zone: string): string {
  return text(wallOf(at, zone));
}

/** The instant a day begins. */
export function begins(day: string, zone: string): number {
  return instantOf(utc(day), zone);
}

/** What a zone's clock shows at an instant, as if it were UTC. */
export function wallOf(at: number, zone: string): number {
  return at + offset(at, zone);
}

/** The instant a zone's clock shows this. */
export function instantOf(wall: number, zone: string): number {
  const guess = wall - offset(wall, zone);
  return wall - offset(guess, zone); // the clock may change between the two
}

/** What a zone's clock is ahead of UTC, in milliseconds. */
function offset(at: number, zone: string): number {
  const parts = timeFormat("en-US-u-hc-h23", {
    timeZone: zone,
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  }).formatToParts(at);
  const of = Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]));
  const local = Date.UTC(of.year ?? 0, (of.month ?? 1) - 1, of.day, of.hour, of.minute, of.second);
  return local - Math.floor(at / 1000) * 1000;
}
