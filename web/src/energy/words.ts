// Periods, steps and energies as people read them.
import { hourSpan, money } from "../lib/format";
import { house } from "../lib/house.svelte";
import { numberFormat, timeFormat } from "../lib/intl";
import { language, locale, t, type Key } from "../lib/i18n";
import { dayOf, utc } from "./days";
import type { Way } from "./choice";
import { endOf, type Period, startOf, type Than, type View } from "./period";

/** "14.2 kWh": as many decimals as the size has use for. */
export function energy(wh: number): string {
  const kwh = wh / 1000;
  const size = Math.abs(kwh);
  const decimals = size >= 1000 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  const number = numberFormat(locale, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return `${number.format(kwh)} kWh`;
}

/** What a choice shows: energy in Wh, or money in thousandths of the currency. */
export function shownAs(value: number, choice: { money: boolean }): string {
  return choice.money && house.about?.currency ? money(value / 1000, house.about.currency) : energy(value);
}

/** A value on an axis. */
export function axisEnergy(wh: number): string {
  return wh ? numberFormat(locale, { maximumFractionDigits: 4 }).format(wh / 1000) : "0";
}

function format(style: Intl.DateTimeFormatOptions, zone: string): Intl.DateTimeFormat {
  return timeFormat(locale, { ...style, timeZone: zone });
}

const LONG: Intl.DateTimeFormatOptions = { day: "numeric", month: "long", year: "numeric" };

/** "Saturday, 21 November 2026", "16–22 November 2026", "November 2026". */
export function title(period: Period, zone: string): string {
  const first = utc(period.at);
  switch (period.view) {
    case "year":
      return format({ year: "numeric" }, "UTC").format(first);
    case "month":
      return format({ month: "long", year: "numeric" }, "UTC").format(first);
    case "week":
      return format(LONG, "UTC").formatRange(first, first + 6 * 86_400_000);
    case "day":
      return format({ ...LONG, weekday: "long" }, "UTC").format(first);
    case "hour":
      return format({ ...LONG, hour: "numeric", minute: "2-digit" }, zone).formatRange(
        startOf(period, zone),
        endOf(period, zone),
      );
  }
}

const UNIT = { day: "day", week: "week", month: "month", year: "year" } as const;

/** "Yesterday", "This week so far", else its title: the beginning of a sentence. */
export function when(period: Period, zone: string, now: number): string {
  const ago = back(period, dayOf(now, zone));
  if (period.view === "hour" || ago === null) return title(period, zone);
  const near = new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(-ago, UNIT[period.view]);
  const capital = near.charAt(0).toLocaleUpperCase(language) + near.slice(1);
  return ago ? capital : t("energy.so_far", { when: capital });
}

/** How many periods ago, when that is this one or the last. */
function back(period: Period, today: string): 0 | 1 | null {
  const days = (utc(today) - utc(period.at)) / 86_400_000;
  const length = { day: 1, week: 7, month: 28, year: 365, hour: 0 }[period.view];
  if (period.view === "day" || period.view === "week") {
    const ago = Math.floor(days / length);
    return ago === 0 || ago === 1 ? ago : null;
  }
  const digits = period.view === "month" ? 7 : 4;
  if (today.slice(0, digits) === period.at.slice(0, digits)) return 0;
  const last = new Date(utc(`${today.slice(0, digits)}${period.view === "month" ? "-01" : "-01-01"}`) - 1);
  return last.toISOString().slice(0, digits) === period.at.slice(0, digits) ? 1 : null;
}

/** A step in a tooltip: "Sat 21 Nov", "14:00 – 15:00". */
export function step(view: View, at: number, zone: string): string {
  if (view === "year") return format({ month: "long", year: "numeric" }, zone).format(at);
  if (view === "hour") return format({ hour: "numeric", minute: "2-digit" }, zone).format(at);
  if (view === "day") return hourSpan(at, zone);
  return format({ weekday: "short", day: "numeric", month: "short" }, zone).format(at);
}

/** A step under its bar, where room is short. */
export function below(view: View, at: number, zone: string): string {
  if (view === "year") return format({ month: "short" }, zone).format(at);
  if (view === "week") return format({ weekday: "short", day: "numeric" }, zone).format(at);
  if (view === "month") return format({ day: "numeric" }, zone).format(at);
  const parts = format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" }, zone).formatToParts(at);
  const of = (type: string) => parts.find((part) => part.type === type)?.value ?? "";
  return view === "day" ? String(Number(of("hour"))) : of("minute");
}

export function thanText(view: View, than: Than): string {
  return t(`energy.than.${view}.${than}` as Key);
}

/** "Yesterday, heat-pump used 14.2 kWh, 9 % less than on the same weekday a week before." */
export function sentence(parts: {
  when: string;
  who: string;
  used: number;
  before: number | null;
  than: string;
  way: Way;
  money: boolean;
}): string {
  const used = parts.way === "export" ? ("energy.given" as const) : ("energy.sentence" as const);
  const say = parts.money ? ("energy.cost" as const) : used;
  const told = { when: parts.when, who: parts.who, energy: shownAs(parts.used, parts), than: parts.than };
  if (parts.before === null || parts.before <= 0) return t(say, told);
  const change = Math.round((parts.used / parts.before - 1) * 100);
  if (!change) return t(`${say}.same`, told);
  const percent = numberFormat(locale).format(Math.abs(change));
  return t(change < 0 ? `${say}.less` : `${say}.more`, { ...told, percent });
}
