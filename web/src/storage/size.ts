// Sizes as people read them.
import { locale } from "../lib/i18n";

export function size(bytes: number): string {
  const [unit, of] = ([["GB", 1e9], ["MB", 1e6], ["kB", 1e3]] as const).find(([, of]) => bytes >= of) ?? ["B", 1];
  return `${new Intl.NumberFormat(locale, { maximumSignificantDigits: 3 }).format(bytes / of)} ${unit}`;
}
