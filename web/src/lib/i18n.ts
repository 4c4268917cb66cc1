// Texts by file: src/i18n/<language>.json, loaded when it is spoken. A key that a language lacks is shown in English.
import english from "../i18n/en.json";
import { keep, kept } from "./kept";

export type Key = keyof typeof english;
type Texts = Partial<Record<string, string>>;

const others = import.meta.glob<{ default: Texts }>(["../i18n/*.json", "!../i18n/en.json"]);
const files = new Map(Object.entries(others).map(([path, load]) => [path.replace(/^.*\/|\.json$/g, ""), load]));

export const LANGUAGES: readonly string[] = ["en", ...files.keys()].sort();
export let locale: string = navigator.language; // of numbers and dates
export let language = "en";
let texts: Texts = english;

/** The language that was chosen here, or null for the browser's. */
export function chosen(): string | null {
  return LANGUAGES.find((each) => each === kept("language")) ?? null;
}

/** Load the texts of the language in force; what is on the screen must be drawn again by whoever asks. */
export async function speak(): Promise<void> {
  const choice = chosen();
  const wanted = choice ?? navigator.languages.map(root).find((each) => LANGUAGES.includes(each)) ?? "en";
  try {
    texts = (await files.get(wanted)?.())?.default ?? english;
    language = wanted;
  } catch (error) {
    console.warn(`the texts of "${wanted}" did not come:`, error);
    [texts, language] = [english, "en"];
  }
  locale = choice ? (navigator.languages.find((tag) => root(tag) === choice) ?? choice) : navigator.language;
  document.documentElement.lang = language;
}

/** Speak another language from now on, or the browser's with null. */
export async function choose(choice: string | null): Promise<void> {
  keep("language", choice);
  await speak();
}

function root(tag: string): string {
  return tag.split("-")[0] ?? "";
}

const names = new Map<string, string>();

/** What a language calls itself. */
export function nameOf(language: string): string {
  const known = names.get(language);
  if (known) return known; // each is looked up in files of its own language
  const name = new Intl.DisplayNames([language], { type: "language" }).of(language) ?? language;
  const capital = name.charAt(0).toLocaleUpperCase(language) + name.slice(1);
  names.set(language, capital);
  return capital;
}

export function t(key: Key, parts: Record<string, string | number> = {}): string {
  const text = texts[key] ?? english[key];
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(parts[name] ?? ""));
}

/** The text of a key that is put together of names, where there is one. */
export function textOf(key: string): string | undefined {
  return texts[key] ?? (english as Texts)[key];
}

/** A short name for a quantity where the page has one, else the vocabulary's title. */
export function short(quantity: string, title: string): string {
  return textOf(`short.${quantity}`) ?? title;
}
