// Names that a field offers, from what the page knows anyway.
import { house } from "../house.svelte";
import type { Suggest, Suggestion } from "./keys";

/** Sinks and alerts are known to those who asked for them, and given to the form. */
export function suggested(what: Suggest): Suggestion[] {
  if (what === "meters") return house.meters.map(({ name, location }) => ({ value: name, words: location }));
  if (what === "locations") return [...places()].sort().map((value) => ({ value }));
  if (what === "quantities") return Object.values(house.quantities).map(({ name, title }) => ({ value: name, words: title }));
  return [];
}

/** Every place of a meter, and those that it lies in. */
function places(): Set<string> {
  const found = new Set<string>();
  for (const { location } of house.meters) {
    const parts = location.split("/").filter(Boolean);
    parts.forEach((_, depth) => found.add(parts.slice(0, depth + 1).join("/")));
  }
  return found;
}

let known: string[] | null = null;

/** Every time zone that this browser knows, "UTC" first. */
export function zones(): string[] {
  known ??= ["UTC", ...Intl.supportedValuesOf("timeZone").filter((each) => each !== "UTC")];
  return known;
}
