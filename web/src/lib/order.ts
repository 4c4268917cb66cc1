// Orders: what somebody wants changed. The daemon's own words come back where it refuses.

import { leave } from "./leave";

const WAIT_MS = 30_000; // a change of a long span rewrites some 200,000 readings

/** Send an order. Throws with the daemon's words; whoever is not known is sent to log in. */
export async function order<T>(path: string, body: Record<string, unknown>): Promise<T> {
  const response = await fetch(`/api/v1/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-wattbook": "1" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(WAIT_MS),
  });
  if (response.status === 401) leave();
  const answer = (await response.json()) as T & { error?: string; fields?: Record<string, string> };
  if (!response.ok) throw new Wrong(answer.error ?? response.statusText, answer.fields ?? {});
  return answer;
}

/** An order that was refused. `fields`: what is wrong with which field, where the daemon says so. */
export class Wrong extends Error {
  constructor(
    message: string,
    readonly fields: Record<string, string>,
  ) {
    super(message);
  }
}

/** What is wrong, for whoever reads it. */
export function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The field that the daemon's words are about, as they name it: `"at" is …`, `name: …`, `two meters are called …`. */
export function fieldOf(message: string, fields: readonly string[]): string {
  if (/two (meters|lines) are called/.test(message)) return fields.includes("name") ? "name" : "";
  if (message.startsWith("say why") || /"who" and "why"/.test(message)) return "why";
  return fields.find((field) => new RegExp(`"${field}"|\\b${field}: `).test(message)) ?? "";
}
