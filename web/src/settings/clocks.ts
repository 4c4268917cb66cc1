/** What a clock of this time zone shows, or "" where the browser knows no such zone. */
export function timeIn(zone: string, at: number, locale: string): string {
  try {
    const style = { weekday: "short", hour: "2-digit", minute: "2-digit", timeZone: zone } as const;
    return new Intl.DateTimeFormat(locale, style).format(at);
  } catch {
    return ""; // a name that is being typed
  }
}
