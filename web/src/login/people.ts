// Coming in: who we are, logging in, and the first password.
import type { MeAnswer as Me } from "../lib/api";

export type { Me };

const WAIT_MS = 15_000; // a hash takes a second on a small machine, and others may wait before us

async function answerOf<T>(response: Response): Promise<T> {
  const answer = (await response.json()) as T & { error?: string };
  if (!response.ok) throw new Error(answer.error ?? response.statusText);
  return answer;
}

export async function me(): Promise<Me> {
  return answerOf(await fetch("/api/v1/me", { signal: AbortSignal.timeout(WAIT_MS) }));
}

/** Send an order. Throws with the daemon's own words. */
async function send<T>(path: string, order: object): Promise<T> {
  const response = await fetch(`/api/v1/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-wattbook": "1" },
    body: JSON.stringify(order),
    signal: AbortSignal.timeout(WAIT_MS),
  });
  return answerOf(response);
}

export async function logIn(name: string, password: string): Promise<void> {
  await send("login", { name, password });
}

/** The first user, who may do everything. */
export async function begin(name: string, password: string): Promise<void> {
  await send("users", { do: "add", name, password, role: "admin" });
  await logIn(name, password);
}
