// What the daemon answers, and how it is asked.
import { leave } from "./leave";

export type State = "starting" | "present" | "away";
export type Quality = "good" | "suspect";

// Where the energy of a house comes from, in the order of answers.
export const SOURCES = ["utility", "generator", "solar", "battery"] as const;

export interface Meter {
  name: string;
  model: string;
  title: string;
  location: string;
  source: "" | (typeof SOURCES)[number];
  line: string;
  state: State;
  reason: string;
  since: string | null;
  last_at: string | null;
  hints: string[]; // what looks wrong about its wiring or its model
  latency_s: number;
  progress: { heard: number; expected: number | null } | null;
  counters: Record<"polls" | "answers" | "timeouts" | "garbled" | "refused", number>;
}

/** A meter that is computed from others; `parts` says how many times each real meter counts. */
export interface Virtual {
  name: string;
  location: string;
  source: Meter["source"];
  parts: Record<string, number>;
}

export interface Reading {
  meter: string;
  at: string;
  values: Record<string, number>;
  quality: Quality;
  doubt?: Record<string, Quality>;
  seq?: number;
}

export interface Quantity {
  name: string;
  title: string;
  unit: string;
  kind: "register" | "gauge";
}

export interface About {
  version: string;
  site: string;
  timezone: string;
  book: string;
  started: string | null; // when the daemon began
  gap: { since: string; reason: string } | null; // the book cannot be written
  currency?: string | null; // what energy is paid in; null = there is no tariff
  configuration?: { state: "in force" | "changed" | "broken"; problem: string }; // the file on disk against what is used
}

/** What feeds the house; `state` is null where no meter can tell. */
export interface Supply {
  state: "utility" | "generator" | "dark" | "unknown" | null;
  since: string | null;
  generator_current: number; // A; the generator runs when its meter tells more
  dark: { from: string; to: string | null; reason: string } | null; // the last time that nothing did
}

/** How many rules are raised, and the number of the newest event of alerts: when it changes, something happened. */
export interface AlertsNow {
  raised: number;
  changed: number;
}

export interface Answer {
  meter?: string;
  unit: string;
  points: { at: string; value: number | null; quality: string }[];
}

/** As `Answer`, with the points as columns. */
export interface Columns {
  meter: string;
  columns: { steps_ms: number[]; value: (number | null)[] }; // the first since 1970, the others since the one before
}

export type Scope = "read" | "metrics" | "push" | "operate" | "configure" | "users";
export type Role = "viewer" | "operator" | "admin";

/** GET /api/v1/me as the daemon answers it. */
export interface MeAnswer {
  name: string;
  kind: "user" | "token" | "local" | "open" | "none"; // open: this machine, before a password is set
  role: Role | null;
  scopes: Scope[];
  password_set: boolean;
  may_set_password: boolean; // here, on wattbook's own machine, while nobody has one
  encrypted: boolean;
}

/** GET /api/v1/opening: what else is asked by itself, in one answer. */
export interface Opening {
  about: About;
  me: MeAnswer;
  meters: Meter[];
  virtual: Virtual[];
  supply: Supply;
  quantities: Quantity[];
  readings: Reading[];
  past: Columns[]; // the last hour of power
}

const WAIT_MS = 8000;

/** Ask for JSON. Throws with the daemon's own words, or with the network's. */
export async function ask<T>(
  path: string,
  parameters: Record<string, string | string[]> = {},
  waitMs = WAIT_MS,
): Promise<T> {
  return (await askDated<T>(path, parameters, waitMs)).answer;
}

/** As `ask`, with the daemon's clock: milliseconds since 1970, or null when it did not say. */
export async function askDated<T>(
  path: string,
  parameters: Record<string, string | string[]> = {},
  waitMs = WAIT_MS,
): Promise<{ answer: T; date: number | null }> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of Array.isArray(value) ? value : [value]) query.append(name, each);
  }
  const address = query.size ? `/api/v1/${path}?${query}` : `/api/v1/${path}`;
  const response = await fetch(address, { signal: AbortSignal.timeout(waitMs) });
  const answer = (await response.json()) as T & { error?: string };
  if (response.status === 401) leave();
  if (!response.ok) throw new Error(answer.error ?? response.statusText);
  const date = Date.parse(response.headers.get("date") ?? "");
  return { answer, date: Number.isNaN(date) ? null : date };
}
