// The configuration as the daemon tells it to those who may change it.

export interface Problem {
  line: number; // 0: the file as a whole
  message: string;
}

export interface ConfigurationAnswer {
  file: string;
  state: "in force" | "changed" | "broken";
  since: string;
  problems: Problem[];
  tables: { site?: SiteKeys };
}

export interface SiteKeys {
  name?: string;
  timezone?: string;
  language?: string;
  on_reset?: "apply" | "propose";
  commit_every?: string | number;
}

export const SITE_DEFAULTS = { name: "Site", timezone: "UTC", language: "en", on_reset: "apply", commit_every: "1s" } as const;

/** Every time zone that this browser knows, "UTC" first. */
export function zones(): string[] {
  return ["UTC", ...Intl.supportedValuesOf("timeZone").filter((each) => each !== "UTC")];
}

/** What a clock of this time zone shows, or "" where the browser knows no such zone. */
export function timeIn(zone: string, at: number, locale: string): string {
  try {
    const style = { weekday: "short", hour: "2-digit", minute: "2-digit", timeZone: zone } as const;
    return new Intl.DateTimeFormat(locale, style).format(at);
  } catch {
    return ""; // a name that is being typed
  }
}
