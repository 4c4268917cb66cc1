// Hours of the week as people read them.
import { hourSpan } from "../lib/format";
import { locale } from "../lib/i18n";
import { timeFormat } from "../lib/intl";
import { HOURS } from "./weeks";

const MONDAY = Date.UTC(2024, 0, 1); // one of them

function format(style: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  return timeFormat(locale, { ...style, timeZone: "UTC" });
}

export function weekday(day: number, length: "short" | "long" = "short"): string {
  return format({ weekday: length }).format(MONDAY + day * 86_400_000);
}

/** "14:00 – 15:00". */
export function hour(of: number): string {
  return hourSpan(MONDAY + of * 3_600_000, "UTC");
}

/** "Tuesday 14:00 – 15:00". */
export function cellText(cell: number): string {
  return `${weekday(Math.floor(cell / HOURS), "long")} ${hour(cell % HOURS)}`;
}
