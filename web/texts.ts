// Which texts come with the page that needs them, and not before: src/i18n/<language>.json is read in two halves.
import type { Plugin } from "vite";

// The first part of a key that neither the frame nor the pages Now and login use,
const LATER = ["alerts", "audit", "docs", "energy", "form", "meter", "places", "settings", "storage"];
// but for these.
const FIRST = ["alerts.badge", "alerts.look", "alerts.one_raised", "alerts.raised_count"];

function isLater(key: string): boolean {
  return LATER.includes(key.split(".")[0] ?? "") && !FIRST.includes(key);
}

/** `en.json?first` and `en.json?later`, each with its half of the texts, and `en.json?name`: what a language calls itself. */
export function halves(): Plugin {
  return {
    name: "halves-of-texts",
    enforce: "pre",
    async load(id) {
      const [, file, language, part] = /^(.*\/i18n\/(\w+)\.json)\?(first|later|name)$/.exec(id) ?? [];
      if (!file) return null;
      this.addWatchFile(file);
      const texts = JSON.parse(await this.fs.readFile(file, { encoding: "utf8" })) as Record<string, string>;
      const half = Object.entries(texts).filter(([key]) => isLater(key) === (part === "later"));
      const told = part === "name" ? texts[`form.site.language.${language}`] : Object.fromEntries(half);
      return { code: `export default ${JSON.stringify(told)}`, moduleType: "js" };
    },
  };
}
