// What is chosen on the page, and the address that says it: the browser's history goes back and forth through it.
import { comparisons, type Period, STEP, type Than, type View, periodOf } from "./period";

export const DIVISIONS = ["meter", "place", "source"] as const;
export type Division = (typeof DIVISIONS)[number];

/** Into the house, or out of it: what a solar plant gives. */
export const WAYS = ["import", "export"] as const;
export type Way = (typeof WAYS)[number];

export interface Choice {
  period: Period;
  by: Division;
  of: string[]; // meters; of "place" the place whose parts are shown; none = what there is
  than: Than | ""; // "" = what is told without being asked
  way: Way;
  money: boolean; // what it costs, instead of kWh
}

const DAY = /^\d{4}-\d\d-\d\d$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const THANS: Than[] = ["none", "before", "week", "year"];

/** `by` stands for a division that the address does not tell. */
export function read(hash: string, today: string, by: Division = "meter"): Choice {
  const told = new URLSearchParams(hash.split("?")[1] ?? "");
  return {
    period: period(told.get("view") ?? "", told.get("at") ?? "", today),
    by: DIVISIONS.find((each) => each === told.get("by")) ?? (told.has("of") ? "meter" : by),
    of: told.getAll("of"),
    than: THANS.find((each) => each === told.get("than")) ?? "",
    way: WAYS.find((each) => each === told.get("way")) ?? "import",
    money: told.get("show") === "cost",
  };
}

function period(view: string, at: string, today: string): Period {
  const real = !Number.isNaN(Date.parse(at)); // 2026-02-31 is not
  if (view === "hour" && INSTANT.test(at) && real) return { view, at };
  const known: View = view in STEP && view !== "hour" ? (view as View) : "week";
  return periodOf(known, DAY.test(at) && real ? at : today);
}

/** What a choice is compared with: a day with the same weekday, where nobody chose. */
export function thanOf({ period, than }: Choice): Than {
  if (than && comparisons(period.view).includes(than)) return than;
  return period.view === "day" ? "week" : "before";
}

/** Whether what is chosen has a price: one meter's energy by source, and what is given out alone, have only kWh. */
export function priced({ by, of, way }: Choice): boolean {
  return way === "import" && (by !== "source" || !of.length);
}

export function write({ period, by, of, than, way, money }: Choice): string {
  const told = new URLSearchParams({ view: period.view, at: period.at, by });
  if (than) told.set("than", than);
  if (way !== "import") told.set("way", way);
  if (money) told.set("show", "cost");
  for (const each of of) told.append("of", each);
  return `#/energy?${told}`;
}
