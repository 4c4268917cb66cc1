// Rules, those who are told, and what happened, as the daemon tells them.
export type Severity = "info" | "warning" | "critical";
export type Deed = "test" | "mute" | "unmute";

export interface Sight {
  about: string; // a meter, a sink; "" = the house
  quantity: string;
  unit: string;
  state: "quiet" | "pending" | "raised";
  since: string | null;
  value: number | null;
  worst: number | null;
  text: string; // in the site's language
}

export interface Rule {
  name: string;
  kind: string;
  severity: Severity;
  meters: string[];
  watches: Record<string, unknown>; // every key that its kind takes, in seconds and base units
  state: Sight["state"];
  since: string | null;
  muted: boolean;
  muted_until: string | null;
  about: Sight[];
}

export interface Target {
  name: string;
  service: string; // how apprise calls it
  alerts: string[];
  severity: Severity;
  quiet: string | null;
  remind_s: number | null;
  recovery: boolean;
  state: "starting" | "reading" | "waiting" | "away" | "paused" | "failed" | "stopped";
  reason: string;
  held: number;
  sent_at: string | null;
}

export interface Happening {
  number: number;
  at: string;
  event: "raised" | "recovered" | "reminded" | "muted" | "unmuted" | "tested";
  rule: string;
  who: string;
  severity: Severity | null;
  about: string | null;
  text: string | null;
  lasted_s: number | null;
  until: string | null;
  sent: string[];
}

export const GROUPS = {
  use: ["above", "below", "budget", "always-on", "rate"],
  supply: ["supply", "generator", "en50160", "imbalance"],
  plant: ["silent", "sink", "disk", "backup"],
} as const;
export type Kind = (typeof GROUPS)[keyof typeof GROUPS][number];
export const KINDS: readonly string[] = Object.values(GROUPS).flat();

export function isKind(word: string): word is Kind {
  return KINDS.includes(word);
}

/** How a rule stands: one that saw nothing yet says nothing. */
export function stateOf(rule: Rule): Sight["state"] | "unknown" {
  return rule.about.length ? rule.state : "unknown";
}
