// Texts by file: src/i18n/<language>.json. A key that a language lacks is shown in English.
import english from "../i18n/en.json";

export type Key = keyof typeof english;
type Texts = Partial<Record<string, string>>;

const files = import.meta.glob<{ default: Texts }>("../i18n/*.json", { eager: true });
const known = new Map(
  Object.entries(files).map(([path, file]) => [path.replace(/^.*\/|\.json$/g, ""), file.default]),
);

export const locale: string = navigator.language;
const language = navigator.languages.map((tag) => tag.split("-")[0] ?? "").find((tag) => known.has(tag)) ?? "en";
const texts: Texts = known.get(language) ?? english;
document.documentElement.lang = language;

export function t(key: Key, parts: Record<string, string | number> = {}): string {
  const text = texts[key] ?? english[key];
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(parts[name] ?? ""));
}

/** A short name for a quantity where the page has one, else the vocabulary's title. */
export function short(quantity: string, title: string): string {
  const key = `short.${quantity}`;
  return texts[key] ?? (english as Texts)[key] ?? title;
}
