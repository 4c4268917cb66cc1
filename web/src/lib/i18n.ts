// Texts by file: src/i18n/<language>.json, loaded when it is spoken; what only some pages need comes with the first of
// them (web/texts.ts says which). A key that a language lacks is shown in English.
import type all from "../i18n/en.json";
import english from "../i18n/en.json?first";
import { keep, kept } from "./kept";

export type Key = keyof typeof all;
type Texts = Partial<Record<string, string>>;

const others = import.meta.glob<Texts>(["../i18n/*.json", "!../i18n/en.json"], { query: "?first", import: "default" });
const rests = import.meta.glob<Texts>("../i18n/*.json", { query: "?later", import: "default" });
const names = import.meta.glob<string>("../i18n/*.json", { query: "?name", import: "default", eager: true });
const path = (of: string) => `../i18n/${of}.json`;

export const LANGUAGES: readonly string[] = Object.keys(rests).map((each) => each.replace(/^.*\/|\.json$/g, "")).sort();
export let locale: string = navigator.language; // of numbers and dates
export let language = "en";
let texts: Texts = english;
let rest: Texts = {}; // what came with a page
let wholly = false; // whether such a page was opened

/** The language that was chosen here, or null for the browser's. */
export function chosen(): string | null {
  return LANGUAGES.find((each) => each === kept("language")) ?? null;
}

/** Load the texts of the language in force; what is on the screen must be drawn again by whoever asks. */
export async function speak(): Promise<void> {
  const choice = chosen();
  const of = wanted();
  try {
    const [first, later] = await Promise.all([others[path(of)]?.() ?? english, wholly ? restOf(of) : null]);
    [texts, rest, language] = [first, later ?? rest, of];
  } catch (error) {
    console.warn(`the texts of "${of}" did not come:`, error);
    [texts, rest, language] = [english, {}, "en"];
  }
  locale = choice ? (navigator.languages.find((tag) => root(tag) === choice) ?? choice) : navigator.language;
  document.documentElement.lang = language;
}

/** Load what the frame does not need; a page that needs it is shown when it came. */
export async function speakWholly(): Promise<void> {
  if (wholly) return;
  const of = wanted();
  const came = await restOf(of);
  wholly = true;
  if (of === wanted()) rest = came;
  else await speak(); // another language was chosen meanwhile
}

async function restOf(language: string): Promise<Texts> {
  return (await rests[path(language)]?.()) ?? {};
}

function wanted(): string {
  return chosen() ?? navigator.languages.map(root).find((each) => LANGUAGES.includes(each)) ?? "en";
}

/** Speak another language from now on, or the browser's with null. */
export async function choose(choice: string | null): Promise<void> {
  keep("language", choice);
  await speak();
}

function root(tag: string): string {
  return tag.split("-")[0] ?? "";
}

/** What a language calls itself. The browser's own list of names would be read in files of each language: 25 ms. */
export function nameOf(language: string): string {
  return names[path(language)] ?? language;
}

export function t(key: Key, parts: Record<string, string | number> = {}): string {
  const text = texts[key] ?? rest[key] ?? english[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(parts[name] ?? ""));
}

/** The text of a key that is put together of names, where there is one. */
export function textOf(key: string): string | undefined {
  return texts[key] ?? rest[key] ?? english[key];
}

/** A short name for a quantity where the page has one, else the vocabulary's title. */
export function short(quantity: string, title: string): string {
  return textOf(`short.${quantity}`) ?? title;
}
