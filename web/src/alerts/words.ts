// Rules in words: "Active power of heat-pump above 5 kW for 10 min".
import { duration } from "../lib/format";
import { house } from "../lib/house.svelte";
import { locale, short, t, textOf } from "../lib/i18n";
import { isKind, type Rule } from "./watched";

const IN_THOUSANDS = new Set(["W", "VA", "var", "Wh", "VAh", "varh"]);
const NAMED_MAX = 3; // meters in a sentence
const NAME_SIZE_MAX = 100;
const UNITS_S: Record<string, number> = { ms: 0.001, s: 1, min: 60, h: 3600, d: 86400 };

/** The seconds of "10min"; null for what is no duration. */
export function seconds(value: unknown): number | null {
  if (typeof value === "number") return value;
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)\s*$/.exec(String(value ?? "")) ?? [];
  return number && unit ? Number(number) * (UNITS_S[unit] ?? 0) : null;
}

export function unitOf(kind: string, quantity: unknown): string {
  if (["imbalance", "always-on", "disk"].includes(kind)) return "%";
  return house.quantities[String(quantity)]?.unit ?? guessed(String(quantity));
}

/** Of a quantity that no meter tells by now. */
function guessed(quantity: string): string {
  const units = { active_power: "W", active_energy: "Wh", voltage: "V", current: "A", frequency: "Hz", apparent_power: "VA" };
  return Object.entries(units).find(([name]) => quantity.startsWith(name))?.[1] ?? "";
}

/** A limit as somebody set it: no more digits than it has. */
export function limitText(value: unknown, unit: string): string {
  if (typeof value !== "number") return String(value ?? "…");
  const thousands = IN_THOUSANDS.has(unit) && Math.abs(value) >= 1000;
  const number = new Intl.NumberFormat(locale, { maximumFractionDigits: 3 }).format(thousands ? value / 1000 : value);
  return unit && unit !== "1" ? `${number} ${thousands ? "k" : ""}${unit}` : number;
}

function named(names: string[], all: string): string {
  if (!names.length) return all;
  if (names.length > NAMED_MAX) return t("alerts.words_several", { count: names.length });
  return new Intl.ListFormat(locale, { type: "conjunction" }).format(names);
}

type Watched = Pick<Rule, "kind" | "meters"> & { watches: Record<string, unknown> };

/** What a rule says, in one sentence. */
export function ruleWords({ kind, meters, watches }: Watched): string {
  if (!isKind(kind)) return kind;
  const quantity = String(watches.quantity ?? "");
  const lasts = seconds(watches.lasting);
  const per = t(watches.per === "month" ? "alerts.words_month" : "alerts.words_day");
  return t(`alerts.words_${kind}`, {
    quantity: quantity ? short(quantity, house.quantities[quantity]?.title ?? quantity.replaceAll("_", " ")) : "…",
    meters: named(meters, t("alerts.words_any")),
    sinks: named((watches.sinks as string[] | undefined) ?? [], t("alerts.words_any_sink")),
    limit: limitText(watches.limit, unitOf(kind, quantity)),
    lasting: lasts ? t("alerts.words_lasting", { length: duration(lasts) }) : "",
    length: duration(lasts ?? 0),
    within: duration(seconds(watches.within) ?? 0),
    nominal: limitText(watches.nominal, "V"),
    frequency: limitText(watches.frequency, "Hz"),
    per: watches.forecast ? t("alerts.words_forecast", { per }) : per,
  });
}

/** A name for a rule that nobody named yet. */
export function nameFor(words: string): string {
  return words.replaceAll(/[/#+]/g, " ").slice(0, NAME_SIZE_MAX).trim();
}

const SERVICES: Record<string, string> = { mailto: "mail", mailtos: "mail", tgram: "telegram", ntfy: "ntfy", ntfys: "ntfy", json: "webhook", jsons: "webhook" };

export function serviceWords(service: string): string {
  const known = SERVICES[service];
  return (known && textOf(`alerts.service_${known}`)) ?? service;
}
