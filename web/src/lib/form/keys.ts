// What a form asks for, in the daemon's own terms, and the way from what is typed to what is written.
//
//   <Form of="alert" keys={forms.alert.kinds.above} bind:values errors={wrong} />
//
// `values` holds what the file has, key by key; a key that is not in it takes its default. Save `differing(keys,
// before, values)`: only what changed, so that defaults are not written down. The texts of a key are `form.<of>.<key>`
// or `form.<key>`, else the key itself in words; those that help are `form.<of>.<key>.help` or the daemon's.
import { t, textOf } from "../i18n";
import type { Keys, Value } from "../configuration";

export type Suggest = "meters" | "quantities" | "sinks" | "alerts" | "locations";

export interface FormKey {
  key: string;
  type: "text" | "number" | "whole" | "duration" | "day time" | "flag" | "choice" | "list" | "secret" | "zone" | "path" | "map";
  choices?: (string | number)[];
  default: Value;
  required: boolean;
  help: string; // in English, as the settings' code explains it
  suggest?: Suggest;
  min?: number;
  max?: number;
}

export interface Suggestion {
  value: string;
  words?: string; // what people call it
}

/** What a secret is told as: that there is one, and where it is kept. */
export interface Kept {
  secret: true;
  from?: "env" | "file";
}

export function isKept(value: unknown): value is Kept {
  return typeof value === "object" && value !== null && "secret" in value;
}

export function labelOf(key: string, of = ""): string {
  return textOf(`form.${of}.${key}`) ?? textOf(`form.${key}`) ?? inWords(key);
}

export function helpOf(key: FormKey, of = ""): string {
  if (key.type === "list" && key.required) return t("form.one_at_least");
  return textOf(`form.${of}.${key.key}.help`) ?? textOf(`form.${key.key}.help`) ?? key.help;
}

export function choiceWords(key: string, choice: string | number, of = ""): string {
  return textOf(`form.${of}.${key}.${choice}`) ?? textOf(`form.${key}.${choice}`) ?? String(choice);
}

function inWords(key: string): string {
  const words = key.replaceAll(/[_-]/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A value as it stands in a field. */
export function asTyped(value: Value | undefined, type: FormKey["type"]): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "number" && type === "duration") return `${value}s`;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** What was typed as it is written; undefined where nothing is. What is no number stays a text: the daemon says so. */
export function fromTyped(typed: string, type: FormKey["type"]): Value | undefined {
  const text = typed.trim();
  if (!text) return undefined;
  if (type !== "number" && type !== "whole") return type === "text" ? typed : text;
  const bare = text.replaceAll(/[\s\u00a0\u202f]/g, "").replace(",", ".");
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(bare) ? Number(bare) : text;
}

/** What is to be written: changed keys, and null for those that take their default again. */
export function differing(keys: FormKey[], before: Keys, values: Record<string, Value | undefined>): Keys {
  const changed: Keys = {};
  for (const key of keys) {
    const [was, is] = [before[key.key], values[key.key]];
    if (same(was, is)) continue;
    if (is === undefined) changed[key.key] = null;
    else if (was !== undefined || !same(is, key.default)) changed[key.key] = is;
  }
  return changed;
}

function same(one: Value | undefined, other: Value | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
